//! Requests and callbacks that take long, as events report them.

use alloc::string::String;
use core::time::Duration;

use nfs4_proto::nfs4::basic::SessionId;
use nfs4_proto::nfs4::opnum::{CbOp, Op};

use crate::fs::driver::FsCall;
use crate::ids::{ConnId, RequestId};

/// What a parked COMPOUND waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The answer of a file system.
    FileSystem {
        /// The number of its export.
        export: u16,
        /// The call.
        call: FsCall,
    },
    /// What the holder of a delegation answers to CB_GETATTR. [RFC 8881 §20.1]
    Holder,
    /// Stable storage.
    StableStorage,
    /// Other requests: it has used its share of time.
    Others,
}

/// A request that takes at least [`Config::slow_request`](crate::Config::slow_request).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowRequest {
    /// The request.
    pub request: RequestId,
    /// The id of its client, if it is known.
    pub client: Option<u64>,
    /// The peer's address of its connection, or of its client if the connection is gone; empty if neither
    /// is known.
    pub peer: String,
    /// The operation that waits; once the request is answered, the one that waited longest at once.
    pub op: Op,
    /// What that operation waits for.
    pub waits_for: WaitsFor,
    /// How long that wait has lasted.
    pub waited: Duration,
    /// Time since the request arrived.
    pub took: Duration,
    /// Whether it is answered; otherwise it still waits.
    pub answered: bool,
}

/// A callback without an answer for at least [`Config::slow_request`](crate::Config::slow_request).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowCallback {
    /// The client's id.
    pub client: u64,
    /// The address that the client came from; empty if it is not known.
    pub peer: String,
    /// The session that carries it; none in minor version 0.
    pub session: Option<SessionId>,
    /// The connection that it was sent on last; none while there is no connection for it.
    pub conn: Option<ConnId>,
    /// Its operation.
    pub op: CbOp,
    /// Number of transmissions.
    pub attempts: u32,
    /// Time since it was accepted.
    pub took: Duration,
    /// How it ended; none while it has not.
    pub ended: Option<SlowCallbackEnd>,
}

/// How a callback ended that took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowCallbackEnd {
    /// The client has answered.
    Answered,
    /// It was sent the maximum number of times, and no answer came in time.
    TimedOut,
    /// No connection carried it in time.
    NoPath,
    /// The client refused it for good.
    Refused,
    /// Its session is gone.
    Cancelled,
}

impl SlowCallbackEnd {
    /// All of them, in the order of their declaration.
    pub const ALL: &'static [SlowCallbackEnd] = &[
        SlowCallbackEnd::Answered,
        SlowCallbackEnd::TimedOut,
        SlowCallbackEnd::NoPath,
        SlowCallbackEnd::Refused,
        SlowCallbackEnd::Cancelled,
    ];

    /// What a log calls it.
    pub const fn label(self) -> &'static str {
        match self {
            SlowCallbackEnd::Answered => "answered",
            SlowCallbackEnd::TimedOut => "timed_out",
            SlowCallbackEnd::NoPath => "no_path",
            SlowCallbackEnd::Refused => "refused",
            SlowCallbackEnd::Cancelled => "cancelled",
        }
    }
}
