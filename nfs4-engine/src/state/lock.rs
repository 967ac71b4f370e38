//! What one lock owner has locked of a file under one open. [RFC 8881 §9.1.3, §18.10]

use super::file::File;
use super::open::Open;
use super::owner::Owner;
use crate::client::Client;
use crate::slab::Key;

/// What a lock stateid names: a lock owner and an open; which bytes are locked is with the file.
pub(crate) struct Lock {
    pub(crate) client: Key<Client>,
    pub(crate) owner: Key<Owner<Lock>>,
    pub(crate) file: Key<File>,
    /// The open that it was made under, and goes with.
    pub(crate) open: Key<Open>,
    /// The stateid's seqid: up by one with every LOCK and LOCKU, from 1.
    pub(crate) seqid: u32,
    // Where it stands in its open's list, and in its owner's.
    pub(super) place: u32,
    pub(super) owner_place: u32,
}

impl Lock {
    /// Where it stands in its open's list.
    pub(crate) fn place(&self) -> u32 {
        self.place
    }

    /// Where it stands in its owner's list.
    pub(crate) fn owner_place(&self) -> u32 {
        self.owner_place
    }

    pub(super) fn advance(&mut self) {
        self.seqid = self.seqid.checked_add(1).unwrap_or(1);
    }
}
