//! The change attribute: it moves with every change, and never goes back.
//!
//! It is the time of the last change of attributes (ctime) in nanoseconds. Where the kernel gives a
//! file that was looked at a new ctime with its next change (multigrain timestamps, Linux 6.13), that is all. The
//! change cookie of the kernel, `STATX_CHANGE_COOKIE`, is not shown to programs.
//!
//! Elsewhere ctime ticks in steps of up to 10 ms, and two changes in one tick have the same one. A
//! ctime younger than that is not final: until then, the value is a millisecond less, plus the number of
//! changes that this server made within the tick. When it is final, the value moves once more, so
//! that a change by a local process in the same tick is not missed.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sync::lock;

/// How fine the ctimes of a file system are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// A change after a look at the file has a ctime of its own.
    Fine,
    /// Changes within some milliseconds may have the same ctime.
    Coarse,
}

/// The last value of one object's change attribute.
#[derive(Debug, Default)]
pub(super) struct Change {
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The ctime in nanoseconds; 0 before the first look.
    ctime: u64,
    /// Own changes since the last look at a new ctime.
    own: u64,
    /// `own` at the last look.
    counted: u64,
    value: u64,
}

impl Change {
    /// The value with this ctime, in nanoseconds.
    pub(super) fn value(&self, ctime: u64, grain: Grain) -> u64 {
        let mut seen = self.lock();
        if grain == Grain::Fine && (seen.ctime == ctime || seen.value < ctime) {
            seen.ctime = ctime;
            seen.value = seen.value.max(ctime);
            return seen.value;
        }
        seen.next(ctime, grain == Grain::Fine || is_final(ctime))
    }

    /// Counts a change that this server made.
    pub(super) fn count(&self) {
        let mut seen = self.lock();
        seen.own = seen.own.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

impl Seen {
    fn next(&mut self, ctime: u64, is_final: bool) -> u64 {
        let is_new = ctime != self.ctime;
        let target = if is_final {
            ctime
        } else {
            let own = if is_new { 0 } else { self.own.min(MARGIN - 1) };
            ctime.saturating_sub(MARGIN) + own
        };
        let changed = is_new || self.own != self.counted;
        let moves = u64::from(changed && self.ctime != 0);
        let least = self.value.saturating_add(moves);
        if is_new {
            (self.ctime, self.own) = (ctime, 0);
        }
        self.counted = self.own;
        self.value = target.max(least);
        self.value
    }
}

/// Whether no change from now on has this ctime, in nanoseconds.
pub(super) fn is_final(ctime: u64) -> bool {
    earliest_stamp() >= ctime
}

/// The earliest time that a change from now on is stamped with, in nanoseconds.
pub(super) fn earliest_stamp() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or(Duration::ZERO).as_nanos();
    u64::try_from(now).unwrap_or(u64::MAX).saturating_sub(TICK)
}

/// Longer than a tick of the clock that stamps files, in nanoseconds.
const TICK: u64 = 20_000_000;
/// How much less a value is that is not final. A value that is final is older than [`TICK`], which
/// is more than this and a tick of the clock.
const MARGIN: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fine_value_is_the_ctime_and_never_goes_back() {
        let change = Change::default();
        let value = |ctime| change.value(ctime, Grain::Fine);
        assert_eq!([value(100), value(100), value(103)], [100, 100, 103]);
        // The clock was set back.
        assert_eq!([value(50), value(50), value(51)], [104, 104, 105]);
        assert_eq!(value(200), 200);
    }

    /// A file system may have any time.
    #[test]
    fn a_value_that_cannot_grow_stays() {
        let change = Change::default();
        for grain in [Grain::Fine, Grain::Coarse] {
            for ctime in [u64::MAX, 100, u64::MAX] {
                change.value(ctime, grain);
                change.count();
                assert_eq!(change.value(ctime, grain), u64::MAX);
            }
        }
    }

    #[test]
    fn a_coarse_value_moves_with_each_own_change_and_when_it_is_final() {
        let mut seen = Seen::default();
        let ctime = 10 * MARGIN;
        let first = seen.next(ctime, false);
        assert_eq!(first, ctime - MARGIN);
        assert_eq!(seen.next(ctime, false), first, "nothing changed");
        seen.own += 1;
        let second = seen.next(ctime, false);
        assert!(second > first);
        let last = seen.next(ctime, true);
        assert_eq!(last, ctime);
        assert_eq!(seen.next(ctime, true), last);
        // Back to a tick that is not final: the clock was set back.
        assert_eq!(seen.next(ctime - 5, false), last + 1);
    }
}
