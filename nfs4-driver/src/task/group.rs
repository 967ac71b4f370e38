//! The tasks of a runner, and how they are stopped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::error::EngineDead;
use crate::node::Node;

/// All tasks of a runner.
pub(crate) struct Group {
    pub(crate) node: Node,
    phase: AtomicU8,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    latest: u64,
    /// Those of members that have been polled.
    wakers: HashMap<u64, Waker>,
    watchers: HashMap<u64, Waker>,
    counts: Counts,
    dead: bool,
}

/// The phases of a runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves connections and calls.
    Serving,
    /// No new call starts.
    Stopping,
    /// Nothing is waited for.
    Cut,
}

/// The kinds of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The timer or the dialer.
    Service,
    /// A connection with a task of the runner's own.
    Own,
    /// A connection in a task of the embedder, which need not poll it.
    Guest,
}

/// Number of tasks of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    services: usize,
    own: usize,
    guests: usize,
}

/// A task's place in its group; it leaves when this is dropped.
pub(crate) struct Member {
    pub(crate) group: Arc<Group>,
    kind: Kind,
    number: u64,
    /// The waker that the group knows.
    waker: Option<Waker>,
}

/// Waits for the group.
struct Watcher<'a> {
    group: &'a Group,
    number: u64,
}

impl Group {
    pub(crate) fn new(node: Node) -> Arc<Group> {
        Arc::new(Group {
            node,
            phase: AtomicU8::new(Phase::Serving as u8),
            state: Mutex::default(),
        })
    }

    pub(crate) fn join(self: &Arc<Group>, kind: Kind) -> Member {
        let mut state = self.lock();
        *state.counts.of(kind) += 1;
        Member {
            group: Arc::clone(self),
            kind,
            number: state.number(),
            waker: None,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Stopping,
            _ => Phase::Cut,
        }
    }

    /// Begins a phase, unless it is over already.
    pub(crate) fn enter(&self, phase: Phase) {
        let state = self.lock();
        if self.phase() >= phase {
            return;
        }
        self.phase.store(phase as u8, Ordering::SeqCst);
        let woken = [&state.wakers, &state.watchers];
        let woken: Vec<Waker> = woken
            .into_iter()
            .flat_map(HashMap::values)
            .cloned()
            .collect();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Notes that the engine is dead; nothing can be served.
    pub(crate) fn fail(&self) {
        let mut state = self.lock();
        state.dead = true;
        let waiting: Vec<Waker> = state.watchers.values().cloned().collect();
        drop(state);
        self.enter(Phase::Cut);
        // A stop may have cut the group before.
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until `is_over` of the number of tasks, or until the engine is dead.
    pub(crate) async fn wait(&self, is_over: impl Fn(Counts) -> bool) -> Result<(), EngineDead> {
        let watcher = Watcher {
            group: self,
            number: self.lock().number(),
        };
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if state.dead {
                return Poll::Ready(Err(EngineDead));
            }
            if is_over(state.counts) {
                return Poll::Ready(Ok(()));
            }
            let old = state.watchers.insert(watcher.number, cx.waker().clone());
            drop(state);
            drop(old);
            Poll::Pending
        })
        .await
    }

    /// Number of connections.
    pub(crate) fn connections(&self) -> usize {
        self.lock().counts.connections()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the value inconsistent.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.latest += 1;
        self.latest
    }
}

impl Counts {
    pub(crate) fn connections(self) -> usize {
        self.own + self.guests
    }

    /// Number of tasks that the runner has started itself.
    pub(crate) fn started(self) -> usize {
        self.own + self.services
    }

    fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Service => &mut self.services,
            Kind::Own => &mut self.own,
            Kind::Guest => &mut self.guests,
        }
    }
}

impl Member {
    /// The phase of the group; the task is woken when it changes.
    pub(crate) fn phase(&mut self, cx: &Context<'_>) -> Phase {
        let known = self.waker.as_ref();
        if !known.is_some_and(|known| known.will_wake(cx.waker())) {
            let waker = cx.waker().clone();
            self.waker = Some(waker.clone());
            let old = self.group.lock().wakers.insert(self.number, waker);
            // It may be the last of its task, whose destructor runs without the lock.
            drop(old);
        }
        self.group.phase()
    }

    /// Checks whether the engine is alive, after a panic.
    pub(crate) fn check(&self) {
        if self.group.node.connections().is_err() {
            self.group.fail();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Without the timer nothing expires.
        if thread::panicking() && self.kind == Kind::Service {
            self.group.fail();
        }
        let mut state = self.group.lock();
        *state.counts.of(self.kind) -= 1;
        let own = state.wakers.remove(&self.number);
        // Nothing waits for a single task to end while the group serves.
        let woken: Vec<Waker> = match self.group.phase() {
            Phase::Serving => Vec::new(),
            Phase::Stopping | Phase::Cut => state.watchers.values().cloned().collect(),
        };
        drop(state);
        drop(own);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        let waker = self.group.lock().watchers.remove(&self.number);
        drop(waker);
    }
}
