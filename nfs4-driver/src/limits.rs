//! Limits of what one peer, and all peers, may use.

use std::time::Duration;

use nfs4_engine::ConfigFaults;

/// Bounds on connections, records and queues; the protocol's own are in
/// [`Config`](nfs4_engine::Config).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of connections at once. A further one is closed as it comes, unless one that serves no
    /// session can give way to it.
    pub max_connections: u32,
    /// The most of them from one address, with the same exception: one of that address's own gives
    /// way.
    pub max_connections_per_peer: u32,
    /// The longest RPC message taken in, in bytes, all fragments together; a longer one closes its
    /// connection. It must hold the longest WRITE and its headers: see [`Limits::for_max_io`].
    pub max_record: u32,
    /// Maximum number of fragments of one message; more close the connection.
    pub max_fragments: u32,
    /// Maximum number of calls of one connection that are started and not answered; while as many are, its
    /// bytes are left to the kernel.
    pub max_in_flight: u32,
    /// What one started call may add to the replies of its connection, in bytes. It must hold the
    /// longest READ and its headers: see [`Limits::for_max_io`].
    pub max_reply: u32,
    /// Maximum number of bytes of replies of one connection that are not sent: a call that could exceed
    /// it is not started, and nothing is read, until the peer takes its replies.
    pub max_unsent: u64,
    /// The same for a connection whose client has neither a session nor, in minor version 0, a
    /// confirmed client id, if that is less.
    pub max_unsent_by_strangers: u64,
    /// Maximum number of bytes that all peers together make the node hold: replies that are not
    /// sent, [`Limits::max_reply`] for each call that runs, and records that are not whole. One
    /// peer, all its connections together, has at most half of what is free and its own.
    pub max_held: u64,
    /// The same for connections whose client has neither a session nor, in minor version 0, a
    /// confirmed client id.
    pub max_held_by_strangers: u64,
    /// Maximum bytes of read buffers that are kept for reuse, all connections together. A buffer that is not
    /// used for ten seconds is freed.
    pub max_pooled: u64,
    /// A connection without a byte either way and without a call in flight for as long is closed;
    /// zero for never.
    pub idle_timeout: Duration,
    /// A connection that stops in the middle of a record, or takes no byte of its replies, for as
    /// long is closed; noticed within twice this time.
    pub stall_timeout: Duration,
    /// Maximum number of connections that are being made at once, to call clients back.
    pub max_dials: u32,
    /// Time limit for a connection that is being made.
    pub dial_timeout: Duration,
    /// Time that a graceful stop waits for calls in flight; calls that remain are cut off. The
    /// engine's [`drain_deadline`](nfs4_engine::Config::drain_deadline) may end them earlier.
    pub stop_timeout: Duration,
    /// Number of steps of due work under one hold of the engine's lock.
    pub timer_budget: u32,
}

impl Limits {
    /// These limits, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Limits)) -> Limits {
        set(&mut self);
        self
    }

    /// The defaults for an engine with this [`max_io`](nfs4_engine::Config::max_io).
    pub fn for_max_io(max_io: u32) -> Limits {
        let message = max_io.saturating_add(HEADERS);
        Limits {
            max_connections: 4_096,
            max_connections_per_peer: 1_024,
            max_record: message,
            // Clients of 4.0 cut a record of a megabyte into pieces of 2 KiB.
            max_fragments: 1_024,
            max_in_flight: 64,
            max_reply: message,
            max_unsent: u64::from(message) * 64,
            max_unsent_by_strangers: u64::from(message) * 2,
            max_held: 512 << 20,
            max_held_by_strangers: 64 << 20,
            max_pooled: 64 << 20,
            idle_timeout: Duration::from_secs(600),
            stall_timeout: Duration::from_secs(60),
            max_dials: 16,
            dial_timeout: Duration::from_secs(5),
            stop_timeout: Duration::from_secs(5),
            timer_budget: 128,
        }
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// Every limit that is out of its range, not just the first.
    pub fn validate(&self) -> Result<(), ConfigFaults> {
        self.validate_for(0)
    }

    /// Checks the limits for an engine with this [`max_io`](nfs4_engine::Config::max_io), whose
    /// largest READ and WRITE must pass.
    ///
    /// # Errors
    /// Every limit that is out of its range, not just the first.
    pub fn validate_for(&self, max_io: u32) -> Result<(), ConfigFaults> {
        let message = u64::from(max_io.saturating_add(LEAST_HEADERS));
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        // One peer has half of it, which must hold one call or one record.
        let held = 4 * u64::from(self.max_reply.max(self.max_record));
        let ranges = [
            ("max_connections", self.max_connections.into(), 1, 1 << 20),
            (
                "max_connections_per_peer",
                self.max_connections_per_peer.into(),
                1,
                1 << 20,
            ),
            ("max_record", self.max_record.into(), message, 32 << 20),
            ("max_fragments", self.max_fragments.into(), 1, 65_536),
            ("max_in_flight", self.max_in_flight.into(), 1, 65_536),
            ("max_reply", self.max_reply.into(), message, 32 << 20),
            (
                "max_unsent",
                self.max_unsent,
                self.max_reply.into(),
                1 << 40,
            ),
            (
                "max_unsent_by_strangers",
                self.max_unsent_by_strangers,
                self.max_reply.into(),
                1 << 40,
            ),
            ("max_held", self.max_held, held, 1 << 40),
            (
                "max_held_by_strangers",
                self.max_held_by_strangers,
                held,
                1 << 40,
            ),
            ("max_pooled", self.max_pooled, 0, 1 << 40),
            (
                "idle_timeout (milliseconds)",
                millis(self.idle_timeout),
                0,
                86_400_000,
            ),
            (
                "stall_timeout (milliseconds)",
                millis(self.stall_timeout),
                1,
                86_400_000,
            ),
            ("max_dials", self.max_dials.into(), 1, 1_024),
            (
                "dial_timeout (milliseconds)",
                millis(self.dial_timeout),
                1,
                60_000,
            ),
            (
                "stop_timeout (milliseconds)",
                millis(self.stop_timeout),
                0,
                3_600_000,
            ),
            ("timer_budget", self.timer_budget.into(), 16, 1 << 20),
        ];
        ConfigFaults::check(ranges)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::for_max_io(nfs4_engine::Config::default().max_io)
    }
}

/// Room for RPC headers and the operations around a READ or WRITE, in bytes.
const HEADERS: u32 = 64 << 10;
/// What the engine adds for a session's headers, in bytes.
const LEAST_HEADERS: u32 = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported() {
        assert_eq!(Limits::default().validate(), Ok(()));
        let wrong = Limits {
            max_connections: 0,
            max_unsent: 10,
            stall_timeout: Duration::ZERO,
            ..Limits::default()
        };
        let ConfigFaults(faults) = wrong.validate().unwrap_err();
        let named: Vec<&str> = faults.iter().map(|fault| fault.setting).collect();
        assert_eq!(
            named,
            [
                "max_connections",
                "max_unsent",
                "stall_timeout (milliseconds)"
            ]
        );
    }
}
