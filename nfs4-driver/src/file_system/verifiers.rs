//! The verifiers of exclusive creations.

use std::collections::{BTreeMap, HashMap, HashSet};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::FsHandle;

use crate::sync::{Mutex, MutexGuard};

/// The verifiers of files, since a [`FileSystem`] keeps none: of those that clients have open, and of
/// those that were closed last. A client repeats a creation when it has lost its connection, and with
/// it the answer: mostly while the server has the file open for it. How many files clients have open is
/// limited elsewhere, so that no client pushes out the verifiers of another's.
///
/// [`FileSystem`]: nfs4_engine::fs::FileSystem
#[derive(Default)]
pub(super) struct Verifiers {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    of: HashMap<FsHandle, Made>,
    /// Files that no client has open, by the order in which they were closed.
    closed: BTreeMap<u64, FsHandle>,
    next: u64,
    /// Directories, and the names in them that are being made.
    under_way: HashSet<(FsHandle, Bytes)>,
}

/// A file that was created exclusively.
struct Made {
    verifier: [u8; 8],
    opens: u64,
    /// Its place among those that no client has open.
    closed: Option<u64>,
}

/// An exclusive creation, which is under way until this is dropped.
pub(super) struct UnderWay<'a> {
    verifiers: &'a Verifiers,
    name: (FsHandle, Bytes),
}

impl Verifiers {
    /// Begins the creation of a name; none if another one of that name is under way.
    pub(super) fn begin(&self, dir: FsHandle, name: Bytes) -> Option<UnderWay<'_>> {
        let name = (dir, name);
        let is_first = self.lock().under_way.insert(name.clone());
        // Lazily: one that is refused ends nothing when it is dropped.
        is_first.then(|| UnderWay {
            verifiers: self,
            name,
        })
    }

    /// Whether the creation of a name is under way: its file may be there, and have no verifier yet.
    pub(super) fn is_under_way(&self, dir: FsHandle, name: &Bytes) -> bool {
        self.lock().under_way.contains(&(dir, name.clone()))
    }

    /// Notes the verifier of a new file.
    pub(super) fn note(&self, fh: FsHandle, verifier: [u8; 8]) {
        let mut known = self.lock();
        let made = Made {
            verifier,
            opens: 0,
            closed: None,
        };
        if let Some(order) = known.of.insert(fh, made).and_then(|former| former.closed) {
            known.closed.remove(&order);
        }
        known.close(fh);
    }

    /// Notes that a client has opened a file.
    pub(super) fn opened(&self, fh: &FsHandle) {
        let known = &mut *self.lock();
        if let Some(made) = known.of.get_mut(fh) {
            made.opens += 1;
            if let Some(order) = made.closed.take() {
                known.closed.remove(&order);
            }
        }
    }

    /// Notes that an open of a file has ended.
    pub(super) fn released(&self, fh: FsHandle) {
        let mut known = self.lock();
        let Some(made) = known.of.get_mut(&fh) else {
            return;
        };
        // It may have been open before it was made: then its handle is used again.
        made.opens = made.opens.saturating_sub(1);
        if made.opens == 0 && made.closed.is_none() {
            known.close(fh);
        }
    }

    /// Whether the file was created with this verifier.
    pub(super) fn is_of(&self, fh: &FsHandle, verifier: [u8; 8]) -> bool {
        let known = self.lock();
        known
            .of
            .get(fh)
            .is_some_and(|made| made.verifier == verifier)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // No panic leaves the value inconsistent.
        self.known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Known {
    /// A file is not open any more; the one that was closed first gives way.
    fn close(&mut self, fh: FsHandle) {
        if let Some(made) = self.of.get_mut(&fh) {
            made.closed = Some(self.next);
            self.closed.insert(self.next, fh);
            self.next += 1;
        }
        if self.closed.len() > MAX_CLOSED
            && let Some((_, oldest)) = self.closed.pop_first()
        {
            self.of.remove(&oldest);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.verifiers.lock().under_way.remove(&self.name);
    }
}

/// Maximum number of verifiers of files that no client has open.
const MAX_CLOSED: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: usize) -> FsHandle {
        FsHandle::from_number(number as u64)
    }

    #[test]
    fn the_verifier_of_an_open_file_gives_way_to_no_other() {
        let verifiers = Verifiers::default();
        verifiers.note(file(0), [1; 8]);
        verifiers.opened(&file(0));
        let (opened, closed) = (1..=MAX_CLOSED, MAX_CLOSED + 1..=2 * MAX_CLOSED + 1);
        for number in opened.clone().chain(closed.clone()) {
            verifiers.note(file(number), [2; 8]);
            verifiers.opened(&file(number));
            if closed.contains(&number) {
                verifiers.released(file(number));
            }
        }
        assert!(verifiers.is_of(&file(0), [1; 8]) && !verifiers.is_of(&file(0), [2; 8]));
        assert!(
            opened
                .into_iter()
                .all(|number| verifiers.is_of(&file(number), [2; 8]))
        );
        // Of the others, the one that was closed first is forgotten.
        let kept = |number: &usize| verifiers.is_of(&file(*number), [2; 8]);
        assert_eq!(
            closed.clone().find(|number| !kept(number)),
            Some(*closed.start())
        );
        assert_eq!(closed.filter(kept).count(), MAX_CLOSED);
        assert_eq!(verifiers.lock().of.len(), 2 * MAX_CLOSED + 1);
    }

    #[test]
    fn a_name_is_created_once_at_a_time() {
        let verifiers = Verifiers::default();
        let name = Bytes::from_static(b"x");
        let first = verifiers.begin(file(1), name.clone());
        assert!(first.is_some() && verifiers.begin(file(1), name.clone()).is_none());
        assert!(verifiers.is_under_way(file(1), &name) && !verifiers.is_under_way(file(2), &name));
        drop(first);
        assert!(!verifiers.is_under_way(file(1), &name));
    }
}
