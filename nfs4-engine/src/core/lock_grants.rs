//! The waiting lines of all files. [RFC 8881 §9.6]

use alloc::vec::Vec;

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::callback::{CallPurpose, CallbackEnd, CallbackOp};
use crate::core::Core;
use crate::keys::{ClientKey, FileKey};
use crate::state::owner::Owner;
use crate::state::waiter::Waiter;
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Locks of a file may have become free: notifies the waiters that come next.
    #[inline]
    pub(crate) fn grant_locks(&mut self, file: FileKey, out: &mut Outbox) {
        if self.states.has_waiters() {
            self.notify_waiters(file, out);
        }
    }

    fn notify_waiters(&mut self, file: FileKey, out: &mut Outbox) {
        let (now, patience) = (out.now.mono, self.config.lease);
        self.states
            .line_of_some(file, |waiters| waiters.dismiss_gone(now, patience));
        let waiters = self.states.waiters(file);
        let gets: Vec<bool> = waiters
            .map(|waiter| self.holder_before(file, waiter, now).is_none())
            .collect();
        if gets.is_empty() {
            return;
        }
        let grants = self.states.next_grants(file, now, patience, &gets);
        for notice in grants.notices {
            let Some(fh) = self.states.handle_of(file) else {
                return;
            };
            let client = notice.client;
            let op = CallbackOp::NotifyLock {
                fh,
                owner: notice.owner,
            };
            let purpose = CallPurpose::NotifyLock { file, client };
            let asked = self.send_callback_to(client, Some(notice.session), op, purpose, out);
            if asked.is_err() {
                self.states.cannot_notify(file, client);
            }
        }
        if let Some(again) = grants.again {
            self.set_timer(again, Due::LockGrant(file));
        }
        self.watch_holders(file, now);
    }

    /// Sees to it that the waiters of a file are notified when the lease of a client expires whose locks are in their
    /// way: from then on these locks give way.
    pub(crate) fn watch_holders(&mut self, file: FileKey, now: Mono) {
        if self.states.checks_leases(file, now) {
            return;
        }
        let waiters = self.states.waiters(file);
        let ends = waiters
            .filter(|waiter| waiter.awaits_notice())
            .filter_map(|waiter| {
                let holder = self.clients.get(self.holder_before(file, waiter, now)?)?;
                let length = self.terms.of(holder.since);
                Some(self.lease_of(holder).next_check(now, length))
            });
        let Some(first) = ends.min() else {
            return;
        };
        self.states
            .line_of_some(file, |waiters| waiters.check_leases_at(first));
        self.set_timer(first, Due::LockGrant(file));
    }

    /// A client whose lock is in the way of a waiter, and does not give way.
    fn holder_before(&self, file: FileKey, waiter: &Waiter, now: Mono) -> Option<ClientKey> {
        let (range, kind) = (waiter.range, waiter.kind);
        let owner = self.states.owner_of_waiter(waiter);
        let conflict = self.states.lock_conflict(file, range, kind, owner)?;
        let first = self
            .states
            .lock_owners
            .get(conflict.owner)
            .map(Owner::client);
        if first.is_some_and(|first| !self.gives_way(first, now)) {
            return first;
        }
        let found = self.states.conflicting_locks(file, (range, kind), owner);
        // Beyond so many conflicts there is no search for another one: LOCK takes these first.
        let mut held = found.iter().filter(|(_, lock)| self.holds_on(*lock, now));
        let holder = held.next().and_then(|(_, lock)| self.states.lock(*lock));
        holder.map(|lock| lock.client)
    }

    /// A client was notified that a lock is free, or could not be notified; then it polls.
    pub(crate) fn lock_notified(&mut self, file: FileKey, client: ClientKey, end: CallbackEnd) {
        match end {
            CallbackEnd::Done {
                status: Status::OK, ..
            } => {}
            CallbackEnd::Done { .. } | CallbackEnd::Failed(_) => {
                self.states.cannot_notify(file, client);
            }
        }
    }
}
