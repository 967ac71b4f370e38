//! Makes connections, from any thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Waker;

use nfs4_driver::{Node, Refused};

use crate::hub::{Hub, Phase, Task};
use crate::link::Link;
use crate::stream::MemoryStream;

/// Connects to a [`Server`](crate::Server), from any thread. Clones connect to the same.
#[derive(Clone)]
pub struct Connector {
    node: Node,
    hub: Arc<Hub>,
    capacity: usize,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The node refuses it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The server stops, or has ended.
    #[error("the server accepts no connections any more")]
    Stopped,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(node: Node, hub: Arc<Hub>, capacity: usize) -> Connector {
        Connector {
            node,
            hub,
            capacity,
        }
    }

    /// Connects; `peer` names the client in views and logs, and connections of one name count as those
    /// of one peer: see [`Node::open`].
    ///
    /// # Errors
    /// There are too many connections, the server stops, or the engine is dead.
    pub fn connect(&self, peer: impl Into<String>) -> Result<MemoryStream, ConnectError> {
        if self.hub.phase() > Phase::Serving {
            return Err(ConnectError::Stopped);
        }
        let connection = self.node.open(peer)?;
        let queued = Arc::new(AtomicBool::new(false));
        let task = Task {
            hub: Arc::downgrade(&self.hub),
            conn: connection.id(),
            queued: Arc::clone(&queued),
        };
        let waker = Waker::from(Arc::new(task));
        let (link, stream) = Link::pair(waker, queued, self.capacity);
        match self.hub.arrive(connection, link) {
            None => Ok(stream),
            // It is dropped here, without the lock of the hub.
            Some(_connection) => Err(ConnectError::Stopped),
        }
    }
}
