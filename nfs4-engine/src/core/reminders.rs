//! Timers, and the removal of those without a use.

use crate::core::Core;
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Sets a timer. When more than half of all timers have no use, a few of them are dropped for each that
    /// is set: clients come and go as fast as requests do.
    pub(crate) fn set_timer(&mut self, at: Mono, due: Due) {
        self.timers.set(at, due);
        let counts = self.states.counts();
        let of_use = self.clients.len()
            + self.connections.len()
            + counts.waiting
            + self.states.delegations()
            + self.callbacks.calls.len()
            + self.callbacks.path_calls.len();
        if self.timers.len() > 2 * of_use + SPARE_TIMERS {
            let (clients, connections, states) = (&self.clients, &self.connections, &self.states);
            let calls = &self.callbacks.calls;
            self.timers.sweep(|at, due| match due {
                Due::Lease(client) => clients.get(client).is_some(),
                Due::Drain(conn) => connections.is_draining(conn),
                Due::CallbackWait | Due::Yielded | Due::Slow | Due::Exports => true,
                Due::LockGrant(file) => states.awaits_check(file, at),
                Due::Slots | Due::Grace | Due::Stores | Due::Courtesy | Due::Revocation => true,
                Due::Callback(call) => calls.contains(call),
                Due::Path(client) => clients.get(client).is_some(),
                Due::Replies => true,
                Due::Recall(key) => {
                    let held = states.delegation(key);
                    held.is_some_and(|held| held.is_recalled())
                }
            });
        }
    }
}

/// Number of timers without a use that are not worth a sweep.
const SPARE_TIMERS: usize = 64;
