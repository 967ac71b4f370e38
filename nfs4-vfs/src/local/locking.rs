//! LOCK, LOCKT and the end of locks, where processes see them.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use nfs4_engine::fs::{ByteLock, ByteRange, FsError, FsHandle, FsReply, LockKind};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

use super::error::fs_error;
use super::file::Access;
use super::lock_counts::LockCounts;
use super::locks::{ALL, FileLocks, Owner, conflict, lock_error, raise, set};
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
            match wait {
                Wait::No if self.locks.is_behind(fh) => {
                    self.locks.leave(fh, &mut file);
                    return Err(Stop::Waits);
                }
                Wait::No => {}
                Wait::Yes => file.unlock(&self.locks.take(fh)),
            }
            let held = self.lock_file(&node, &mut file, asked, wait);
            if let Ok(None) = held {
                file.counts.add(asked);
            }
            file.drop_excess(short(wait));
            self.locks.leave(fh, &mut file);
            return Ok(FsReply::Lock { held: held? });
        }
    }

    /// The file of a request about locks, if its file system answers without waiting or the request may wait.
    fn lockable(&self, fh: &FsHandle, wait: Wait) -> Attempt<Arc<Node>> {
        let node = self.ready(fh, wait)?;
        self.file(&node)?;
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
        // Unlike a file that is locked, it need not be held.
        self.live(&node)?;
        loop {
            // Also that of a file without locks: none comes meanwhile, which would look like another process's.
            let entry = self.locks.entry(fh);
            let mut file = enter(&entry, wait)?;
            if file.is_over {
                continue;
            }
            let fd = match &file.owner {
                Some(owner) => Ok(Arc::clone(&owner.fd)),
                None => self.tester(&node, wait),
            };
            let held = fd.and_then(|fd| Ok(conflict(&fd, asked).map_err(lock_error)?));
            self.locks.leave(fh, &mut file);
            return Ok(FsReply::Lock { held: held? });
        }
    }

    /// A descriptor that finds out which locks other processes have.
    fn tester(&self, node: &Node, wait: Wait) -> Attempt<Arc<OwnedFd>> {
        match self.descriptor(node, Access::Read, wait) {
            Err(Stop::Error(FsError::AccessDenied)) => self.descriptor(node, Access::Write, wait),
            found => found,
        }
    }

    /// Counts locks once less, and with [`Wait::Yes`], as the job that is due then, also those that are put off. With
    /// [`Wait::No`] it does nothing where that may take long: `false`.
    pub(super) fn unlock_bytes(&self, fh: &FsHandle, locks: &[ByteLock], wait: Wait) -> bool {
        let Some(entry) = self.locks.get(fh) else {
            return true;
        };
        let is_resident = || self.kept(fh).is_some_and(|node| node.fs_type.is_resident);
        if wait == Wait::No && !is_resident() {
            return false;
        }
        let Ok(mut file) = enter(&entry, wait) else {
            return false;
        };
        if wait == Wait::No && locks.len().max(1).saturating_mul(file.counts.len()) > SHORT {
            return false;
        }
        let mut gone = match wait {
            Wait::No => LockCounts::default(),
            Wait::Yes => self.locks.take_for_job(fh),
        };
        for lock in locks {
            gone.add(lock);
        }
        file.unlock(&gone);
        file.drop_excess(short(wait));
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
        let FileLocks {
            counts,
            owner,
            has_excess,
            is_over: _,
        } = file;
        let Some(owner) = owner else {
            return Err(Stop::Error(FsError::Io));
        };
        let runs = counts.runs(asked.range);
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
                Err(error) => {
                    *has_excess |= error.left_some;
                    if !matches!(error.why, Errno::AGAIN | Errno::ACCESS) {
                        return Err(lock_error(error.why).into());
                    }
                }
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
            let runs = file.counts.runs(ALL).into_iter();
            let shared: Vec<ByteRange> = runs
                .filter(|run| run.strength.is_some())
                .map(|run| run.range)
                .collect();
            if let Err(error) = raise(&fd, &shared, LockKind::Read) {
                // The descriptor stays open, and had no locks before. To unlock all needs no memory.
                let _ = set(&fd, ALL, None);
                return Err(lock_error(error.why).into());
            }
            let _ = set(&former.fd, ALL, None);
        }
        file.owner = Some(Owner { fd, writes });
        // What the former one had too much is gone with it.
        file.has_excess = false;
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

/// Maximum number of changes along a file at which its locks are changed by a request that may wait so.
fn short(wait: Wait) -> usize {
    match wait {
        Wait::No => SHORT,
        Wait::Yes => usize::MAX,
    }
}

/// Number of times that a lock of another process may end between two system calls.
const ATTEMPTS: usize = 3;
/// Number of changes along a file up to which its locks are changed without a thread of their own.
const SHORT: usize = 256;
