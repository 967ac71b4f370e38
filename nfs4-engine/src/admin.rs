//! What the administrator can ask for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::SessionId;

use crate::change::Change;
use crate::config::ConfigFaults;
use crate::export::{Export, ExportFaults};
use crate::ids::{ConnId, Hex};

/// What the administrator can ask for.
///
/// A request that cannot be carried out changes nothing; [`Engine::check_admin`](crate::Engine::check_admin) reports it beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admin {
    /// Drain a connection: it gets no new work, finishes what it has begun, and is closed.
    Drain {
        /// The connection.
        conn: ConnId,
    },
    /// Stop draining: the connection takes new work again.
    StopDraining {
        /// The connection.
        conn: ConnId,
    },
    /// Evict a client with all its state, whatever it is doing. Of a large one a part goes at once,
    /// sessions first, and the rest part by part; it counts as gone meanwhile.
    EvictClient {
        /// Its id on the wire, as in [`ClientView`](crate::snapshot::ClientView).
        client: u64,
    },
    /// Destroy a session, whatever runs in it. Its client stays, with all its other state.
    DestroySession {
        /// Its id on the wire.
        session: SessionId,
    },
    /// End the grace period, if it runs: new opens and locks are granted, and clients reclaim no more.
    EndGrace,
    /// Change settings.
    Configure(Box<Change>),
    /// Add an export, or change the options of the one at its path. With another file system than the one
    /// at its path, that one is removed, and the new one gets another number.
    ///
    /// Options hold from the next operation on. When no host may write any more, write delegations are
    /// recalled. State of hosts that may not use the export any more stays until they give it back or
    /// their leases end.
    PutExport(Box<Export>),
    /// Remove an export. Its filehandles are STALE at once; opens, locks and delegations of its files end
    /// part by part. Clients stay, with all other state.
    RemoveExport {
        /// Its path.
        path: String,
    },
    /// Make these the exports, all at once: those of file systems that are served are changed, also to
    /// another path, others are added, and those that are not in the list are removed.
    SetExports(Vec<Export>),
}

/// Why a request cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    /// There is no export at this path.
    #[error("there is no export at \"{0}\"")]
    NoExport(String),
    /// The exports cannot be served so.
    #[error(transparent)]
    Exports(#[from] ExportFaults),
}
