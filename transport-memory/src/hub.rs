//! What other threads leave for a server: new connections, wake-ups and the stop.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Wake, Waker};

use nfs4_driver::Connection;
use nfs4_driver::engine::ConnId;

use crate::link::Link;

/// What other threads leave for a server. Under its lock runs only this file and the clone of a waker.
#[derive(Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    left: Mail,
    phase: Phase,
    /// Called for the next thing that is left.
    waker: Option<Waker>,
}

/// What was left.
#[derive(Default)]
pub(crate) struct Mail {
    /// New connections.
    pub(crate) arrived: Vec<(Connection, Link)>,
    /// Connections that have something to do, each once, in the order of their wake-ups.
    pub(crate) ready: VecDeque<ConnId>,
    /// The node's timer has an earlier deadline.
    pub(crate) timer: bool,
}

/// The phases of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It accepts connections and calls.
    #[default]
    Serving,
    /// It accepts no new connection and no new call.
    Stopping,
    /// It is gone.
    Ended,
}

impl Hub {
    /// Takes all that was left; `waker` is called when there is more.
    pub(crate) fn collect(&self, mail: &mut Mail, waker: &Waker) -> Phase {
        let mut state = self.lock();
        match &mut state.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        mail.arrived.append(&mut state.left.arrived);
        mail.ready.append(&mut state.left.ready);
        mail.timer |= std::mem::take(&mut state.left.timer);
        state.phase
    }

    /// Whether there is something to do.
    pub(crate) fn has_mail(&self) -> bool {
        let state = self.lock();
        !state.left.ready.is_empty() || !state.left.arrived.is_empty() || state.left.timer
    }

    /// Leaves a new connection; gives it back if the server accepts none.
    pub(crate) fn arrive(&self, connection: Connection, link: Link) -> Option<Connection> {
        let mut state = self.lock();
        if state.phase > Phase::Serving {
            return Some(connection);
        }
        state.left.arrived.push((connection, link));
        wake(state);
        None
    }

    pub(crate) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// Enters a phase, unless a later one has begun. Connections that arrived and were not taken are
    /// closed with the end.
    pub(crate) fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        let mut dropped = Vec::new();
        if phase > state.phase {
            state.phase = phase;
            if phase == Phase::Ended {
                dropped = std::mem::take(&mut state.left.arrived);
            }
        }
        wake(state);
        // A connection takes the engine's lock when it closes.
        drop(dropped);
    }

    fn ready(&self, conn: ConnId) {
        let mut state = self.lock();
        state.left.ready.push_back(conn);
        wake(state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic leaves the value inconsistent.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The waker of a connection: queues it, once until it is next driven.
pub(crate) struct Task {
    pub(crate) hub: Weak<Hub>,
    pub(crate) conn: ConnId,
    pub(crate) queued: Arc<AtomicBool>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::SeqCst)
            && let Some(hub) = self.hub.upgrade()
        {
            hub.ready(self.conn);
        }
    }
}

/// The waker of the node's timer.
pub(crate) struct TimerWake(pub(crate) Weak<Hub>);

impl Wake for TimerWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(hub) = self.0.upgrade() {
            let mut state = hub.lock();
            state.left.timer = true;
            wake(state);
        }
    }
}
