//! What has happened.

use serde::{Deserialize, Serialize};

use super::session::Direction;

/// A fact, and when it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Event {
    /// Its number: higher than that of the event before it, and by how much says nothing.
    pub number: u64,
    /// When it was.
    pub at: String,
    /// What has happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What has happened; `kind` says which, and is the name of the server-sent event.
///
/// Client ids have 16 hexadecimal digits, session ids 32.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// A client has confirmed its record.
    ClientConfirmed {
        /// The client.
        client_id: String,
        /// The connection that it confirmed by.
        connection_id: u64,
        /// Where that comes from.
        peer: String,
    },
    /// A client's state was removed.
    ClientGone {
        /// The client.
        client_id: String,
        /// Why: `lease_expired`, `client_request`, `replaced`, `admin_evict` or `crowded`.
        reason: String,
    },
    /// A client's lease has expired, and its state is kept until another client needs it.
    ClientCourteous {
        /// The client.
        client_id: String,
    },
    /// A client whose lease had expired has come back.
    ClientReturned {
        /// The client.
        client_id: String,
    },
    /// Two clients use one owner name and replace each other.
    SharedOwner {
        /// The name; bytes that are no text are escaped.
        owner: String,
        /// How often in a row a replaced client has come back.
        times: u32,
    },
    /// A session was created.
    SessionCreated {
        /// The session.
        session_id: String,
        /// Its client.
        client_id: String,
        /// The connection that it was created by.
        connection_id: u64,
        /// Slots of its fore channel.
        slots: u32,
    },
    /// A session was destroyed.
    SessionDestroyed {
        /// The session.
        session_id: String,
        /// Why: `client_request`, `lease_expired`, `replaced` or `admin_evict`.
        reason: String,
    },
    /// A connection was bound to a session, or in another direction.
    ConnectionBound {
        /// The connection.
        connection_id: u64,
        /// The session.
        session_id: String,
        /// The channels that it serves.
        direction: Direction,
    },
    /// A connection is not bound to a session any more.
    ConnectionUnbound {
        /// The connection.
        connection_id: u64,
        /// The session.
        session_id: String,
        /// Why: `explicit`, `disconnect`, `session_destroy` or `reaper`.
        reason: String,
    },
    /// A connection carries no callbacks of a session any more, although it is open.
    BackChannelLost {
        /// The connection.
        connection_id: u64,
        /// The session.
        session_id: String,
        /// What the client did: `silent`, `garbled`, `refused` or `half_closed`.
        reason: String,
    },
    /// A session can carry no more callbacks.
    BackChannelFault {
        /// The session.
        session_id: String,
    },
    /// A file was delegated.
    DelegationGranted {
        /// The client.
        client_id: String,
        /// `read` or `write`.
        delegation: String,
    },
    /// A delegation is recalled.
    DelegationRecalled {
        /// The client.
        client_id: String,
        /// `read` or `write`.
        delegation: String,
        /// Why: `conflict`, `resource_pressure`, `admin` or `directory_deleted`.
        reason: String,
    },
    /// A delegation was revoked.
    DelegationRevoked {
        /// The client.
        client_id: String,
        /// `read` or `write`.
        delegation: String,
    },
    /// The grace period ended.
    GraceEnded {
        /// Why: `over`, `admin` when the administrator ended it, or `reclaimed` when all clients that could
        /// reclaim state have done so.
        reason: String,
    },
    /// An export was added.
    ExportAdded {
        /// The path at which clients find it.
        pseudo: String,
    },
    /// The options of an export were changed.
    ExportChanged {
        /// The path at which clients find it.
        pseudo: String,
    },
    /// An export was removed.
    ExportRemoved {
        /// The path at which clients found it.
        pseudo: String,
    },
    /// Settings were changed.
    SettingsChanged {
        /// The names of those whose value changed.
        settings: Vec<String>,
    },
}

impl Event {
    /// A fact, its number, and when it was in RFC 3339.
    pub fn new(number: u64, at: impl Into<String>, fact: Fact) -> Event {
        Event {
            number,
            at: at.into(),
            fact,
        }
    }
}

impl Fact {
    /// All kinds.
    pub const KINDS: [&str; 19] = [
        "client_confirmed",
        "client_gone",
        "client_courteous",
        "client_returned",
        "shared_owner",
        "session_created",
        "session_destroyed",
        "connection_bound",
        "connection_unbound",
        "back_channel_lost",
        "back_channel_fault",
        "delegation_granted",
        "delegation_recalled",
        "delegation_revoked",
        "grace_ended",
        "export_added",
        "export_changed",
        "export_removed",
        "settings_changed",
    ];

    /// Its kind, as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Fact::ClientConfirmed { .. } => "client_confirmed",
            Fact::ClientGone { .. } => "client_gone",
            Fact::ClientCourteous { .. } => "client_courteous",
            Fact::ClientReturned { .. } => "client_returned",
            Fact::SharedOwner { .. } => "shared_owner",
            Fact::SessionCreated { .. } => "session_created",
            Fact::SessionDestroyed { .. } => "session_destroyed",
            Fact::ConnectionBound { .. } => "connection_bound",
            Fact::ConnectionUnbound { .. } => "connection_unbound",
            Fact::BackChannelLost { .. } => "back_channel_lost",
            Fact::BackChannelFault { .. } => "back_channel_fault",
            Fact::DelegationGranted { .. } => "delegation_granted",
            Fact::DelegationRecalled { .. } => "delegation_recalled",
            Fact::DelegationRevoked { .. } => "delegation_revoked",
            Fact::GraceEnded { .. } => "grace_ended",
            Fact::ExportAdded { .. } => "export_added",
            Fact::ExportChanged { .. } => "export_changed",
            Fact::ExportRemoved { .. } => "export_removed",
            Fact::SettingsChanged { .. } => "settings_changed",
        }
    }
}
