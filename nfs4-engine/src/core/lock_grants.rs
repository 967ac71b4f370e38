//! The waiting lines of all files. [RFC 8881 §9.6]

use alloc::vec::Vec;

use nfs4_proto::nfs4::status::Status;

use crate::action::Outbox;
use crate::callback::{CallPurpose, CallbackEnd, CallbackOp};
use crate::core::Core;
use crate::fs::{ByteRange, LockKind};
use crate::keys::{ClientKey, FileKey, LockOwnerKey};
use crate::state::contended::SEARCHED;
use crate::state::owner::Owner;
use crate::state::table::WALKED_AT_ONCE;
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

    /// A timer for the line of a file is due.
    pub(crate) fn on_lock_grant_timer(&mut self, file: FileKey, out: &mut Outbox) {
        if self.states.takes_due_check(file, out.now.mono) {
            self.grant_locks(file, out);
        }
    }

    fn notify_waiters(&mut self, file: FileKey, out: &mut Outbox) {
        let (now, patience) = (out.now.mono, self.config.lease);
        self.states
            .line_of_some(file, |waiters| waiters.dismiss_gone(now, patience));
        let holders = self.holders_before(file, now);
        if holders.is_empty() {
            return;
        }
        let gets: Vec<bool> = holders.iter().map(Option::is_none).collect();
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
        let waiting = self.states.waiters(file).zip(holders);
        let awaited = waiting.filter(|(waiter, _)| waiter.awaits_notice());
        let ends = awaited.filter_map(|(_, holder)| self.lease_end(holder?, now));
        if let Some(first) = ends.min() {
            self.check_leases_at(file, first);
        }
    }

    /// A request waits for a lock that this client holds: sees to it that the waiters of the file are notified
    /// when the client's lease expires. From then on its locks give way.
    pub(crate) fn watch_holder(&mut self, file: FileKey, holder: ClientKey, out: &Outbox) {
        if let Some(end) = self.lease_end(holder, out.now.mono) {
            self.check_leases_at(file, end);
        }
    }

    /// The first time at which a client's lease can have expired.
    fn lease_end(&self, client: ClientKey, now: Mono) -> Option<Mono> {
        let client = self.clients.get(client)?;
        let length = self.terms.of(client.since);
        Some(self.lease_of(client).next_check(now, length))
    }

    fn check_leases_at(&mut self, file: FileKey, at: Mono) {
        if self.states.checks_leases_at(file, at) {
            self.set_timer(at, Due::LockGrant(file));
        }
    }

    /// Of each waiter, a client whose lock is in its way and does not give way. All searches together look at
    /// [`SEARCHED`] locks at most, each at an equal share. Beyond its share there is no search for another
    /// one: LOCK takes these first.
    fn holders_before(&mut self, file: FileKey, now: Mono) -> Vec<Option<ClientKey>> {
        let waiters = self.states.waiters(file);
        let wanted: Vec<_> = waiters
            .map(|waiter| {
                let owner = self.states.owner_of_waiter(waiter);
                ((waiter.range, waiter.kind), owner)
            })
            .collect();
        let most = (SEARCHED as usize / wanted.len().max(1)).min(WALKED_AT_ONCE);
        wanted
            .into_iter()
            .map(|(wanted, owner)| self.holder_before(file, wanted, owner, most, now))
            .collect()
    }

    fn holder_before(
        &mut self,
        file: FileKey,
        (range, kind): (ByteRange, LockKind),
        owner: Option<LockOwnerKey>,
        most: usize,
        now: Mono,
    ) -> Option<ClientKey> {
        let conflict = self.states.lock_conflict(file, range, kind, owner)?;
        let first = self
            .states
            .lock_owners
            .get(conflict.owner)
            .map(Owner::client);
        if first.is_some_and(|first| !self.gives_way(first, now)) {
            return first;
        }
        let found = self
            .states
            .conflicting_locks(file, (range, kind), owner, most);
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
