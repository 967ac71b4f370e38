//! A clock that goes with the system's and can be put forward.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nfs4_engine::Now;

use crate::clock::{Clock, SystemClock};

/// The clocks of the operating system, as much later as they were put forward.
#[derive(Debug, Default)]
pub(super) struct SuiteClock {
    system: SystemClock,
    ahead: AtomicU64,
}

impl SuiteClock {
    /// Puts both clocks forward.
    pub(super) fn jump(&self, span: Duration) {
        let nanos = u64::try_from(span.as_nanos()).expect("not for centuries");
        self.ahead.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for SuiteClock {
    fn now(&self) -> Now {
        let ahead = Duration::from_nanos(self.ahead.load(Ordering::SeqCst));
        let mut now = self.system.now();
        now.mono = now.mono.after(ahead);
        let seconds = i64::try_from(ahead.as_secs()).expect("not for centuries");
        now.wall.seconds += seconds;
        now
    }

    /// A transport that sleeps for no longer sees a jump soon.
    fn beat(&self) -> Option<Duration> {
        Some(BEAT)
    }
}

const BEAT: Duration = Duration::from_millis(20);
