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
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    entries: HashMap<FsHandle, Entry>,
    /// Number of entries with unlocks that are put off.
    put_off: usize,
}

/// One file that has locks.
#[derive(Debug, Default)]
struct Entry {
    locks: Arc<Mutex<FileLocks>>,
    /// Returned locks that are still counted in `locks`, while a job is due that counts them less; the entry stays
    /// so long.
    ///
    /// They are kept as the places at which their number changes, so that neighbours become one. Each of these
    /// places is one at which the number of counted locks changes, or that of the locks which clients have left.
    /// As a LOCK first counts less what is put off, both are of locks that clients had at the last LOCK, or have.
    put_off: Option<LockCounts>,
}

/// The locks of one file.
#[derive(Debug, Default)]
pub(super) struct FileLocks {
    pub(super) counts: LockCounts,
    /// The owner of the locks; none while there is no lock.
    pub(super) owner: Option<Owner>,
    /// The kernel refused to unlock, for want of memory: it may have more than is counted.
    pub(super) has_excess: bool,
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
        let files = lock(&self.files);
        Some(Arc::clone(&files.entries.get(fh)?.locks))
    }

    pub(super) fn entry(&self, fh: &FsHandle) -> Arc<Mutex<FileLocks>> {
        let mut files = lock(&self.files);
        Arc::clone(&files.entries.entry(*fh).or_default().locks)
    }

    /// Keeps returned locks until a job counts them less; whether that job is to be made.
    pub(super) fn put_off(&self, fh: &FsHandle, gone: &[ByteLock]) -> bool {
        let mut files = lock(&self.files);
        let Some(entry) = files.entries.get_mut(fh) else {
            // No lock is counted.
            return false;
        };
        let is_first = entry.put_off.is_none();
        let put_off = entry.put_off.get_or_insert_default();
        for gone in gone {
            put_off.add(gone);
        }
        files.put_off += usize::from(is_first);
        is_first
    }

    /// Takes what is put off, for a request; the job is still due.
    pub(super) fn take(&self, fh: &FsHandle) -> LockCounts {
        let mut files = lock(&self.files);
        let entry = files.entries.get_mut(fh);
        let put_off = entry.and_then(|entry| entry.put_off.as_mut());
        put_off.map(std::mem::take).unwrap_or_default()
    }

    /// Takes what is put off, for the job.
    pub(super) fn take_for_job(&self, fh: &FsHandle) -> LockCounts {
        let mut files = lock(&self.files);
        let entry = files.entries.get_mut(fh);
        let put_off = entry.and_then(|entry| entry.put_off.take());
        files.put_off -= usize::from(put_off.is_some());
        put_off.unwrap_or_default()
    }

    /// Whether a LOCK has to wait in the same line as the jobs: there are some for this file, or for too many.
    pub(super) fn is_behind(&self, fh: &FsHandle) -> bool {
        let files = lock(&self.files);
        let entry = files.entries.get(fh);
        files.put_off > MAX_PUT_OFF || entry.is_some_and(|entry| entry.put_off.is_some())
    }

    /// Ends the entry of a file without locks. Its description may stay open, to read and to write.
    pub(super) fn leave(&self, fh: &FsHandle, file: &mut FileLocks) {
        if !file.counts.is_empty() || file.is_over {
            return;
        }
        if let Some(owner) = file.owner.take() {
            let _ = set(&owner.fd, ALL, None);
        }
        let mut files = lock(&self.files);
        if files.entries.get(fh).is_some_and(|it| it.put_off.is_some()) {
            // The job that is due ends it.
            return;
        }
        file.is_over = true;
        files.entries.remove(fh);
    }
}

impl FileLocks {
    /// Counts locks once less, and has the kernel keep what is left. Counts are sums: a lock that came after these
    /// were returned stays, also if it was counted before.
    pub(super) fn unlock(&mut self, gone: &LockCounts) {
        let Some(range) = gone.span() else {
            return;
        };
        let before = self.counts.runs(range);
        self.counts.subtract(gone);
        let after = self.counts.runs(range);
        let Some(owner) = &self.owner else {
            return;
        };
        for run in weakened(&before, &after) {
            self.has_excess |= set(&owner.fd, run.range, run.strength).is_err();
        }
    }

    /// Has the kernel keep what is counted, and no more, after it refused to unlock; not while the number of
    /// locks changes at more than `most` places.
    pub(super) fn drop_excess(&mut self, most: usize) {
        // Without any lock, the owner goes, and all is unlocked.
        if !self.has_excess || self.counts.is_empty() || self.counts.len() > most {
            return;
        }
        if let Some(owner) = &self.owner {
            let runs = self.counts.runs(ALL);
            let failed = |run: &Run| set(&owner.fd, run.range, run.strength).is_err();
            self.has_excess = runs.iter().filter(|run| failed(run)).count() > 0;
        }
    }
}

/// Why ranges were not locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotRaised {
    pub(super) why: Errno,
    /// Some are locked, as the kernel refused to unlock them.
    pub(super) left_some: bool,
}

/// Locks ranges that were locked less strongly, all or none; of several, none was locked before.
pub(super) fn raise(fd: &OwnedFd, ranges: &[ByteRange], kind: LockKind) -> Result<(), NotRaised> {
    raise_by(ranges, kind, |range, strength| set(fd, range, strength))
}

fn raise_by(
    ranges: &[ByteRange],
    kind: LockKind,
    mut set: impl FnMut(ByteRange, Option<LockKind>) -> rustix::io::Result<()>,
) -> Result<(), NotRaised> {
    for (at, range) in ranges.iter().enumerate() {
        if let Err(why) = set(*range, Some(kind)) {
            let mut left_some = false;
            for done in ranges.iter().take(at) {
                left_some |= set(*done, None).is_err();
            }
            return Err(NotRaised { why, left_some });
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
        // The kernel has no room for more locks: that it has some soon is not known.
        Errno::NOLCK => FsError::NoSpace,
        Errno::PERM | Errno::ROFS => FsError::AccessDenied,
        error => fs_error(error),
    }
}

pub(super) const ALL: ByteRange = ByteRange {
    first: 0,
    last: u64::MAX,
};

/// Number of files with unlocks that are put off, beyond which each LOCK waits in the same line as the jobs: else
/// clients could lock and unlock further files without end.
const MAX_PUT_OFF: usize = 64;

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::path::PathBuf;

    use super::*;

    /// A file, which is removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let name = format!("nfs4-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            File::create(&path).unwrap();
            Scratch(path)
        }

        /// An owner of locks.
        fn open(&self) -> OwnedFd {
            let mut options = OpenOptions::new();
            options.read(true).write(true).open(&self.0).unwrap().into()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn range(first: u64, last: u64) -> ByteRange {
        ByteRange { first, last }
    }

    fn shared(range: ByteRange) -> ByteLock {
        let kind = LockKind::Read;
        ByteLock { range, kind }
    }

    /// What another owner finds locked.
    fn found(by: &OwnedFd, within: ByteRange) -> Option<(u64, u64)> {
        let asked = ByteLock {
            kind: LockKind::Write,
            ..shared(within)
        };
        let held = conflict(by, &asked).unwrap()?;
        Some((held.range.first, held.range.last))
    }

    #[test]
    fn unlocks_that_are_put_off_take_one_job_and_no_more_room_than_what_is_locked() {
        let locks = Locks::default();
        let fh = FsHandle::from_number(1);
        let entry = locks.entry(&fh);
        lock(&entry).counts.add(&shared(ALL));
        for at in 0..1000 {
            assert_eq!(locks.put_off(&fh, &[shared(range(at, at))]), at == 0);
        }
        let other = FsHandle::from_number(2);
        assert!(locks.is_behind(&fh) && !locks.is_behind(&other));
        let gone = locks.take(&fh);
        assert_eq!((gone.len(), gone.span()), (2, Some(range(0, 999))));
        assert!(!locks.put_off(&fh, &[shared(range(1000, u64::MAX)), shared(range(7, 7))]));
        let mut file = lock(&entry);
        file.counts.add(&shared(range(7, 7)));
        file.unlock(&gone);
        let left = |run: &Run| run.strength.map(|_| run.range.first);
        let runs = file.counts.runs(range(0, 1000));
        let left: Vec<u64> = runs.iter().filter_map(left).collect();
        assert_eq!(left, [7, 1000], "what was locked later stays");
        file.unlock(&locks.take(&fh));
        locks.leave(&fh, &mut file);
        assert!(!file.is_over, "a job is due");
        assert!(locks.take_for_job(&fh).is_empty());
        assert!(!locks.is_behind(&fh));
        locks.leave(&fh, &mut file);
        assert!(file.is_over && locks.get(&fh).is_none());
        assert!(!locks.put_off(&fh, &[shared(ALL)]), "it has no locks");
    }

    #[test]
    fn a_lock_waits_in_line_while_unlocks_of_too_many_files_are_put_off() {
        let locks = Locks::default();
        let handle = |number| FsHandle::from_number(number);
        for number in 0..=MAX_PUT_OFF as u64 {
            assert!(!locks.is_behind(&handle(u64::MAX)));
            lock(&locks.entry(&handle(number))).counts.add(&shared(ALL));
            assert!(locks.put_off(&handle(number), &[shared(ALL)]));
        }
        assert!(locks.is_behind(&handle(u64::MAX)));
        locks.take_for_job(&handle(0));
        assert!(!locks.is_behind(&handle(u64::MAX)));
    }

    #[test]
    fn of_several_ranges_none_is_locked_when_the_kernel_has_no_room_for_the_last() {
        let file = Scratch::new("raise");
        let (own, other) = (file.open(), file.open());
        let ranges = [range(0, 4), range(10, 14), range(20, 24)];
        let mut calls = 0;
        let raised = raise_by(&ranges, LockKind::Read, |range, strength| {
            calls += 1;
            match calls {
                3 => Err(Errno::NOLCK),
                _ => set(&own, range, strength),
            }
        });
        let left_some = false;
        let why = Errno::NOLCK;
        assert_eq!(raised, Err(NotRaised { why, left_some }));
        assert_eq!(found(&other, ALL), None);
        assert_eq!(lock_error(why), FsError::NoSpace);
    }

    #[test]
    fn what_the_kernel_has_too_much_is_unlocked_later() {
        let file = Scratch::new("excess");
        let (own, other) = (Arc::new(file.open()), file.open());
        let ranges = [range(0, 4), range(10, 14), range(20, 24)];
        let mut calls = 0;
        let raised = raise_by(&ranges, LockKind::Read, |range, strength| {
            calls += 1;
            match (calls, strength) {
                // It locks no more, and refuses to unlock the second range.
                (3, _) | (5, None) => Err(Errno::NOLCK),
                _ => set(&own, range, strength),
            }
        });
        assert!(raised.unwrap_err().left_some);
        assert_eq!(found(&other, ALL), Some((10, 14)));
        let mut locks = FileLocks {
            owner: Some(Owner {
                fd: Arc::clone(&own),
                writes: true,
            }),
            has_excess: true,
            ..FileLocks::default()
        };
        for held in [range(0, 0), range(11, 12)] {
            set(&own, held, Some(LockKind::Read)).unwrap();
            locks.counts.add(&shared(held));
        }
        locks.drop_excess(locks.counts.len() - 1);
        assert!(locks.has_excess, "there are too many changes");
        locks.drop_excess(locks.counts.len());
        assert!(!locks.has_excess);
        assert_eq!(found(&other, range(1, u64::MAX)), Some((11, 12)));
        assert_eq!(found(&other, range(13, u64::MAX)), None);
        assert_eq!(found(&other, ALL), Some((0, 0)));
    }
}
