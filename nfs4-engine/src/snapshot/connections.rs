//! Views of connections.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::SessionId;

use crate::connection::Binding;
use crate::direction::Direction;
use crate::engine::Engine;
use crate::ids::ConnId;
use crate::time::Wall;

/// A connection as one of a session's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionView {
    /// Its number.
    pub connection_id: ConnId,
    /// Which channels of the session it serves.
    pub direction: Direction,
    /// What it runs over.
    pub conn_type: ConnectionType,
    /// Where it comes from.
    pub peer: Option<Box<str>>,
    /// When it was bound to the session.
    pub bound_at: Wall,
    /// When a request of the session last came by it.
    pub last_activity: Wall,
    /// Whether it takes no new work any more.
    pub draining: bool,
}

/// A connection, whether it is bound to a session or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its number.
    pub connection_id: ConnId,
    /// What it runs over.
    pub conn_type: ConnectionType,
    /// Where it comes from.
    pub peer: Option<Box<str>>,
    /// When it was opened.
    pub opened_at: Wall,
    /// Whether it takes no new work any more.
    pub draining: bool,
    /// The client of minor version 0 that it is used for: that to which the server made it for callbacks, or that
    /// at its host which its requests concerned last.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "super::json::optional_client")
    )]
    pub client_id: Option<u64>,
    /// The sessions that it is bound to.
    pub sessions: Vec<BoundSession>,
}

/// A session that a connection is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BoundSession {
    /// The session.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::json::session"))]
    pub session_id: SessionId,
    /// Its client.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::json::client"))]
    pub client_id: u64,
    /// Which channels of the session it serves.
    pub direction: Direction,
}

/// What a connection runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum ConnectionType {
    /// TCP.
    Tcp,
}

impl Engine {
    /// A connection; none if it is closed. A driver knows which connections there are.
    pub fn connection_view(&self, conn: ConnId) -> Option<ConnectionInfo> {
        let core = &self.runner.core;
        let found = core.connections.get(conn)?;
        let client = found.client().and_then(|key| core.clients.get(key));
        // A stateid does not prove its sender: another host may have learned it.
        let is_called = found.serves().is_some();
        let client = client.filter(|client| is_called || client.peer.host == found.host.host);
        let bound = found.sessions.iter().filter_map(|key| {
            let session = core.sessions.get(*key)?;
            Some(BoundSession {
                session_id: session.id,
                client_id: core.clients.get(session.client)?.id,
                direction: session.bindings.find(conn)?.direction,
            })
        });
        Some(ConnectionInfo {
            connection_id: conn,
            conn_type: ConnectionType::Tcp,
            peer: Some(found.peer.as_str().into()),
            opened_at: found.opened,
            draining: core.connections.is_draining(conn),
            client_id: client.map(|client| client.id),
            sessions: bound.collect(),
        })
    }

    pub(super) fn connection(&self, binding: &Binding) -> ConnectionView {
        let connections = &self.runner.core.connections;
        let found = connections.get(binding.conn);
        ConnectionView {
            connection_id: binding.conn,
            direction: binding.direction,
            conn_type: ConnectionType::Tcp,
            peer: found.map(|connection| connection.peer.as_str().into()),
            bound_at: binding.bound_at,
            last_activity: binding.last_activity.wall,
            draining: connections.is_draining(binding.conn),
        }
    }
}
