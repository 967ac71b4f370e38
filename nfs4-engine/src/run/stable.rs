//! COMPOUNDs that wait for stable storage.

use crate::action::Outbox;
use crate::fs::FsReply;
use crate::keys::CompoundKey;
use crate::run::Runner;
use crate::stable::{StableError, StableTicket};
use crate::time::Now;

impl Runner {
    /// Lets a parked COMPOUND wait for the end of a write.
    pub(super) fn park_for_stable(&mut self, ticket: StableTicket, run: CompoundKey, now: Now) {
        if !self.core.stores.wait(ticket, run) {
            // The write has ended since the operation has looked.
            self.park_yielded(run, now);
        }
    }

    /// A write has ended: continues with a few COMPOUNDs that wait for it, and with the others after
    /// requests that came meanwhile.
    pub(crate) fn stable_done(
        &mut self,
        ticket: StableTicket,
        result: Result<(), StableError>,
        out: &mut Outbox,
    ) {
        let waiting = self.core.store_ended(ticket, result, out);
        for (number, key) in waiting.into_iter().enumerate() {
            let Some(run) = self.parked.get_mut(key) else {
                continue;
            };
            run.not_stored = result.is_err();
            if number >= WOKEN {
                self.park_yielded(key, out.now);
            } else if let Some(run) = self.parked.remove(key) {
                self.resume(run, &mut Some(Ok(FsReply::Done)), out);
            }
        }
    }
}

/// Maximum number of COMPOUNDs that continue at once.
const WOKEN: usize = 8;
