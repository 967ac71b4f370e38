//! A client.

use serde::{Deserialize, Serialize};

/// A client record of any minor version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Client {
    /// What the wire calls it: 16 hexadecimal digits.
    pub client_id: String,
    /// Where its last EXCHANGE_ID or SETCLIENTID came from.
    pub address: Option<String>,
    /// The version that it speaks, as in `4.1`.
    pub nfs_version: String,
    /// Whether its lease runs.
    pub lease_status: LeaseStatus,
    /// When its lease was last renewed.
    pub last_renewal: String,
    /// When its lease expired, if it has.
    pub expired_at: Option<String>,
    /// Whether the client has confirmed the record.
    pub confirmed: bool,
    /// `co_ownerid`; bytes that are no text are escaped.
    pub owner: String,
    /// Number of times that it took its owner name back from another client.
    pub comebacks: u32,
    /// The name of its implementation.
    pub impl_name: Option<String>,
    /// The domain of its implementer.
    pub impl_domain: Option<String>,
    /// Number of its sessions.
    pub sessions: u32,
    /// Number of files that its owners have open.
    pub opens: u32,
    /// Number of its lock stateids.
    pub locks: u32,
    /// Number of its delegations.
    pub delegations: u32,
    /// What it has done since the record was made.
    pub traffic: Traffic,
}

/// Whether a lease runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LeaseStatus {
    /// The lease runs.
    Active,
    /// The lease has run out, and the client's state is removed next.
    Expired,
    /// The lease has run out, and the client's state is kept until another client needs it.
    Courtesy,
}

/// What a client has done: counters that only rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Traffic {
    /// COMPOUNDs that were answered.
    pub compounds: u64,
    /// Operations executed.
    pub operations: u64,
    /// Bytes that READ returned.
    pub bytes_read: u64,
    /// Bytes that WRITE wrote.
    pub bytes_written: u64,
    /// Time from the arrival of all its COMPOUNDs to their replies, in microseconds.
    pub busy_micros: u64,
}
