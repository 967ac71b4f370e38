//! Where the driver takes the time from.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nfs4_engine::{Mono, Now, Wall};

/// Tells the engine what time it is; read under the engine's lock, so it must not block.
pub trait Clock: Send + Sync + 'static {
    /// Both clocks; `mono` never goes back.
    fn now(&self) -> Now;
}

/// The clocks of the operating system.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic side starts now.
    pub fn new() -> SystemClock {
        SystemClock {
            start: Instant::now(),
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
            mono: Mono::ZERO.after(self.start.elapsed()),
            wall: wall(SystemTime::now()),
        }
    }
}

/// A clock that stands still until it is told to advance, for tests.
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

const NANOS: u32 = 1_000_000_000;

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
