//! The lock stateid of one lock-owner under one open. [RFC 8881 §9.1.3, §18.10]

use crate::keys::{ClientKey, FileKey, LockOwnerKey, OpenKey, kind};
use crate::slab::Entry;

/// The state that a lock stateid names: a lock-owner and an open. The locked bytes are in the file.
pub(crate) struct Lock {
    pub(crate) client: ClientKey,
    pub(crate) owner: LockOwnerKey,
    pub(crate) file: FileKey,
    /// The open under which it was made, and with which it ends.
    pub(crate) open: OpenKey,
    /// The seqid of the stateid: from 1, up by one with every LOCK and LOCKU.
    pub(crate) seqid: u32,
    /// The server takes it from its client, whose lease has expired.
    pub(crate) revoked: bool,
    // Its place in the list of its open, and of its owner.
    pub(super) place: u32,
    pub(super) owner_place: u32,
}

impl Lock {
    /// Its place in the list of its open.
    pub(crate) fn place(&self) -> u32 {
        self.place
    }

    /// Its place in the list of its owner.
    pub(crate) fn owner_place(&self) -> u32 {
        self.owner_place
    }

    pub(super) fn advance(&mut self) {
        self.seqid = self.seqid.checked_add(1).unwrap_or(1);
    }
}

impl Entry for Lock {
    type Kind = kind::Lock;
}
