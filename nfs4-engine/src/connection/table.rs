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
}

/// All open connections.
pub(crate) struct Connections(DetMap<ConnId, Connection>);

impl Connections {
    pub(crate) const fn new(keyed: Keyed) -> Connections {
        Connections(DetMap::new(keyed))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn open(&mut self, conn: ConnId, peer: String) {
        let before = self.0.insert(
            conn,
            Connection {
                peer,
                sessions: Vec::new(),
            },
        );
        debug_assert!(before.is_none(), "the driver uses no number twice");
    }

    pub(crate) fn close(&mut self, conn: ConnId) -> Option<Connection> {
        self.0.remove(&conn)
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.0.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.0.get_mut(&conn)
    }
}
