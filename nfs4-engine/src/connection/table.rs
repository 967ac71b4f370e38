//! Connections, by number.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ids::ConnId;
use crate::map::{DetMap, Keyed};
use crate::session::table::Session;
use crate::slab::Key;

/// A connection that is open.
pub(crate) struct Connection {
    /// Where it comes from, for people.
    pub(crate) peer: String,
    /// The sessions that it is bound to, each once.
    pub(crate) sessions: Vec<Key<Session>>,
    /// Requests still to be answered before it is closed; none if it is not draining.
    draining: Option<usize>,
}

/// All open connections.
pub(crate) struct Connections {
    by_number: DetMap<ConnId, Connection>,
    /// How many are draining, so that the usual request need not look.
    draining: usize,
}

impl Connections {
    pub(crate) const fn new(keyed: Keyed) -> Connections {
        Connections {
            by_number: DetMap::new(keyed),
            draining: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(crate) fn open(&mut self, conn: ConnId, peer: String) {
        let connection = Connection {
            peer,
            sessions: Vec::new(),
            draining: None,
        };
        let before = self.by_number.insert(conn, connection);
        debug_assert!(before.is_none(), "the driver uses no number twice");
    }

    pub(crate) fn close(&mut self, conn: ConnId) -> Option<Connection> {
        self.stop_draining(conn);
        self.by_number.remove(&conn)
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.by_number.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.by_number.get_mut(&conn)
    }

    /// Takes no new work by a connection from now on, while `waiting` requests are answered;
    /// `false` if it is not there or drains already.
    pub(crate) fn start_draining(&mut self, conn: ConnId, waiting: usize) -> bool {
        match self.by_number.get_mut(&conn) {
            Some(connection) if connection.draining.is_none() => {
                connection.draining = Some(waiting);
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

    /// A request that waited was answered; `true` if it was the last that a draining connection
    /// waited for.
    pub(crate) fn answered(&mut self, conn: ConnId) -> bool {
        if self.draining == 0 {
            return false;
        }
        let Some(connection) = self.by_number.get_mut(&conn) else {
            return false;
        };
        let Some(waiting) = &mut connection.draining else {
            return false;
        };
        *waiting = waiting.saturating_sub(1);
        *waiting == 0
    }
}
