//! The stop of a server, and how its connections learn of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// Stops a [`Server`](crate::Server), or what [`serve_stream`](crate::serve_stream) serves, from
/// any thread. Clones stop the same.
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

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It has not begun.
    #[default]
    Serving,
    /// No new work is taken.
    Stopping,
    /// Nothing is waited for.
    Cut,
}

/// Watchers of the phase; each is called at most once for each phase, and never for the first.
pub(crate) trait Target: Send + Sync {
    fn enter(self: Arc<Self>, phase: Phase);
}

/// Its holder is called.
pub(crate) struct Told {
    stop: Stop,
    number: u64,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.phase()).finish()
    }
}

impl Stop {
    /// Nothing is stopped yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Begins a graceful stop: nothing more is accepted, and what is there is drained: calls that
    /// come get DELAY, and what is in flight is answered first. Returns at once.
    pub fn stop(&self) {
        self.enter(Phase::Stopping);
    }

    /// What is in flight is not waited for any more.
    pub(crate) fn cut(&self) {
        self.enter(Phase::Cut);
    }

    pub(crate) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// From now on `target` is called, at once if the phase has changed.
    pub(crate) fn tell(&self, target: Arc<dyn Target>) -> Told {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        if state.phase > Phase::Serving {
            Arc::clone(&target).enter(state.phase);
        }
        state.targets.insert(number, target);
        Told {
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
        // Nothing is half-moved under it.
        self.shared
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let target = self.stop.lock().targets.remove(&self.number);
        // Its own destructor runs without the lock.
        drop(target);
    }
}
