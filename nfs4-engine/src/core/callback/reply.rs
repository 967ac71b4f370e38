//! The reply of a client to a callback.

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::callback::decode::{self, CbOutcome, CbRequest, HeldAttrs};
use crate::callback::flight::{Flight, Path};
use crate::callback::slot::{CbSlotReply, CbSlotStep};
use crate::callback::{CallPhase, CallbackEnd, CallbackFailed};
use crate::core::Core;
use crate::event::BackChannelLost;
use crate::ids::ConnId;
use crate::input::{CallbackOutcome, CallbackReply};
use crate::keys::{CallKey, SessionKey};
use crate::time::{Mono, Now};

/// The slot that a reply is about.
#[derive(Clone, Copy)]
pub(crate) struct CallSite {
    pub(crate) session: SessionKey,
    pub(crate) slot: u32,
}

impl Core {
    /// Processes a reply. One that no call waits for any more still settles its slot's seqid.
    pub(crate) fn callback_reply(&mut self, reply: CallbackReply, out: &mut Outbox) {
        let now = out.now;
        let found = self.callbacks.flights.find(reply.conn, reply.xid);
        let Some(flight) = found.and_then(|key| self.land(key)) else {
            out.metrics.unmatched_callback_reply();
            return;
        };
        if flight.overdue {
            out.metrics.unmatched_callback_reply();
        }
        let place = match flight.path {
            Path::Slot { session, slot } => CallSite { session, slot },
            Path::Dialled { client, call } => {
                if call.is_some() {
                    out.metrics.callback_took(now.mono.since(flight.sent));
                }
                self.path_answered(client, flight.conn, call, &reply.outcome, out);
                return;
            }
        };
        out.metrics.callback_took(now.mono.since(flight.sent));
        let answer = match &reply.outcome {
            CallbackOutcome::Answered(results) => {
                let Some(asked) = self.asked(place) else {
                    return;
                };
                decode::read(results, &asked)
            }
            // The client's RPC layer does not take callbacks there.
            CallbackOutcome::Refused(_) => CbOutcome::BadConnection,
        };
        self.on_answer(place, &flight, answer, out);
    }

    fn asked(&self, place: CallSite) -> Option<CbRequest> {
        let session = self.sessions.get(place.session)?;
        let seat = session.back.seats().get(place.slot as usize)?;
        let call = seat.call.and_then(|call| self.callbacks.calls.get(call));
        Some(CbRequest {
            session: session.id,
            slot: place.slot,
            seqid: seat.slot.seqid(),
            op: call.map(|call| call.op.op()),
        })
    }

    fn on_answer(&mut self, place: CallSite, flight: &Flight, answer: CbOutcome, out: &mut Outbox) {
        match answer {
            CbOutcome::Executed {
                status,
                attrs,
                target,
            } => {
                self.note_activity(place.session, flight.conn, out.now);
                self.apply_slot_target(place, target);
                self.on_executed(place, status, attrs, out);
            }
            CbOutcome::FalseRetry => self.on_false_retry(place, out),
            // A later callback counts more.
            CbOutcome::Delayed
            | CbOutcome::Misordered
            | CbOutcome::BadSlot
            | CbOutcome::BadSession
            | CbOutcome::BadConnection
            | CbOutcome::Refused
            | CbOutcome::Garbled
                if flight.overdue => {}
            CbOutcome::Delayed => self.on_delay(place, out),
            CbOutcome::Misordered => self.on_misordered(place, out),
            CbOutcome::BadSlot => self.on_bad_slot(place, out),
            CbOutcome::BadSession => self.on_faulty_backchannel(place.session, out),
            CbOutcome::BadConnection => {
                let (session, slot) = (place.session, place.slot);
                let why = BackChannelLost::Refused;
                self.leave_back_channel(session, flight.conn, why, out);
                self.send_elsewhere(session, slot, CallbackFailed::Refused, out);
            }
            CbOutcome::Refused => {
                let (session, slot) = (place.session, place.slot);
                if let Some(seat) = self.seat_mut(session, slot) {
                    seat.slot.answered(CbSlotReply::Refused);
                }
                self.end_on_slot(session, slot, CallbackFailed::Refused, out);
            }
            CbOutcome::Garbled => {
                let why = BackChannelLost::Garbled;
                self.leave_back_channel(place.session, flight.conn, why, out);
                self.on_unknown_outcome(place.session, place.slot, out);
            }
        }
    }

    /// The callback of a slot was executed, which renews the lease and frees the slot.
    fn on_executed(
        &mut self,
        place: CallSite,
        status: Status,
        attrs: Option<HeldAttrs>,
        out: &mut Outbox,
    ) {
        if let Some(call) = self.settle(place, CbSlotReply::Executed) {
            self.end_callback(call, CallbackEnd::Done { status, attrs }, out);
        }
        self.pump(place.session, out);
    }

    /// The client has executed something else under the seqid of a callback, or does not recognise
    /// it: either way the seqid is used.
    fn on_false_retry(&mut self, place: CallSite, out: &mut Outbox) {
        let call = self.settle(place, CbSlotReply::Executed);
        if let Some(key) = call
            && let Some(call) = self.callbacks.calls.get(key)
        {
            // Sent once, it cannot be what the client has executed before.
            if call.repeats > 1 {
                let status = decode::unseen(Some(call.op.op()));
                let attrs = None;
                self.end_callback(key, CallbackEnd::Done { status, attrs }, out);
            } else if self.pause(call.attempts).is_some() {
                self.queue_again(key, place.session);
            } else {
                let end = CallbackEnd::Failed(CallbackFailed::Refused);
                self.end_callback(key, end, out);
            }
        }
        self.pump(place.session, out);
    }

    /// Not now: the same callback is sent again, under the same seqid.
    fn on_delay(&mut self, place: CallSite, out: &mut Outbox) {
        let Some(call) = self.seat_mut(place.session, place.slot).and_then(|seat| {
            seat.slot.answered(CbSlotReply::Delayed);
            seat.call
        }) else {
            return;
        };
        let attempts = self
            .callbacks
            .calls
            .get(call)
            .map_or(0, |call| call.attempts);
        match self.pause(attempts) {
            Some(pause) => self.wait(call, place.slot, out.now.mono.after(pause)),
            None => {
                let (status, attrs) = (Status::DELAY, None);
                self.free_slot(place.session, place.slot);
                self.end_callback(call, CallbackEnd::Done { status, attrs }, out);
                self.pump(place.session, out);
            }
        }
    }

    fn on_misordered(&mut self, place: CallSite, out: &mut Outbox) {
        let Some(seat) = self.seat_mut(place.session, place.slot) else {
            return;
        };
        match (seat.slot.answered(CbSlotReply::Misordered), seat.call) {
            (CbSlotStep::Fault, _) => self.on_faulty_backchannel(place.session, out),
            (CbSlotStep::Again, Some(call)) => {
                self.frame(call, place.slot);
                self.send_callback(call, out);
            }
            (CbSlotStep::Again | CbSlotStep::Over, _) => {}
        }
    }

    /// The client has fewer slots than it once said.
    fn on_bad_slot(&mut self, place: CallSite, out: &mut Outbox) {
        if place.slot == 0 {
            self.on_faulty_backchannel(place.session, out);
            return;
        }
        if let Some(session) = self.sessions.get_mut(place.session) {
            session.back.forbid_from(place.slot);
        }
        if let Some(call) = self.settle(place, CbSlotReply::Refused) {
            let attempts = self
                .callbacks
                .calls
                .get(call)
                .map_or(0, |call| call.attempts);
            if self.pause(attempts).is_some() {
                self.queue_again(call, place.session);
            } else {
                let end = CallbackEnd::Failed(CallbackFailed::Refused);
                self.end_callback(call, end, out);
            }
        }
        self.pump(place.session, out);
    }

    /// Ends the callback of a slot as far as the slot is concerned: other transmissions of it do not matter
    /// any more, unless the slot is lost with it.
    fn settle(&mut self, place: CallSite, said: CbSlotReply) -> Option<CallKey> {
        let seat = self.seat_mut(place.session, place.slot)?;
        seat.slot.answered(said);
        let call = seat.call.take();
        if seat.slot.is_free() {
            self.forget_flights(place.session, place.slot);
        }
        call
    }

    /// Sends a callback on its slot when some time has passed.
    pub(crate) fn wait(&mut self, key: CallKey, slot: u32, until: Mono) {
        if let Some(call) = self.callbacks.calls.get_mut(key) {
            call.phase = CallPhase::Waiting { slot };
            call.at = until;
        }
        self.next_check(key);
    }

    /// Puts a callback that has no slot any more back into the queue.
    fn queue_again(&mut self, key: CallKey, session: SessionKey) {
        let Some(call) = self.callbacks.calls.get_mut(key) else {
            return;
        };
        call.phase = CallPhase::Queued;
        call.at = call.until;
        if let Some(session) = self.sessions.get_mut(session) {
            session.back.queue_mut().push_front(key);
        }
        self.next_check(key);
    }

    /// A client that answers is alive, and so is the connection of the reply.
    fn note_activity(&mut self, key: SessionKey, conn: ConnId, now: Now) {
        let client = self.sessions.get(key).map(|session| session.client);
        // An expired lease is not renewed.
        let expired = client.is_none_or(|client| self.is_expired(client, now.mono));
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if !expired {
            session.last_used = now.mono;
        }
        session.back.failing = false;
        if let Some(binding) = session.bindings.find_mut(conn) {
            binding.last_activity = now;
        }
    }

    fn apply_slot_target(&mut self, place: CallSite, target: u32) {
        if let Some(session) = self.sessions.get_mut(place.session) {
            let seat = session.back.seats().get(place.slot as usize);
            let highest_sent = seat.map_or(0, |seat| seat.highest_sent);
            session.back.steer(highest_sent, target);
        }
    }
}
