//! The callback path to a client of minor version 0: a connection that we make to the address that
//! it named. [RFC 7530 §10.2.1, §16.33]
//!
//! It is up once CB_NULL was answered on it, and made again whenever it is lost. Callbacks of minor
//! version 0 have neither slots nor seqids: what is not answered is sent again on the next
//! connection, and may so be executed twice, which none of them minds.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::callback::{CallPurpose, CallbackOp};
use crate::ids::{ConnId, DialId};
use crate::keys::{ClientKey, PathCallKey, kind};
use crate::slab::Entry;
use crate::time::Mono;

/// The callback path to one client.
pub(crate) struct CallbackPath {
    pub(crate) target: SocketAddr,
    /// Where the client asked from.
    pub(crate) peer: String,
    pub(crate) program: u32,
    pub(crate) ident: u32,
    pub(crate) line: PathConnection,
    /// How many connections in a row were of no use.
    pub(crate) failures: u32,
    pub(crate) queue: VecDeque<PathCallKey>,
    /// Callbacks on the wire, the oldest first.
    pub(crate) sent: Vec<PathCallKey>,
    /// The earliest reminder that is set; [`Mono::NEVER`] without one.
    pub(crate) reminded: Mono,
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathConnection {
    /// There is none; it is tried again then.
    Resting { until: Mono },
    /// It is being made.
    Dialling { dial: DialId },
    /// It is there, and CB_NULL has not been answered.
    Probing { conn: ConnId, until: Mono },
    /// It works.
    Up { conn: ConnId, since: Mono },
    /// The address may not be dialled, or callbacks are refused there: nothing is tried until the
    /// client names another.
    Barred,
}

/// A callback that was accepted.
pub(crate) struct PathCall {
    pub(crate) client: ClientKey,
    pub(crate) op: CallbackOp,
    pub(crate) purpose: CallPurpose,
    /// How often it was sent.
    pub(crate) attempts: u32,
    pub(crate) phase: PathPhase,
    /// When it was accepted long enough ago to be given up.
    pub(crate) until: Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathPhase {
    /// Not before this is it sent.
    Queued { not_before: Mono },
    /// Sent; the answer is late from then on.
    Sent { late: Mono },
}

impl Entry for PathCall {
    type Kind = kind::PathCall;
}

impl CallbackPath {
    /// Whether callbacks are known to work.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.line, PathConnection::Up { .. })
    }

    /// Whether it has failed for longer than a connection that is lost takes to be made again.
    pub(crate) fn is_down(&self) -> bool {
        !self.is_up() && (self.failures > 1 || self.line == PathConnection::Barred)
    }

    /// Its connection, if there is one.
    pub(crate) fn conn(&self) -> Option<ConnId> {
        match self.line {
            PathConnection::Probing { conn, .. } | PathConnection::Up { conn, .. } => Some(conn),
            PathConnection::Resting { .. }
            | PathConnection::Dialling { .. }
            | PathConnection::Barred => None,
        }
    }

    /// The callbacks that are accepted and not ended.
    pub(crate) fn calls(&self) -> impl Iterator<Item = PathCallKey> + '_ {
        self.sent.iter().chain(&self.queue).copied()
    }
}
