//! The descriptors of one file.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::durability::Durability;
use crate::sync::lock;

/// The descriptors of one object, and the durability of what was written with them.
#[derive(Default)]
pub(super) struct File {
    pub(super) descriptors: Mutex<Pair>,
    /// Number of opens that hold it.
    pub(super) holds: AtomicU32,
    /// Sweeps since the last use.
    idle: AtomicU32,
    /// Its file system cannot tell that a write would wait.
    hides_waiting_writes: AtomicBool,
    pub(super) durability: Durability,
}

/// One to read with, and one to write with, which mostly reads too.
#[derive(Default)]
pub(super) struct Pair {
    pub(super) reader: Option<Arc<OwnedFd>>,
    pub(super) writer: Option<Arc<OwnedFd>>,
    /// The writer reads too.
    pub(super) both: bool,
    /// The file is in the ring.
    pub(super) listed: bool,
}

/// What a descriptor is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl File {
    /// Whether its file system can tell that a write would wait.
    pub(super) fn tells_waiting_writes(&self) -> bool {
        !self.hides_waiting_writes.load(Ordering::Relaxed)
    }

    /// Notes that it cannot.
    pub(super) fn note_no_telling(&self) {
        self.hides_waiting_writes.store(true, Ordering::Relaxed);
    }

    /// A descriptor that can make bytes durable: the one that they were written with, if it is open.
    pub(super) fn syncable(&self) -> Option<Arc<OwnedFd>> {
        let pair = lock(&self.descriptors);
        pair.writer.clone().or_else(|| pair.reader.clone())
    }

    /// A descriptor that is open, which is used.
    pub(super) fn get(&self, access: Access) -> Option<Arc<OwnedFd>> {
        if self.idle.load(Ordering::Relaxed) != 0 {
            self.idle.store(0, Ordering::Relaxed);
        }
        lock(&self.descriptors).get(access)
    }

    /// Notes a look, and returns how many there were since the last use.
    pub(super) fn age(&self) -> u32 {
        self.idle.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Pair {
    pub(super) fn get(&self, access: Access) -> Option<Arc<OwnedFd>> {
        match access {
            Access::Read if self.reader.is_some() => self.reader.clone(),
            Access::Read => self.writer.clone().filter(|_| self.both),
            Access::Write => self.writer.clone(),
        }
    }

    pub(super) fn count(&self) -> usize {
        usize::from(self.reader.is_some()) + usize::from(self.writer.is_some())
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("holds", &self.holds)
            .field("dirty", &self.durability.is_dirty())
            .finish_non_exhaustive()
    }
}
