//! The end of leases: the clock decides, at each look-up. [RFC 8881 §8.3]

use alloc::vec::Vec;
use core::time::Duration;

use crate::action::Outbox;
use crate::client::{Client, Lease};
use crate::core::Core;
use crate::core::removal::Removal;
use crate::event::{ClientGone, SessionGone};
use crate::keys::{ClientKey, SessionKey};
use crate::state::table::WALKED_AT_ONCE;
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Whether a client is gone, or its lease has expired: the clock decides, also before its timer has
    /// run.
    pub(crate) fn is_expired(&self, client: ClientKey, now: Mono) -> bool {
        let found = self.clients.get(client);
        found.is_none_or(|client| {
            let length = self.terms.of(client.since);
            client.going.is_some()
                || client.courteous
                || self.lease_of(client).is_expired(now, length)
        })
    }

    /// The length of a client's lease.
    pub(crate) fn lease_length(&self, client: ClientKey) -> Duration {
        let client = self.clients.get(client);
        client.map_or(self.config.lease, |client| self.terms.of(client.since))
    }

    /// A client's lease, joined with the last use of its sessions: each session keeps that itself, so that
    /// a request need not look up its client's record.
    pub(crate) fn lease_of(&self, client: &Client) -> Lease {
        let sessions = client.sessions.iter();
        let mut lease = client.lease;
        for session in sessions.filter_map(|key| self.sessions.get(*key)) {
            lease.join(session.last_used, session.running);
        }
        lease
    }

    /// Removes clients with expired leases whose timers have not run yet, or lists them as clients whose state
    /// gives way. Of a large client, a part is removed.
    pub(crate) fn expire(&mut self, out: &mut Outbox) {
        let now = out.now;
        let mut budget = AT_ONCE;
        let mut others = Vec::new();
        while budget > 0
            && let Some((at, due)) = self.timers.pop_due(now.mono)
        {
            budget -= 1;
            let done = match due {
                Due::Lease(client) => self.on_lease_timer(client, &mut budget, out),
                Due::Courtesy => self.on_courtesy_timer(&mut budget, out),
                Due::Drain(_)
                | Due::LockGrant(_)
                | Due::Slots
                | Due::Grace
                | Due::Stores
                | Due::Callback(_)
                | Due::Path(_)
                | Due::Replies
                | Due::CallbackWait
                | Due::Yielded
                | Due::Slow
                | Due::Exports
                | Due::Revocation
                | Due::Recall(_) => false,
            };
            if !done {
                others.push((at, due));
            }
        }
        for (at, due) in others {
            self.timers.set(at, due);
        }
    }

    /// Removes a client with an expired lease, unless its state is kept, and sessions that are not used;
    /// `false` if there is more to do than `budget` allows.
    pub(crate) fn on_lease_timer(
        &mut self,
        key: ClientKey,
        budget: &mut usize,
        out: &mut Outbox,
    ) -> bool {
        let now = out.now;
        if self.clients.get(key).is_none() {
            return true;
        }
        if self.is_lost(key, now.mono) {
            return match self.remove_client(key, ClientGone::LeaseExpired, budget, out) {
                // Another timer is set when what one waits for is stored.
                Removal::Done | Removal::Waits(_) => true,
                Removal::Later => false,
            };
        }
        if self.clients.get(key).is_some_and(|client| client.courteous) {
            return true;
        }
        if self.is_expired(key, now.mono) {
            self.begin_courtesy(key, out);
            return true;
        }
        if !self.forget_silent_owners(key, budget, out) {
            return false;
        }
        let Some(client) = self.clients.get(key) else {
            return true;
        };
        let length = self.terms.of(client.since);
        // At most as many as a client may have.
        let sessions = client.sessions.iter().copied();
        let idle = |key: &SessionKey| {
            self.sessions
                .get(*key)
                .is_some_and(|session| session.is_idle(now.mono, length))
        };
        for session in sessions.filter(idle).collect::<Vec<_>>() {
            if *budget == 0 {
                return false;
            }
            let before = self.states.walked;
            self.destroy_session(session, SessionGone::LeaseExpired, out);
            let walked = self.states.walked - before;
            *budget = budget.saturating_sub(walked.max(1));
        }
        if let Some(client) = self.clients.get(key) {
            let again = self.lease_of(client).next_check(now.mono, length);
            self.timers.set(again, Due::Lease(key));
        }
        true
    }
}

/// Steps that a request takes to remove expired clients that are in its way.
const AT_ONCE: usize = WALKED_AT_ONCE;
