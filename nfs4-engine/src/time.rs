//! The engine's own clocks, as integers. It never reads a clock: every input brings [`Now`].

use core::fmt;
use core::time::Duration;

/// An instant on the driver's monotonic clock, in nanoseconds since a start of its own choosing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

impl Mono {
    /// The clock's origin.
    pub const ZERO: Mono = Mono(0);
    /// A deadline that never comes.
    pub const NEVER: Mono = Mono(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Mono {
        Mono(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// That long before, and not before the start.
    #[must_use]
    pub fn before(self, span: Duration) -> Mono {
        Mono(
            self.0
                .saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// The instant `span` later, or [`Mono::NEVER`] past the clock's end.
    #[must_use]
    pub fn after(self, span: Duration) -> Mono {
        Mono(
            self.0
                .saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// The time from `earlier` to this instant, zero if `earlier` is later.
    pub const fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The nanoseconds from `earlier` to this instant, zero if `earlier` is later.
    pub(crate) const fn nanos_since(self, earlier: Mono) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A date for file times and for people: seconds and nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall {
    /// Seconds since the epoch; negative before it.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 1 000 000 000.
    pub nanos: u32,
}

impl Wall {
    /// The date `span` earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Wall {
        let borrow = self.nanos < span.subsec_nanos();
        let nanos = self.nanos + if borrow { NANOS } else { 0 } - span.subsec_nanos();
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        Wall {
            seconds: self.seconds.saturating_sub(seconds) - i64::from(borrow),
            nanos,
        }
    }
}

/// As RFC 3339 has it, in UTC and with milliseconds.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds.div_euclid(DAY), self.seconds.rem_euclid(DAY));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let millis = self.nanos / 1_000_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

/// Year, month and day of the Gregorian calendar, this many days after 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    // Years that begin in March end with their leap day, and 400 of them always have as many days.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (400 * era + year + turn, month, day)
}

const NANOS: u32 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Both clocks at the moment an input arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For leases and timers.
    pub mono: Mono,
    /// For file times and for people.
    pub wall: Wall,
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let shown = |seconds, nanos| Wall { seconds, nanos }.to_string();
        assert_eq!(shown(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(-1, 999_000_000), "1969-12-31T23:59:59.999Z");
        assert_eq!(shown(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(shown(1_700_000_000, 5_000_000), "2023-11-14T22:13:20.005Z");
        assert_eq!(shown(4_107_542_399, 0), "2100-02-28T23:59:59.000Z");
        assert_eq!(shown(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        let wall = Wall {
            seconds: 10,
            nanos: 1,
        };
        let before = wall.before(Duration::new(3, 2));
        assert_eq!((before.seconds, before.nanos), (6, 999_999_999));
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Mono::NEVER.after(Duration::from_secs(1)), Mono::NEVER);
        assert_eq!(Mono::ZERO.since(Mono::from_nanos(5)), Duration::ZERO);
        assert_eq!(
            Mono::from_nanos(1)
                .after(Duration::from_nanos(2))
                .as_nanos(),
            3
        );
    }
}
