//! What clients with expired leases have lost.

use alloc::string::String;

use super::check;
use crate::engine::Engine;
use crate::state::stateid::Named;

impl Engine {
    /// What is being revoked is on its way out, and what clients remember as lost is lost.
    pub(super) fn check_losses(&self) -> Result<(), String> {
        let core = &self.runner.core;
        let states = core.states.inside();
        let opens = states.opens.iter().filter(|open| open.revoked).count();
        let locks = states.locks.iter().filter(|lock| lock.revoked).count();
        check(
            opens + locks == states.revoking,
            "being revoked",
            (opens, locks),
        )?;
        let doomed = core
            .clients
            .entries()
            .map(|(_, client)| client.doomed.len());
        let queued = core.revoking.len() + doomed.sum::<usize>();
        check(
            opens <= queued,
            "revoked opens that nothing ends",
            (opens, queued),
        )?;
        let mut remembered = 0;
        let mut taken = 0;
        for (key, client) in core.clients.entries() {
            taken += client.taken as usize;
            remembered += client.lost.remembered();
            let timely = !client.courteous || core.lease_of(client).running() == 0;
            check(timely, "expired with a request in execution", key)?;
            check(
                !client.lost.all || !client.lost.is_empty(),
                "all of nothing",
                key,
            )?;
        }
        check(taken == opens, "opens taken from clients", (taken, opens))?;
        check(
            remembered == states.remembered,
            "losses remembered",
            remembered,
        )?;
        for (key, open) in states.opens.entries() {
            let lost = core.why_lost(open.client, Named::Open(key)).is_some();
            check(!lost || open.revoked, "lost, and of use", key)?;
        }
        for (key, lock) in states.locks.entries() {
            let lost = core.why_lost(lock.client, Named::Lock(key)).is_some();
            check(!lost || lock.revoked, "lost, and of use", key)?;
        }
        Ok(())
    }
}
