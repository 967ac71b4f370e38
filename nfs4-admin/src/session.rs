//! A session.

use serde::{Deserialize, Serialize};

/// A session of minor version 1 or 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Session {
    /// What the wire calls it: 32 hexadecimal digits.
    pub session_id: String,
    /// Its client: 16 hexadecimal digits.
    pub client_id: String,
    /// When it was created.
    pub created_at: String,
    /// Slots of its fore channel.
    pub fore_slots: u32,
    /// Slots of its backchannel that are used at most.
    pub back_slots: u32,
    /// Slots whose request is being executed.
    pub slots_in_use: u32,
    /// `csr_flags` as it was created. [RFC 8881 §18.36]
    pub flags: u32,
    /// Whether callbacks can be made.
    pub back_channel: BackChannel,
    /// Requests that were answered from the replay cache.
    pub replay_hits: u64,
    /// Its callbacks.
    pub callbacks: Callbacks,
    /// The connections bound to it.
    pub connections: Vec<SessionConnection>,
    /// The number of them, by direction.
    pub connection_summary: ConnectionSummary,
}

/// Whether the server can call the client by a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackChannel {
    /// The client asked for no backchannel, or offered nothing to secure it with.
    None,
    /// A connection for callbacks is bound.
    Ok,
    /// No connection for callbacks is bound.
    Down,
    /// There will be no more callbacks by this session.
    Fault,
}

/// The callbacks of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Callbacks {
    /// Callbacks that were accepted and have not ended.
    pub outstanding: u32,
    /// Callbacks that ended without a reply since the session was created.
    pub failed: u64,
}

/// A connection as one of a session's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct SessionConnection {
    /// Its number.
    pub connection_id: u64,
    /// Which channels of the session it serves.
    pub direction: Direction,
    /// What it runs over.
    pub conn_type: Transport,
    /// Where it comes from.
    pub peer: Option<String>,
    /// When it was bound to the session.
    pub bound_at: String,
    /// When a request of the session last came by it.
    pub last_activity: String,
    /// Whether it takes no new requests any more.
    pub draining: bool,
}

/// Which channels of a session a connection serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Direction {
    /// The fore channel.
    Fore,
    /// The backchannel.
    Back,
    /// Both channels.
    Both,
}

/// What a connection runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Transport {
    /// TCP, or another stream.
    Tcp,
    /// RDMA, which no driver offers yet.
    Rdma,
}

/// Number of connections of a session, by what they serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ConnectionSummary {
    /// The fore channel alone.
    pub fore: u32,
    /// The backchannel alone.
    pub back: u32,
    /// Both channels.
    pub both: u32,
    /// All together.
    pub total: u32,
}
