//! The free room of a file system: every allocation is charged here before it has an effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nfs4_engine::fs::{FsError, FsStat};

/// The room of one file system, in bytes.
#[derive(Debug)]
pub(super) struct Space {
    capacity: u64,
    used: AtomicU64,
}

/// Room that was charged; it is freed when dropped, unless it was [kept](Charge::keep).
#[must_use]
pub(super) struct Charge {
    space: Arc<Space>,
    bytes: u64,
}

impl Space {
    pub(super) fn new(capacity: u64) -> Arc<Space> {
        Arc::new(Space {
            capacity,
            used: AtomicU64::new(0),
        })
    }

    /// Charges `bytes`, or nothing and `NoSpace`.
    pub(super) fn charge(self: &Arc<Space>, bytes: u64) -> Result<Charge, FsError> {
        let grown = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.capacity);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .map_err(|_| FsError::NoSpace)?;
        Ok(Charge {
            space: Arc::clone(self),
            bytes,
        })
    }

    /// Frees what was charged and kept.
    pub(super) fn give_back(&self, bytes: u64) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "gave back {bytes} of {before}");
    }

    pub(super) fn stat(&self) -> FsStat {
        let free = self.capacity - self.used.load(Ordering::Relaxed).min(self.capacity);
        FsStat {
            space_total: self.capacity,
            space_free: free,
            space_avail: free,
            files_total: self.capacity / INODE_COST,
            files_free: free / INODE_COST,
            files_avail: free / INODE_COST,
        }
    }
}

impl Charge {
    /// Keeps the room charged; the owner frees it.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.space.give_back(self.bytes);
        }
    }
}

/// What the entry of this name costs: the name, and its places in both indexes.
pub(super) fn entry_cost(name: &[u8]) -> u64 {
    ENTRY_COST + name.len() as u64
}

/// What an object costs beside its contents: the inode and its place in the table.
pub(super) const INODE_COST: u64 = 512;
/// What a chunk costs beside its bytes: its lock and its place in the file's map.
pub(super) const CHUNK_COST: u64 = 128;
const ENTRY_COST: u64 = 128;
/// The block size in which room is reported, in bytes.
pub(super) const BLOCK: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_that_is_not_kept_comes_back() {
        let space = Space::new(100);
        space.charge(60).unwrap().keep();
        drop(space.charge(40).unwrap());
        assert_eq!(space.charge(41).err(), Some(FsError::NoSpace));
        assert_eq!(space.charge(u64::MAX).err(), Some(FsError::NoSpace));
        space.give_back(60);
        assert_eq!(space.stat().space_free, 100);
    }
}
