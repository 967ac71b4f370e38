//! How a file that is leased for reading is opened to write without a recall.
//!
//! The kernel's lease for reading forbids descriptors to write, also those of this process. A lease for writing
//! allows the one descriptor that has it: the lease becomes such a one. Between two system calls there is none, so
//! it is proven afterwards that no other process has changed the file meanwhile.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nfs4_engine::DelegationKind;
use nfs4_engine::fs::FsError;
use rustix::fs::{AtFlags, Statx};
use rustix::io::Errno;

use super::change::{Grain, is_final};
use super::descriptors::Descriptors;
use super::error::{Result, fs_error};
use super::file::{Access, File};
use super::lease::Lease;
use super::node::Node;
use super::opening::{is_own, reopen};
use super::root::Root;
use super::stat::{nanos, stat};
use crate::sync::write;

/// A lease after the attempt to have one for writing.
struct Attempted {
    lease: Arc<Lease>,
    /// Since the lease for reading was taken, no other process has changed the file, nor can it without being
    /// waited for.
    is_safe: bool,
    /// Why the file could not be opened, if the lease is not the reason.
    error: Option<FsError>,
}

impl Descriptors {
    /// A descriptor to write of a file that is leased for reading; none if it is not, or if its delegations have to
    /// come back for that, as where another process reads it.
    ///
    /// # Errors
    /// Those of opening.
    pub(super) fn upgrade(
        &self,
        root: &Root,
        node: &Node,
        file: &Arc<File>,
    ) -> Result<Option<Arc<OwnedFd>>> {
        let _alone = write(&file.opening);
        if let Some(kept) = file.get(Access::Write) {
            return Ok(Some(kept));
        }
        let Some(former) = self.leases.suspend(&node.handle) else {
            return Ok(None);
        };
        // No other thread gets its descriptor from now on.
        let attempted = match (self.take_reader(file), unused(node, &former)) {
            (Some(reader), Some(before)) if former.strengthen().is_ok() => {
                self.exchange((root, node), former, reader, &before)
            }
            (reader, _) => {
                drop(reader);
                Attempted {
                    lease: former,
                    is_safe: true,
                    error: None,
                }
            }
        };
        let Attempted {
            lease,
            is_safe,
            error,
        } = attempted;
        let access = match lease.kind {
            DelegationKind::Read => Access::Read,
            DelegationKind::Write => Access::Write,
        };
        self.keep(file, Arc::clone(lease.fd()), access, true);
        self.leases.resume(&node.handle, &lease, is_safe);
        match error {
            Some(error) => Err(error),
            None => Ok(file.get(Access::Write)),
        }
    }

    /// Exchanges a lease, which no other process waits for, and its descriptor. `before` is the file as it was
    /// under the lease.
    fn exchange(
        &self,
        (root, node): (&Root, &Node),
        former: Arc<Lease>,
        reader: Arc<OwnedFd>,
        before: &Statx,
    ) -> Attempted {
        former.give_up();
        let retake =
            |lease: &Arc<Lease>| self.leases.retake(lease) && is_unchanged(lease.fd(), before);
        let (writer, error) = match reopen(root, node, Access::Write) {
            Ok((fd, true)) => (Some(fd), None),
            // Without a descriptor that also reads, the delegations have to come back.
            Ok((_, false)) => (None, None),
            // It is opened in another way then.
            Err(Errno::ACCESS) if is_own(node) => (None, None),
            Err(error) => (None, Some(fs_error(error))),
        };
        let Some(writer) = writer else {
            return Attempted {
                is_safe: retake(&former),
                lease: former,
                error: error.filter(|error| *error != FsError::Busy),
            };
        };
        let fresh = Arc::new(former.over(writer, DelegationKind::Write));
        // The former descriptor is closed.
        drop((former, reader));
        if retake(&fresh) {
            return Attempted {
                lease: fresh,
                is_safe: true,
                error: None,
            };
        }
        // Another process has opened the file: the delegations come back under a lease as before.
        let lease = match reopen(root, node, Access::Read) {
            Ok((fd, _)) => Arc::new(fresh.over(fd, DelegationKind::Read)),
            Err(_) => Arc::clone(&fresh),
        };
        self.leases.give_up(&fresh);
        drop(fresh);
        Attempted {
            is_safe: retake(&lease),
            lease,
            error: None,
        }
    }
}

/// The file as it is, once no other thread uses the descriptor of its lease; None if that takes long.
fn unused(node: &Node, lease: &Arc<Lease>) -> Option<Statx> {
    let mut pause = Duration::from_micros(10);
    loop {
        let is_used = Arc::strong_count(lease) > 1 || Arc::strong_count(lease.fd()) > 2;
        let now = stat(lease.fd().as_fd(), AtFlags::empty()).ok()?;
        // Each change after that has another time.
        let is_settled = node.fs_type.grain == Grain::Fine || is_final(nanos(&now.stx_ctime));
        if !is_used && is_settled {
            return Some(now);
        }
        if pause > LONGEST_PAUSE {
            return None;
        }
        thread::sleep(pause);
        pause *= 2;
    }
}

/// Whether a file is as it was.
fn is_unchanged(fd: &OwnedFd, before: &Statx) -> bool {
    let what = |stat: &Statx| {
        let times = [&stat.stx_ctime, &stat.stx_mtime].map(nanos);
        (times, stat.stx_size)
    };
    stat(fd.as_fd(), AtFlags::empty()).is_ok_and(|now| what(&now) == what(before))
}

/// The sum of all pauses is as long.
const LONGEST_PAUSE: Duration = Duration::from_millis(25);
