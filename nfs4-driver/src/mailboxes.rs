//! The mailboxes of a node's connections.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use nfs4_engine::ConnId;

use crate::mailbox::Mailbox;

/// The mailboxes of the connections that are open, those included that are being evicted.
#[derive(Default)]
pub(crate) struct Mailboxes {
    by_number: HashMap<ConnId, Arc<Mailbox>>,
    /// The same numbers in order, so that a listing continues where it was without a look at all of them.
    order: BTreeSet<ConnId>,
}

impl Mailboxes {
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Arc<Mailbox>> {
        self.by_number.get(&conn)
    }

    pub(crate) fn insert(&mut self, mailbox: Arc<Mailbox>) {
        self.order.insert(mailbox.id);
        self.by_number.insert(mailbox.id, mailbox);
    }

    pub(crate) fn remove(&mut self, conn: ConnId) {
        self.order.remove(&conn);
        self.by_number.remove(&conn);
    }

    /// The numbers of the connections after this one, or of all, in order.
    pub(crate) fn after(&self, conn: Option<ConnId>) -> impl Iterator<Item = ConnId> + '_ {
        let from = conn.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((from, Bound::Unbounded)).copied()
    }
}
