//! Errors: why a connection is refused or ends, and why a request is not executed.

use std::io;

use nfs4_engine::AdminFault;
use nfs4_engine::proto::rpc::RecordError;

#[cfg(doc)]
use crate::limits::Limits;

/// The engine has panicked, and is never called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine is dead")]
pub struct EngineDead;

/// Why an administrator's request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The engine refuses the request.
    #[error(transparent)]
    Fault(#[from] AdminFault),
    /// See [`EngineDead`].
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There are [`Limits::max_connections`], and none can be evicted.
    #[error("too many connections")]
    TooManyConnections,
    /// There are [`Limits::max_connections_per_peer`] from the same address, and none of them can
    /// be evicted.
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
    /// The peer sends nothing more, and has its replies.
    #[error("the peer closed it")]
    EndOfStream,
    /// The socket failed.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
    /// The engine asked for it.
    #[error("the engine wanted it")]
    Engine,
    /// No byte moved within [`Limits::idle_timeout`](crate::Limits::idle_timeout).
    #[error("it was idle")]
    Idle,
    /// No byte moved within [`Limits::stall_timeout`](crate::Limits::stall_timeout).
    #[error("it stalled in the middle of a record or of its replies")]
    Stalled,
    /// It moved too few bytes while other connections waited for room in
    /// [`Limits::max_held`](crate::Limits::max_held).
    #[error("the memory that it holds is needed elsewhere")]
    Slow,
    /// The record marks of the stream are malformed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record is not an RPC message.
    #[error("a record is not an RPC message")]
    NotRpc,
    /// There were too many connections, and this one served no session.
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

/// Why a connection is evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evicted {
    /// Other connections need its memory.
    Memory,
    /// A new connection needs its place.
    Place,
}
