//! The requests to a file system that are under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use crate::sync::{Mutex, MutexGuard};

/// All requests that wait, so that they end when their server does.
#[derive(Default)]
pub(super) struct Running {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stopped: bool,
    next: u64,
    wakers: HashMap<u64, Waker>,
}

/// The place of one request among those that wait; freed when it is dropped.
pub(super) struct Place {
    running: Arc<Running>,
    number: u64,
}

impl Running {
    /// Ends all requests: each is polled once more, and then finds that the server has gone.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    /// Number of requests that wait.
    pub(super) fn len(&self) -> usize {
        self.lock().wakers.len()
    }

    pub(super) fn place(self: &Arc<Running>) -> Place {
        let mut state = self.lock();
        state.next += 1;
        Place {
            running: Arc::clone(self),
            number: state.next,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the value inconsistent.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Place {
    /// Has `waker` called when the server goes; returns `false` if it has gone.
    pub(super) fn wait(&self, waker: &Waker) -> bool {
        let mut state = self.running.lock();
        if state.stopped {
            return false;
        }
        let known = state.wakers.get(&self.number);
        if !known.is_some_and(|known| known.will_wake(waker)) {
            let former = state.wakers.insert(self.number, waker.clone());
            drop(state);
            // Its destructor may be foreign code, and drop a task: without the lock.
            drop(former);
        }
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let waker = self.running.lock().wakers.remove(&self.number);
        // Its destructor may be foreign code: without the lock.
        drop(waker);
    }
}
