//! What one lock owner has locked of a file under one open. [RFC 8881 §9.1.3, §18.10]

use crate::keys::{ClientKey, FileKey, LockOwnerKey, OpenKey, kind};
use crate::slab::Entry;

/// What a lock stateid names: a lock owner and an open; which bytes are locked is with the file.
pub(crate) struct Lock {
    pub(crate) client: ClientKey,
    pub(crate) owner: LockOwnerKey,
    pub(crate) file: FileKey,
    /// The open that it was made under, and goes with.
    pub(crate) open: OpenKey,
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

impl Entry for Lock {
    type Kind = kind::Lock;
}
