//! The lengths of the engine's tables.

/// The lengths of the engine's tables, for tests and for administrators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableLengths {
    /// Connections that are open.
    pub connections: usize,
    /// Client records, confirmed or not.
    pub clients: usize,
    /// Client records whose lease has expired and whose state is kept.
    pub courteous_clients: usize,
    /// Sessions.
    pub sessions: usize,
    /// Open-owners and lock-owners.
    pub owners: usize,
    /// Opens: one for each open-owner and file.
    pub opens: usize,
    /// Lock stateids: one for each lock-owner and open.
    pub locks: usize,
    /// Files that a client has open.
    pub files: usize,
    /// Denied locks that a client waits for.
    pub waiting: usize,
    /// Opens, and those about to be made, lock stateids, locked ranges, locks that are waited for, and
    /// delegations, and [`TableLengths::lost_states`]: what [`Config::max_states`](crate::Config::max_states) limits.
    pub states: usize,
    /// Callbacks that are accepted and not ended.
    pub callbacks: usize,
    /// Callbacks on the wire, those included whose result is of no interest any more.
    pub flights: usize,
    /// Read delegations that clients hold.
    pub read_delegations: usize,
    /// Write delegations that clients hold.
    pub write_delegations: usize,
    /// Revoked delegations that their clients have not acknowledged.
    pub revoked_delegations: usize,
    /// Opens and lock stateids that were revoked after the lease had expired, and whose clients have not
    /// acknowledged it.
    pub lost_states: usize,
    /// COMPOUNDs that wait for a file system.
    pub parked: usize,
    /// Replies of minor version 0 that are kept for retransmissions.
    pub kept_replies: usize,
    /// COMPOUNDs that wait for the reply to a callback.
    pub held: usize,
    /// Writes to stable storage that are under way.
    pub stores: usize,
    /// COMPOUNDs that wait for stable storage.
    pub storing: usize,
    /// COMPOUNDs that have yielded to others.
    pub yielded: usize,
    /// Bytes of replies kept for replay.
    pub cached_bytes: usize,
    /// Timers that are set, those of removed entries included.
    pub timers: usize,
}
