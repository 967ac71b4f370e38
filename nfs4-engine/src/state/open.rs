//! One open file of one owner. [RFC 8881 §9.1.2, §18.16]

use super::file::{File, Share};
use super::owner::Owner;
use crate::client::Client;
use crate::slab::Key;

/// What a stateid names: a file that an owner has open.
pub(crate) struct Open {
    pub(crate) client: Key<Client>,
    pub(crate) owner: Key<Owner>,
    pub(crate) file: Key<File>,
    pub(crate) share: Share,
    /// The stateid's seqid: up by one with every change that a client is told of, from 1; 0 while
    /// it has been told of none.
    pub(crate) seqid: u32,
    // Where it stands in its client's list.
    pub(super) position: u32,
}

impl Open {
    /// The next seqid of its stateid; it wraps past zero, which means "the current one".
    pub(crate) fn advance(&mut self) {
        self.seqid = self.seqid.checked_add(1).unwrap_or(1);
    }
}
