//! A connection, whether it serves a session or not.

use serde::{Deserialize, Serialize};

use super::session::{Direction, Transport};

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Connection {
    /// Its number.
    pub connection_id: u64,
    /// What it runs over.
    pub conn_type: Transport,
    /// Where it comes from.
    pub peer: Option<String>,
    /// When it was opened.
    pub opened_at: String,
    /// Whether it takes no new requests any more.
    pub draining: bool,
    /// The client of minor version 0 that uses it: 16 hexadecimal digits.
    pub client_id: Option<String>,
    /// The sessions that it is bound to.
    pub sessions: Vec<BoundSession>,
}

/// A session that a connection is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct BoundSession {
    /// The session: 32 hexadecimal digits.
    pub session_id: String,
    /// Its client: 16 hexadecimal digits.
    pub client_id: String,
    /// Which channels of the session the connection serves.
    pub direction: Direction,
}
