//! Binding connections to sessions: by CREATE_SESSION and SEQUENCE, which add an association, and
//! by BIND_CONN_TO_SESSION, which may move one. [RFC 8881 §2.10.3.1, §18.34]

use alloc::string::String;

use nfs4_proto::nfs4::status::Status;

use crate::action::{Action, Outbox};
use crate::config::BindingPolicy;
use crate::connection::Binding;
use crate::core::Core;
use crate::direction::Direction;
use crate::event::{BackChannelLost, Event, SessionGone, Unbound};
use crate::ids::ConnId;
use crate::keys::{ClientKey, SessionKey};
use crate::session::table::Session;
use crate::time::Wall;

impl Core {
    /// Binds the connection that a session was created by, or that a request of it arrived on; if it
    /// cannot be bound, the session is served all the same.
    pub(crate) fn associate(
        &mut self,
        session: SessionKey,
        conn: ConnId,
        direction: Direction,
        out: &mut Outbox,
    ) {
        let bound = self
            .sessions
            .get(session)
            .is_some_and(|s| s.bindings.contains(conn));
        if bound {
            return;
        }
        self.mark_client_known(conn, None, out);
        let binding = Binding::new(conn, direction, out.now);
        if self.has_place(conn, SESSIONS_PER_CONNECTION) && self.make_room(session, direction, out)
        {
            self.add_binding(session, binding, out);
        } else {
            out.metrics.unbound_request();
        }
    }

    /// Binds a connection at the client's request, or changes the direction of a binding.
    ///
    /// # Errors
    /// INVAL if the session were left without a fore channel, RESOURCE if it has its maximum number of
    /// connections. A refusal changes nothing but that silent connections may
    /// have been unbound.
    pub(crate) fn bind(
        &mut self,
        key: SessionKey,
        conn: ConnId,
        direction: Direction,
        out: &mut Outbox,
    ) -> Result<(), Status> {
        let now = out.now;
        let session = self.sessions.get_mut(key).ok_or(Status::BADSESSION)?;
        if !direction.is_fore() && !session.bindings.has_fore_besides(conn) {
            return Err(Status::INVAL);
        }
        let id = session.id;
        if let Some(binding) = session.bindings.find_mut(conn) {
            let before = core::mem::replace(&mut binding.direction, direction);
            binding.last_activity = now;
            self.connections.redirect(conn, before, direction);
            out.event(Event::Bound {
                conn,
                session: id,
                direction,
            });
        } else {
            // Bindings that this request ends do not count.
            let most = match self.config.binding_policy {
                BindingPolicy::Exclusive => usize::MAX,
                BindingPolicy::Shared => SESSIONS_PER_CONNECTION,
            };
            if !self.has_place(conn, most) || !self.make_room(key, direction, out) {
                return Err(Status::RESOURCE);
            }
            // Its requests find it bound already, and would not notify the driver.
            self.mark_client_known(conn, None, out);
            self.add_binding(key, Binding::new(conn, direction, now), out);
        }
        if self.config.binding_policy == BindingPolicy::Exclusive {
            self.unbind_from_others(key, conn, out);
        }
        if direction.is_back() {
            if let Some(session) = self.sessions.get_mut(key) {
                session.back.wanted = true;
            }
            self.resume_soon(key);
        }
        Ok(())
    }

    /// The client behind a connection is known from now on; in minor version 0 it is this one.
    pub(crate) fn mark_client_known(
        &mut self,
        conn: ConnId,
        client: Option<ClientKey>,
        out: &mut Outbox,
    ) {
        if self.connections.become_known(conn, client) {
            out.push(Action::Known { conn });
        }
    }

    /// A connection was opened.
    pub(crate) fn connection_opened(&mut self, conn: ConnId, peer: String, opened: Wall) {
        let host = self.peers.host(&peer);
        self.connections.open(conn, peer, host, opened);
    }

    /// A connection is closed: nothing but its bindings goes with it. Callbacks that were under way
    /// on it are sent by others.
    pub(crate) fn connection_closed(&mut self, conn: ConnId, out: &mut Outbox) {
        let Some(connection) = self.connections.close(conn) else {
            return;
        };
        for session in &connection.sessions {
            if let Some(session) = self.sessions.get_mut(*session)
                && session.bindings.remove(conn).is_some()
            {
                let reason = Unbound::Disconnect;
                out.event(Event::Unbound {
                    conn,
                    session: session.id,
                    reason,
                });
            }
        }
        let serves = connection.serves();
        self.lose_flights(connection.flights, out);
        if let Some(client) = serves {
            self.path_lost(client, conn, out);
        }
        for session in connection.sessions {
            self.pump(session, out);
        }
        self.peers.release(connection.host);
    }

    /// The peer of a connection sends nothing more: callbacks leave by others, those included that
    /// were under way on it.
    pub(crate) fn connection_half_closed(&mut self, conn: ConnId, out: &mut Outbox) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let flights = core::mem::take(&mut connection.flights);
        let sessions = connection.sessions.clone();
        for session in &sessions {
            self.leave_back_channel(*session, conn, BackChannelLost::HalfClosed, out);
        }
        self.lose_flights(flights, out);
        for session in sessions {
            self.pump(session, out);
        }
    }

    /// Unbinds all connections of a session that ends.
    pub(crate) fn unbind_all(
        &mut self,
        key: SessionKey,
        session: &Session,
        reason: SessionGone,
        out: &mut Outbox,
    ) {
        let reason = match reason {
            SessionGone::LeaseExpired => Unbound::Reaper,
            SessionGone::Request | SessionGone::Replaced | SessionGone::Evicted => {
                Unbound::SessionDestroyed
            }
        };
        for binding in session.bindings.iter() {
            self.connections
                .unbind(binding.conn, key, binding.direction);
            out.event(Event::Unbound {
                conn: binding.conn,
                session: session.id,
                reason,
            });
        }
    }

    /// Whether a session may have one more connection, of this direction; silent ones are unbound.
    fn make_room(&mut self, key: SessionKey, direction: Direction, out: &mut Outbox) -> bool {
        let limit = self.config.max_connections_per_session as usize;
        loop {
            let Some(session) = self.sessions.get(key) else {
                return false;
            };
            let bound = session.bindings.len();
            if limit == 0 || bound < limit {
                return true;
            }
            // A session that was left with more than its maximum gains no room by one that goes, and so
            // must not count on the new one.
            let to = if bound > limit {
                Direction::Back
            } else {
                direction
            };
            let lease = self.lease_length(session.client);
            let Some(silent) = session.bindings.silent(out.now.mono, lease, to) else {
                return false;
            };
            self.unbind(key, silent, Unbound::Reaper, out);
        }
    }

    /// Whether a connection is there, and bound to fewer than `most` sessions; one that the driver
    /// has closed meanwhile is not.
    fn has_place(&self, conn: ConnId, most: usize) -> bool {
        let connection = self.connections.get(conn);
        connection.is_some_and(|connection| connection.sessions.len() < most)
    }

    fn add_binding(&mut self, key: SessionKey, binding: Binding, out: &mut Outbox) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let Binding {
            conn, direction, ..
        } = binding;
        if self.connections.get(conn).is_none() {
            return;
        }
        self.connections.bind(conn, key, direction);
        session.bindings.add(binding);
        out.event(Event::Bound {
            conn,
            session: session.id,
            direction,
        });
    }

    pub(crate) fn unbind(
        &mut self,
        key: SessionKey,
        conn: ConnId,
        reason: Unbound,
        out: &mut Outbox,
    ) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let Some(binding) = session.bindings.remove(conn) else {
            return;
        };
        out.event(Event::Unbound {
            conn,
            session: session.id,
            reason,
        });
        self.connections.unbind(conn, key, binding.direction);
    }

    fn unbind_from_others(&mut self, key: SessionKey, conn: ConnId, out: &mut Outbox) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        for other in connection.sessions.clone() {
            if other != key {
                self.unbind(other, conn, Unbound::Explicit, out);
            }
        }
    }
}

/// Maximum number of sessions of a connection; more are served without a binding.
const SESSIONS_PER_CONNECTION: usize = 64;
