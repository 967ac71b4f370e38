//! The waiters for the locks of all files.

use alloc::vec::Vec;
use core::time::Duration;

use super::locked::NO_OWNER;
use super::table::States;
use super::waiter::{LockGrants, LockRequest, Waiter, Waiters};
use crate::count::Count;
use crate::keys::{ClientKey, FileKey, LockOwnerKey, OpenKey, SessionKey};
use crate::time::Mono;

impl States {
    /// Whether a request waits for a lock on a file.
    pub(crate) fn is_waited_for(&self, file: FileKey) -> bool {
        let file = self.files.get(file);
        file.is_some_and(|file| !file.waiters.is_empty())
    }

    /// Whether this request waits already for a lock on the file of an open.
    pub(crate) fn is_waiting(&self, open: OpenKey, asker: LockRequest<'_>) -> bool {
        let file = self
            .opens
            .get(open)
            .and_then(|open| self.files.get(open.file));
        file.is_some_and(|file| file.waiters.has(asker))
    }

    /// A denied request for a lock under an open waits from now on.
    pub(crate) fn wait(
        &mut self,
        open: OpenKey,
        asker: LockRequest<'_>,
        session: Option<SessionKey>,
        now: Mono,
        patience: Duration,
    ) {
        let Some(file) = self.opens.get(open).map(|open| open.file) else {
            return;
        };
        let stands = self.line(file, |waiters| {
            let before = waiters.has(asker);
            waiters.stand(asker, open, session, now, patience);
            !before && waiters.has(asker)
        });
        if stands == Some(true) {
            self.waiting += 1;
            self.charge(asker.client, 1);
            self.lock_owners.bytes.add(asker.peer, asker.owner.len());
        }
    }

    /// A denied request for a lock under an open waits no longer.
    pub(crate) fn give_up(&mut self, open: OpenKey, asker: LockRequest<'_>) {
        if let Some(file) = self.opens.get(open).map(|open| open.file) {
            self.line_of_some(file, |waiters| waiters.leave(asker));
        }
    }

    /// A lock under an open was granted: its owner waits no longer.
    pub(crate) fn granted(&mut self, open: OpenKey, asker: LockRequest<'_>) {
        if let Some(file) = self.opens.get(open).map(|open| open.file) {
            self.line_of_some(file, |waiters| waiters.granted(asker));
        }
    }

    /// The waiter for which the lock that `asker` requests under an open is kept free.
    pub(crate) fn before(
        &self,
        open: OpenKey,
        asker: LockRequest<'_>,
        now: Mono,
        patience: Duration,
    ) -> Option<&Waiter> {
        let file = self.opens.get(open)?.file;
        let waiters = &self.files.get(file)?.waiters;
        waiters.before(asker, now, patience, |waiter| self.would_get(file, waiter))
    }

    /// Whether a lock-owner waits for a lock of any file.
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiting > 0
    }

    /// The leases of clients whose locks are waited for in a file are to be checked at `at`; `true` if the timer for
    /// that has to be set.
    pub(crate) fn checks_leases_at(&mut self, file: FileKey, at: Mono) -> bool {
        let file = self.files.get_mut(file);
        file.is_some_and(|file| file.waiters.checks_leases_at(at))
    }

    /// Whether a timer of the line of a file that is set for `at` is of use.
    pub(crate) fn awaits_check(&self, file: FileKey, at: Mono) -> bool {
        let file = self.files.get(file);
        file.is_some_and(|file| file.waiters.awaits_check(at))
    }

    /// A timer of the line of a file has expired: whether it is one of use.
    pub(crate) fn takes_due_check(&mut self, file: FileKey, now: Mono) -> bool {
        let file = self.files.get_mut(file);
        file.is_some_and(|file| file.waiters.takes_due_check(now))
    }

    /// The waiters for locks of a file, in their order.
    pub(crate) fn waiters(&self, file: FileKey) -> impl Iterator<Item = &Waiter> + '_ {
        let file = self.files.get(file);
        file.into_iter().flat_map(|file| file.waiters.iter())
    }

    /// Locks of a file may have become free: returns the waiters to notify. `gets` says of each waiter whether it could
    /// lock now.
    pub(crate) fn next_grants(
        &mut self,
        file: FileKey,
        now: Mono,
        patience: Duration,
        gets: &[bool],
    ) -> LockGrants {
        self.walked += gets.len();
        let grants = self.line(file, |waiters| waiters.next_grants(now, patience, gets));
        grants.unwrap_or_default()
    }

    /// A client cannot be notified: its waiters poll from now on.
    pub(crate) fn cannot_notify(&mut self, file: FileKey, client: ClientKey) {
        self.line_of_some(file, |waiters| waiters.cannot_notify(client));
    }

    /// The owner of a waiter's lock, if it has state.
    pub(crate) fn owner_of_waiter(&self, waiter: &Waiter) -> Option<LockOwnerKey> {
        self.lock_owners.find(waiter.client, &waiter.owner)
    }

    /// Whether a waiter's lock conflicts with no lock that is held.
    fn would_get(&self, file: FileKey, waiter: &Waiter) -> bool {
        let owner = self.owner_of_waiter(waiter);
        let file = self.files.get(file);
        file.is_some_and(|file| {
            file.locked
                .conflict(waiter.range, waiter.kind, owner.unwrap_or(NO_OWNER))
                .is_none()
        })
    }

    /// Changes the waiters of a file, if there are any; mostly there are none.
    pub(crate) fn line_of_some(&mut self, file: FileKey, change: impl FnOnce(&mut Waiters)) {
        if self.is_waited_for(file) {
            self.line(file, change);
        }
    }

    /// Changes the waiters of a file, and refunds those that leave.
    pub(crate) fn line<T>(
        &mut self,
        file: FileKey,
        change: impl FnOnce(&mut Waiters) -> T,
    ) -> Option<T> {
        let waiters = &mut self.files.get_mut(file)?.waiters;
        let result = change(waiters);
        let left = waiters.take_left();
        self.wait_no_more(left);
        Some(result)
    }

    fn wait_no_more(&mut self, left: Vec<Waiter>) {
        for waiter in left {
            self.waiting.lower(1);
            self.refund(waiter.client, 1);
            self.lock_owners.bytes.take(waiter.peer, waiter.owner.len());
        }
    }
}
