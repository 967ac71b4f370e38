//! Opens and locks that conflict with a request, and their revocation.

use alloc::vec::Vec;

use super::file::Share;
use super::lock::Lock;
use super::locked::NO_OWNER;
use super::range::Conflict;
use super::table::{States, WALKED_AT_ONCE};
use crate::fh::Fh;
use crate::fs::{ByteRange, LockKind};
use crate::keys::{ClientKey, FileKey, LockKey, LockOwnerKey, OpenKey};

/// A part of a client's state that is taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// An open, with the locks under it.
    Open(OpenKey),
    /// A lock stateid with its ranges.
    Lock(LockKey),
}

impl States {
    /// Opens of a file that conflict with a share, and whether these are all. A file with many opens is
    /// searched in parts, each of which begins where the last one ended.
    pub(crate) fn conflicting_opens(&mut self, key: FileKey, share: Share) -> (Vec<OpenKey>, bool) {
        let Some(file) = self.files.get_mut(key) else {
            return (Vec::new(), true);
        };
        let count = file.opens.next_place();
        let most = count.min(SEARCHED);
        let from = if file.search < count { file.search } else { 0 };
        let mut found = Vec::new();
        let mut searched = 0;
        while searched < most && found.len() < WALKED_AT_ONCE {
            let open = file.opens.at((from + searched) % count);
            let conflicts = |open: &OpenKey| {
                let open = self.opens.get(*open);
                open.is_some_and(|open| open.share.conflicts(share))
            };
            found.extend(open.filter(conflicts));
            searched += 1;
        }
        file.search = from + searched;
        self.walked += searched as usize / SEARCHED_PER_STEP;
        (found, searched == count)
    }

    /// The next search for conflicts with a file's opens begins at this one.
    pub(crate) fn search_from(&mut self, key: OpenKey) {
        if let Some(open) = self.opens.get(key)
            && let Some(file) = self.files.get_mut(open.file)
        {
            file.search = open.file_place;
        }
    }

    /// Locks that keep `owner` from locking a range, each with its stateid; at most `most`.
    pub(crate) fn conflicting_locks(
        &mut self,
        file: FileKey,
        (range, kind): (ByteRange, LockKind),
        owner: Option<LockOwnerKey>,
        most: usize,
    ) -> Vec<(Conflict<LockOwnerKey>, LockKey)> {
        let Some(file) = self.files.get(file) else {
            return Vec::new();
        };
        let owner = owner.unwrap_or(NO_OWNER);
        let found = file.locked.conflicts(range, kind, owner, most);
        self.walked += found.len().div_ceil(SEARCHED_PER_STEP);
        found
    }

    /// The client of a piece of state, and the file.
    pub(crate) fn holder_of(&self, piece: Piece) -> Option<(ClientKey, Fh)> {
        let (client, file) = match piece {
            Piece::Open(key) => {
                let open = self.opens.get(key)?;
                (open.client, open.file)
            }
            Piece::Lock(key) => {
                let lock = self.locks.get(key)?;
                (lock.client, lock.file)
            }
        };
        Some((client, self.handle_of(file)?))
    }

    /// Whether a piece of state is taken from its client.
    pub(crate) fn is_revoked(&self, piece: Piece) -> bool {
        match piece {
            Piece::Open(key) => self.opens.get(key).is_some_and(|open| open.revoked),
            Piece::Lock(key) => self.locks.get(key).is_some_and(|lock| lock.revoked),
        }
    }

    /// An open is taken from its client, which is returned; it still excludes others. None if that has been
    /// done.
    pub(crate) fn disown_open(&mut self, key: OpenKey) -> Option<ClientKey> {
        let open = self.opens.get_mut(key).filter(|open| !open.revoked)?;
        open.revoked = true;
        self.revoking += 1;
        Some(open.client)
    }

    /// An open that was taken from its client excludes no other from now on.
    pub(crate) fn release_share(&mut self, key: OpenKey) {
        if let Some(open) = self.opens.get_mut(key) {
            let share = core::mem::take(&mut open.share);
            self.files.change(open.file, share, Share::default());
        }
    }

    /// A lock stateid is taken from its client, which is returned. None if that has been done.
    pub(crate) fn disown_lock(&mut self, key: LockKey) -> Option<ClientKey> {
        let lock = self.locks.get_mut(key).filter(|lock| !lock.revoked)?;
        lock.revoked = true;
        self.revoking += 1;
        Some(lock.client)
    }

    /// Whether a lock stateid is being taken from its client, or its open is.
    pub(crate) fn is_being_revoked(&self, lock: &Lock) -> bool {
        let open = self.opens.get(lock.open);
        lock.revoked || open.is_some_and(|open| open.revoked)
    }

    /// Whether an open or a lock stateid is taken from its client, and has not ended.
    pub(crate) fn is_any_revoked(&self) -> bool {
        self.revoking > 0
    }

    /// Whether a client's record remembers a stateid as revoked.
    pub(crate) fn is_any_remembered(&self) -> bool {
        self.remembered > 0
    }
}

/// Maximum number of opens of a file that a request searches for conflicts, and of locks that are searched for
/// all waiters of a file.
pub(crate) const SEARCHED: u32 = 1_024;
/// Number of opens or locks that are searched for one step of the walk.
const SEARCHED_PER_STEP: usize = 8;
