//! A clock that goes with the system's and can be put forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nfs4_driver::{Clock, SystemClock};
use nfs4_engine::Now;

/// The clocks of the operating system, as much later as they were put forward.
#[derive(Debug, Default)]
pub struct JumpingClock {
    system: SystemClock,
    ahead: AtomicU64,
}

impl JumpingClock {
    /// A clock that starts now.
    pub fn new() -> Arc<JumpingClock> {
        Arc::default()
    }

    /// Puts both clocks forward.
    pub fn jump(&self, span: Duration) {
        let nanos = u64::try_from(span.as_nanos()).expect("not for centuries");
        self.ahead.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for JumpingClock {
    fn beat(&self) -> Option<Duration> {
        self.system.beat()
    }

    fn now(&self) -> Now {
        let ahead = Duration::from_nanos(self.ahead.load(Ordering::SeqCst));
        let mut now = self.system.now();
        now.mono = now.mono.after(ahead);
        now.wall.seconds += ahead.as_secs() as i64;
        now
    }
}
