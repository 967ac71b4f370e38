//! What is done about connections that cannot be accepted.

use std::io;
use std::time::Duration;

use nfs4_engine::Mono;

use crate::log;
use crate::node::Node;

/// Handles failed accepts of one listener: nothing spins, nothing floods the log, and when descriptors
/// have run out, an idle connection of a stranger is closed for the next peer.
#[derive(Debug)]
pub struct Accepts {
    node: Node,
    /// How many have failed since the last line in the log.
    failed: u64,
    /// When that was.
    told: Option<Mono>,
}

impl Accepts {
    /// For a listener of this node.
    pub fn new(node: Node) -> Accepts {
        Accepts {
            node,
            failed: 0,
            told: None,
        }
    }

    /// An accept has failed. Says how long to wait before the next.
    pub fn failed(&mut self, why: &io::Error) -> Duration {
        // It was the peer's end, and the next connection is another one's.
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
        // The transport learns of a dead engine by other means.
        if full && self.node.make_way() == Ok(true) {
            return UNTIL_CLOSED;
        }
        PAUSE
    }
}

/// For one connection and not for those behind it.
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
/// Nothing is known of when it gets better.
const PAUSE: Duration = Duration::from_millis(50);
/// From one line in the log to the next.
const BETWEEN: Duration = Duration::from_secs(10);
