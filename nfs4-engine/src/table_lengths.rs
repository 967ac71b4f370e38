//! How long the engine's tables are.

/// How long the engine's tables are, for tests and for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableLengths {
    /// Connections that are open.
    pub connections: usize,
    /// Client records, confirmed or not.
    pub clients: usize,
    /// Sessions.
    pub sessions: usize,
    /// Open owners and lock owners.
    pub owners: usize,
    /// Opens: one for each owner and file.
    pub opens: usize,
    /// Lock stateids: one for each lock owner and open.
    pub locks: usize,
    /// Files with opens, locks or delegations.
    pub files: usize,
    /// Denied locks that requests wait for.
    pub waiting: usize,
    /// Callbacks that are accepted and not ended.
    pub callbacks: usize,
    /// Callbacks on the wire, also those that no request waits for any more.
    pub flights: usize,
    /// Delegations that clients have for reading.
    pub read_delegations: usize,
    /// Delegations that clients have for writing.
    pub write_delegations: usize,
    /// Delegations that were revoked, which their clients have not acknowledged.
    pub revoked_delegations: usize,
    /// COMPOUNDs that wait for a file system.
    pub parked: usize,
    /// Replies of minor version 0 kept for retries.
    pub kept_replies: usize,
    /// COMPOUNDs that wait for what a client answers.
    pub held: usize,
    /// COMPOUNDs that let others have their turn.
    pub yielded: usize,
    /// Bytes of replies kept for replay.
    pub cached_bytes: usize,
    /// Reminders that are set, those of what has gone since included.
    pub timers: usize,
}
