//! What happens to the engine.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use crate::fs::{Credential, FsResult, FsTicket};
use crate::ids::ConnId;

/// One thing that happened.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an answer is moved once; boxing it would allocate"
)]
pub enum Input {
    /// A connection was accepted. Its number is new.
    ConnOpened {
        /// The connection.
        conn: ConnId,
        /// Where it comes from, for people.
        peer: String,
    },
    /// A connection is gone; nothing can be sent on it any more.
    ConnClosed {
        /// The connection.
        conn: ConnId,
    },
    /// A COMPOUND arrived.
    Call(Call),
    /// A file system answered.
    FsDone {
        /// The request.
        ticket: FsTicket,
        /// The answer.
        result: FsResult,
    },
}

/// A call of procedure COMPOUND whose RPC header and credential are decoded. [RFC 8881 §16.2]
#[derive(Debug)]
pub struct Call {
    /// The connection that it came in by.
    pub conn: ConnId,
    /// The transaction id to answer under.
    pub xid: u32,
    /// Who calls.
    pub cred: Arc<Credential>,
    /// COMPOUND4args: the record after the RPC header.
    pub body: Bytes,
    /// Length of the whole RPC message in bytes, header included: what `ca_maxrequestsize` counts.
    pub message_len: u32,
}
