//! Connections, by number.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ids::ConnId;
use crate::keys::{ClientKey, FlightKey, SessionKey};
use crate::map::{KeyMap, Keyed};
use crate::peer::Peer;
use crate::time::Mono;

/// A connection that is open.
pub(crate) struct Connection {
    /// Where it comes from, for people.
    pub(crate) peer: String,
    /// The host that it comes from, or goes to.
    pub(crate) host: Peer,
    /// The sessions that it is bound to, each once.
    pub(crate) sessions: Vec<SessionKey>,
    /// Calls of ours that were sent by it and not answered.
    pub(crate) flights: Vec<FlightKey>,
    /// The client that we made it to, to call it.
    pub(crate) serves: Option<ClientKey>,
    draining: Option<Draining>,
    /// The driver knows that the client behind it is known.
    known: bool,
}

/// What a draining connection waits for.
#[derive(Clone, Copy)]
struct Draining {
    /// What distinguishes it from another draining.
    number: u32,
    /// Requests still to be answered before it is closed, of those that are found.
    waiting: usize,
    /// Where among what is parked it is looked on for others; none if all was seen.
    from: Option<u32>,
    /// When it is closed even so.
    deadline: Mono,
}

/// All open connections.
pub(crate) struct Connections {
    by_number: KeyMap<ConnId, Connection>,
    /// The last that was opened.
    newest: ConnId,
    /// How many are draining, so that the usual request need not look.
    draining: usize,
    /// The number of the last draining that began.
    drains: u32,
}

impl Connections {
    pub(crate) fn new(keyed: Keyed) -> Connections {
        Connections {
            by_number: KeyMap::of_keys(keyed),
            newest: ConnId::FIRST,
            draining: 0,
            drains: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(crate) fn open(&mut self, conn: ConnId, peer: String, host: Peer) {
        self.newest = self.newest.max(conn);
        let connection = Connection {
            peer,
            host,
            sessions: Vec::new(),
            flights: Vec::new(),
            serves: None,
            draining: None,
            known: false,
        };
        let before = self.by_number.insert(conn, connection);
        debug_assert!(before.is_none(), "the driver uses no number twice");
    }

    pub(crate) fn close(&mut self, conn: ConnId) -> Option<Connection> {
        self.stop_draining(conn);
        self.by_number.remove(&conn)
    }

    /// The connection that was opened last, whether it is still there or not.
    pub(crate) fn newest(&self) -> ConnId {
        self.newest
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.by_number.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.by_number.get_mut(&conn)
    }

    /// Notes that the client behind a connection is known; `true` the first time.
    pub(crate) fn become_known(&mut self, conn: ConnId) -> bool {
        let connection = self.by_number.get_mut(&conn);
        connection.is_some_and(|connection| !core::mem::replace(&mut connection.known, true))
    }

    /// Takes no new work by a connection from now on; `false` if it is not there or drains already.
    /// What it waits for is to be found.
    pub(crate) fn start_draining(&mut self, conn: ConnId, deadline: Mono) -> bool {
        match self.by_number.get_mut(&conn) {
            Some(connection) if connection.draining.is_none() => {
                // Zero is of no draining.
                self.drains = self.drains.checked_add(1).unwrap_or(1);
                connection.draining = Some(Draining {
                    number: self.drains,
                    waiting: 0,
                    from: Some(0),
                    deadline,
                });
                self.draining += 1;
                true
            }
            _ => false,
        }
    }

    /// Takes new work again.
    pub(crate) fn stop_draining(&mut self, conn: ConnId) {
        if let Some(connection) = self.by_number.get_mut(&conn)
            && connection.draining.take().is_some()
        {
            self.draining -= 1;
        }
    }

    pub(crate) fn is_draining(&self, conn: ConnId) -> bool {
        self.draining > 0 && self.get(conn).is_some_and(|found| found.draining.is_some())
    }

    /// A request is to be answered before its connection is closed, if that drains; in which draining
    /// this is known of it stands in `awaited`.
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

    /// Where it is looked on for what a draining connection waits for; none if that is known.
    pub(crate) fn looked_for_from(&self, conn: ConnId) -> Option<u32> {
        self.get(conn)?.draining?.from
    }

    /// What a draining connection waits for was looked for up to a place, or everywhere; `true` if
    /// it waits for nothing.
    pub(crate) fn look_on_from(&mut self, conn: ConnId, from: Option<u32>) -> bool {
        let connection = self.by_number.get_mut(&conn);
        let draining = connection.and_then(|found| found.draining.as_mut());
        draining.is_some_and(|draining| {
            draining.from = from;
            draining.is_over()
        })
    }

    /// How many are draining.
    pub(crate) fn draining(&self) -> usize {
        self.draining
    }

    /// Of how many requests it is known that it waits for them, if it drains, and in which draining.
    pub(crate) fn waiting(&self, conn: ConnId) -> Option<(usize, u32)> {
        let draining = self.get(conn)?.draining?;
        Some((draining.waiting, draining.number))
    }

    /// Whether it drains and has had its time. A reminder may be of an earlier draining.
    pub(crate) fn is_drain_over(&self, conn: ConnId, now: Mono) -> bool {
        let draining = self.get(conn).and_then(|found| found.draining);
        draining.is_some_and(|draining| draining.deadline <= now)
    }

    /// A request that waited was answered; `true` if it was the last that a draining connection
    /// waited for.
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
            // It was not found yet, and will not be.
            return false;
        }
        draining.waiting = draining.waiting.saturating_sub(1);
        draining.is_over()
    }
}

impl Draining {
    /// Whether nothing is to be waited for.
    fn is_over(&self) -> bool {
        self.waiting == 0 && self.from.is_none()
    }
}
