//! Connections that the server makes itself, to call clients back. [RFC 7530 §16.33]

mod queue;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use nfs4_engine::{DialError, Input, Mono};

use crate::batch::{Batch, DialOrder};
use crate::clock::Clock;
use crate::log;
use crate::policy::{DialPolicy, DialRequest, SameHost};
use crate::roster::Origin;
use crate::sync::{Mutex, MutexGuard};
use queue::Queue;

/// All dials of a node.
pub(crate) struct Dials {
    policy: Mutex<Arc<dyn DialPolicy>>,
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) queue: Queue,
    pub(crate) dialers: Vec<Arc<Slot>>,
    /// When the dialers check again for a dial that waits for its peer's rate.
    pub(crate) look: Option<Mono>,
}

#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) waker: Mutex<Option<Waker>>,
}

impl Dials {
    pub(crate) fn new(max_running: u32) -> Dials {
        Dials {
            policy: Mutex::new(Arc::new(SameHost)),
            state: Mutex::new(State {
                queue: Queue::new(max_running),
                dialers: Vec::new(),
                look: None,
            }),
        }
    }

    pub(crate) fn set_policy(&self, policy: Arc<dyn DialPolicy>) {
        *lock(&self.policy) = policy;
    }

    /// Queues the connections that the engine asks for and the policy allows; the others fail as
    /// inputs of `batch`. It runs without the engine's lock: the policy is code of the embedder.
    pub(crate) fn take_in(&self, batch: &mut Batch, clock: &dyn Clock) {
        if batch.dials.is_empty() {
            return;
        }
        let policy = Arc::clone(&lock(&self.policy));
        for wanted in batch.dials.drain(..) {
            let result = if policy.allows(&DialRequest {
                target: wanted.target,
                peer: &wanted.peer,
            }) {
                self.line_up(&wanted, clock.now().mono)
            } else {
                Err(DialError::Refused)
            };
            if let Err(why) = result {
                log::not_dialled(wanted.target, why);
                batch.inputs.push_back(Input::Dialed {
                    dial: wanted.dial,
                    result: Err(why),
                });
            }
        }
    }

    /// Wakes the dialers when a dial may start by its peer's rate; returns when to check again.
    pub(crate) fn wake_paced(&self, now: Mono) -> Option<Duration> {
        let mut state = lock(&self.state);
        let look = state.look?;
        if now < look {
            return Some(look.since(now));
        }
        state.look = None;
        state.wake();
        None
    }

    fn line_up(&self, wanted: &DialOrder, now: Mono) -> Result<(), DialError> {
        let mut state = lock(&self.state);
        let asker = Origin::of(&wanted.peer);
        if state.dialers.is_empty() || !state.queue.push(&asker, wanted.dial, wanted.target, now) {
            return Err(DialError::Failed);
        }
        state.wake();
        Ok(())
    }
}

impl State {
    /// Wakes every dialer to check for work.
    pub(crate) fn wake(&self) {
        if self.queue.is_empty() {
            return;
        }
        for slot in &self.dialers {
            if let Some(waker) = lock(&slot.waker).take() {
                waker.wake();
            }
        }
    }
}

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic leaves the value inconsistent.
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
