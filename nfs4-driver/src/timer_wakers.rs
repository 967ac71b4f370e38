//! The wakers of a node's timers.

use std::sync::Arc;
use std::task::Waker;

use crate::sync::{Mutex, MutexGuard};

/// The wakers of all timers of a node.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    pub(crate) slots: Mutex<Vec<Arc<Slot>>>,
}

#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) waker: Mutex<Option<Waker>>,
}

impl Timers {
    /// Wakes all timers.
    pub(crate) fn wake(&self) {
        let wakers: Vec<Waker> = lock(&self.slots)
            .iter()
            .filter_map(|slot| lock(&slot.waker).take())
            .collect();
        for waker in wakers {
            waker.wake();
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic leaves the value inconsistent.
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
