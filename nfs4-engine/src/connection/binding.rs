//! The connections of one session.

use alloc::vec::Vec;

use crate::ids::ConnId;

/// A session's connections; few, so that a search is a walk over one cache line or two.
#[derive(Debug, Default)]
pub(crate) struct Bindings(Vec<ConnId>);

impl Bindings {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, conn: ConnId) -> bool {
        self.0.contains(&conn)
    }

    pub(crate) fn add(&mut self, conn: ConnId) {
        debug_assert!(!self.contains(conn), "a connection is bound once");
        self.0.push(conn);
    }

    pub(crate) fn remove(&mut self, conn: ConnId) {
        self.0.retain(|bound| *bound != conn);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.0.iter().copied()
    }
}
