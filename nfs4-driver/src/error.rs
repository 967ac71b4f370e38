//! Why a connection is refused or ends, and why nothing is done.

use std::io;

use nfs4_engine::AdminFault;
use nfs4_engine::proto::rpc::RecordError;

#[cfg(doc)]
use crate::limits::Limits;

/// The engine panicked once and is never called again: no half-alive server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine is dead")]
pub struct EngineDead;

/// Why an administrator's request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// It cannot be done.
    #[error(transparent)]
    Fault(#[from] AdminFault),
    /// See [`EngineDead`].
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
}

/// Why a connection is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There are [`Limits::max_connections`] already, and none that could give way.
    #[error("too many connections")]
    TooManyConnections,
    /// There are [`Limits::max_connections_per_peer`] from the same address already, and none of
    /// them could give way.
    #[error("too many connections from its address")]
    TooManyOfPeer,
    /// See [`EngineDead`].
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Closing {
    /// The peer closed it.
    #[error("the peer closed it")]
    EndOfStream,
    /// The socket failed.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
    /// The engine wanted it.
    #[error("the engine wanted it")]
    Engine,
    /// [`Limits::idle_timeout`](crate::Limits::idle_timeout) is over.
    #[error("it was idle")]
    Idle,
    /// [`Limits::stall_timeout`](crate::Limits::stall_timeout) is over.
    #[error("it stalled in the middle of a record or of its replies")]
    Stalled,
    /// It moved too few bytes while others found no room in [`Limits::max_held`](crate::Limits::max_held).
    #[error("the memory that it holds is needed elsewhere")]
    Slow,
    /// The stream cannot be cut into records.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record is not an RPC message.
    #[error("a record is not an RPC message")]
    NotRpc,
    /// There were too many connections, and it was one of those that serve no session.
    #[error("it gave way to another connection")]
    GaveWay,
    /// The server stops.
    #[error("the server stops")]
    Stopped,
    /// Its owner dropped it.
    #[error("its owner dropped it")]
    Abandoned,
    /// See [`EngineDead`].
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
}

/// Why a connection is closed for the sake of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evicted {
    /// The memory that it holds is needed.
    Memory,
    /// Its place is needed.
    Place,
}
