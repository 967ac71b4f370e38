//! Leases and other deadlines of the engine.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::batch::Batch;
use crate::error::EngineDead;
use crate::shared::{Due, Shared};
use crate::timer_wakers::{Slot, lock};

/// Runs what the engine has to do without being asked, and gives up read buffers that rest.
///
/// A transport sleeps as long as [`Timer::run`] says and runs it again. It is woken earlier only
/// when a deadline appeared before that.
pub struct Timer {
    node: Arc<Shared>,
    slot: Arc<Slot>,
}

impl Timer {
    pub(crate) fn new(node: Arc<Shared>) -> Timer {
        let slot = Arc::new(Slot::default());
        lock(&node.timers.slots).push(Arc::clone(&slot));
        Timer { node, slot }
    }

    /// Does a slice of what is due and says how long to sleep: not at all if work is left, none
    /// for "until woken". `waker` is woken when the sleep turns out too long.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn run(&mut self, waker: &Waker) -> Result<Option<Duration>, EngineDead> {
        // Before the engine is asked, so that nothing is missed between.
        match &mut *lock(&self.slot.waker) {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        let mut batch = Batch::default();
        let due = self.node.due(&mut batch)?;
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
