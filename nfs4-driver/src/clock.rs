//! Where the driver takes the time from.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nfs4_engine::{Mono, Now, Wall};

/// Reads the time for the engine, under the engine's lock: it must not block.
pub trait Clock: Send + Sync + 'static {
    /// The time on both clocks; `mono` never goes back.
    fn now(&self) -> Now;

    /// The monotonic side alone, for less where that is possible.
    fn mono(&self) -> Mono {
        self.now().mono
    }

    /// Maximum interval between two readings; none if there is no limit.
    fn beat(&self) -> Option<Duration> {
        None
    }
}

/// The clocks of the operating system.
///
/// Time in which the process or the machine stood still does not count: what clients have sent
/// meanwhile is still in their sockets, and their leases must not expire before it is read. Such a stop
/// shows as a pause in the readings of the clock that is longer than [`Clock::beat`].
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    /// Time of the last reading, in nanoseconds since the start.
    latest: AtomicU64,
    /// Nanoseconds of these that do not count.
    stood_still: AtomicU64,
    /// Held by the reader that detects a stop.
    finding: Mutex<()>,
}

impl SystemClock {
    /// A clock whose monotonic side starts now.
    pub fn new() -> SystemClock {
        SystemClock {
            start: Instant::now(),
            latest: AtomicU64::new(0),
            stood_still: AtomicU64::new(0),
            finding: Mutex::new(()),
        }
    }

    /// The nanoseconds that count, of all that `elapsed` returns.
    fn counted(&self, elapsed: impl Fn() -> u64) -> u64 {
        loop {
            let left_out = self.stood_still.load(Ordering::Acquire);
            let read = elapsed();
            if read.saturating_sub(self.latest.load(Ordering::Acquire)) > LONGEST_GAP {
                self.find_gap(&elapsed);
            } else if self.stood_still.load(Ordering::Acquire) == left_out {
                self.latest.fetch_max(read, Ordering::AcqRel);
                return read.saturating_sub(left_out);
            }
        }
    }

    fn find_gap(&self, elapsed: &impl Fn() -> u64) {
        let finding = self.finding.lock();
        let _finding = finding.unwrap_or_else(|poisoned| poisoned.into_inner());
        let read = elapsed();
        let gap = read.saturating_sub(self.latest.load(Ordering::Acquire));
        if gap > LONGEST_GAP {
            self.stood_still.fetch_add(gap, Ordering::AcqRel);
            self.latest.fetch_max(read, Ordering::AcqRel);
        }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now {
            mono: self.mono(),
            wall: wall(SystemTime::now()),
        }
    }

    fn mono(&self) -> Mono {
        Mono::from_nanos(self.counted(|| nanos(self.start.elapsed())))
    }

    fn beat(&self) -> Option<Duration> {
        Some(BEAT)
    }
}

/// A clock that stands still until it is advanced, for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: Mutex<Now>,
}

impl ManualClock {
    /// A clock that shows this time.
    pub fn new(now: Now) -> ManualClock {
        ManualClock {
            now: Mutex::new(now),
        }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, span: Duration) {
        let mut now = self
            .now
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        now.mono = now.mono.after(span);
        let nanos = now.wall.nanos + span.subsec_nanos();
        let carry = i64::from(nanos >= NANOS);
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        now.wall.seconds = now
            .wall
            .seconds
            .saturating_add(seconds)
            .saturating_add(carry);
        now.wall.nanos = nanos % NANOS;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *self
            .now
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn wall(time: SystemTime) -> Wall {
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => Wall {
            seconds: seconds(since),
            nanos: since.subsec_nanos(),
        },
        Err(before) => {
            let until = before.duration();
            match until.subsec_nanos() {
                0 => Wall {
                    seconds: -seconds(until),
                    nanos: 0,
                },
                nanos => Wall {
                    seconds: -seconds(until) - 1,
                    nanos: NANOS - nanos,
                },
            }
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

const NANOS: u32 = 1_000_000_000;
const BEAT: Duration = Duration::from_millis(500);
/// How much later a busy machine may read the clock, in nanoseconds.
const LONGEST_GAP: u64 = 1_500_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_before_the_epoch_have_positive_nanoseconds() {
        let before = UNIX_EPOCH - Duration::from_millis(1_250);
        assert_eq!(
            wall(before),
            Wall {
                seconds: -2,
                nanos: 750_000_000
            }
        );
        assert_eq!(
            wall(UNIX_EPOCH),
            Wall {
                seconds: 0,
                nanos: 0
            }
        );
    }

    #[test]
    fn time_in_which_the_clock_was_not_read_does_not_count() {
        let clock = SystemClock::new();
        let at = |millis: u64| clock.counted(|| millis * 1_000_000) / 1_000_000;
        assert_eq!(at(500), 500);
        assert_eq!(at(1_900), 1_900);
        // For a second and a half it may have been busy.
        assert_eq!(at(3_400), 3_400);
        assert_eq!(at(10_000), 3_400);
        assert_eq!(at(10_500), 3_900);
        assert_eq!(at(3_600_000), 3_900);
        assert_eq!(at(3_601_000), 4_900);
    }

    #[test]
    fn readers_that_find_a_gap_together_count_it_once() {
        let clock = SystemClock::new();
        let after = AtomicU64::new(2_000_000_000);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..10_000 {
                        let elapsed = || after.fetch_add(1_000, Ordering::SeqCst);
                        let counted = clock.counted(elapsed);
                        assert!(counted <= after.load(Ordering::SeqCst) - 2_000_000_000);
                    }
                });
            }
        });
        assert!(clock.stood_still.load(Ordering::SeqCst) >= 2_000_000_000);
        assert!(clock.stood_still.load(Ordering::SeqCst) < 2_100_000_000);
    }

    #[test]
    fn a_manual_clock_carries_nanoseconds_over() {
        let clock = ManualClock::default();
        clock.advance(Duration::from_millis(700));
        clock.advance(Duration::from_millis(700));
        assert_eq!(
            clock.now().wall,
            Wall {
                seconds: 1,
                nanos: 400_000_000
            }
        );
        assert_eq!(clock.now().mono.as_nanos(), 1_400_000_000);
    }
}
