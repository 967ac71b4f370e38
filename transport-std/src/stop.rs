//! The stop of a server, and its notice to connections.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// Stops a [`Server`](crate::Server), or the connections of a [`Runner`](crate::Runner), from any
/// thread. Clones stop the same.
#[derive(Clone, Default)]
pub struct Stop {
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    next: u64,
    targets: HashMap<u64, Arc<dyn Target>>,
}

/// The phases of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It accepts connections and calls.
    #[default]
    Serving,
    /// It accepts no new connection and no new call.
    Stopping,
    /// It waits for no call in flight.
    Cut,
}

/// Called when the phase changes: at most once for each phase, and never for the first.
pub(crate) trait Target: Send + Sync {
    fn enter(self: Arc<Self>, phase: Phase);
}

/// While it exists, its target is called.
pub(crate) struct PhaseWatch {
    stop: Stop,
    number: u64,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.phase()).finish()
    }
}

impl Stop {
    /// A handle that has stopped nothing yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Begins a graceful stop: no connection is accepted, calls that arrive get DELAY, and calls in
    /// flight are answered. Returns at once.
    pub fn stop(&self) {
        self.enter(Phase::Stopping);
    }

    /// Ends the wait for calls in flight.
    pub(crate) fn cut(&self) {
        self.enter(Phase::Cut);
    }

    pub(crate) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// Calls `target` from now on, at once if the phase has changed.
    pub(crate) fn watch(&self, target: Arc<dyn Target>) -> PhaseWatch {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        if state.phase > Phase::Serving {
            Arc::clone(&target).enter(state.phase);
        }
        state.targets.insert(number, target);
        PhaseWatch {
            stop: self.clone(),
            number,
        }
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        if phase > state.phase {
            state.phase = phase;
            for target in state.targets.values() {
                Arc::clone(target).enter(phase);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the value inconsistent.
        self.shared
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for PhaseWatch {
    fn drop(&mut self) {
        let target = self.stop.lock().targets.remove(&self.number);
        // Its destructor runs without the lock.
        drop(target);
    }
}
