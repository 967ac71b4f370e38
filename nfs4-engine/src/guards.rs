//! What must not be delegated now: files that others use while it is decided, and those that were
//! recalled a short while ago. [RFC 8881 §10.4]
//!
//! An OPEN learns a file's attributes when the file system executes it, and the delegation is made
//! when the engine processes that. What changes the file between the two makes them untrue. It is
//! seen by this: a change counts from when it is submitted until the engine processes its end, and when
//! it has ended is compared with when the OPEN was submitted.

use alloc::boxed::Box;
use alloc::vec;
use core::hash::BuildHasher;

use crate::fh::Fh;
use crate::map::Keyed;
use crate::time::Mono;

/// What is done to files, and recent recalls. Files share places by a keyed hash, and so do names,
/// so that neither takes more memory the more there are; to share one costs a delegation, no more.
pub(crate) struct Guards {
    keyed: Keyed,
    /// How many guards were returned: what tells before from after.
    ended: u64,
    files: Box<[Uses]>,
    /// Notes of any file.
    notes: GuardCount,
    /// Changes of what any name means, and by the place of the name.
    names: GuardCount,
    named: Box<[Named]>,
    taken: u32,
    /// Until when the file of this hash is not delegated again.
    recalled: Box<[Option<(u64, Mono)>]>,
}

/// What a request keeps from being delegated from when it is submitted until it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing.
    #[default]
    None,
    /// A file for writing: it is read, which may change when it was last read.
    Read(GuardPlace),
    /// A file: its bytes, attributes or names change.
    Change(GuardPlace),
    /// A file: that its holder has changed it is noted in its attributes. [RFC 8881 §10.4.3]
    Note(GuardPlace),
    /// Files that have these names, and of others those whose names are not known.
    Names(GuardPlace, GuardPlace),
    /// The same, while a file that is delegated gets the second name: a request that looked the name up
    /// before would not know that it means this file now.
    Giving(GuardPlace, GuardPlace),
    /// A file that gets one more name, and is delegated.
    Linking(GuardPlace, GuardPlace),
}

/// Where a file, or a name, is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardPlace(u16);

/// By this a request finds out whether what it has learnt is still true.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChangeWatch {
    since: u64,
    /// The name that it has found the file by.
    name: Option<GuardPlace>,
}

/// A file that is to be delegated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// The keyed hash of its handle.
    pub(crate) hash: u64,
    /// How many names it has.
    pub(crate) links: u32,
    /// A write delegation: no other client may even read the file.
    pub(crate) alone: bool,
    /// What the OPEN itself has guarded.
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
    /// What [`Guards::ended`] became when the last one ended.
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

    /// The place of a name; where names that differ can mean the same, of all in the directory.
    pub(crate) fn of_name(&self, dir: &Fh, name: &[u8], folds: bool) -> GuardPlace {
        let name = if folds { &[] } else { name };
        GuardPlace::of(self.keyed.hash_one((dir, name)))
    }

    /// From now on, until the file is known, changes are watched for.
    pub(crate) fn watch(&self) -> ChangeWatch {
        ChangeWatch {
            since: self.ended,
            name: None,
        }
    }

    /// Whether it matters by which name a file was found: some name changes meanwhile.
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

    /// Gives a guard back.
    #[inline]
    pub(crate) fn give_back(&mut self, guard: Guard) {
        if matches!(guard, Guard::None) {
            return;
        }
        self.taken -= 1;
        self.ended += 1;
        let ended = self.ended;
        match self.one(guard) {
            Some(busy) => busy.end(ended),
            None => self.each(guard, |busy| busy.end(ended), |giving| *giving -= 1),
        }
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> u32 {
        self.taken
    }

    /// Whether a file that is delegated is getting this name.
    pub(crate) fn is_given(&self, name: GuardPlace) -> bool {
        let named = self.named.get(name.index());
        named.is_none_or(|named| named.giving > 0)
    }

    /// Whether something else than what has guarded `own` changes what this name means.
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

    /// Whether a file may be delegated now: what was learnt since `watch` began is true.
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

    /// Whether the file has lost or got no name. That its only one was not touched is enough: what
    /// first changes the names of such a file has to do with that one, or names the file.
    fn names_are_quiet(&self, file: &Candidate, watch: &ChangeWatch) -> bool {
        let own = u32::from(matches!(file.own, Guard::Names(..)));
        let only = |place: GuardPlace| {
            let named = self.named.get(place.index());
            let own = file.own.on_name(place);
            named.is_some_and(|named| named.changes.is_quiet(watch.since, own))
        };
        self.names.is_quiet(watch.since, own) || file.links == 1 && watch.name.is_some_and(only)
    }

    /// Whether it was noted of no file since `watch` began that its holder has changed it, nor is now.
    pub(crate) fn is_nothing_noted(&self, watch: &ChangeWatch) -> bool {
        self.notes.is_quiet(watch.since, 0)
    }

    /// Whether that was noted of this file, or is now.
    pub(crate) fn is_noted(&self, fh: &Fh, watch: &ChangeWatch) -> bool {
        if self.is_nothing_noted(watch) {
            return false;
        }
        let uses = self.files.get(self.of(fh).index());
        uses.is_none_or(|uses| !uses.notes.is_quiet(watch.since, 0))
    }

    /// What a guard of the commonest kinds is counted by.
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

    /// All that a guard is counted by.
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
    /// How often it is on the place of a name.
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
    /// The file is the one that had this name.
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
        debug_assert!(self.running > 0, "a guard was taken before");
        self.running = self.running.saturating_sub(1);
        self.last = ended;
    }

    /// Whether there was none since, but for this many of the caller's own that still run.
    fn is_quiet(self, since: u64, own: u32) -> bool {
        self.running <= own && self.last <= since
    }
}

/// Number of places that files, or names, share: two at one place keep each other from being delegated.
const PLACES: usize = 4_096;
/// Maximum number of recalls that are remembered.
const RECALLS: usize = 256;
