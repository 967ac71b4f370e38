//! One open file of one owner. [RFC 8881 §9.1.2, §18.16]

use super::file::Share;
use crate::key_index::KeyIndex;
use crate::keys::{ClientKey, FileKey, OpenOwnerKey, kind};
use crate::principal::Principal;
use crate::slab::Entry;

/// The state that an open stateid names: a file that an open-owner has open.
pub(crate) struct Open {
    pub(crate) client: ClientKey,
    pub(crate) owner: OpenOwnerKey,
    pub(crate) file: FileKey,
    pub(crate) share: Share,
    /// The user that opened the file first.
    opener: Principal,
    /// The access that the opener was granted; a later change of the file's mode does not revoke it.
    rights: Share,
    /// The seqid of the stateid: from 1, up by one with every stateid that the client gets; 0 before
    /// the first.
    pub(crate) seqid: u32,
    /// The lock stateids under this open.
    pub(crate) locks: KeyIndex<kind::Lock>,
    asked: RequestedShares,
    /// The server takes it from its client, whose lease has expired.
    pub(crate) revoked: bool,
    // Its place in the list of its client, of its owner, and of its file.
    pub(super) place: u32,
    pub(super) owner_place: u32,
    pub(super) file_place: u32,
}

/// The shares that OPENs requested, as far as no downgrade has ended them: bit n is set for the value
/// n. OPEN_DOWNGRADE must name the union of some of them. [RFC 8881 §18.18.3]
#[derive(Clone, Copy, Default)]
struct RequestedShares {
    access: u8,
    deny: u8,
}

impl Entry for Open {
    type Kind = kind::Open;
}

impl Open {
    pub(super) fn new(
        client: ClientKey,
        owner: OpenOwnerKey,
        file: FileKey,
        share: Share,
        opener: Principal,
        (place, owner_place): (u32, u32),
    ) -> Open {
        let mut asked = RequestedShares::default();
        asked.add(share);
        Open {
            client,
            owner,
            file,
            share,
            opener,
            rights: share,
            seqid: 0,
            locks: KeyIndex::new(),
            asked,
            revoked: false,
            place,
            owner_place,
            file_place: 0,
        }
    }

    /// Its place in the list of its client.
    pub(crate) fn place(&self) -> u32 {
        self.place
    }

    /// Its place in the list of its owner.
    pub(crate) fn owner_place(&self) -> u32 {
        self.owner_place
    }

    /// Its place in the list of its file.
    pub(crate) fn file_place(&self) -> u32 {
        self.file_place
    }

    /// The user that opened the file first.
    pub(crate) fn opener(&self) -> &Principal {
        &self.opener
    }

    /// Adds the share of one more OPEN of the same owner, possibly by another user.
    pub(super) fn widen(&mut self, share: Share, opener: Principal) {
        self.asked.add(share);
        self.share = self.share.union(share);
        if opener == self.opener {
            self.rights = self.rights.union(share);
        }
    }

    /// The access that a user has without a check by the file system: a stateid is no password.
    pub(crate) fn rights_of(&self, user: Principal) -> Share {
        if user == self.opener {
            self.rights
        } else {
            Share::default()
        }
    }

    /// Whether it can be narrowed to exactly this share.
    pub(crate) fn narrows_to(&self, share: Share) -> bool {
        self.asked.unites_to(share)
    }

    /// Forgets every OPEN that requested more than this share.
    pub(super) fn narrow(&mut self, share: Share) {
        self.asked.forget_beyond(share);
        self.share = share;
        self.rights = self.rights.within(share);
    }

    /// The next seqid of its stateid; it wraps past zero, which means "the current one".
    pub(crate) fn advance(&mut self) {
        self.seqid = self.seqid.checked_add(1).unwrap_or(1);
    }
}

impl RequestedShares {
    fn add(&mut self, share: Share) {
        self.access |= 1 << (share.access & 3);
        self.deny |= 1 << (share.deny & 3);
    }

    /// Whether the access bits, and the deny bits, are the union of what some of the OPENs requested.
    fn unites_to(self, share: Share) -> bool {
        let union = |asked: u8, bits: u32| {
            let within = (0..4).filter(|value| asked >> value & 1 != 0 && value & !bits == 0);
            within.reduce(|one, other| one | other) == Some(bits & 3)
        };
        union(self.access, share.access) && union(self.deny, share.deny)
    }

    fn forget_beyond(&mut self, share: Share) {
        for value in 0..4_u32 {
            if value & !share.access != 0 {
                self.access &= !(1 << value);
            }
            if value & !share.deny != 0 {
                self.deny &= !(1 << value);
            }
        }
    }
}
