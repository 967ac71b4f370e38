//! Deadlines, each with its reason.

use alloc::collections::BTreeMap;
use core::ops::Bound;

use crate::ids::ConnId;
use crate::keys::{CallKey, ClientKey, DelegationKey, FileKey};
use crate::time::Mono;

/// The timers that are set.
///
/// A timer is a reminder to check, not the decision: deadlines move, and each check asks the clock
/// and sets the next timer.
pub(crate) struct Timers {
    /// Equal deadlines come due in the order they were set.
    set: BTreeMap<Place, Due>,
    minted: u64,
    /// Up to where [`Timers::sweep`] has come.
    swept: Place,
}

/// When something is due, and in which order it was set.
type Place = (Mono, u64);

/// Declares what timers are for: once without what they are about, for drivers, and once with it.
macro_rules! timers {
    ($($(#[$doc:meta])* $name:ident $(($key:ty))?,)*) => {
        /// Why a timer is set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum TimerReason {
            $($(#[$doc])* $name,)*
        }

        /// A timer that expires, and what it is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Due {
            $($(#[$doc])* $name $(($key))?,)*
        }

        impl Due {
            /// Why the timer is set.
            pub(crate) const fn reason(self) -> TimerReason {
                match self {
                    $(Due::$name { .. } => TimerReason::$name,)*
                }
            }
        }
    };
}

timers! {
    /// A client's lease may have expired.
    Lease(ClientKey),
    /// The time that a draining connection has is over.
    Drain(ConnId),
    /// A lock that is kept free for a waiting lock-owner may be given to the next one.
    LockGrant(FileKey),
    /// The grace period may be over.
    Grace,
    /// Writes to stable storage that have failed are tried again.
    Stores,
    /// Memory for replies is short: slots are recalled from sessions.
    Slots,
    /// A callback has waited too long for a reply or for a slot.
    Callback(CallKey),
    /// The callback path to a client of minor version 0 needs attention.
    Path(ClientKey),
    /// Replies kept for minor version 0 may be old enough to be dropped.
    Replies,
    /// A COMPOUND has waited long enough for the holder of a delegation.
    CallbackWait,
    /// A COMPOUND that was parked for the sake of other requests continues.
    Yielded,
    /// A request or a callback may take long.
    Slow,
    /// State of exports that are removed or changed is searched for, and ended or recalled.
    Exports,
    /// Clients whose leases have expired may have been kept for long enough.
    Courtesy,
    /// Opens and locks of such clients are being revoked.
    Revocation,
    /// A recalled delegation may be overdue, or CB_RECALL must be sent again.
    Recall(DelegationKey),
}

impl Timers {
    pub(crate) const fn new() -> Timers {
        Timers {
            set: BTreeMap::new(),
            minted: 0,
            swept: (Mono::ZERO, 0),
        }
    }

    pub(crate) fn set(&mut self, at: Mono, due: Due) {
        self.minted += 1;
        self.set.insert((at, self.minted), due);
    }

    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }

    /// Checks a few timers, the next ones each time, and drops those without a use. The core calls this
    /// for each timer that it sets while they are many, since peers can make and end what has a timer at
    /// will.
    pub(crate) fn sweep(&mut self, worth: impl Fn(Mono, Due) -> bool) {
        for _ in 0..SWEPT {
            let rest = (Bound::Excluded(self.swept), Bound::Unbounded);
            let Some((place, due)) = self.set.range(rest).next() else {
                self.swept = (Mono::ZERO, 0);
                return;
            };
            let (place, due) = (*place, *due);
            self.swept = place;
            if !worth(place.0, due) {
                self.set.remove(&place);
            }
        }
    }

    /// All that are set.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Mono, Due)> + '_ {
        self.set.iter().map(|((at, _), due)| (*at, *due))
    }

    pub(crate) fn next(&self) -> Option<(Mono, Due)> {
        let ((at, _), due) = self.set.first_key_value()?;
        Some((*at, *due))
    }

    /// Takes a timer back that is set for this time.
    pub(crate) fn cancel(&mut self, at: Mono, due: Due) {
        let places = self.set.range((at, 0)..=(at, u64::MAX));
        let place = places
            .filter(|(_, other)| **other == due)
            .map(|(place, _)| *place);
        if let Some(place) = { place }.next() {
            self.set.remove(&place);
        }
    }

    /// The next timer that is due, and when it was due.
    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<(Mono, Due)> {
        let first = self.set.first_entry()?;
        let (at, _) = *first.key();
        (at <= now).then(|| (at, first.remove()))
    }
}

/// Number of timers that are checked for each that is set: where more than half have no use, more of
/// them go than come.
const SWEPT: usize = 4;

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use core::time::Duration;

    use super::*;

    #[test]
    fn reminders_of_no_use_go_as_fast_as_they_come_and_few_are_looked_at_for_each() {
        let mut timers = Timers::new();
        let (mut set, used) = (0_u32, 1_000);
        let at =
            |number: u32| Mono::ZERO.after(Duration::from_nanos(u64::from(number) * 7_919 % 1_000));
        let lease = |number| Due::Lease(ClientKey::new(number, 1));
        while set < 100_000 {
            timers.set(at(set), lease(set));
            set += 1;
            if timers.len() > 2 * used + 64 {
                let looked = Cell::new(0);
                timers.sweep(|_, due| {
                    looked.set(looked.get() + 1);
                    matches!(due, Due::Lease(client) if client.index.is_multiple_of(100))
                });
                assert!(looked.get() <= SWEPT);
            }
            assert!(timers.len() < 4 * used, "{} after {set}", timers.len());
        }
        let mut left = 0;
        while let Some((_, due)) = timers.pop_due(Mono::NEVER) {
            left +=
                u32::from(matches!(due, Due::Lease(client) if client.index.is_multiple_of(100)));
        }
        assert_eq!(left, 1_000, "none of use was dropped");
    }
}
