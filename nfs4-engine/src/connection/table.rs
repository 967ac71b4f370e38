//! Connections, by number.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::connection_state::ConnectionState;
use crate::count::Count;
use crate::direction::Direction;
use crate::ids::ConnId;
use crate::keys::{ClientKey, FlightKey, SessionKey};
use crate::map::{KeyMap, Keyed};
use crate::network::address_of;
use crate::peer::Peer;
use crate::terms::TermsCache;
use crate::time::{Mono, Wall};

/// A connection that is open.
pub(crate) struct Connection {
    /// The address that it comes from, for the administrator.
    pub(crate) peer: String,
    /// The host that it comes from, or goes to.
    pub(crate) host: Peer,
    /// The address of that host, by which exports are for it or not.
    pub(crate) address: IpAddr,
    /// On which terms the host uses the exports that it used last.
    pub(crate) terms: TermsCache,
    /// When it was opened.
    pub(crate) opened: Wall,
    /// The sessions that it is bound to, each once.
    pub(crate) sessions: Vec<SessionKey>,
    /// For how many of them it serves the fore channel, and for how many the backchannel.
    served: [usize; 2],
    /// Callbacks that were sent by it and have no reply yet.
    pub(crate) flights: Vec<FlightKey>,
    /// The client to which the server made it for callbacks.
    serves: Option<ClientKey>,
    /// The client of minor version 0 that its requests concerned last.
    concerns: Option<ClientKey>,
    draining: Option<Draining>,
    /// The driver has been notified that its client is known.
    known: bool,
}

/// What a draining connection waits for.
#[derive(Clone, Copy)]
struct Draining {
    /// Distinguishes it from other drainings.
    number: u32,
    /// Number of requests found so far that must be answered before the connection is closed.
    waiting: usize,
    /// Place among the parked COMPOUNDs from which the search for such requests continues; none if it is
    /// done.
    from: Option<u32>,
    /// When the connection is closed without waiting any longer.
    deadline: Mono,
}

/// All open connections.
pub(crate) struct Connections {
    by_number: KeyMap<ConnId, Connection>,
    /// The connection that was opened last.
    newest: ConnId,
    /// Number of draining connections; mostly zero, which saves a look-up for each request.
    draining: usize,
    /// Number of the last draining.
    drains: u32,
    /// Number of connections in each state, in the order of [`ConnectionState::ALL`].
    levels: [usize; ConnectionState::ALL.len()],
}

impl Connections {
    pub(crate) fn new(keyed: Keyed) -> Connections {
        Connections {
            by_number: KeyMap::of_keys(keyed),
            newest: ConnId::FIRST,
            draining: 0,
            drains: 0,
            levels: [0; ConnectionState::ALL.len()],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(crate) fn open(&mut self, conn: ConnId, peer: String, host: Peer, opened: Wall) {
        self.newest = self.newest.max(conn);
        let connection = Connection {
            address: address_of(&peer),
            terms: TermsCache::default(),
            peer,
            host,
            opened,
            sessions: Vec::new(),
            served: [0; 2],
            flights: Vec::new(),
            serves: None,
            concerns: None,
            draining: None,
            known: false,
        };
        self.level(connection.state(), true);
        let before = self.by_number.insert(conn, connection);
        debug_assert!(
            before.is_none(),
            "the driver uses no connection number twice"
        );
    }

    pub(crate) fn close(&mut self, conn: ConnId) -> Option<Connection> {
        self.stop_draining(conn);
        let connection = self.by_number.remove(&conn)?;
        self.level(connection.state(), false);
        Some(connection)
    }

    /// The connection that was opened last; it may be closed.
    pub(crate) fn newest(&self) -> ConnId {
        self.newest
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.by_number.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.by_number.get_mut(&conn)
    }

    /// Notes that the client behind a connection is known, and in minor version 0 which client that is;
    /// `true` the first time.
    pub(crate) fn become_known(&mut self, conn: ConnId, client: Option<ClientKey>) -> bool {
        let Some(connection) = self.by_number.get_mut(&conn) else {
            return false;
        };
        connection.concerns = client.or(connection.concerns);
        if connection.known {
            return false;
        }
        self.change(conn, |connection| connection.known = true);
        true
    }

    /// A connection is bound to a session that it was not bound to.
    pub(crate) fn bind(&mut self, conn: ConnId, session: SessionKey, direction: Direction) {
        self.change(conn, |connection| {
            connection.sessions.push(session);
            connection.serve(direction);
        });
    }

    /// The direction of a binding has changed.
    pub(crate) fn redirect(&mut self, conn: ConnId, from: Direction, to: Direction) {
        self.change(conn, |connection| {
            connection.leave(from);
            connection.serve(to);
        });
    }

    /// A connection is not bound to a session any more, which it served in this direction.
    pub(crate) fn unbind(&mut self, conn: ConnId, session: SessionKey, direction: Direction) {
        self.change(conn, |connection| {
            connection.sessions.retain(|bound| *bound != session);
            connection.leave(direction);
        });
    }

    /// A connection that the server has made is for callbacks to this client, or for none.
    pub(crate) fn serve(&mut self, conn: ConnId, client: Option<ClientKey>) {
        self.change(conn, |connection| connection.serves = client);
    }

    /// Number of connections in each state, in the order of [`ConnectionState::ALL`].
    pub(crate) fn levels(&self) -> [usize; ConnectionState::ALL.len()] {
        self.levels
    }

    /// Changes a connection in what its state depends on.
    fn change(&mut self, conn: ConnId, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.by_number.get_mut(&conn) {
            let before = connection.state();
            change(connection);
            let after = connection.state();
            self.level(before, false);
            self.level(after, true);
        }
    }

    fn level(&mut self, state: ConnectionState, more: bool) {
        if let Some(level) = self.levels.get_mut(state as usize) {
            if more {
                *level += 1;
            } else {
                level.lower(1);
            }
        }
    }

    /// Starts to drain a connection, which takes no new requests from now on; `false` if it does not
    /// exist or drains already. The caller searches for the requests that it waits for.
    pub(crate) fn start_draining(&mut self, conn: ConnId, deadline: Mono) -> bool {
        match self.by_number.get(&conn) {
            Some(connection) if connection.draining.is_none() => {
                // Zero stands for no draining.
                self.drains = self.drains.checked_add(1).unwrap_or(1);
                let draining = Draining {
                    number: self.drains,
                    waiting: 0,
                    from: Some(0),
                    deadline,
                };
                self.change(conn, |connection| connection.draining = Some(draining));
                self.draining += 1;
                true
            }
            _ => false,
        }
    }

    /// Ends the draining: the connection takes new requests again.
    pub(crate) fn stop_draining(&mut self, conn: ConnId) {
        let connection = self.by_number.get(&conn);
        if connection.is_some_and(|connection| connection.draining.is_some()) {
            self.change(conn, |connection| connection.draining = None);
            self.draining.lower(1);
        }
    }

    pub(crate) fn is_draining(&self, conn: ConnId) -> bool {
        self.draining > 0 && self.get(conn).is_some_and(|found| found.draining.is_some())
    }

    /// Makes a connection that drains wait for one of its requests, once. `awaited` keeps the number of
    /// the draining that waits for the request.
    pub(crate) fn wait_for(&mut self, conn: ConnId, awaited: &mut u32) {
        if self.draining == 0 {
            return;
        }
        let connection = self.by_number.get_mut(&conn);
        if let Some(draining) = connection.and_then(|found| found.draining.as_mut())
            && *awaited != draining.number
        {
            *awaited = draining.number;
            draining.waiting += 1;
        }
    }

    /// Place from which the search for awaited requests continues; none if it is done.
    pub(crate) fn search_from(&self, conn: ConnId) -> Option<u32> {
        self.get(conn)?.draining?.from
    }

    /// Notes the place up to which awaited requests were searched for; none if the search is done.
    /// Returns `true` if the connection waits for nothing.
    pub(crate) fn continue_search_from(&mut self, conn: ConnId, from: Option<u32>) -> bool {
        let connection = self.by_number.get_mut(&conn);
        let draining = connection.and_then(|found| found.draining.as_mut());
        draining.is_some_and(|draining| {
            draining.from = from;
            draining.is_over()
        })
    }

    /// Number of draining connections.
    pub(crate) fn draining(&self) -> usize {
        self.draining
    }

    /// The number of requests found that a draining connection waits for, and the number of the draining.
    pub(crate) fn waiting(&self, conn: ConnId) -> Option<(usize, u32)> {
        let draining = self.get(conn)?.draining?;
        Some((draining.waiting, draining.number))
    }

    /// Whether the deadline of its draining has passed. A timer may be of an earlier draining.
    pub(crate) fn is_drain_over(&self, conn: ConnId, now: Mono) -> bool {
        let draining = self.get(conn).and_then(|found| found.draining);
        draining.is_some_and(|draining| draining.deadline <= now)
    }

    /// A parked request was answered; `true` if it was the last that a draining connection waited for.
    pub(crate) fn answered(&mut self, conn: ConnId, awaited: u32) -> bool {
        if self.draining == 0 {
            return false;
        }
        let Some(connection) = self.by_number.get_mut(&conn) else {
            return false;
        };
        let Some(draining) = &mut connection.draining else {
            return false;
        };
        if awaited != draining.number {
            // The search had not found the request, and will not find it.
            return false;
        }
        draining.waiting = draining.waiting.saturating_sub(1);
        draining.is_over()
    }
}

impl Connection {
    /// The client to which the server made it for callbacks.
    pub(crate) fn serves(&self) -> Option<ClientKey> {
        self.serves
    }

    /// The client of minor version 0 that it is used for: that to which the server made it for callbacks,
    /// or that which its requests concerned last.
    pub(crate) fn client(&self) -> Option<ClientKey> {
        self.serves.or(self.concerns)
    }

    /// Whether the driver has been notified that its client is known.
    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    /// What it is used for.
    pub(crate) fn state(&self) -> ConnectionState {
        match (self.draining, self.serves, self.served) {
            (Some(_), _, _) => ConnectionState::Draining,
            (None, Some(_), _) => ConnectionState::Callback,
            (None, None, [0, 0]) if self.known => ConnectionState::Unbound,
            (None, None, [0, 0]) => ConnectionState::Stranger,
            (None, None, [_, 0]) => ConnectionState::Fore,
            (None, None, [0, _]) => ConnectionState::Back,
            (None, None, [_, _]) => ConnectionState::Both,
        }
    }

    fn serve(&mut self, direction: Direction) {
        let [fore, back] = &mut self.served;
        *fore += usize::from(direction.is_fore());
        *back += usize::from(direction.is_back());
    }

    fn leave(&mut self, direction: Direction) {
        let [fore, back] = &mut self.served;
        fore.lower(usize::from(direction.is_fore()));
        back.lower(usize::from(direction.is_back()));
    }
}

impl Draining {
    /// Whether all awaited requests are answered.
    fn is_over(&self) -> bool {
        self.waiting == 0 && self.from.is_none()
    }
}
