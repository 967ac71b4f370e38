//! Requests that conflict with opens and locks of clients whose leases have expired: these give way, unless a
//! client with a lease is in the way too. [RFC 8881 §8.4.2.4, RFC 7530 §9.6.3.1]

use crate::action::Outbox;
use crate::core::Core;
use crate::fh::Fh;
use crate::fs::{ByteRange, LockKind};
use crate::keys::{ClientKey, FileKey, LockKey, LockOwnerKey};
use crate::state::contended::Piece;
use crate::state::file::Share;
use crate::state::range::Conflict;
use crate::state::table::WALKED_AT_ONCE;
use crate::time::Mono;

/// What is in the way of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way<T> {
    /// Nothing, or nothing any more.
    Free,
    /// State of a client that has a lease.
    Held(T),
    /// Only state that clients with expired leases are about to lose: the request is tried again.
    Soon,
}

impl Core {
    /// Makes way for a share of a file that conflicts with others.
    pub(crate) fn make_way_for_share(
        &mut self,
        fh: &Fh,
        share: Share,
        out: &mut Outbox,
    ) -> Way<()> {
        self.expire(out);
        if self.states.admits(fh, share) {
            return Way::Free;
        }
        let file = match self.states.file_of(fh) {
            Some(file) if self.may_give_way() => file,
            Some(_) | None => return Way::Held(()),
        };
        let now = out.now.mono;
        let (found, all) = self.states.conflicting_opens(file, share);
        for key in &found {
            let open = self.states.get(*key);
            if open.is_some_and(|open| !open.revoked && !self.gives_way(open.client, now)) {
                self.states.search_from(*key);
                return Way::Held(());
            }
        }
        let mut done = all;
        for key in &found {
            done &= self.begin_revocation(Piece::Open(*key), out);
        }
        self.take_revoked(&mut { WALKED_AT_ONCE }, out);
        match self.states.admits(fh, share) {
            true => Way::Free,
            // What is left is shares of OPENs in execution.
            false if done => Way::Held(()),
            false => Way::Soon,
        }
    }

    /// Makes way for a lock of this owner.
    pub(crate) fn make_way_for_lock(
        &mut self,
        file: FileKey,
        (range, kind): (ByteRange, LockKind),
        by: Option<LockOwnerKey>,
        out: &mut Outbox,
    ) -> Way<Conflict<LockOwnerKey>> {
        if self.states.lock_conflict(file, range, kind, by).is_none() {
            return Way::Free;
        }
        self.expire(out);
        let Some(first) = self.states.lock_conflict(file, range, kind, by) else {
            return Way::Free;
        };
        if !self.may_give_way() {
            return Way::Held(first);
        }
        let now = out.now.mono;
        let found = self
            .states
            .conflicting_locks(file, (range, kind), by, WALKED_AT_ONCE);
        for (conflict, lock) in &found {
            if self.holds_on(*lock, now) {
                return Way::Held(*conflict);
            }
        }
        for (_, lock) in found {
            self.begin_revocation(Piece::Lock(lock), out);
        }
        self.take_revoked(&mut { WALKED_AT_ONCE }, out);
        match self.states.lock_conflict(file, range, kind, by) {
            None => Way::Free,
            Some(_) => Way::Soon,
        }
    }

    /// The lock of a client with a lease that keeps this owner from locking a range. The locks of others are
    /// as good as free, and stay: LOCKT takes nothing. [RFC 8881 §18.11.3]
    pub(crate) fn lock_held(
        &mut self,
        file: FileKey,
        (range, kind): (ByteRange, LockKind),
        by: Option<LockOwnerKey>,
        out: &mut Outbox,
    ) -> Option<Conflict<LockOwnerKey>> {
        self.states.lock_conflict(file, range, kind, by)?;
        self.expire(out);
        let first = self.states.lock_conflict(file, range, kind, by)?;
        if !self.may_give_way() {
            return Some(first);
        }
        let now = out.now.mono;
        let found = self
            .states
            .conflicting_locks(file, (range, kind), by, WALKED_AT_ONCE);
        let many = found.len() == WALKED_AT_ONCE;
        let mut held = found.iter().filter(|(_, lock)| self.holds_on(*lock, now));
        // Beyond so many conflicts there is no search for another one.
        held.next()
            .map(|(conflict, _)| *conflict)
            .or(many.then_some(first))
    }

    /// Whether a lock is in the way for good.
    pub(super) fn holds_on(&self, lock: LockKey, now: Mono) -> bool {
        self.states.lock(lock).is_some_and(|lock| {
            !self.states.is_being_revoked(lock) && !self.gives_way(lock.client, now)
        })
    }

    /// Whether what a client has is for others: its lease has expired, or all that it has ends once stable
    /// storage has forgotten the client.
    pub(super) fn gives_way(&self, client: ClientKey, now: Mono) -> bool {
        let found = self.clients.get(client);
        self.is_expired(client, now)
            || found.is_some_and(|client| client.recorded.forgetting.is_some())
    }

    /// Whether there is state that gives way, or was taken from its client.
    fn may_give_way(&self) -> bool {
        self.clients.courteous().is_some()
            || self.states.is_any_revoked()
            || self.stores.is_forgetting()
    }
}
