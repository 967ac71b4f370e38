//! Connections that a listener fails to accept.

use std::io;
use std::time::Duration;

use nfs4_engine::Mono;

use crate::log;
use crate::node::Node;

/// Handles failed accepts of one listener without a busy loop and without a flood of log lines.
/// When descriptors have run out, it closes an idle connection without a session, so that the next
/// peer finds one.
#[derive(Debug)]
pub struct Accepts {
    node: Node,
    /// Number of failures since the last line in the log.
    failed: u64,
    /// Time of that line.
    told: Option<Mono>,
}

impl Accepts {
    /// For a listener of `node`.
    pub fn new(node: Node) -> Accepts {
        Accepts {
            node,
            failed: 0,
            told: None,
        }
    }

    /// Records a failed accept; returns how long to wait before the next one.
    pub fn failed(&mut self, why: &io::Error) -> Duration {
        // Only this connection failed: the peer has closed it already.
        if PASSING.contains(&why.kind()) {
            return Duration::ZERO;
        }
        self.failed += 1;
        let now = self.node.now();
        if self.told.is_none_or(|told| now.since(told) >= BETWEEN) {
            log::accepts_failed(why, self.failed);
            (self.failed, self.told) = (0, Some(now));
        }
        let full = why.raw_os_error().is_some_and(|code| FULL.contains(&code));
        // The transport learns of a dead engine with its next connection.
        if full && self.node.make_way() == Ok(true) {
            return UNTIL_CLOSED;
        }
        PAUSE
    }
}

/// Errors of one connection, which the next one need not have.
const PASSING: [io::ErrorKind; 6] = [
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::HostUnreachable,
    io::ErrorKind::Interrupted,
    io::ErrorKind::NetworkDown,
    io::ErrorKind::NetworkUnreachable,
];

/// The numbers of ENFILE and EMFILE, the same on all Unix systems: descriptors have run out, of the
/// system's or of the process's.
const FULL: [i32; 2] = [23, 24];

/// The time that a connection takes to close.
const UNTIL_CLOSED: Duration = Duration::from_millis(5);
/// Nothing announces when it can be accepted again.
const PAUSE: Duration = Duration::from_millis(50);
/// Minimum time between two lines in the log.
const BETWEEN: Duration = Duration::from_secs(10);
