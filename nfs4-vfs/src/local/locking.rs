//! LOCK, LOCKT and the end of locks, where processes see them.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use nfs4_engine::fs::{ByteLock, ByteRange, FsError, FsHandle, FsReply, LockKind};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

use super::error::fs_error;
use super::file::Access;
use super::locks::{ALL, FileLocks, Owner, conflict, lock_error, raise, set, weakened};
use super::node::Node;
use super::shared::Shared;
use super::wait::{Attempt, Stop, Wait};
use crate::sync::lock;

impl Shared {
    /// Locks, and counts the lock.
    pub(super) fn lock_bytes(
        &self,
        fh: &FsHandle,
        asked: &ByteLock,
        wait: Wait,
    ) -> Attempt<FsReply> {
        let node = self.lockable(fh, wait)?;
        loop {
            let entry = self.locks.entry(fh);
            let mut file = enter(&entry, wait)?;
            if file.is_over {
                // It ended since it was found.
                continue;
            }
            let held = self.lock_file(&node, &mut file, asked, wait);
            if let Ok(None) = held {
                file.counts.add(asked);
            }
            self.locks.leave(fh, &mut file);
            return Ok(FsReply::Lock { held: held? });
        }
    }

    /// The file of a request about locks, if its file system answers without waiting or the request may wait.
    fn lockable(&self, fh: &FsHandle, wait: Wait) -> Attempt<Arc<Node>> {
        let node = self.node_or(fh, wait)?;
        self.file(&node)?;
        if wait == Wait::No && !node.fs_type.is_resident {
            return Err(Stop::Waits);
        }
        Ok(node)
    }

    /// Finds out whether another process has a lock.
    pub(super) fn test_bytes(
        &self,
        fh: &FsHandle,
        asked: &ByteLock,
        wait: Wait,
    ) -> Attempt<FsReply> {
        let node = self.lockable(fh, wait)?;
        if let Some(entry) = self.locks.get(fh) {
            let file = enter(&entry, wait)?;
            if let Some(owner) = &file.owner {
                let held = conflict(&owner.fd, asked).map_err(lock_error)?;
                return Ok(FsReply::Lock { held });
            }
        }
        // Without an owner there is no lock of this server.
        let fd = match self.descriptor(&node, Access::Read, wait) {
            Err(Stop::Error(FsError::AccessDenied)) => {
                self.descriptor(&node, Access::Write, wait)?
            }
            found => found?,
        };
        let held = conflict(&fd, asked).map_err(lock_error)?;
        Ok(FsReply::Lock { held })
    }

    /// Counts locks once less. With [`Wait::No`] it does nothing where that may take long: `false`.
    pub(super) fn unlock_bytes(&self, fh: &FsHandle, locks: &[ByteLock], wait: Wait) -> bool {
        let Some(entry) = self.locks.get(fh) else {
            return true;
        };
        let Ok(mut file) = enter(&entry, wait) else {
            return false;
        };
        if wait == Wait::No && locks.len().max(1).saturating_mul(file.counts.len()) > SHORT {
            return false;
        }
        for gone in locks {
            let before = file.counts.runs(gone.range);
            file.counts.remove(gone);
            let after = file.counts.runs(gone.range);
            let Some(owner) = &file.owner else {
                continue;
            };
            for run in weakened(&before, &after) {
                // Of a failure, for want of memory, other processes see a lock for longer than it is held: until
                // the file has no lock any more.
                let _ = set(&owner.fd, run.range, run.strength);
            }
        }
        self.locks.leave(fh, &mut file);
        true
    }

    /// Locks what is not locked as strongly yet; the lock of another process if that conflicts.
    fn lock_file(
        &self,
        node: &Node,
        file: &mut FileLocks,
        asked: &ByteLock,
        wait: Wait,
    ) -> Attempt<Option<ByteLock>> {
        if wait == Wait::No && file.counts.len() > SHORT {
            return Err(Stop::Waits);
        }
        self.own(node, file, asked.kind, wait)?;
        let Some(owner) = &file.owner else {
            return Err(Stop::Error(FsError::Io));
        };
        let runs = file.counts.runs(asked.range);
        let weaker: Vec<ByteRange> = match asked.kind {
            // All bytes in one step.
            LockKind::Write if runs.iter().all(|run| run.strength == Some(LockKind::Write)) => {
                Vec::new()
            }
            LockKind::Write => vec![asked.range],
            LockKind::Read => {
                let free = runs.iter().filter(|run| run.strength.is_none());
                free.map(|run| run.range).collect()
            }
        };
        for _ in 0..ATTEMPTS {
            match raise(&owner.fd, &weaker, asked.kind) {
                Ok(()) => return Ok(None),
                Err(Errno::AGAIN | Errno::ACCESS) => {}
                Err(error) => return Err(lock_error(error).into()),
            }
            if let Some(held) = conflict(&owner.fd, asked).map_err(lock_error)? {
                return Ok(Some(held));
            }
            // It has gone meanwhile.
        }
        // They come and go.
        let kind = LockKind::Write;
        Ok(Some(ByteLock { kind, ..*asked }))
    }

    /// Makes the description the owner that can have a lock of this kind.
    fn own(&self, node: &Node, file: &mut FileLocks, kind: LockKind, wait: Wait) -> Attempt<()> {
        let access = match (kind, &file.owner) {
            (LockKind::Read, Some(_)) | (LockKind::Write, Some(Owner { writes: true, .. })) => {
                return Ok(());
            }
            (LockKind::Read, None) => Access::Read,
            (LockKind::Write, _) => Access::Write,
        };
        let fd = self.descriptor(node, access, wait)?;
        let mode = fcntl_getfl(&*fd).map_err(fs_error)? & OFlags::RWMODE;
        if mode == OFlags::WRONLY {
            // It cannot have shared locks, and one file has one owner.
            return Err(FsError::AccessDenied.into());
        }
        let writes = mode == OFlags::RDWR;
        if let Some(former) = &file.owner {
            // Both have the locks for a moment: what the former one has is shared.
            let runs = file.counts.runs(ALL);
            let shared = runs.iter().filter(|run| run.strength.is_some());
            for run in shared {
                set(&fd, run.range, run.strength).map_err(lock_error)?;
            }
            let _ = set(&former.fd, ALL, None);
        }
        file.owner = Some(Owner { fd, writes });
        Ok(())
    }
}

fn enter(entry: &Mutex<FileLocks>, wait: Wait) -> Attempt<MutexGuard<'_, FileLocks>> {
    match wait {
        Wait::Yes => Ok(lock(entry)),
        Wait::No => match entry.try_lock() {
            Ok(file) => Ok(file),
            Err(TryLockError::Poisoned(poison)) => Ok(poison.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Stop::Waits),
        },
    }
}

/// Number of times that a lock of another process may end between two system calls.
const ATTEMPTS: usize = 3;
/// Number of changes along a file up to which its locks are changed without a thread of their own.
const SHORT: usize = 256;
