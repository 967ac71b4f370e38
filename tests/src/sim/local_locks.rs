//! The locks of a file system of the simulation: those that it has counted for clients, and those of
//! processes that are no clients.

use std::collections::{BTreeMap, HashMap};

use nfs4_engine::fs::{ByteLock, FsHandle, FsReply, LockKind};

#[derive(Debug, Default)]
pub(super) struct LocalLocks {
    /// By file and byte, by how much the number of locks changes there: shared ones and exclusive ones.
    counted: HashMap<FsHandle, BTreeMap<u64, [i64; 2]>>,
    others: HashMap<FsHandle, Vec<ByteLock>>,
}

impl LocalLocks {
    /// What a file system answers to a lock that a client asks for, or tests.
    pub(super) fn ask(&mut self, fh: FsHandle, lock: &ByteLock, counts: bool) -> FsReply {
        let others = self.others.get(&fh).into_iter().flatten();
        let mut others = others.filter(|other| other.conflicts(lock));
        let held = others.next().copied();
        if held.is_none() && counts {
            self.change(fh, lock, 1);
        }
        FsReply::Lock { held }
    }

    /// The engine returns locks.
    pub(super) fn unlock(&mut self, fh: FsHandle, locks: &[ByteLock]) {
        for lock in locks {
            self.change(fh, lock, -1);
        }
        let mut sums = [0; 2];
        for by in self.counted.get(&fh).into_iter().flat_map(BTreeMap::values) {
            sums = [sums[0] + by[0], sums[1] + by[1]];
            assert!(sums >= [0; 2] && sums[1] >= 0, "more than was counted");
        }
    }

    /// A process asks for a lock, and gets it unless a client has one that conflicts.
    pub(super) fn lock_locally(&mut self, fh: FsHandle, lock: ByteLock) -> bool {
        let last = lock.range.last;
        let changes = self.counted.get(&fh).into_iter().flatten();
        let inner = changes.map(|(at, _)| *at).filter(|at| *at <= last);
        let mut at = inner
            .filter(|at| *at > lock.range.first)
            .collect::<Vec<_>>();
        at.push(lock.range.first);
        let is_free = |at: &u64| match self.strength(fh, *at) {
            None => true,
            Some(LockKind::Read) => lock.kind == LockKind::Read,
            Some(LockKind::Write) => false,
        };
        let is_free = at.iter().all(is_free);
        if is_free {
            self.others.entry(fh).or_default().push(lock);
        }
        is_free
    }

    /// All processes unlock a file.
    pub(super) fn unlock_locally(&mut self, fh: FsHandle) {
        self.others.remove(&fh);
    }

    /// How a process finds a byte locked by clients.
    pub(super) fn strength(&self, fh: FsHandle, byte: u64) -> Option<LockKind> {
        let changes = self.counted.get(&fh)?;
        let mut sums = [0; 2];
        for (_, by) in changes.range(..=byte) {
            sums = [sums[0] + by[0], sums[1] + by[1]];
        }
        let [shared, exclusive] = sums;
        if exclusive > 0 {
            Some(LockKind::Write)
        } else {
            (shared > 0).then_some(LockKind::Read)
        }
    }

    /// Whether no lock of a client is counted.
    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// The process of the server ends, and all that it had locked is free.
    pub(super) fn forget(&mut self) {
        self.counted.clear();
    }

    fn change(&mut self, fh: FsHandle, lock: &ByteLock, by: i64) {
        let changes = self.counted.entry(fh).or_default();
        let kind = usize::from(lock.kind == LockKind::Write);
        let next = lock.range.last.checked_add(1);
        for (at, by) in [(Some(lock.range.first), by), (next, -by)] {
            let Some(at) = at else { continue };
            let counts = changes.entry(at).or_default();
            counts[kind] += by;
            if *counts == [0; 2] {
                changes.remove(&at);
            }
        }
        if changes.is_empty() {
            self.counted.remove(&fh);
        }
    }
}
