//! What the administrator can ask for.

use alloc::boxed::Box;

use nfs4_proto::nfs4::basic::SessionId;

use crate::change::Change;
use crate::config::ConfigFaults;
use crate::ids::{ConnId, Hex};

/// What the administrator can ask for.
///
/// A request that cannot be carried out changes nothing; [`Engine::check_admin`](crate::Engine::check_admin) reports it beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    /// Take no new work by a connection, finish what it has begun, and close it.
    Drain {
        /// The connection.
        conn: ConnId,
    },
    /// Take new work by a draining connection again.
    StopDraining {
        /// The connection.
        conn: ConnId,
    },
    /// Evict a client with all that it has, whatever it is doing. Of a large one a part goes
    /// at once, sessions first, and the rest by and by; it counts as gone meanwhile.
    EvictClient {
        /// What the wire calls it, as [`ClientView`](crate::snapshot::ClientView) shows it.
        client: u64,
    },
    /// End a session, whatever runs in it. Its client, with all other that it has, stays.
    DestroySession {
        /// What the wire calls it.
        session: SessionId,
    },
    /// Continue with other settings.
    Configure(Box<Change>),
}

/// Why something that was asked for cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminFault {
    /// There is no such connection.
    #[error("there is no connection {0}")]
    NoConnection(ConnId),
    /// There is no such client.
    #[error("there is no client {0:016x}")]
    NoClient(u64),
    /// There is no such session.
    #[error("there is no session {}", Hex(&.0.0))]
    NoSession(SessionId),
    /// Settings would be out of range.
    #[error(transparent)]
    Settings(#[from] ConfigFaults),
}
