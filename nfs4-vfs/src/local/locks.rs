//! Locks of byte ranges that other processes see, and theirs.
//!
//! All clients of the server are one owner: an open file description of each file that has locks. Where
//! their locks overlap, the kernel has the strongest of them ([`LockCounts`]). The kernel drops all with the
//! description, also when the server is killed.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex};

use nfs4_engine::fs::{ByteLock, ByteRange, FsError, FsHandle, LockKind};
use rustix::io::Errno;

use super::error::fs_error;
use super::lock_counts::{LockCounts, Run};
use super::system;
use crate::sync::lock;

/// The files of an export that have locks.
#[derive(Debug, Default)]
pub(super) struct Locks {
    files: Mutex<HashMap<FsHandle, Arc<Mutex<FileLocks>>>>,
}

/// The locks of one file.
#[derive(Debug, Default)]
pub(super) struct FileLocks {
    pub(super) counts: LockCounts,
    /// The owner of the locks; none while there is no lock.
    pub(super) owner: Option<Owner>,
    /// The file has no locks any more, and another entry if it gets some.
    pub(super) is_over: bool,
}

/// An open file description, which is the owner of its locks.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) fd: Arc<OwnedFd>,
    /// It may have exclusive locks, and shared ones in any case.
    pub(super) writes: bool,
}

impl Locks {
    pub(super) fn get(&self, fh: &FsHandle) -> Option<Arc<Mutex<FileLocks>>> {
        lock(&self.files).get(fh).cloned()
    }

    pub(super) fn entry(&self, fh: &FsHandle) -> Arc<Mutex<FileLocks>> {
        Arc::clone(lock(&self.files).entry(*fh).or_default())
    }

    /// Ends the entry of a file without locks. Its description may stay open, to read and to write.
    pub(super) fn leave(&self, fh: &FsHandle, file: &mut FileLocks) {
        if !file.counts.is_empty() || file.is_over {
            return;
        }
        if let Some(owner) = file.owner.take() {
            let _ = set(&owner.fd, ALL, None);
        }
        file.is_over = true;
        lock(&self.files).remove(fh);
    }
}

/// Locks ranges that were locked less strongly, all or none.
pub(super) fn raise(fd: &OwnedFd, ranges: &[ByteRange], kind: LockKind) -> rustix::io::Result<()> {
    for (at, range) in ranges.iter().enumerate() {
        if let Err(error) = set(fd, *range, Some(kind)) {
            // Of several, none was locked before.
            for done in ranges.iter().take(at) {
                let _ = set(fd, *done, None);
            }
            return Err(error);
        }
    }
    Ok(())
}

/// The runs of `after` in which a byte was locked otherwise before.
pub(super) fn weakened<'a>(before: &[Run], after: &'a [Run]) -> Vec<&'a Run> {
    let mut changed = Vec::new();
    let mut from = 0;
    for run in after {
        while before
            .get(from)
            .is_some_and(|was| was.range.last < run.range.first)
        {
            from += 1;
        }
        let was = before.iter().skip(from);
        let mut was = was.take_while(|was| was.range.first <= run.range.last);
        if was.any(|was| was.strength != run.strength) {
            changed.push(run);
        }
    }
    changed
}

/// Locks or unlocks bytes. The kernel's offsets end at 2^63 - 1, and no process can lock a byte beyond.
pub(super) fn set(
    fd: &OwnedFd,
    range: ByteRange,
    strength: Option<LockKind>,
) -> rustix::io::Result<()> {
    match span(range) {
        Some(span) => system::set_lock(fd.as_fd(), span, strength),
        None => Ok(()),
    }
}

/// The lock of another owner that conflicts.
pub(super) fn conflict(fd: &OwnedFd, asked: &ByteLock) -> rustix::io::Result<Option<ByteLock>> {
    let Some(span) = span(asked.range) else {
        return Ok(None);
    };
    let found = system::get_lock(fd.as_fd(), span, asked.kind)?;
    Ok(found.and_then(|((start, len), kind)| {
        let first = u64::try_from(start).ok()?;
        let last = match u64::try_from(len).ok()? {
            0 => u64::MAX,
            len => first.checked_add(len - 1)?,
        };
        let range = ByteRange { first, last };
        Some(ByteLock { range, kind })
    }))
}

/// The first byte and the length as the kernel has them, of which 0 is to the end.
fn span(range: ByteRange) -> Option<(i64, i64)> {
    let first = i64::try_from(range.first).ok()?;
    match i64::try_from(range.last) {
        Ok(last) if last < i64::MAX => Some((first, last - first + 1)),
        _ => Some((first, 0)),
    }
}

/// LOCK and LOCKT have a status for few errors.
pub(super) fn lock_error(error: Errno) -> FsError {
    match error {
        Errno::NOLCK => FsError::Busy,
        Errno::PERM | Errno::ROFS => FsError::AccessDenied,
        error => fs_error(error),
    }
}

pub(super) const ALL: ByteRange = ByteRange {
    first: 0,
    last: u64::MAX,
};
