//! CB_RECALL_SLOT: slots that hold memory which other clients need. [RFC 8881 §20.8]
//!
//! A client that sends requests learns from their replies that slots are recalled. The slots of a
//! silent client hold their replies as long as it is silent; so while memory is short, all sessions
//! are checked from time to time, and clients that hold too much get CB_RECALL_SLOT.

use core::time::Duration;

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::callback::{CallPurpose, CallbackEnd, CallbackOp};
use crate::core::Core;
use crate::core::removal::Removal;
use crate::event::ClientGone;
use crate::keys::SessionKey;
use crate::peer::{Peer, PeerUsage};
use crate::session::demand::Pressure;
use crate::session::slot_round::Round;
use crate::time::Now;
use crate::timer::Due;

impl Core {
    /// Starts a round through the sessions if memory for replies is short for a peer, unless one is under
    /// way.
    pub(crate) fn check_slot_memory(&mut self, peer: Peer, now: Now) {
        if !self.sessions.round.is_set && self.pressure(peer).is_high() {
            self.begin_round(now);
        }
    }

    /// Whether memory for replies is short for all peers, whatever they have.
    fn is_memory_short(&self) -> bool {
        let all = self.sessions.reply_memory().0.all();
        let held = PeerUsage {
            all,
            ..PeerUsage::default()
        };
        self.pressure_of(held).is_high()
    }

    fn begin_round(&mut self, now: Now) {
        self.sessions.round = Round {
            is_set: true,
            ..Round::new()
        };
        self.timers.set(now.mono.after(PERIOD), Due::Slots);
    }

    /// Checks sessions, in steps; `false` if there is more to do than `budget` allows.
    pub(crate) fn recall_slots(&mut self, budget: &mut usize, out: &mut Outbox) -> bool {
        // Replies kept for clients with expired leases go first.
        while let Some(first) = self.clients.courteous()
            && self.is_memory_short()
        {
            let reason = ClientGone::LeaseExpired;
            if *budget == 0 || self.remove_client(first, reason, budget, out) == Removal::Later {
                return false;
            }
        }
        loop {
            let mut places = self.sessions.places_from(self.sessions.round.next);
            let Some((key, found)) = places.next() else {
                break;
            };
            if *budget == 0 {
                return false;
            }
            let of = found.map(|session| (session.peer, session.client));
            drop(places);
            *budget -= 1;
            self.sessions.round.next = key.index + 1;
            // A client whose lease has expired is not called back.
            if let Some((peer, client)) = of
                && self
                    .clients
                    .get(client)
                    .is_some_and(|client| !client.courteous)
            {
                let pressure = self.pressure(peer);
                self.sessions.round.is_short |= pressure.is_high();
                self.recall_slots_of(key, pressure, out);
            }
        }
        self.sessions.round.is_set = false;
        if self.sessions.round.is_short {
            self.begin_round(out.now);
        }
        true
    }

    fn recall_slots_of(&mut self, key: SessionKey, pressure: Pressure, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let Some(count) = session.recalled_to(pressure) else {
            session.back.recalled_slots = None;
            return;
        };
        // A slot that is not made holds nothing, and a client is asked once.
        let asked = session.back.recalled_slots;
        if count >= session.slots.made()
            || asked.is_some_and(|asked| asked <= count)
            || !session.bindings.has_back()
        {
            return;
        }
        session.back.recalled_slots = Some(count);
        let client = session.client;
        let op = CallbackOp::RecallSlot { target: count - 1 };
        let purpose = CallPurpose::RecallSlot(key);
        let called = self.send_callback_to(client, Some(key), op, purpose, out);
        if called.is_err()
            && let Some(session) = self.sessions.get_mut(key)
        {
            session.back.recalled_slots = None;
        }
    }

    /// A client that has not got it, or cannot now, is asked again.
    pub(crate) fn slots_recalled(&mut self, key: SessionKey, end: CallbackEnd) {
        // A client that refuses is not asked for the same again.
        let again = match end {
            CallbackEnd::Done { status, .. } => status == Status::DELAY,
            CallbackEnd::Failed(_) => true,
        };
        if again && let Some(session) = self.sessions.get_mut(key) {
            session.back.recalled_slots = None;
        }
    }
}

/// How often all sessions are checked.
const PERIOD: Duration = Duration::from_secs(5);
