//! Lock stateids, and the ranges that are locked under them. [RFC 8881 §9.1.3, §9.5]

use nfs4_proto::nfs4::basic::Stateid;

use super::ending::Ending;
use super::file::File;
use super::lock::Lock;
use super::range::Conflict;
use super::stateid::Named;
use super::table::States;
use crate::count::Count;
use crate::fs::{ByteRange, LockKind};
use crate::keys::{ClientKey, FileKey, LockKey, LockOwnerKey, OpenKey};
use crate::slab::Key;

impl States {
    /// Number of lock stateids of a client.
    pub(crate) fn locks_of_client(&self, client: ClientKey) -> u32 {
        let count = self.locks_by_client.get(client.index as usize);
        count.copied().unwrap_or(0)
    }

    /// The lock stateid of a lock-owner under an open, if it has one.
    pub(crate) fn find_lock(&self, open: OpenKey, owner: Option<LockOwnerKey>) -> Option<LockKey> {
        self.lock_by_owner.get(&(owner?, open)).copied()
    }

    /// The lock that keeps `owner` from locking a range of the file, under any open.
    ///
    /// `owner` is none for a lock-owner without locks.
    pub(crate) fn lock_conflict(
        &self,
        file: FileKey,
        range: ByteRange,
        kind: LockKind,
        owner: Option<LockOwnerKey>,
    ) -> Option<Conflict<LockOwnerKey>> {
        let file = self.files.get(file)?;
        file.locked.conflict(range, kind, owner.unwrap_or(NO_OWNER))
    }

    /// Adds a lock stateid for this lock-owner under an open; it has none there yet.
    pub(crate) fn add_lock(&mut self, open_key: OpenKey, owner: &[u8]) -> Option<LockKey> {
        let open = self.opens.get_mut(open_key)?;
        let (client, file) = (open.client, open.file);
        let owner = self.lock_owners.named(client, owner);
        let owner_place = self.lock_owners.next_place(owner);
        let place = open.locks.next_place();
        let lock = Lock {
            client,
            owner,
            file,
            open: open_key,
            seqid: 0,
            revoked: false,
            place,
            owner_place,
        };
        let key = self.locks.insert(lock);
        self.lock_owners.attach(owner, key);
        open.locks.push(key);
        let place = client.index as usize;
        self.locks_by_client.reach(place, || 0);
        if let Some(count) = self.locks_by_client.get_mut(place) {
            *count += 1;
        }
        self.lock_by_owner.insert((owner, open_key), key);
        self.charge(client, 1);
        Some(key)
    }

    /// Locks a range, which nothing conflicts with, and returns the new stateid. The part that the
    /// owner has locked under other opens is locked under this one from now on. `counted` says whether the
    /// file system counts the locks of the file.
    pub(crate) fn lock_range(
        &mut self,
        key: LockKey,
        range: ByteRange,
        kind: LockKind,
        counted: bool,
    ) -> Stateid {
        self.take_ranges(key, |file, owner| {
            if counted {
                file.locked.count();
            }
            file.locked.lock(range, kind, owner, key);
        });
        self.advance_lock(key)
    }

    /// Unlocks as much of a range as may be walked at once, under whichever open the owner has locked
    /// it. Returns the new stateid once nothing is left.
    pub(crate) fn unlock_range(&mut self, key: LockKey, range: ByteRange) -> Option<Stateid> {
        let most = self.may_walk();
        let unlock = |file: &mut File, owner| file.locked.unlock_some(range, owner, most);
        let done = self.take_ranges(key, unlock) != Some(false);
        done.then(|| self.advance_lock(key))
    }

    /// Whether locking this range merges more ranges of its owner than one LOCK may.
    pub(crate) fn swallows_too_many(
        &self,
        file: FileKey,
        owner: LockOwnerKey,
        range: ByteRange,
    ) -> bool {
        let file = self.files.get(file);
        file.is_some_and(|file| file.locked.has_more_in(range, owner, SWALLOWED))
    }

    /// The next stateid; those of other opens under which bytes were locked do not advance.
    fn advance_lock(&mut self, key: LockKey) -> Stateid {
        let seqid = self.locks.get_mut(key).map_or(0, |lock| {
            lock.advance();
            lock.seqid
        });
        Named::Lock(key).encode(self.epoch(), seqid)
    }

    /// Changes the locked ranges of the file of a lock stateid, and charges the difference.
    fn take_ranges<T>(
        &mut self,
        key: LockKey,
        change: impl FnOnce(&mut File, LockOwnerKey) -> T,
    ) -> Option<T> {
        let lock = self.locks.get(key)?;
        let (client, in_file) = (lock.client, lock.file);
        let file = self.files.get_mut(in_file)?;
        let before = file.locked.len();
        let result = change(file, lock.owner);
        let after = file.locked.len();
        let unlocked = file.locked.take_unlocked();
        if !unlocked.is_empty() {
            self.unlocked.push((file.fh, unlocked));
        }
        self.change_ranges(client, in_file, (before, after));
        Some(result)
    }

    /// Whether unlocking this range cuts a range in two.
    pub(crate) fn cuts(&self, key: LockKey, range: ByteRange) -> bool {
        self.locks.get(key).is_some_and(|lock| {
            let file = self.files.get(lock.file);
            file.is_some_and(|file| file.locked.cuts(range, lock.owner))
        })
    }

    /// Whether anything is locked under a lock stateid.
    pub(crate) fn holds_locks(&self, key: LockKey) -> bool {
        let file = self
            .locks
            .get(key)
            .and_then(|lock| self.files.get(lock.file));
        file.is_some_and(|file| file.locked.holds(key))
    }

    /// Removes a lock stateid without locks from every table.
    pub(crate) fn free_lock(&mut self, key: LockKey) {
        self.end_lock(key, Ending::Asked);
    }

    /// Ends up to `most` locks under an open that ends; `true` if none is left. Ranges that their
    /// owners have locked under other opens stay locked.
    pub(crate) fn end_locks_under(&mut self, open: OpenKey, why: Ending, most: usize) -> bool {
        let end = self.walked.saturating_add(most);
        while let Some(lock) = self.opens.get(open).and_then(|open| open.locks.any()) {
            let left = end.saturating_sub(self.walked);
            if left == 0 || !self.end_lock_within(lock, why, left) {
                return false;
            }
        }
        true
    }

    /// Ends a lock stateid with its ranges, unless it has more than `most`: then with as many of them;
    /// `true` when it has ended.
    pub(crate) fn end_lock_within(&mut self, key: LockKey, why: Ending, most: usize) -> bool {
        let under = |file: &mut File, owner| file.locked.unlock_under(owner, key, most);
        if self.take_ranges(key, under) == Some(false) {
            return false;
        }
        self.end_lock(key, why);
        true
    }

    fn end_lock(&mut self, key: LockKey, why: Ending) {
        let ended = match why {
            Ending::Asked => self.locks.remove(key),
            Ending::Lost => self.locks.lose(key),
        };
        let Some(lock) = ended else {
            return;
        };
        self.walked += 1;
        self.revoking.lower(usize::from(lock.revoked));
        self.refund(lock.client, 1);
        let count = self.locks_by_client.get_mut(lock.client.index as usize);
        if let Some(count) = count {
            count.lower(1);
        }
        self.lock_by_owner.remove(&(lock.owner, lock.open));
        if let Some(moved) = self.lock_owners.release(lock.owner, lock.owner_place)
            && let Some(moved) = self.locks.get_mut(moved)
        {
            moved.owner_place = lock.owner_place;
        }
        let moved = self
            .opens
            .get_mut(lock.open)
            .and_then(|open| open.locks.remove(lock.place));
        if let Some(moved) = moved.and_then(|moved| self.locks.get_mut(moved)) {
            moved.place = lock.place;
        }
    }
}

/// Maximum number of ranges of its owner that a LOCK merges. It merges them in one step, so that no
/// other lock comes between.
const SWALLOWED: usize = 512;
/// Stands for a lock-owner without locks: no key has generation zero.
pub(crate) const NO_OWNER: LockOwnerKey = Key::new(0, 0);
