//! Leases of files that are delegated to clients: other processes that open such a file, or truncate it, wait
//! until the delegation is back.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use nfs4_engine::fs::{FsError, FsHandle, LeaseWatch};
use nfs4_engine::{DelegationKind, Touch};

use super::error::Result;
use super::file::File;
use super::lease::Lease;
use super::lease_thread::LeaseThread;
use super::node::Node;
use crate::sync::lock;

/// The leases of an export.
#[derive(Default)]
pub(super) struct Leases {
    held: Mutex<HashMap<FsHandle, Leased>>,
    thread: OnceLock<Arc<LeaseThread>>,
}

/// A file that is leased.
pub(super) struct Leased {
    lease: Arc<Lease>,
    pub(super) node: Arc<Node>,
    file: Arc<File>,
    /// Number of delegations that it is leased for.
    count: u32,
}

impl Leases {
    /// Leases a file once more, if it is leased; none if it is not.
    ///
    /// # Errors
    /// Busy if the lease does not suffice, or another process waits for it.
    pub(super) fn join(&self, fh: &FsHandle, kind: DelegationKind) -> Option<Result<()>> {
        Some(lock(&self.held).get_mut(fh)?.join(kind))
    }

    /// Leases a file by a descriptor that is the only one, as far as this process knows; `most` files at once.
    ///
    /// # Errors
    /// Busy if that cannot be.
    pub(super) fn take(
        &self,
        (node, file): (&Arc<Node>, &Arc<File>),
        fd: Arc<OwnedFd>,
        kind: DelegationKind,
        watch: LeaseWatch,
        most: usize,
    ) -> Result<()> {
        let thread = self.thread()?;
        let mut held = lock(&self.held);
        // Another thread may have been faster.
        if let Some(leased) = held.get_mut(&node.handle) {
            return leased.join(kind);
        }
        if held.len() >= most {
            return Err(FsError::Busy);
        }
        let lease = Arc::new(Lease::new(fd, node.handle, kind, watch));
        // Whatever keeps the file from being leased, it may go by.
        thread.take(&lease).map_err(|_| FsError::Busy)?;
        file.set_leased(Some(kind));
        let leased = Leased {
            lease,
            node: Arc::clone(node),
            file: Arc::clone(file),
            count: 1,
        };
        held.insert(node.handle, leased);
        Ok(())
    }

    /// Ends a lease of a file; returns what was held if it was the last.
    pub(super) fn end(&self, fh: &FsHandle) -> Option<Leased> {
        let mut held = lock(&self.held);
        let leased = held.get_mut(fh)?;
        leased.count -= 1;
        if leased.count > 0 {
            return None;
        }
        let leased = held.remove(fh)?;
        self.give_up(&leased);
        Some(leased)
    }

    /// A request of a client needs a descriptor that the lease of the file forbids: its delegations have to
    /// come back.
    pub(super) fn want(&self, fh: &FsHandle, touch: Touch) {
        let held = lock(&self.held);
        if let Some(leased) = held.get(fh)
            && leased.lease.want(touch, Instant::now())
            && let Some(thread) = self.thread.get()
        {
            thread.tell(&leased.lease);
        }
    }

    /// The lease of a file.
    #[cfg(test)]
    pub(super) fn of(&self, fh: &FsHandle) -> Option<Arc<Lease>> {
        lock(&self.held)
            .get(fh)
            .map(|leased| Arc::clone(&leased.lease))
    }

    fn give_up(&self, leased: &Leased) {
        leased.file.set_leased(None);
        if let Some(thread) = self.thread.get() {
            thread.give_up(&leased.lease);
        }
    }

    fn thread(&self) -> Result<&LeaseThread> {
        if let Some(thread) = self.thread.get() {
            return Ok(thread);
        }
        let thread = LeaseThread::enter().map_err(|_| FsError::Busy)?;
        Ok(self.thread.get_or_init(|| thread))
    }
}

impl Leased {
    fn join(&mut self, kind: DelegationKind) -> Result<()> {
        // The descriptor of a lease for reading cannot have one for writing. One for writing is on its way back if
        // others are to read: processes that read would wait for it, and no delegation is in their way.
        if self.lease.kind != kind || self.lease.is_wanted() {
            return Err(FsError::Busy);
        }
        self.count += 1;
        Ok(())
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        let held = std::mem::take(&mut *lock(&self.held));
        held.values().for_each(|leased| self.give_up(leased));
    }
}
