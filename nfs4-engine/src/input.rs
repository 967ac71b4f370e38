//! The inputs of the engine.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;
use nfs4_proto::rpc::Fault;

use crate::admin::Admin;
use crate::delegation_kind::Touch;
use crate::fs::driver::FsTicket;
use crate::fs::{Credential, FsHandle, FsResult};
use crate::ids::{ConnId, DialId};
use crate::stable::{StableError, StableTicket};

/// One event from outside.
#[expect(
    clippy::large_enum_variant,
    reason = "most are answers of file systems; boxing them would allocate"
)]
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// A connection was accepted. Its number is new.
    ConnOpened {
        /// The connection.
        conn: ConnId,
        /// The peer's address, for logs and views.
        peer: String,
    },
    /// A connection is closed; nothing can be sent on it any more.
    ConnClosed {
        /// The connection.
        conn: ConnId,
    },
    /// The peer sends nothing more on a connection, and still takes replies: it would not answer a
    /// callback there.
    ConnHalfClosed {
        /// The connection.
        conn: ConnId,
    },
    /// A COMPOUND arrived.
    Call(Call),
    /// The peer answered a callback.
    CallbackReply(CallbackReply),
    /// A dial that the engine asked for has ended.
    Dialed {
        /// The dial.
        dial: DialId,
        /// The new connection, which is open and for which no [`Input::ConnOpened`] comes; or why
        /// there is none.
        result: Result<ConnId, DialError>,
    },
    /// A program that is no client of this server is about to read or change a file: conflicting
    /// delegations are recalled. [`Engine::may_touch`] says when it may.
    ///
    /// [`Engine::may_touch`]: crate::Engine::may_touch
    Touched {
        /// The number of its export.
        export: u16,
        /// The file.
        fh: FsHandle,
        /// The access that is about to happen.
        touch: Touch,
    },
    /// A file system cannot keep such an access from a file any longer: conflicting delegations are revoked,
    /// whether they were recalled or not.
    LeaseLost {
        /// The number of its export.
        export: u16,
        /// The file.
        fh: FsHandle,
        /// The access that is about to happen.
        touch: Touch,
    },
    /// The administrator asks for something.
    Admin(Admin),
    /// A file system answered.
    FsDone {
        /// The request.
        ticket: FsTicket,
        /// The answer. Only the first to a request counts.
        result: FsResult,
    },
    /// [`Backend::release`](crate::fs::Backend::release) or
    /// [`Backend::unlease`](crate::fs::Backend::unlease) or
    /// [`Backend::unlock`](crate::fs::Backend::unlock) panicked.
    ReleasePanicked,
    /// A write to stable storage has ended.
    StableDone {
        /// The write.
        ticket: StableTicket,
        /// Whether it is durable. Only the first answer to a write counts.
        result: Result<(), StableError>,
    },
}

/// A call of procedure COMPOUND whose RPC header and credential are decoded. [RFC 8881 §16.2]
#[derive(Debug)]
#[non_exhaustive]
pub struct Call {
    /// The connection that it arrived on.
    pub conn: ConnId,
    /// The transaction id of the reply.
    pub xid: u32,
    /// The credential of the caller.
    pub cred: Arc<Credential>,
    /// COMPOUND4args: the record after the RPC header.
    pub body: Bytes,
    /// Length of the whole RPC message in bytes, header included: what `ca_maxrequestsize` counts.
    pub message_len: u32,
}

impl Call {
    /// A call that arrived on `conn`; see the fields for the other values.
    #[inline]
    pub fn new(conn: ConnId, xid: u32, cred: Arc<Credential>, body: Bytes, len: u32) -> Call {
        Call {
            conn,
            xid,
            cred,
            body,
            message_len: len,
        }
    }
}

/// An RPC reply that arrived on a connection. [RFC 5531 §9]
#[derive(Debug)]
#[non_exhaustive]
pub struct CallbackReply {
    /// The connection that it arrived on.
    pub conn: ConnId,
    /// The transaction id of the call that it claims to answer.
    pub xid: u32,
    /// Its content.
    pub outcome: CallbackOutcome,
}

impl CallbackReply {
    /// A reply that arrived on `conn`, to the call with this transaction id.
    pub fn new(conn: ConnId, xid: u32, outcome: CallbackOutcome) -> CallbackReply {
        CallbackReply { conn, xid, outcome }
    }
}

/// The outcome of a callback.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallbackOutcome {
    /// The results: CB_COMPOUND4res, or nothing for CB_NULL.
    Answered(Bytes),
    /// The peer's RPC layer refused the call.
    Refused(Fault),
}

/// Why no connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The address may not be dialled.
    #[error("the address may not be dialled")]
    Refused,
    /// The target refuses, or there is no room for another connection.
    #[error("no connection could be made")]
    Failed,
    /// The target did not answer in time.
    #[error("the target did not answer in time")]
    TimedOut,
}
