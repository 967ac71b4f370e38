//! Files that must not be delegated now: those in use by requests under way, and those recalled a short
//! while ago. [RFC 8881 §10.4]
//!
//! An OPEN gets a file's attributes when the file system executes it, and the delegation is granted when
//! the engine processes the result. A change between the two makes the attributes stale. So a change has
//! a guard from when it is submitted until the engine processes its result, and no file is delegated
//! whose guard was held or returned since the OPEN was submitted.

use alloc::boxed::Box;
use alloc::vec;
use core::hash::BuildHasher;

use crate::count::Count;
use crate::fh::Fh;
use crate::map::Keyed;
use crate::time::Mono;

/// The guards on files and names, and recent recalls. Files and names share a fixed number of places by
/// a keyed hash. Two at one place can only prevent a delegation.
pub(crate) struct Guards {
    keyed: Keyed,
    /// Number of guards that were returned, which orders events.
    ended: u64,
    files: Box<[Uses]>,
    /// Guards of kind [`Guard::Note`], of all files.
    notes: GuardCount,
    /// Guards on names, of all places.
    names: GuardCount,
    /// Guards on names, by the place of the name.
    named: Box<[Named]>,
    taken: u32,
    /// Until when the file of this hash is not delegated again.
    recalled: Box<[Option<(u64, Mono)>]>,
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
    /// A file whose attributes get a note that the holder has changed it. [RFC 8881 §10.4.3]
    Note(GuardPlace),
    /// The files with these names, and all files whose names are not known.
    Names(GuardPlace, GuardPlace),
    /// As `Names`, while a delegated file gets the second name: a request that looked the name up before
    /// does not know that it now names this file.
    Giving(GuardPlace, GuardPlace),
    /// A delegated file that gets one more name.
    Linking(GuardPlace, GuardPlace),
}

/// The place of a file, or of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardPlace(u16);

/// A point in time, by which a request checks whether the attributes that it got are still true.
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
    pub(crate) alone: bool,
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
struct Named {
    changes: GuardCount,
    /// Number of requests that give the name to a delegated file.
    giving: u32,
}

#[derive(Clone, Copy, Default)]
struct GuardCount {
    running: u32,
    /// The value of [`Guards::ended`] when the last guard was returned.
    last: u64,
}

impl Guards {
    pub(crate) fn new(keyed: Keyed) -> Guards {
        Guards {
            keyed,
            ended: 0,
            files: vec![Uses::default(); PLACES].into_boxed_slice(),
            notes: GuardCount::default(),
            names: GuardCount::default(),
            named: vec![Named::default(); PLACES].into_boxed_slice(),
            taken: 0,
            recalled: vec![None; RECALLS].into_boxed_slice(),
        }
    }

    /// The place of a file.
    pub(crate) fn of(&self, fh: &Fh) -> GuardPlace {
        GuardPlace::of(self.keyed.hash_one(fh))
    }

    /// The place of a name. If names in the directory may fold case, all share one place.
    pub(crate) fn of_name(&self, dir: &Fh, name: &[u8], folds: bool) -> GuardPlace {
        let name = if folds { &[] } else { name };
        GuardPlace::of(self.keyed.hash_one((dir, name)))
    }

    /// Begins to watch for changes, before the file is known.
    pub(crate) fn watch(&self) -> ChangeWatch {
        ChangeWatch {
            since: self.ended,
            name: None,
        }
    }

    /// Whether a name has changed since, so that the name by which the file was found matters.
    pub(crate) fn asks_for_name(&self, watch: &ChangeWatch) -> bool {
        !self.names.is_quiet(watch.since, 0)
    }

    /// Takes a guard.
    #[inline]
    pub(crate) fn take(&mut self, guard: Guard) {
        self.taken += u32::from(!matches!(guard, Guard::None));
        match self.one(guard) {
            Some(busy) => busy.running += 1,
            None => self.each(guard, |busy| busy.running += 1, |giving| *giving += 1),
        }
    }

    /// Returns a guard.
    #[inline]
    pub(crate) fn release(&mut self, guard: Guard) {
        if matches!(guard, Guard::None) {
            return;
        }
        self.taken.lower(1);
        self.ended += 1;
        let ended = self.ended;
        match self.one(guard) {
            Some(busy) => busy.end(ended),
            None => self.each(guard, |busy| busy.end(ended), |giving| giving.lower(1)),
        }
    }

    /// Number of guards that are taken.
    pub(crate) fn taken(&self) -> u32 {
        self.taken
    }

    /// Whether a delegated file is getting this name.
    pub(crate) fn is_given(&self, name: GuardPlace) -> bool {
        let named = self.named.get(name.index());
        named.is_none_or(|named| named.giving > 0)
    }

    /// Whether a request other than the one that has taken `own` changes this name.
    pub(crate) fn is_changed_beside(&self, name: GuardPlace, own: Guard) -> bool {
        let named = self.named.get(name.index());
        named.is_none_or(|named| named.changes.running > own.on_name(name))
    }

    /// Keeps a file from being delegated again too soon.
    pub(crate) fn recalled(&mut self, fh: &Fh, until: Mono) {
        let hash = self.keyed.hash_one(fh);
        if let Some(place) = self.recalled.get_mut(hash as usize % RECALLS) {
            *place = Some((hash, until));
        }
    }

    /// Whether a file may be delegated now: the attributes obtained since `watch` began are true.
    pub(crate) fn admit(&self, file: &Candidate, watch: &ChangeWatch, now: Mono) -> bool {
        let place = GuardPlace::of(file.hash);
        let Some(uses) = self.files.get(place.index()) else {
            return false;
        };
        let recalled = self.recalled.get(file.hash as usize % RECALLS);
        let recalled = recalled.copied().flatten();
        let own = u32::from(file.own == Guard::Change(place));
        uses.changes.is_quiet(watch.since, own)
            && (!file.alone || uses.reads.is_quiet(watch.since, 0))
            && self.names_are_quiet(file, watch)
            && recalled.is_none_or(|(of, until)| of != file.hash || now >= until)
    }

    /// Whether the file has lost or got no name. For a file with one name it is enough that this name
    /// did not change: the first change to its names guards that name, or the file.
    fn names_are_quiet(&self, file: &Candidate, watch: &ChangeWatch) -> bool {
        let own = u32::from(matches!(file.own, Guard::Names(..)));
        let only = |place: GuardPlace| {
            let named = self.named.get(place.index());
            let own = file.own.on_name(place);
            named.is_some_and(|named| named.changes.is_quiet(watch.since, own))
        };
        self.names.is_quiet(watch.since, own) || file.links == 1 && watch.name.is_some_and(only)
    }

    /// Whether no file got a note since `watch` began that its holder has changed it.
    pub(crate) fn is_nothing_noted(&self, watch: &ChangeWatch) -> bool {
        self.notes.is_quiet(watch.since, 0)
    }

    /// Whether this file got such a note since `watch` began.
    pub(crate) fn is_noted(&self, fh: &Fh, watch: &ChangeWatch) -> bool {
        if self.is_nothing_noted(watch) {
            return false;
        }
        let uses = self.files.get(self.of(fh).index());
        uses.is_none_or(|uses| !uses.notes.is_quiet(watch.since, 0))
    }

    /// The count of a guard of the commonest kinds, which have only one.
    #[inline]
    fn one(&mut self, guard: Guard) -> Option<&mut GuardCount> {
        match guard {
            Guard::Read(at) => Some(&mut self.files.get_mut(at.index())?.reads),
            Guard::Change(at) => Some(&mut self.files.get_mut(at.index())?.changes),
            Guard::None
            | Guard::Note(_)
            | Guard::Names(..)
            | Guard::Giving(..)
            | Guard::Linking(..) => None,
        }
    }

    /// Calls `busy` and `giving` for all counts of a guard.
    #[cold]
    fn each(&mut self, guard: Guard, busy: impl Fn(&mut GuardCount), giving: impl Fn(&mut u32)) {
        let file = match guard {
            Guard::None => return,
            Guard::Read(at) | Guard::Change(at) | Guard::Linking(at, _) => {
                self.files.get_mut(at.index())
            }
            Guard::Note(at) => {
                busy(&mut self.notes);
                self.files.get_mut(at.index())
            }
            Guard::Names(..) | Guard::Giving(..) => {
                busy(&mut self.names);
                None
            }
        };
        match (guard, file) {
            (Guard::Read(_), Some(uses)) => busy(&mut uses.reads),
            (Guard::Note(_), Some(uses)) => {
                busy(&mut uses.changes);
                busy(&mut uses.notes);
            }
            (_, Some(uses)) => busy(&mut uses.changes),
            (_, None) => {}
        }
        if let Guard::Names(one, other) | Guard::Giving(one, other) = guard {
            for place in [one, other] {
                if let Some(named) = self.named.get_mut(place.index()) {
                    busy(&mut named.changes);
                }
            }
        }
        if let Guard::Giving(_, name) | Guard::Linking(_, name) = guard
            && let Some(named) = self.named.get_mut(name.index())
        {
            giving(&mut named.giving);
        }
    }
}

impl Guard {
    /// Number of times that it counts at the place of a name.
    fn on_name(self, name: GuardPlace) -> u32 {
        match self {
            Guard::Names(one, other) | Guard::Giving(one, other) => {
                u32::from(one == name) + u32::from(other == name)
            }
            Guard::None
            | Guard::Read(_)
            | Guard::Change(_)
            | Guard::Note(_)
            | Guard::Linking(..) => 0,
        }
    }
}

impl ChangeWatch {
    /// Notes the name by which the file was found.
    pub(crate) fn found_by(&mut self, name: GuardPlace) {
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
    fn end(&mut self, ended: u64) {
        self.running.lower(1);
        self.last = ended;
    }

    /// Whether no guard was held or returned since, except `own` guards of the caller that are held.
    fn is_quiet(self, since: u64, own: u32) -> bool {
        self.running <= own && self.last <= since
    }
}

/// Number of places that files share, and that names share.
const PLACES: usize = 4_096;
/// Maximum number of recalls that are remembered.
const RECALLS: usize = 256;
