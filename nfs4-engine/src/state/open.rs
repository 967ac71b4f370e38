//! One open file of one owner. [RFC 8881 §9.1.2, §18.16]

use super::file::Share;
use crate::key_index::KeyIndex;
use crate::keys::{ClientKey, FileKey, OpenOwnerKey, kind};
use crate::principal::Principal;
use crate::slab::Entry;

/// What an open stateid names: a file that an owner has open.
pub(crate) struct Open {
    pub(crate) client: ClientKey,
    pub(crate) owner: OpenOwnerKey,
    pub(crate) file: FileKey,
    pub(crate) share: Share,
    /// The user that opened it first, and the access that this user was allowed: the user keeps that
    /// access whatever becomes of the file's mode.
    opener: Principal,
    rights: Share,
    /// The stateid's seqid: up by one with every change that a client gets, from 1; 0 while
    /// it has got none.
    pub(crate) seqid: u32,
    /// The lock owners that lock bytes of the file under this open.
    pub(crate) locks: KeyIndex<kind::Lock>,
    asked: RequestedShares,
    // Where it stands in its client's list, in its owner's, and in its file's.
    pub(super) place: u32,
    pub(super) owner_place: u32,
    pub(super) file_place: u32,
}

/// Which shares were asked for by OPENs that still count: bit n is set for the value n. A
/// downgrade must go back to the union of some of them. [RFC 8881 §18.18.3]
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
            place,
            owner_place,
            file_place: 0,
        }
    }

    /// Where it stands in its client's list.
    pub(crate) fn place(&self) -> u32 {
        self.place
    }

    /// Where it stands in its owner's list.
    pub(crate) fn owner_place(&self) -> u32 {
        self.owner_place
    }

    /// Where it stands in its file's list.
    pub(crate) fn file_place(&self) -> u32 {
        self.file_place
    }

    /// The user that opened it first, for which the client holds it.
    pub(crate) fn opener(&self) -> &Principal {
        &self.opener
    }

    /// Counts one more OPEN of the same owner, possibly by another user.
    pub(super) fn widen(&mut self, share: Share, opener: Principal) {
        self.asked.add(share);
        self.share = self.share.union(share);
        if opener == self.opener {
            self.rights = self.rights.union(share);
        }
    }

    /// The access that a user has without another check: a stateid is no password.
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

    /// Forgets every OPEN that asked for more than this share.
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

    /// Whether access and deny bits are each the union of those that some of the OPENs asked for.
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
