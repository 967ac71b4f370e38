//! Files that must not be delegated now: those in use by requests under way, and those recalled a short
//! while ago. [RFC 8881 §10.4]
//!
//! An OPEN gets a file's attributes when the file system executes it, and the delegation is granted
//! when the engine processes the result. A change between the two makes the attributes stale. So a
//! request that changes a file holds a guard from its submission until the engine processes its
//! result, and the engine does not delegate a file if a guard on it was held or returned since the
//! OPEN was submitted.

use alloc::boxed::Box;
use alloc::vec;
use core::hash::BuildHasher;

use crate::count::Count;
use crate::fh::Fh;
use crate::map::Keyed;
use crate::time::Mono;

/// The guards on files and names, and recent recalls. Files and names share a fixed number of
/// places by a keyed hash. A collision of two hashes can prevent a delegation, and never permits
/// one.
pub(crate) struct Guards {
    keyed: Keyed,
    /// Number of guards returned so far, which serves as the clock of [`ChangeWatch`].
    returned: u64,
    files: Box<[Uses]>,
    /// Guards of kind [`Guard::SizeNote`], of all files.
    notes: GuardCount,
    /// Guards on names, in all.
    all_names: GuardCount,
    /// Guards on names, by the place of the name.
    by_name: Box<[NameUses]>,
    taken: u32,
    /// Files recalled a short while ago, by hash, and until when they are not delegated.
    recent_recalls: Box<[Option<(u64, Mono)>]>,
}

/// The file or names that a request guards, from its submission until its result is processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing.
    #[default]
    None,
    /// A file that is read, which may change its access time: it gets no write delegation.
    Read(GuardPlace),
    /// A file whose bytes, attributes or names change.
    Change(GuardPlace),
    /// The SETATTR that the engine sends because the holder reported a change. [RFC 8881 §10.4.3]
    SizeNote(GuardPlace),
    /// The files with these names, and all files whose names are not known.
    Names(GuardPlace, GuardPlace),
    /// A RENAME of a delegated file. A request that looked up the second name earlier does not know
    /// that the name now leads to the delegated file.
    RenameOfDelegated(GuardPlace, GuardPlace),
    /// A LINK to a delegated file.
    LinkToDelegated(GuardPlace, GuardPlace),
}

/// An index into the places of files or of names, from a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardPlace(u16);

/// The state of the guards when a request was submitted, compared with the current one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChangeWatch {
    since: u64,
    /// The name by which the request found the file.
    name: Option<GuardPlace>,
}

/// A file that is to be delegated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// The keyed hash of its handle.
    pub(crate) hash: u64,
    /// Its number of names.
    pub(crate) links: u32,
    /// Whether it is to get a write delegation, under which no other client may even read it.
    pub(crate) for_writing: bool,
    /// The guard of the OPEN itself.
    pub(crate) own: Guard,
}

#[derive(Clone, Copy, Default)]
struct Uses {
    changes: GuardCount,
    reads: GuardCount,
    notes: GuardCount,
}

#[derive(Clone, Copy, Default)]
struct NameUses {
    changes: GuardCount,
    /// Number of requests that rename a delegated file to this name.
    renames_onto: u32,
}

#[derive(Clone, Copy, Default)]
struct GuardCount {
    held: u32,
    /// The value of [`Guards::returned`] when the last guard was returned.
    last: u64,
}

impl Guards {
    pub(crate) fn new(keyed: Keyed) -> Guards {
        Guards {
            keyed,
            returned: 0,
            files: vec![Uses::default(); PLACES].into_boxed_slice(),
            notes: GuardCount::default(),
            all_names: GuardCount::default(),
            by_name: vec![NameUses::default(); PLACES].into_boxed_slice(),
            taken: 0,
            recent_recalls: vec![None; RECALLS].into_boxed_slice(),
        }
    }

    /// The place of a file.
    pub(crate) fn of(&self, fh: &Fh) -> GuardPlace {
        GuardPlace::of(self.keyed.hash_one(fh))
    }

    /// The place of a name. If names in the directory may fold case, all share one place.
    pub(crate) fn place_of_name(&self, dir: &Fh, name: &[u8], ignores_case: bool) -> GuardPlace {
        let name = if ignores_case { &[] } else { name };
        GuardPlace::of(self.keyed.hash_one((dir, name)))
    }

    /// Begins to watch for changes, before the file is known.
    pub(crate) fn watch(&self) -> ChangeWatch {
        ChangeWatch {
            since: self.returned,
            name: None,
        }
    }

    /// Whether a name has changed since `watch` began, so that the name by which the file was found
    /// matters.
    pub(crate) fn names_changed_since(&self, watch: &ChangeWatch) -> bool {
        !self.all_names.is_quiet(watch.since, 0)
    }

    /// Takes a guard.
    #[inline]
    pub(crate) fn take(&mut self, guard: Guard) {
        self.taken += u32::from(!matches!(guard, Guard::None));
        match self.single_count(guard) {
            Some(busy) => busy.held += 1,
            None => self.for_each_count(
                guard,
                |busy| busy.held += 1,
                |renames_onto| *renames_onto += 1,
            ),
        }
    }

    /// Returns a guard.
    #[inline]
    pub(crate) fn release(&mut self, guard: Guard) {
        if matches!(guard, Guard::None) {
            return;
        }
        self.taken.lower(1);
        self.returned += 1;
        let returned = self.returned;
        match self.single_count(guard) {
            Some(busy) => busy.end(returned),
            None => self.for_each_count(
                guard,
                |busy| busy.end(returned),
                |renames_onto| renames_onto.lower(1),
            ),
        }
    }

    /// Number of guards that are taken.
    pub(crate) fn taken(&self) -> u32 {
        self.taken
    }

    /// Whether a delegated file is being renamed to this name.
    pub(crate) fn is_renamed_onto(&self, name: GuardPlace) -> bool {
        let named = self.by_name.get(name.index());
        named.is_none_or(|named| named.renames_onto > 0)
    }

    /// Whether a request other than the one that has taken `own` changes this name.
    pub(crate) fn is_changed_by_other(&self, name: GuardPlace, own: Guard) -> bool {
        let named = self.by_name.get(name.index());
        named.is_none_or(|named| named.changes.held > own.count_at(name))
    }

    /// Records a recall: the file is not delegated before `until`.
    pub(crate) fn note_recall(&mut self, fh: &Fh, until: Mono) {
        let hash = self.keyed.hash_one(fh);
        if let Some(place) = self.recent_recalls.get_mut(hash as usize % RECALLS) {
            *place = Some((hash, until));
        }
    }

    /// Whether a file may be delegated now: the attributes obtained since `watch` began are true.
    pub(crate) fn admit(&self, file: &Candidate, watch: &ChangeWatch, now: Mono) -> bool {
        let place = GuardPlace::of(file.hash);
        let Some(uses) = self.files.get(place.index()) else {
            return false;
        };
        let recalled = self.recent_recalls.get(file.hash as usize % RECALLS);
        let recalled = recalled.copied().flatten();
        let own = u32::from(file.own == Guard::Change(place));
        uses.changes.is_quiet(watch.since, own)
            && (!file.for_writing || uses.reads.is_quiet(watch.since, 0))
            && self.names_are_quiet(file, watch)
            && recalled.is_none_or(|(of, until)| of != file.hash || now >= until)
    }

    /// Whether no name of the file was added or removed since `watch` began. A file with one name
    /// needs only that name unchanged: the first change to its names guards that name, or the file.
    fn names_are_quiet(&self, file: &Candidate, watch: &ChangeWatch) -> bool {
        let own = u32::from(matches!(file.own, Guard::Names(..)));
        let only = |place: GuardPlace| {
            let named = self.by_name.get(place.index());
            let own = file.own.count_at(place);
            named.is_some_and(|named| named.changes.is_quiet(watch.since, own))
        };
        self.all_names.is_quiet(watch.since, own) || file.links == 1 && watch.name.is_some_and(only)
    }

    /// Whether no file was marked as changed by its holder since `watch` began.
    pub(crate) fn has_no_size_note_since(&self, watch: &ChangeWatch) -> bool {
        self.notes.is_quiet(watch.since, 0)
    }

    /// Whether this file was marked so since `watch` began.
    pub(crate) fn has_size_note_since(&self, fh: &Fh, watch: &ChangeWatch) -> bool {
        if self.has_no_size_note_since(watch) {
            return false;
        }
        let uses = self.files.get(self.of(fh).index());
        uses.is_none_or(|uses| !uses.notes.is_quiet(watch.since, 0))
    }

    /// The count of a guard that has only one, as most have.
    #[inline]
    fn single_count(&mut self, guard: Guard) -> Option<&mut GuardCount> {
        match guard {
            Guard::Read(at) => Some(&mut self.files.get_mut(at.index())?.reads),
            Guard::Change(at) => Some(&mut self.files.get_mut(at.index())?.changes),
            Guard::None
            | Guard::SizeNote(_)
            | Guard::Names(..)
            | Guard::RenameOfDelegated(..)
            | Guard::LinkToDelegated(..) => None,
        }
    }

    /// Calls `busy` and `renames_onto` for all counts of a guard.
    #[cold]
    fn for_each_count(
        &mut self,
        guard: Guard,
        busy: impl Fn(&mut GuardCount),
        renames_onto: impl Fn(&mut u32),
    ) {
        let file = match guard {
            Guard::None => return,
            Guard::Read(at) | Guard::Change(at) | Guard::LinkToDelegated(at, _) => {
                self.files.get_mut(at.index())
            }
            Guard::SizeNote(at) => {
                busy(&mut self.notes);
                self.files.get_mut(at.index())
            }
            Guard::Names(..) | Guard::RenameOfDelegated(..) => {
                busy(&mut self.all_names);
                None
            }
        };
        match (guard, file) {
            (Guard::Read(_), Some(uses)) => busy(&mut uses.reads),
            (Guard::SizeNote(_), Some(uses)) => {
                busy(&mut uses.changes);
                busy(&mut uses.notes);
            }
            (_, Some(uses)) => busy(&mut uses.changes),
            (_, None) => {}
        }
        if let Guard::Names(one, other) | Guard::RenameOfDelegated(one, other) = guard {
            for place in [one, other] {
                if let Some(named) = self.by_name.get_mut(place.index()) {
                    busy(&mut named.changes);
                }
            }
        }
        if let Guard::RenameOfDelegated(_, name) | Guard::LinkToDelegated(_, name) = guard
            && let Some(named) = self.by_name.get_mut(name.index())
        {
            renames_onto(&mut named.renames_onto);
        }
    }
}

impl Guard {
    /// How many of this guard's counts are at `name`.
    fn count_at(self, name: GuardPlace) -> u32 {
        match self {
            Guard::Names(one, other) | Guard::RenameOfDelegated(one, other) => {
                u32::from(one == name) + u32::from(other == name)
            }
            Guard::None
            | Guard::Read(_)
            | Guard::Change(_)
            | Guard::SizeNote(_)
            | Guard::LinkToDelegated(..) => 0,
        }
    }
}

impl ChangeWatch {
    /// Sets the name by which the file was found.
    pub(crate) fn set_name(&mut self, name: GuardPlace) {
        self.name = Some(name);
    }
}

impl GuardPlace {
    pub(crate) const fn of(hash: u64) -> GuardPlace {
        GuardPlace(hash as u16 % PLACES as u16)
    }

    fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl GuardCount {
    fn end(&mut self, returned: u64) {
        self.held.lower(1);
        self.last = returned;
    }

    /// Whether no guard was held or returned since, not counting `own` guards that the caller
    /// holds.
    fn is_quiet(self, since: u64, own: u32) -> bool {
        self.held <= own && self.last <= since
    }
}

/// Number of places that files share, and that names share.
const PLACES: usize = 4_096;
/// Maximum number of recalls that are remembered.
const RECALLS: usize = 256;
