//! The descriptors of one file.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use nfs4_engine::{DelegationKind, Touch};

use super::durability::Durability;
use crate::sync::lock;

/// The descriptors of one object, and the durability of what was written with them.
#[derive(Default)]
pub(super) struct File {
    pub(super) descriptors: Mutex<Pair>,
    /// Held shared while one is opened, and alone while the one of a lease is exchanged, and while a mode that denies
    /// an open is another one or a client sets it.
    pub(super) opening: RwLock<()>,
    /// Number of opens that hold it.
    pub(super) holds: AtomicU32,
    /// Sweeps since the last use.
    idle: AtomicU32,
    /// Its file system cannot tell that a write would wait.
    hides_waiting_writes: AtomicBool,
    /// The kind of lease that it has, as [`File::leased`] has it.
    leased: AtomicU8,
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

    /// The lease that it has: its descriptors are not closed, and others not opened.
    pub(super) fn leased(&self) -> Option<DelegationKind> {
        match self.leased.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(DelegationKind::Read),
            _ => Some(DelegationKind::Write),
        }
    }

    /// Notes the lease that it has.
    pub(super) fn set_leased(&self, kind: Option<DelegationKind>) {
        let kind = match kind {
            None => 0,
            Some(DelegationKind::Read) => 1,
            Some(DelegationKind::Write) => 2,
        };
        self.leased.store(kind, Ordering::SeqCst);
    }

    /// What another descriptor would do to a file that is leased, if the lease forbids it.
    pub(super) fn forbidden(&self, access: Access) -> Option<Touch> {
        match (self.leased()?, access) {
            (DelegationKind::Read, Access::Read) => None,
            (DelegationKind::Write, Access::Read) => Some(Touch::Read),
            (_, Access::Write) => Some(Touch::Change),
        }
    }

    /// Whether a client has it open.
    pub(super) fn is_held(&self) -> bool {
        self.holds.load(Ordering::SeqCst) > 0
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

    /// Whether its descriptors stay open: a client has it open, or it is leased.
    pub(super) fn is_pinned(&self) -> bool {
        self.holds.load(Ordering::SeqCst) > 0 || self.leased().is_some()
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

    /// Whether there is no descriptor that keeps another one for this access from a lease.
    pub(super) fn is_alone(&self, access: Access) -> bool {
        match access {
            Access::Read => self.writer.is_none(),
            Access::Write => self.reader.is_none(),
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
