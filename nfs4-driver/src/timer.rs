//! Leases and other deadlines of the engine.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::error::EngineDead;
use crate::shared::{Due, Shared};
use crate::timer_wakers::{Slot, lock};

/// Runs the due work of the engine, and frees read buffers that are not used.
///
/// A transport sleeps for as long as [`Timer::run`] returns and calls it again. It is woken earlier
/// only when an earlier deadline is set.
pub struct Timer {
    node: Arc<Shared>,
    slot: Arc<Slot>,
    /// The end of its sleep.
    sleeps_until: Option<Instant>,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

impl Timer {
    pub(crate) fn new(node: Arc<Shared>) -> Timer {
        let slot = Arc::new(Slot::default());
        lock(&node.timers.slots).push(Arc::clone(&slot));
        Timer {
            node,
            slot,
            sleeps_until: None,
        }
    }

    /// Does due work within a budget; returns how long to sleep: zero if work is left, none for
    /// "until woken". `waker` is called when the sleep becomes too long.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn run(&mut self, waker: &Waker) -> Result<Option<Duration>, EngineDead> {
        // Set before the engine is asked, so that no wake-up is missed.
        match &mut *lock(&self.slot.waker) {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        let until = self.sleeps_until.take();
        let lag = until.and_then(|until| Instant::now().checked_duration_since(until));
        let sleep = self.run_due(lag)?;
        self.sleeps_until = sleep.and_then(|sleep| Instant::now().checked_add(sleep));
        Ok(sleep)
    }

    fn run_due(&self, lag: Option<Duration>) -> Result<Option<Duration>, EngineDead> {
        let mut batch = Batch::default();
        let due = self.node.due(&mut batch, lag)?;
        self.node.finish(&mut batch)?;
        let buffers = self.node.pool.tend(self.node.clock.now().mono);
        Ok(match due {
            Due::Now => Some(Duration::ZERO),
            Due::In(span) => Some(buffers.map_or(span, |next| next.min(span))),
            Due::Never => buffers,
        })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        lock(&self.node.timers.slots).retain(|slot| !Arc::ptr_eq(slot, &self.slot));
    }
}
