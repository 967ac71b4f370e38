//! COMPOUNDs that wait a moment for what a client answers to a callback.

use alloc::vec::Vec;
use core::time::Duration;

use crate::action::Outbox;
use crate::compound::Compound;
use crate::core::Core;
use crate::core::callback_wait::CallbackWait;
use crate::fs::FsReply;
use crate::keys::{CompoundKey, DelegationKey};
use crate::peer::{Peer, PeerUsage};
use crate::run::Runner;
use crate::time::Now;
use crate::timer::Due;

impl Runner {
    /// Lets a parked COMPOUND wait for the holder of a delegation, but not for long: the holder may
    /// answer by the same connection.
    pub(crate) fn park_for_holder(&mut self, asked: DelegationKey, run: CompoundKey, now: Now) {
        let until = now.mono.after(MOMENT);
        let peer = self.parked.get(run).and_then(|run| self.core.peer_of(run));
        self.core.callback_waits.push(CallbackWait {
            asked,
            run,
            until,
            peer,
        });
        self.core.set_timer(until, Due::CallbackWait);
    }

    /// Continues with the COMPOUNDs that have waited long enough, or have what they wait for: with a few
    /// at once, and with the others after requests that came meanwhile.
    pub(crate) fn wake(&mut self, out: &mut Outbox) {
        let now = out.now;
        let core = &self.core;
        // Mostly none is over: then the others stay where they are.
        if !core
            .callback_waits
            .iter()
            .any(|wait| wait.is_over(&core.states, now))
        {
            return;
        }
        let (over, waiting): (Vec<CallbackWait>, Vec<CallbackWait>) = core
            .callback_waits
            .iter()
            .partition(|wait| wait.is_over(&core.states, now));
        self.core.callback_waits = waiting;
        for (number, wait) in over.into_iter().enumerate() {
            if number >= WOKEN {
                self.park_yielded(wait.run, now);
            } else if let Some(run) = self.parked.remove(wait.run) {
                self.resume(run, &mut Some(Ok(FsReply::Done)), out);
            }
        }
    }
}

impl Runner {
    /// Lets a parked COMPOUND wait until others have been served: what a peer can make long is
    /// walked over in parts.
    pub(crate) fn park_yielded(&mut self, run: CompoundKey, now: Now) {
        self.core.yielded.push_back(run);
        self.core.set_timer(now.mono, Due::Yielded);
    }

    /// Continues with the COMPOUND that has waited longest for others to be served.
    pub(crate) fn resume_yielded(&mut self, out: &mut Outbox) {
        let first = self.core.yielded.pop_front();
        if let Some(run) = first.and_then(|run| self.parked.remove(run)) {
            self.resume(run, &mut Some(Ok(FsReply::Done)), out);
        }
    }
}

impl Core {
    /// Whether one more COMPOUND may wait for a client: its peer may have its share of those that
    /// do.
    pub(crate) fn may_hold(&self, run: &Compound) -> bool {
        self.peer_of(run).is_some_and(|peer| {
            let each = self.callback_waits.iter().filter_map(|wait| wait.peer);
            PeerUsage::among(each, peer).admits(MOST, 1).is_ok()
        })
    }

    /// The peer of the session's client, or else the host that the request comes from.
    pub(crate) fn peer_of(&self, run: &Compound) -> Option<Peer> {
        let sequenced = run.sequenced.as_ref();
        let client = sequenced.and_then(|scope| self.clients.get(scope.client));
        let host = || Some(self.connections.get(run.conn)?.host);
        client.map(|client| client.peer).or_else(host)
    }
}

/// An answer that takes longer is not waited for: the client sends the request again.
const MOMENT: Duration = Duration::from_millis(200);
/// Maximum number of COMPOUNDs that wait for holders; a peer gets a third.
const MOST: usize = 256;
/// Maximum number of COMPOUNDs that continue at once.
const WOKEN: usize = 8;
