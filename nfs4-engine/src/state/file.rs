//! Files with state, and the shares taken of them. [RFC 8881 §9.7]

use alloc::vec::Vec;

use crate::count::Count;
use crate::delegation_kind::Touch;
use crate::fh::Fh;
use crate::key_index::KeyIndex;
use crate::keys::{FileKey, LockKey, LockOwnerKey, OpenKey, kind};
use crate::map::{DetMap, Keyed};
use crate::slab::Entry;
use crate::slab::{Place, Slab};
use crate::state::range::Ranges;
use crate::state::waiter::Waiters;

/// A file that is open or delegated.
pub(crate) struct File {
    pub(crate) fh: Fh,
    /// The keyed hash of its handle, by which its guards are found.
    pub(crate) hash: u64,
    shares: Shares,
    pub(crate) opens: KeyIndex<kind::Open>,
    /// Number of OPENs in execution that have a share of the file.
    claims: u32,
    /// Its locked byte ranges.
    pub(crate) locked: Ranges<LockOwnerKey, LockKey>,
    /// Requests that wait for locks.
    pub(crate) waiters: Waiters,
    /// Delegations that are held.
    pub(crate) delegations: KeyIndex<kind::Delegation>,
    /// Number of revoked delegations whose stateids still name this file.
    pub(crate) revoked: u32,
    /// Where the next search among its opens begins.
    pub(super) search: u32,
    /// It has lost its last name, and exists as long as it is open.
    pub(crate) gone: bool,
}

/// Files with state, by handle.
pub(crate) struct Files {
    slab: Slab<File>,
    by_handle: DetMap<Fh, FileKey>,
    /// Number of opens of each export.
    opens: Vec<u32>,
}

/// Access and deny bits of one open. [RFC 8881 §18.16.3]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Bits of OPEN4_SHARE_ACCESS_BOTH.
    pub(crate) access: u32,
    /// Bits of OPEN4_SHARE_DENY_BOTH.
    pub(crate) deny: u32,
}

/// Number of opens and claims that have each bit; index 0 is READ, 1 is WRITE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shares {
    access: [u32; 2],
    deny: [u32; 2],
}

impl Entry for File {
    type Kind = kind::File;
}

impl Share {
    /// The bits of both.
    pub(crate) const fn union(self, other: Share) -> Share {
        Share {
            access: self.access | other.access,
            deny: self.deny | other.deny,
        }
    }

    /// The bits that are also in `other`.
    pub(super) const fn within(self, other: Share) -> Share {
        Share {
            access: self.access & other.access,
            deny: self.deny & other.deny,
        }
    }

    /// Whether one excludes the other.
    pub(super) const fn conflicts(self, other: Share) -> bool {
        self.access & other.deny != 0 || self.deny & other.access != 0
    }

    pub(crate) const fn reads(self) -> bool {
        self.access & 1 != 0
    }

    pub(crate) const fn writes(self) -> bool {
        self.access & 2 != 0
    }

    pub(crate) const fn denies_read(self) -> bool {
        self.deny & 1 != 0
    }
}

impl File {
    /// Number of its opens, number of its claims, and the shares of both.
    pub(crate) fn counted(&self) -> (usize, u32, Shares) {
        (self.opens.len(), self.claims, self.shares)
    }

    fn is_idle(&self) -> bool {
        let opened = !self.opens.is_empty() || self.claims > 0;
        !opened && self.delegations.is_empty() && self.revoked == 0
    }
}

impl Shares {
    /// Counts the share of one more open or claim.
    pub(crate) fn add(&mut self, share: Share) {
        self.count(share, |count| *count += 1);
    }

    fn count(&mut self, share: Share, change: impl Fn(&mut u32)) {
        for bit in 0..2 {
            if share.access >> bit & 1 != 0 {
                change(&mut self.access[bit]);
            }
            if share.deny >> bit & 1 != 0 {
                change(&mut self.deny[bit]);
            }
        }
    }

    /// Whether `share` conflicts with no share that is counted.
    fn admit(&self, share: Share) -> bool {
        (0..2).all(|bit| {
            !(share.access >> bit & 1 != 0 && self.deny[bit] != 0
                || share.deny >> bit & 1 != 0 && self.access[bit] != 0)
        })
    }
}

impl Files {
    pub(crate) const fn new(keyed: Keyed) -> Files {
        Files {
            slab: Slab::new(),
            by_handle: DetMap::new(keyed),
            opens: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// The hash by which a handle is found.
    pub(super) fn hash_of(&self, fh: &Fh) -> u64 {
        self.by_handle.hash_of(fh)
    }

    pub(crate) fn find(&self, fh: &Fh) -> Option<FileKey> {
        self.find_hashed(self.hash_of(fh), fh)
    }

    /// As [`Files::find`], by its [`Files::hash_of`].
    pub(super) fn find_hashed(&self, hash: u64, fh: &Fh) -> Option<FileKey> {
        self.by_handle.get_hashed(hash, fh).copied()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (FileKey, &File)> + '_ {
        self.slab.entries()
    }

    /// Every place from `index` on, free or not.
    pub(crate) fn places_from(&self, index: u32) -> impl Iterator<Item = Place<'_, File>> {
        self.slab.places_from(index)
    }

    /// Number of opens of an export.
    pub(crate) fn opens_of(&self, export: u16) -> u32 {
        let opens = self.opens.get(usize::from(export));
        opens.copied().unwrap_or(0)
    }

    /// Number of handles in the index.
    pub(crate) fn handles(&self) -> usize {
        self.by_handle.len()
    }

    pub(crate) fn get(&self, key: FileKey) -> Option<&File> {
        self.slab.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: FileKey) -> Option<&mut File> {
        self.slab.get_mut(key)
    }

    /// Whether this share of the file conflicts with no open or claim.
    pub(crate) fn admits(&self, key: Option<FileKey>, share: Share) -> bool {
        let file = key.and_then(|key| self.slab.get(key));
        file.is_none_or(|file| file.shares.admit(share))
    }

    /// The file of a handle, added if it has no state yet.
    pub(crate) fn get_or_insert(&mut self, fh: &Fh) -> FileKey {
        self.get_or_insert_hashed(self.hash_of(fh), fh)
    }

    /// As [`Files::get_or_insert`], by its [`Files::hash_of`].
    pub(super) fn get_or_insert_hashed(&mut self, hash: u64, fh: &Fh) -> FileKey {
        if let Some(key) = self.find_hashed(hash, fh) {
            return key;
        }
        let key = self.slab.insert(File {
            fh: *fh,
            hash,
            shares: Shares::default(),
            opens: KeyIndex::new(),
            claims: 0,
            locked: Ranges::new(),
            waiters: Waiters::default(),
            delegations: KeyIndex::new(),
            revoked: 0,
            search: 0,
            gone: false,
        });
        self.by_handle.insert_new(hash, *fh, key);
        key
    }

    /// Adds an open with this share; returns its place in the file's list.
    pub(crate) fn open(&mut self, key: FileKey, open: OpenKey, share: Share) -> u32 {
        let Some(file) = self.slab.get_mut(key) else {
            return 0;
        };
        let place = file.opens.next_place();
        file.opens.push(open);
        file.shares.add(share);
        let export = usize::from(file.fh.export);
        if self.opens.len() <= export {
            self.opens.resize(export + 1, 0);
        }
        if let Some(count) = self.opens.get_mut(export) {
            *count += 1;
        }
        place
    }

    /// Counts a share beside those of opens.
    pub(crate) fn claim(&mut self, key: FileKey, share: Share) {
        if let Some(file) = self.slab.get_mut(key) {
            file.shares.add(share);
            file.claims += 1;
        }
    }

    /// Ends [`Files::claim`].
    pub(crate) fn unclaim(&mut self, key: FileKey, share: Share) {
        if let Some(file) = self.slab.get_mut(key) {
            file.shares.count(share, |count| count.lower(1));
            file.claims.lower(1);
            self.forget_if_idle(key);
        }
    }

    /// Replaces the share of one open.
    pub(crate) fn change(&mut self, key: FileKey, from: Share, to: Share) {
        if let Some(file) = self.slab.get_mut(key) {
            file.shares.count(from, |count| count.lower(1));
            file.shares.count(to, |count| *count += 1);
        }
    }

    /// Removes the open at `place`; returns the open that moved there.
    pub(crate) fn close(&mut self, key: FileKey, place: u32, share: Share) -> Option<OpenKey> {
        let file = self.slab.get_mut(key)?;
        file.shares.count(share, |count| count.lower(1));
        let moved = file.opens.remove(place);
        if let Some(count) = self.opens.get_mut(usize::from(file.fh.export)) {
            count.lower(1);
        }
        self.forget_if_idle(key);
        moved
    }

    /// Removes a file without state.
    pub(crate) fn forget_if_idle(&mut self, key: FileKey) {
        if self.slab.get(key).is_some_and(File::is_idle)
            && let Some(file) = self.slab.remove(key)
        {
            self.by_handle.remove_hashed(file.hash, &file.fh);
        }
    }
}

impl Touch {
    /// The access that an open with this share amounts to. [RFC 8881 §18.16.4]
    pub(crate) fn of(share: Share) -> Touch {
        if share.writes() || share.denies_read() {
            Touch::Change
        } else {
            Touch::Read
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_conflicts_with_every_share_that_excludes_it() {
        let read = Share { access: 1, deny: 0 };
        let write_alone = Share { access: 2, deny: 3 };
        let mut shares = Shares::default();
        shares.add(read);
        assert!(shares.admit(read));
        assert!(!shares.admit(write_alone));
        shares.add(write_alone);
        assert!(!shares.admit(read));
    }
}
