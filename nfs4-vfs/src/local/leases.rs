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
    /// None while its descriptor is exchanged.
    lease: Option<Arc<Lease>>,
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
            lease: Some(lease),
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
        self.end_of(&leased);
        Some(leased)
    }

    /// A request of a client needs a descriptor that the lease of the file forbids: its delegations have to
    /// come back.
    pub(super) fn want(&self, fh: &FsHandle, touch: Touch) {
        let held = lock(&self.held);
        if let Some(lease) = held.get(fh).and_then(|leased| leased.lease.as_ref())
            && lease.want(touch, Instant::now())
            && let Some(thread) = self.thread.get()
        {
            thread.tell(lease);
        }
    }

    /// Takes the lease of a file out, in order to exchange it; none if it is not for reading, or wanted already. The
    /// kernel has it still.
    pub(super) fn suspend(&self, fh: &FsHandle) -> Option<Arc<Lease>> {
        let mut held = lock(&self.held);
        let leased = held.get_mut(fh)?;
        let is_fit =
            |lease: &mut Arc<Lease>| lease.kind == DelegationKind::Read && !lease.is_wanted();
        let lease = leased.lease.take_if(is_fit)?;
        if let Some(thread) = self.thread.get() {
            thread.forget(&lease);
        }
        Some(lease)
    }

    /// Takes a lease again that was given up, or another one in its place; returns whether the kernel has it.
    pub(super) fn retake(&self, lease: &Arc<Lease>) -> bool {
        let thread = self.thread.get();
        thread.is_some_and(|thread| thread.take(lease).is_ok())
    }

    /// Gives up a lease that is not of a file any more.
    pub(super) fn give_up(&self, lease: &Lease) {
        if let Some(thread) = self.thread.get() {
            thread.give_up(lease);
        }
    }

    /// Puts the lease of a file back that was taken out, or another one in its place. If it is not safe, its
    /// delegations are revoked. They may have ended meanwhile.
    pub(super) fn resume(&self, fh: &FsHandle, lease: &Arc<Lease>, is_safe: bool) {
        let mut held = lock(&self.held);
        let leased = match held.get_mut(fh) {
            Some(leased) => match &leased.lease {
                None => leased,
                // The kernel has the next one for the same descriptor.
                Some(next) if Arc::ptr_eq(next.fd(), lease.fd()) => return,
                Some(_) => return self.give_up(lease),
            },
            None => return self.give_up(lease),
        };
        leased.file.set_leased(Some(lease.kind));
        leased.lease = Some(Arc::clone(lease));
        if let Some(thread) = self.thread.get() {
            thread.resume(lease);
            if !is_safe {
                lease.lose(Instant::now());
                thread.tell(lease);
            }
        }
    }

    /// The lease of a file.
    #[cfg(test)]
    pub(super) fn of(&self, fh: &FsHandle) -> Option<Arc<Lease>> {
        lock(&self.held).get(fh)?.lease.clone()
    }

    fn end_of(&self, leased: &Leased) {
        leased.file.set_leased(None);
        if let Some(lease) = &leased.lease {
            self.give_up(lease);
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
        if !self.lease.as_ref().is_some_and(|lease| lease.join(kind)) {
            return Err(FsError::Busy);
        }
        self.count += 1;
        Ok(())
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        let held = std::mem::take(&mut *lock(&self.held));
        held.values().for_each(|leased| self.end_of(leased));
    }
}
