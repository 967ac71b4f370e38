//! The protocol's settings.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use nfs4_proto::nfs4::opnum::Op;

use crate::server_address::{ServerAddress, ServerAddressFault, faults_of};

/// The protocol's settings.
///
/// ```
/// use core::time::Duration;
/// use nfs4_engine::Config;
///
/// let config = Config::default().with(|config| {
///     config.lease = Duration::from_secs(30);
///     config.max_clients = 100;
/// });
/// assert_eq!(config.validate(), Ok(()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The lease: how long a client may be silent before it loses its state.
    pub lease: Duration,
    /// The grace period: how long after a start new opens and locks get GRACE, while clients reclaim what
    /// they had. With stable storage ([`Boot::recovered`](crate::Boot::recovered)) there is none without
    /// clients that may reclaim, it ends when all of them have done so, and zero, the default, stands for
    /// the lease, or the longest lease that one of them was given. It should not be shorter than that.
    /// Without stable storage zero is none, and nothing is reclaimed. [RFC 8881 §8.4.2.1]
    pub grace: Duration,
    /// The lowest minor version that is served, 0 to 2.
    pub min_minor_version: u32,
    /// The highest minor version that is served, 0 to 2.
    pub max_minor_version: u32,
    /// Maximum number of slots of the fore channel of a session.
    pub fore_slots: u32,
    /// Maximum payload of a READ or WRITE, in bytes; channels grant as much, and headers.
    pub max_io: u32,
    /// Maximum length of a reply that is kept for replay, in bytes.
    pub max_cached_reply: u32,
    /// Maximum bytes of replies kept for replay, in all sessions; each peer has a share: see
    /// [`Config::max_clients`]. Replies of up to 1 KiB are kept beyond it, so that no client is locked
    /// out, until one host has half of all.
    pub max_reply_cache: u64,
    /// Maximum number of operations of a COMPOUND.
    pub max_operations: u32,
    /// Maximum number of sessions of a client.
    pub sessions_per_client: u32,
    /// Maximum number of sessions of all clients together; each peer has a share: see
    /// [`Config::max_clients`].
    pub max_sessions: u32,
    /// Maximum number of connections bound to a session; 0 is no limit.
    pub max_connections_per_session: u32,
    /// What BIND_CONN_TO_SESSION does to a connection's other bindings.
    pub binding_policy: BindingPolicy,
    /// How long a draining connection may take to finish the requests that it has begun.
    pub drain_deadline: Duration,
    /// How long a client may take to answer a callback before it is sent again by another connection.
    /// Requests for the attributes of a file with a write delegation are answered within that time, and
    /// the delegation is recalled if its holder has not answered by then.
    pub callback_timeout: Duration,
    /// How long to wait before a callback is sent for the second time; twice as long before the
    /// third, which is the last.
    pub callback_pause: Duration,
    /// Operations that get NOTSUPP although they are implemented.
    pub blocked_operations: Vec<Op>,
    /// Maximum number of client records. Each peer, a principal at an address, has a share of them,
    /// however many client ids it uses: at most a third, and less the more other peers have.
    pub max_clients: u32,
    /// Maximum number of opens of a client; an OPEN beyond it gets an error.
    pub max_opens_per_client: u32,
    /// Maximum number of opens, lock stateids, locked ranges, waiting locks and delegations, of all
    /// clients together; a range counts for each owner that has it locked. Each peer has a share: see
    /// [`Config::max_clients`].
    pub max_states: u32,
    /// Whether files are delegated to clients that can be called back. [RFC 8881 §10.4] Files of a
    /// file system that is not [private](crate::fs::Backend::is_private) are not.
    pub delegations: bool,
    /// Maximum number of delegations of a client, revoked and unacknowledged ones included.
    pub max_delegations_per_client: u32,
    /// Maximum number of delegations of all clients together; each peer has a share.
    pub max_delegations: u32,
    /// How long after a recall its file is not delegated again.
    pub delegation_pause: Duration,
    /// How long a client gets no delegations after the server has revoked one that the client did not
    /// return, whatever client id it uses by then; zero for no penalty. When four clients of a peer did so
    /// within that time, or sixteen at an address, none of its other clients gets any.
    pub delegation_penalty: Duration,
    /// The addresses of this server, at most 16. Clients that ask for the attribute fs_locations get
    /// all of them in this order, and can spread the connections of a session over them; without any
    /// the attribute is not served. [RFC 8881 §11.16]
    pub server_addresses: Vec<ServerAddress>,
    /// Time after which a request or a callback is reported as slow, by
    /// [`Event::SlowRequest`](crate::Event::SlowRequest) and
    /// [`Event::SlowCallback`](crate::Event::SlowCallback); zero, the default, for never.
    pub slow_request: Duration,
    /// How long the state of a client whose lease has expired is kept, counted from the end of the lease, as
    /// long as no other client needs any of it and there is room; zero to remove it at that end.
    /// [RFC 8881 §8.4.2.4, RFC 7530 §9.6.3.1]
    pub courtesy: Duration,
}

/// What an explicit BIND_CONN_TO_SESSION does to a connection's bindings to other sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingPolicy {
    /// BIND_CONN_TO_SESSION ends them.
    #[default]
    Exclusive,
    /// BIND_CONN_TO_SESSION leaves them. [RFC 8881 §2.10.3.1]
    Shared,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            lease: Duration::from_secs(90),
            grace: Duration::ZERO,
            min_minor_version: 0,
            max_minor_version: 2,
            fore_slots: 64,
            max_io: 1 << 20,
            max_cached_reply: 64 << 10,
            max_reply_cache: 256 << 20,
            max_operations: 64,
            sessions_per_client: 16,
            max_sessions: 16_384,
            max_connections_per_session: 16,
            binding_policy: BindingPolicy::Exclusive,
            drain_deadline: Duration::from_secs(30),
            callback_timeout: Duration::from_secs(10),
            callback_pause: Duration::from_secs(5),
            blocked_operations: Vec::new(),
            max_clients: 16_384,
            max_opens_per_client: 65_536,
            max_states: 1 << 20,
            delegations: true,
            max_delegations_per_client: 16_384,
            max_delegations: 1 << 18,
            delegation_pause: Duration::from_secs(10),
            delegation_penalty: Duration::from_secs(3_600),
            server_addresses: Vec::new(),
            slow_request: Duration::ZERO,
            courtesy: Duration::from_secs(86_400),
        }
    }
}

impl Config {
    /// These settings, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Config)) -> Config {
        set(&mut self);
        self
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// Every setting that is out of its range, not just the first.
    pub fn validate(&self) -> Result<(), ConfigFaults> {
        let seconds = |span: Duration| span.as_secs();
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let ranges = [
            ("lease (seconds)", seconds(self.lease), 1, 3_600),
            ("grace (seconds)", seconds(self.grace), 0, 3_600),
            ("min_minor_version", self.min_minor_version.into(), 0, 2),
            (
                "max_minor_version",
                self.max_minor_version.into(),
                self.min_minor_version.into(),
                2,
            ),
            ("fore_slots", self.fore_slots.into(), 1, 1_024),
            ("max_io", self.max_io.into(), 4_096, 16 << 20),
            (
                "max_cached_reply",
                self.max_cached_reply.into(),
                512,
                1 << 20,
            ),
            (
                "max_reply_cache",
                self.max_reply_cache,
                self.max_cached_reply.into(),
                1 << 40,
            ),
            ("max_operations", self.max_operations.into(), 8, 1_024),
            (
                "sessions_per_client",
                self.sessions_per_client.into(),
                1,
                1_024,
            ),
            ("max_sessions", self.max_sessions.into(), 1, 1 << 20),
            (
                "max_connections_per_session",
                self.max_connections_per_session.into(),
                0,
                1_024,
            ),
            (
                "drain_deadline (seconds)",
                seconds(self.drain_deadline),
                0,
                3_600,
            ),
            (
                "callback_timeout (milliseconds)",
                millis(self.callback_timeout),
                10,
                600_000,
            ),
            (
                "callback_pause (milliseconds)",
                millis(self.callback_pause),
                1,
                600_000,
            ),
            ("max_clients", self.max_clients.into(), 1, 1 << 16),
            (
                "max_opens_per_client",
                self.max_opens_per_client.into(),
                1,
                1 << 24,
            ),
            // Stateids have 28 bits for the place in a table.
            ("max_states", self.max_states.into(), 16, 1 << 26),
            (
                "max_delegations_per_client",
                self.max_delegations_per_client.into(),
                1,
                1 << 24,
            ),
            ("max_delegations", self.max_delegations.into(), 1, 1 << 26),
            (
                "delegation_pause (seconds)",
                seconds(self.delegation_pause),
                0,
                3_600,
            ),
            (
                "delegation_penalty (seconds)",
                seconds(self.delegation_penalty),
                0,
                86_400,
            ),
            (
                "slow_request (milliseconds)",
                millis(self.slow_request),
                0,
                3_600_000,
            ),
            ("courtesy (seconds)", seconds(self.courtesy), 0, 2_592_000),
            // Linux checks the first ten.
            (
                "server_addresses (how many)",
                self.server_addresses.len() as u64,
                0,
                16,
            ),
        ];
        let mut faults = ConfigFaults::check(ranges).err().unwrap_or_default();
        let wrong = faults_of(&self.server_addresses);
        faults.0.extend(wrong.map(|(address, fault)| ConfigFault {
            setting: "server_addresses",
            reason: FaultReason::Address(address.clone(), fault),
        }));
        if faults.0.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// All faults of a [`Config`], or of other settings that have ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct ConfigFaults(pub Vec<ConfigFault>);

impl ConfigFaults {
    /// Checks settings against their ranges, each a name, a value, and the least and the greatest
    /// allowed value.
    ///
    /// # Errors
    /// All settings that are out of their range.
    pub fn check(
        ranges: impl IntoIterator<Item = (&'static str, u64, u64, u64)>,
    ) -> Result<(), ConfigFaults> {
        let outside = ranges
            .into_iter()
            .filter(|(_, value, min, max)| value < min || value > max);
        let faults: Vec<ConfigFault> = outside
            .map(|(setting, value, min, max)| ConfigFault {
                setting,
                reason: FaultReason::Range { value, min, max },
            })
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ConfigFaults(faults))
        }
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// A setting that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {reason}")]
#[non_exhaustive]
pub struct ConfigFault {
    /// The name of the setting.
    pub setting: &'static str,
    /// The fault.
    pub reason: FaultReason,
}

/// The fault of a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultReason {
    /// The value is out of its range.
    #[error("is {value}, but must be from {min} to {max}")]
    Range {
        /// The value.
        value: u64,
        /// The least allowed value.
        min: u64,
        /// The greatest allowed value.
        max: u64,
    },
    /// It has an address that clients cannot be sent.
    #[error("has {0}: {1}")]
    Address(ServerAddress, ServerAddressFault),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported() {
        assert_eq!(Config::default().validate(), Ok(()));
        let wrong = Config {
            fore_slots: 0,
            max_minor_version: 3,
            ..Config::default()
        };
        let ConfigFaults(faults) = wrong.validate().unwrap_err();
        let named: Vec<&str> = faults.iter().map(|fault| fault.setting).collect();
        assert_eq!(named, ["max_minor_version", "fore_slots"]);
    }
}
