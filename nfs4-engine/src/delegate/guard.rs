//! What must not be delegated now: files that are being changed, and those that were recalled a
//! short while ago.

use alloc::boxed::Box;
use core::hash::BuildHasher;

use crate::exports::Fh;
use crate::map::Keyed;
use crate::time::Mono;

/// Changes under way, and recent recalls. Files share places by a keyed hash, so that neither takes
/// more memory the more there are; to share one costs a delegation, no more.
pub(crate) struct Guards {
    keyed: Keyed,
    /// Changes under way to whatever a name means.
    names: u32,
    places: Box<[Place; PLACES]>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// Changes under way to files of this place.
    changes: u32,
    /// Until when the file of this hash is not delegated again.
    recalled: Option<(u64, Mono)>,
}

/// What a request keeps from being delegated while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing.
    #[default]
    None,
    /// Everything: it changes what a name means, which is not known for sure.
    Names,
    /// Files of this place.
    Place(u8),
}

impl Guards {
    pub(crate) fn new(keyed: Keyed) -> Guards {
        Guards {
            keyed,
            names: 0,
            places: Box::new([Place::default(); PLACES]),
        }
    }

    /// The guard for a file; it is not taken yet.
    pub(crate) fn of(&self, fh: &Fh) -> Guard {
        Guard::Place(self.keyed.hash_one(fh) as u8)
    }

    /// Takes a guard.
    pub(crate) fn take(&mut self, guard: Guard) {
        if let Some(count) = self.count(guard) {
            *count += 1;
        }
    }

    /// Gives a guard back.
    pub(crate) fn give_back(&mut self, guard: Guard) {
        if let Some(count) = self.count(guard) {
            debug_assert!(*count > 0, "a guard was taken before");
            *count = count.saturating_sub(1);
        }
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> u32 {
        self.names + self.places.iter().map(|place| place.changes).sum::<u32>()
    }

    /// Keeps a file from being delegated again too soon.
    pub(crate) fn recalled(&mut self, fh: &Fh, until: Mono) {
        let hash = self.keyed.hash_one(fh);
        if let Some(place) = self.places.get_mut(usize::from(hash as u8)) {
            place.recalled = Some((hash, until));
        }
    }

    /// Whether a file may be delegated now.
    pub(crate) fn admit(&self, fh: &Fh, now: Mono) -> bool {
        let hash = self.keyed.hash_one(fh);
        let place = self.places.get(usize::from(hash as u8));
        self.names == 0
            && place.is_some_and(|place| {
                place.changes == 0
                    && place
                        .recalled
                        .is_none_or(|(of, until)| of != hash || now >= until)
            })
    }

    fn count(&mut self, guard: Guard) -> Option<&mut u32> {
        match guard {
            Guard::None => None,
            Guard::Names => Some(&mut self.names),
            Guard::Place(at) => {
                let place = self.places.get_mut(usize::from(at));
                place.map(|place| &mut place.changes)
            }
        }
    }
}

/// As many as a byte tells apart.
const PLACES: usize = 256;
