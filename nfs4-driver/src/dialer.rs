//! The transports' side of the connections that the server makes itself.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;

use nfs4_engine::{ConnId, DialError, DialId, Input};

use crate::batch::Batch;
use crate::connection::Connection;
use crate::dial::{Slot, lock};
use crate::error::Refused;
use crate::log;
use crate::roster::{Initiator, Origin};
use crate::shared::Shared;

/// Hands a transport the connections to make, at most
/// [`Limits::max_dials`](crate::Limits::max_dials) at once.
///
/// Every transport that can make connections runs one, and each serves the whole node. Without one,
/// nothing is dialled.
pub struct Dialer {
    node: Arc<Shared>,
    slot: Arc<Slot>,
}

/// A connection to be made; to drop it reports failure.
pub struct Dial {
    node: Arc<Shared>,
    id: DialId,
    target: SocketAddr,
    /// The peer whose client asked for it.
    asker: Origin,
    ended: bool,
    answered: bool,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial")
            .field("id", &self.id)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Dialer {
    pub(crate) fn new(node: Arc<Shared>) -> Dialer {
        let slot = Arc::new(Slot::default());
        lock(&node.dials.state).dialers.push(Arc::clone(&slot));
        Dialer { node, slot }
    }

    /// Returns the next connection to make, if one may be made now; `waker` is called when that
    /// changes.
    pub fn next(&mut self, waker: &Waker) -> Option<Dial> {
        let dials = &self.node.dials;
        let mut state = lock(&dials.state);
        let mut paced = false;
        if !state.queue.is_empty() {
            let now = self.node.clock.now().mono;
            if let Some((asker, id, target)) = state.queue.pop(now) {
                return Some(Dial {
                    node: Arc::clone(&self.node),
                    id,
                    target,
                    asker,
                    ended: false,
                    answered: false,
                });
            }
            let pause = state.queue.pause().filter(|_| state.look.is_none());
            state.look = state.look.or(pause.map(|pause| now.after(pause)));
            paced = pause.is_some();
        }
        // Under the lock, so that no wake-up is missed.
        match &mut *lock(&self.slot.waker) {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        drop(state);
        if paced {
            self.node.timers.wake();
        }
        None
    }
}

impl Drop for Dialer {
    fn drop(&mut self) {
        let mut state = lock(&self.node.dials.state);
        state.dialers.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        if !state.dialers.is_empty() {
            return;
        }
        let left = state.queue.drain();
        drop(state);
        self.node.dial_failed(left, DialError::Failed);
    }
}

impl Dial {
    /// The address to connect to.
    pub fn target(&self) -> SocketAddr {
        self.target
    }

    /// Reports that the connection was made. Its stream is driven like any other; calls of the peer
    /// are refused on it, and a stop ends it at once.
    ///
    /// # Errors
    /// There are too many connections, or the engine is dead.
    pub fn connected(mut self) -> Result<Connection, Refused> {
        let peer = self.target.to_string();
        let mailbox = self
            .node
            .register(&peer, Initiator::Server, |conn| Input::Dialed {
                dial: self.id,
                result: Ok(conn),
            })
            .inspect_err(|why| log::refused(&peer, *why))?;
        (self.ended, self.answered) = (true, true);
        log::dialled(mailbox.id, &peer);
        let node = Arc::clone(&self.node);
        Ok(Connection::new(node, mailbox, peer, Initiator::Server))
    }

    /// Reports that no connection could be made.
    pub fn failed(mut self, why: &io::Error) {
        self.end(match why.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => DialError::TimedOut,
            _ => DialError::Failed,
        });
    }

    fn end(&mut self, why: DialError) {
        if !std::mem::replace(&mut self.ended, true) {
            log::not_dialled(self.target, why);
            self.node.dial_failed([self.id], why);
        }
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        self.end(DialError::Failed);
        let now = self.node.clock.now().mono;
        let mut state = lock(&self.node.dials.state);
        state
            .queue
            .ended(&self.asker, self.target, self.answered, now);
        state.wake();
    }
}

impl Shared {
    /// Reports to the engine that these dials gave no connection.
    fn dial_failed(&self, dials: impl IntoIterator<Item = DialId>, why: DialError) {
        let mut batch = Batch::default();
        let failed = |dial| Input::Dialed {
            dial,
            result: Err::<ConnId, _>(why),
        };
        batch.inputs.extend(dials.into_iter().map(failed));
        if !batch.inputs.is_empty() {
            // A dead engine has no use for it.
            let _ = self
                .exchange(&mut batch, None)
                .and_then(|()| self.finish(&mut batch));
        }
    }
}
