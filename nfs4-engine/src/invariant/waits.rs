//! What waits is reminded of: nothing waits for ever.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::check;
use crate::engine::Engine;
use crate::timer::Due;

impl Engine {
    /// A client has a timer for its lease, or for the courtesy that it enjoys, a recall one for its end, a callback
    /// one for its reply, and the line of a file those that it awaits; and what is parked for a holder, or for
    /// others, has one and is there. All that waits has one for its report as slow.
    pub(super) fn check_waits(&self) -> Result<(), String> {
        let core = &self.runner.core;
        let (mut leases, mut recalls, mut calls) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut waits, mut yields, mut searches) = (0, 0, 0);
        let (mut courtesies, mut revocations) = (0, 0);
        let mut grants = BTreeSet::new();
        for (at, due) in core.timers.entries() {
            match due {
                Due::Lease(key) => drop(leases.insert(key)),
                Due::Recall(key) => drop(recalls.insert(key)),
                Due::Callback(key) => drop(calls.insert(key)),
                Due::CallbackWait => waits += 1,
                Due::Yielded => yields += 1,
                Due::Slow => searches += 1,
                Due::Courtesy => courtesies += 1,
                Due::Revocation => revocations += 1,
                Due::LockGrant(key) => drop(grants.insert((key, at))),
                Due::Drain(_)
                | Due::Slots
                | Due::Exports
                | Due::Grace
                | Due::Stores
                | Due::Path(_)
                | Due::Replies => {}
            }
        }
        for (key, client) in core.clients.entries() {
            // One timer is set for all clients to which the server is courteous.
            let stores = client.recorded.forgetting.is_some() || client.recorded.is_failed;
            let reminded = leases.contains(&key)
                || client.courteous && courtesies > 0
                || client.going.is_some() && stores;
            check(reminded, "a lease without a timer", key)?;
        }
        let (revoking, is_set) = (core.revoking.len(), core.revoking_is_set);
        // A request may end it before the timer runs.
        check(is_set || revoking == 0, "revoked and not ended", revoking)?;
        let expected = usize::from(is_set);
        check(revocations == expected, "timers for revocation", expected)?;
        for (key, held) in core.states.inside().delegated.entries() {
            let reminded = !held.is_recalled() || recalls.contains(&key);
            check(reminded, "a recall without a timer", key)?;
        }
        for (key, file) in core.states.inside().files.entries() {
            for at in file.waiters.checks() {
                let is_set = grants.contains(&(key, at));
                check(is_set, "a line without its timer", key)?;
            }
        }
        for (key, _) in core.callbacks.calls.entries() {
            check(calls.contains(&key), "a callback without a timer", key)?;
        }
        let waiting = &core.callback_waits;
        check(waiting.len() <= waits, "no timer for a wait", waiting.len())?;
        let yielded = core.yielded.len();
        check(yielded <= yields, "no timer for what has yielded", yielded)?;
        let calls = core.callbacks.calls.len() + core.callbacks.path_calls.len();
        let anything = self.runner.parked.len() + calls > 0;
        if !core.config.slow_request.is_zero() {
            let expected = usize::from(core.slow.armed);
            check(searches == expected, "timers for what is slow", searches)?;
            check(
                core.slow.armed || !anything,
                "no search for what is slow",
                calls,
            )?;
        }
        let mut parked = BTreeSet::new();
        let held = waiting.iter().map(|wait| wait.run);
        let stored = core.stores.entries().flat_map(|store| &store.waiting);
        let stored: Vec<_> = stored.copied().collect();
        check(
            stored.len() == core.stores.waiting(),
            "number of COMPOUNDs that wait for stable storage",
            stored.len(),
        )?;
        for key in held.chain(core.yielded.iter().copied()).chain(stored) {
            check(parked.insert(key), "it waits for two things", key)?;
            let there = self.runner.parked.get(key).is_some();
            check(there, "it waits and is not parked", key)?;
        }
        Ok(())
    }
}
