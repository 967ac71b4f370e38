//! What whoever is in charge of the server can ask for.

use alloc::boxed::Box;

use nfs4_proto::nfs4::basic::SessionId;

use crate::action::Outbox;
use crate::change::Change;
use crate::config::ConfigFaults;
use crate::core::Core;
use crate::engine::Engine;
use crate::event::{ClientGone, SessionGone};
use crate::ids::{ConnId, Hex};
use crate::keys::ClientKey;
use crate::state::table::WALKED_AT_ONCE;
use crate::time::Now;
use crate::timer::Due;

/// What whoever is in charge of the server can ask for.
///
/// What cannot be done changes nothing; [`Engine::check_admin`] says beforehand what that is.
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
    /// Throw a client away with all that it has, whatever it is doing. Of a large one a part goes
    /// at once, its sessions among that, and the rest by and by; it counts as gone meanwhile.
    EvictClient {
        /// What the wire calls it, as [`ClientView`](crate::snapshot::ClientView) shows it.
        client: u64,
    },
    /// End a session, whatever runs in it. Its client, with all other that it has, stays.
    DestroySession {
        /// What the wire calls it.
        session: SessionId,
    },
    /// Go on with other settings.
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

impl Engine {
    /// Whether something can be done that whoever is in charge asks for.
    ///
    /// # Errors
    /// There is nothing of that name, or settings would be out of their range: then all of those.
    pub fn check_admin(&self, admin: &Admin) -> Result<(), AdminFault> {
        let core = &self.core;
        match admin {
            Admin::Drain { conn } | Admin::StopDraining { conn } => {
                let found = core.connections.get(*conn);
                found.map(|_| ()).ok_or(AdminFault::NoConnection(*conn))
            }
            Admin::EvictClient { client } => {
                let found = core.clients.by_id(*client);
                found.map(|_| ()).ok_or(AdminFault::NoClient(*client))
            }
            Admin::DestroySession { session } => {
                let found = core.sessions.by_id(session);
                found.map(|_| ()).ok_or(AdminFault::NoSession(*session))
            }
            Admin::Configure(change) => Ok(change.made_to(&core.config).map(|_| ())?),
        }
    }

    /// Does what can be done of it.
    pub(crate) fn administer(&mut self, now: Now, admin: Admin, out: &mut Outbox) {
        match admin {
            Admin::Drain { conn } => self.drain(now, conn, out),
            Admin::StopDraining { conn } => self.stop_draining(now, conn, out),
            Admin::EvictClient { client } => {
                if let Some(key) = self.core.clients.by_id(client) {
                    self.core.evict(key, now, out);
                }
            }
            Admin::DestroySession { session } => {
                if let Some(key) = self.core.sessions.by_id(&session) {
                    let reason = SessionGone::Evicted;
                    self.core.destroy_session(key, reason, now, out);
                }
            }
            Admin::Configure(change) => self.core.configure(&change, now),
        }
    }
}

impl Core {
    /// Removes a client with all that it has; what takes long is left to its reminder.
    fn evict(&mut self, key: ClientKey, now: Now, out: &mut Outbox) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        client.going = Some(ClientGone::Evicted);
        // Its sessions go first, all of them.
        let mut budget = client.sessions.len().max(WALKED_AT_ONCE);
        if !self.remove_client(key, ClientGone::Evicted, now, &mut budget, out) {
            self.remind(now.mono, Due::Lease(key));
        }
    }
}
