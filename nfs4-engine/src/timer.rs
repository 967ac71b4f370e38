//! Deadlines, each with its reason.

use alloc::collections::BTreeMap;
use core::ops::Bound;

use crate::ids::ConnId;
use crate::keys::{CallKey, ClientKey, DelegationKey, FileKey};
use crate::time::Mono;

/// What becomes due.
///
/// An entry is a reminder to look, not the decision: deadlines move, and whoever looks decides by
/// the clock and sets the next reminder.
pub(crate) struct Timers {
    /// Equal deadlines come due in the order they were set.
    set: BTreeMap<Place, Due>,
    minted: u64,
    /// Up to where [`Timers::sweep`] has come.
    swept: Place,
}

/// When something is due, and in which order it was set.
type Place = (Mono, u64);

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Whether this client's lease ran out.
    Lease(ClientKey),
    /// A draining connection has had its time.
    Drain(ConnId),
    /// Somebody's turn to lock this file may be over.
    Turn(FileKey),
    /// The sessions are to be gone through for slots that must come back.
    Slots,
    /// A callback has waited for long enough, for an answer or for its turn.
    Callback(CallKey),
    /// Something is to be done about the callback path to a client of minor version 0.
    Path(ClientKey),
    /// Replies of minor version 0 may be old enough to be forgotten.
    Replies,
    /// A COMPOUND has waited for a client's answer.
    Hold,
    /// A COMPOUND that let others have their turn goes on.
    Yielded,
    /// Whether a recalled delegation has come back, or its client must be told again.
    Recall(DelegationKey),
}

/// Why a timer is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerReason {
    /// A client's lease may have run out.
    Lease,
    /// A draining connection has had its time.
    Drain,
    /// A lock was kept for somebody who waited for it, and has not come.
    Turn,
    /// Memory for replies runs short, and slots must come back.
    Slots,
    /// A callback has waited for long enough, for an answer or for its turn.
    Callback,
    /// The callback path to a client of minor version 0 is to be looked at.
    Path,
    /// Replies of minor version 0 are old enough to be forgotten.
    Replies,
    /// A COMPOUND has waited long enough for what a client answers.
    Hold,
    /// A COMPOUND that walks over much goes on, after others have had their turn.
    Yielded,
    /// A recalled delegation has had its time, or its client must be told again.
    Recall,
}

impl Due {
    /// Why it is set, without what it is about.
    pub(crate) const fn reason(self) -> TimerReason {
        match self {
            Due::Lease(_) => TimerReason::Lease,
            Due::Drain(_) => TimerReason::Drain,
            Due::Turn(_) => TimerReason::Turn,
            Due::Slots => TimerReason::Slots,
            Due::Callback(_) => TimerReason::Callback,
            Due::Path(_) => TimerReason::Path,
            Due::Replies => TimerReason::Replies,
            Due::Hold => TimerReason::Hold,
            Due::Yielded => TimerReason::Yielded,
            Due::Recall(_) => TimerReason::Recall,
        }
    }
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

    /// Looks at a few reminders, the next ones each time, and drops those that are not worth keeping.
    /// Whoever sets reminders for what peers can make and unmake at will does this when they are many,
    /// or they would pile up until they are due.
    pub(crate) fn sweep(&mut self, worth: impl Fn(Due) -> bool) {
        for _ in 0..SWEPT {
            let rest = (Bound::Excluded(self.swept), Bound::Unbounded);
            let Some((place, due)) = self.set.range(rest).next() else {
                self.swept = (Mono::ZERO, 0);
                return;
            };
            let (place, due) = (*place, *due);
            self.swept = place;
            if !worth(due) {
                self.set.remove(&place);
            }
        }
    }

    pub(crate) fn next(&self) -> Option<(Mono, Due)> {
        let ((at, _), due) = self.set.first_key_value()?;
        Some((*at, *due))
    }

    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<Due> {
        let first = self.set.first_entry()?;
        let (at, _) = *first.key();
        (at <= now).then(|| first.remove())
    }
}

/// So many reminders are looked at for each that is set: where more than half have no use, more of
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
                timers.sweep(|due| {
                    looked.set(looked.get() + 1);
                    matches!(due, Due::Lease(client) if client.index.is_multiple_of(100))
                });
                assert!(looked.get() <= SWEPT);
            }
            assert!(timers.len() < 4 * used, "{} after {set}", timers.len());
        }
        let mut left = 0;
        while let Some(due) = timers.pop_due(Mono::NEVER) {
            left +=
                u32::from(matches!(due, Due::Lease(client) if client.index.is_multiple_of(100)));
        }
        assert_eq!(left, 1_000, "none of use was dropped");
    }
}
