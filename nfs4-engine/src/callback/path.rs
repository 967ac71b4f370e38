//! The callback path to a client of minor version 0: a connection that the server makes to the
//! address of SETCLIENTID. [RFC 7530 §10.2.1, §16.33]
//!
//! The path is up once the client has answered CB_NULL on it, and is made again whenever it is
//! lost. Callbacks of minor version 0 have neither slots nor seqids: one without a reply is sent
//! again on the next connection. The client may so execute it twice, which does no harm with any of
//! them.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::callback::{CallPurpose, CallbackOp, Slowness};
use crate::ids::{ConnId, DialId};
use crate::keys::{ClientKey, PathCallKey, kind};
use crate::slab::Entry;
use crate::time::Mono;

/// The callback path to one client.
pub(crate) struct CallbackPath {
    pub(crate) target: SocketAddr,
    /// The address that the client's request came from.
    pub(crate) peer: String,
    pub(crate) program: u32,
    pub(crate) ident: u32,
    pub(crate) connection: PathConnection,
    /// Number of connections in a row that failed.
    pub(crate) failures: u32,
    pub(crate) queue: VecDeque<PathCallKey>,
    /// Callbacks on the wire, the oldest first.
    pub(crate) sent: Vec<PathCallKey>,
    /// The earliest timer that is set; [`Mono::NEVER`] without one.
    pub(crate) reminded: Mono,
}

/// The state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathConnection {
    /// There is none; the next attempt is at `until`.
    Backoff { until: Mono },
    /// The connection is being made.
    Dialling { dial: DialId },
    /// The connection is made, and the client has not answered CB_NULL.
    Probing { conn: ConnId, until: Mono },
    /// The client has answered CB_NULL.
    Up { conn: ConnId, since: Mono },
    /// The address may not be dialled, or refuses callbacks: no attempt is made until the client
    /// names another.
    GivenUp,
}

/// A callback that was accepted.
pub(crate) struct PathCall {
    pub(crate) client: ClientKey,
    pub(crate) op: CallbackOp,
    pub(crate) purpose: CallPurpose,
    /// Number of transmissions.
    pub(crate) attempts: u32,
    pub(crate) slowness: Slowness,
    pub(crate) phase: PathPhase,
    /// The time at which it is given up.
    pub(crate) until: Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathPhase {
    /// It is not sent before this time.
    Queued { not_before: Mono },
    /// Sent; after this time the reply is late.
    Sent { late: Mono },
}

impl Entry for PathCall {
    type Kind = kind::PathCall;
}

impl CallbackPath {
    /// Whether callbacks are known to work.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.connection, PathConnection::Up { .. })
    }

    /// Whether the path has failed for longer than a lost connection takes to be made again.
    pub(crate) fn is_down(&self) -> bool {
        !self.is_up() && (self.failures > 1 || self.connection == PathConnection::GivenUp)
    }

    /// Its connection, if there is one.
    pub(crate) fn conn(&self) -> Option<ConnId> {
        match self.connection {
            PathConnection::Probing { conn, .. } | PathConnection::Up { conn, .. } => Some(conn),
            PathConnection::Backoff { .. }
            | PathConnection::Dialling { .. }
            | PathConnection::GivenUp => None,
        }
    }

    /// The callbacks that are accepted and not ended.
    pub(crate) fn calls(&self) -> impl Iterator<Item = PathCallKey> + '_ {
        self.sent.iter().chain(&self.queue).copied()
    }
}
