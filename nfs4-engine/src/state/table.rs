//! The tables of opens, locks, delegations, owners and files, which change together.

use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;

use super::account::Accounts;
use super::delegated::Delegated;
use super::file::{Files, Share};
use super::lock::Lock;
use super::open::Open;
use super::owner::Owners;
use super::stateid::{Named, check_seqid};
use crate::count::Count;
use crate::fh::Fh;
use crate::fs::ByteLock;
use crate::guards::GuardPlace;
use crate::key_index::KeyIndex;
use crate::keys::{ClientKey, FileKey, LockKey, LockOwnerKey, OpenKey, OpenOwnerKey, kind};
use crate::map::{KeyMap, Keyed};
use crate::parted::Parted;
use crate::principal::Principal;
use crate::seal::{Draw, SealPurpose};
use crate::slab::Slab;
use crate::state::ending::{Ending, gone};

/// All state of all clients.
pub(crate) struct States {
    pub(super) epoch: u32,
    pub(crate) files: Files,
    pub(crate) opens: Slab<Open>,
    pub(crate) open_owners: Owners<kind::Open>,
    open_by_owner: OpenByOwner,
    pub(super) delegated: Delegated,
    pub(super) locks: Slab<Lock>,
    pub(crate) lock_owners: Owners<kind::Lock>,
    pub(super) lock_by_owner: LockByOwner,
    /// The owner that closed an open, if that was the owner's last request.
    pub(super) closed: KeyMap<OpenKey, OpenOwnerKey>,
    /// Locks that file systems have counted and that have ended, to be returned to them.
    pub(crate) unlocked: Vec<(Fh, Vec<ByteLock>)>,
    /// Number of locked ranges of all files.
    pub(super) ranges: usize,
    /// Number of requests that wait for locks.
    pub(crate) waiting: usize,
    /// Number of steps taken, since the engine was entered, in walks whose length peers control.
    pub(crate) walked: usize,
    /// Number of opens in execution for which room is reserved.
    pub(super) opening: usize,
    /// Number of opens and lock stateids that are being taken from clients with expired leases.
    pub(super) revoking: usize,
    /// Number of stateids that the records of clients remember as revoked: see `Client::lost`.
    pub(super) remembered: usize,
    /// The state that each peer is charged with.
    pub(super) accounts: Accounts,
    /// Number of lock stateids of each client, by its place; zero once the client is removed.
    pub(super) locks_by_client: Parted<u32>,
}

/// The open of each open-owner and file.
pub(crate) type OpenByOwner = KeyMap<(OpenOwnerKey, FileKey), OpenKey>;
/// The lock stateid of each lock-owner and open.
pub(crate) type LockByOwner = KeyMap<(LockOwnerKey, OpenKey), LockKey>;

/// The tables, for the checks of invariants.
pub(crate) struct StateTables<'a> {
    pub(crate) files: &'a Files,
    pub(crate) opens: &'a Slab<Open>,
    pub(crate) open_owners: &'a Owners<kind::Open>,
    pub(crate) open_by_owner: &'a OpenByOwner,
    pub(crate) locks: &'a Slab<Lock>,
    pub(crate) lock_owners: &'a Owners<kind::Lock>,
    pub(crate) lock_by_owner: &'a LockByOwner,
    pub(crate) closed: &'a KeyMap<OpenKey, OpenOwnerKey>,
    pub(crate) ranges: usize,
    pub(crate) waiting: usize,
    pub(crate) opening: usize,
    pub(crate) revoking: usize,
    pub(crate) remembered: usize,
    pub(crate) accounts: &'a Accounts,
    pub(crate) delegated: &'a Delegated,
}

/// The open-owner and the file of an OPEN. Both are hashed once; the OPEN looks them up again after
/// each wait.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) client: ClientKey,
    owner: &'a [u8],
    fh: &'a Fh,
    owner_hash: u64,
    file_hash: u64,
}

/// The state that a stateid names, found in the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundState {
    pub(crate) named: Named,
    pub(crate) client: ClientKey,
    pub(crate) file: FileKey,
    /// Its current seqid.
    pub(crate) seqid: u32,
}

/// Number of entries of each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateCounts {
    pub(crate) opens: usize,
    pub(crate) locks: usize,
    pub(crate) owners: usize,
    pub(crate) files: usize,
    pub(crate) waiting: usize,
    /// What peers are charged with.
    pub(crate) all: usize,
    /// Number of read delegations, and of write delegations, that are held.
    pub(crate) delegations: [usize; 2],
    /// Number of revoked delegations.
    pub(crate) revoked: usize,
    /// Number of opens and lock stateids that clients have lost and not acknowledged.
    pub(crate) remembered: usize,
}

impl States {
    pub(crate) fn new(epoch: u32, keyed: Keyed) -> States {
        States {
            epoch,
            files: Files::new(keyed),
            opens: Slab::secret(Draw::new(keyed, SealPurpose::Open)),
            open_owners: Owners::new(keyed),
            open_by_owner: KeyMap::of_keys(keyed),
            delegated: Delegated::new(Draw::new(keyed, SealPurpose::Delegation)),
            locks: Slab::secret(Draw::new(keyed, SealPurpose::Lock)),
            lock_owners: Owners::new(keyed),
            lock_by_owner: KeyMap::of_keys(keyed),
            closed: KeyMap::of_keys(keyed),
            unlocked: Vec::new(),
            ranges: 0,
            waiting: 0,
            walked: 0,
            opening: 0,
            revoking: 0,
            remembered: 0,
            accounts: Accounts::new(keyed),
            locks_by_client: Parted::new(),
        }
    }

    /// The boot epoch in its stateids.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(crate) fn counts(&self) -> StateCounts {
        StateCounts {
            opens: self.opens.len(),
            locks: self.locks.len(),
            owners: self.open_owners.len() + self.lock_owners.len(),
            files: self.files.len(),
            waiting: self.waiting,
            all: self.accounts.all.all(),
            delegations: self.delegated.held(),
            revoked: self.delegated.revoked(),
            remembered: self.remembered,
        }
    }

    pub(crate) fn inside(&self) -> StateTables<'_> {
        StateTables {
            files: &self.files,
            opens: &self.opens,
            open_owners: &self.open_owners,
            open_by_owner: &self.open_by_owner,
            locks: &self.locks,
            lock_owners: &self.lock_owners,
            lock_by_owner: &self.lock_by_owner,
            closed: &self.closed,
            ranges: self.ranges,
            waiting: self.waiting,
            opening: self.opening,
            revoking: self.revoking,
            remembered: self.remembered,
            accounts: &self.accounts,
            delegated: &self.delegated,
        }
    }

    /// The handle of a file with state.
    pub(crate) fn handle_of(&self, key: FileKey) -> Option<Fh> {
        self.files.get(key).map(|file| file.fh)
    }

    /// A file with state, by its handle.
    pub(crate) fn file_of(&self, fh: &Fh) -> Option<FileKey> {
        self.files.find(fh)
    }

    /// The keyed hash of the handle of an open file.
    pub(crate) fn hash_of(&self, key: OpenKey) -> Option<u64> {
        let open = self.opens.get(key)?;
        self.files.get(open.file).map(|file| file.hash)
    }

    /// The place of a file's guards.
    pub(crate) fn place_of(&self, key: FileKey) -> Option<GuardPlace> {
        self.files.get(key).map(|file| GuardPlace::of(file.hash))
    }

    pub(crate) fn get(&self, key: OpenKey) -> Option<&Open> {
        self.opens.get(key)
    }

    pub(crate) fn lock(&self, key: LockKey) -> Option<&Lock> {
        self.locks.get(key)
    }

    /// The open-owner and the file of an OPEN, hashed.
    pub(crate) fn wanted<'a>(&self, client: ClientKey, owner: &'a [u8], fh: &'a Fh) -> Wanted<'a> {
        Wanted {
            client,
            owner,
            fh,
            owner_hash: self.open_owners.hash_of(client, owner),
            file_hash: self.files.hash_of(fh),
        }
    }

    /// The open that this open-owner has of this file.
    pub(crate) fn find(&self, wanted: &Wanted<'_>) -> Option<OpenKey> {
        let name = (wanted.client, wanted.owner);
        let owner = self.open_owners.find_hashed(wanted.owner_hash, name)?;
        let file = self.files.find_hashed(wanted.file_hash, wanted.fh)?;
        self.open_by_owner.get(&(owner, file)).copied()
    }

    /// As [`States::admits`], of the file that is wanted.
    pub(crate) fn admits_wanted(&self, wanted: &Wanted<'_>, share: Share) -> bool {
        let file = self.files.find_hashed(wanted.file_hash, wanted.fh);
        self.files.admits(file, share)
    }

    /// Whether `share` of a file conflicts with no open or claim.
    pub(crate) fn admits(&self, fh: &Fh, share: Share) -> bool {
        self.files.admits(self.files.find(fh), share)
    }

    /// A new open of the file; the caller has checked the share, and knows that the owner has no other
    /// open of it.
    pub(crate) fn open(
        &mut self,
        list: &mut KeyIndex<kind::Open>,
        wanted: &Wanted<'_>,
        (share, opener): (Share, Principal),
    ) -> OpenKey {
        let client = wanted.client;
        let name = (client, wanted.owner);
        let owner = self.open_owners.named_hashed(wanted.owner_hash, name);
        let file = self.files.get_or_insert_hashed(wanted.file_hash, wanted.fh);
        let places = (list.next_place(), self.open_owners.next_place(owner));
        let key = self
            .opens
            .insert(Open::new(client, owner, file, share, opener, places));
        let file_place = self.files.open(file, key, share);
        if let Some(open) = self.opens.get_mut(key) {
            open.file_place = file_place;
        }
        list.push(key);
        self.open_owners.attach(owner, key);
        self.open_by_owner.insert((owner, file), key);
        self.charge(client, 1);
        key
    }

    /// Adds a share to an open.
    pub(crate) fn widen(&mut self, key: OpenKey, share: Share, opener: Principal) {
        if let Some(open) = self.opens.get_mut(key) {
            let before = open.share;
            open.widen(share, opener);
            self.files.change(open.file, before, open.share);
        }
    }

    /// Narrows an open to a share that it [`narrows_to`](Open::narrows_to).
    pub(crate) fn narrow(&mut self, key: OpenKey, share: Share) {
        if let Some(open) = self.opens.get_mut(key) {
            self.files.change(open.file, open.share, share);
            open.narrow(share);
        }
    }

    /// The next stateid of an open, for the reply that contains it.
    pub(crate) fn advance(&mut self, key: OpenKey) -> Stateid {
        let seqid = self.opens.get_mut(key).map_or(0, |open| {
            open.advance();
            open.seqid
        });
        Named::Open(key).encode(self.epoch, seqid)
    }

    /// Removes an open with its locks from every table; its file's handle is returned, to be
    /// released once.
    pub(crate) fn close(
        &mut self,
        list: &mut KeyIndex<kind::Open>,
        key: OpenKey,
        why: Ending,
    ) -> Option<Fh> {
        if let Some(file) = self.opens.get(key).map(|open| open.file) {
            self.line_of_some(file, |waiters| waiters.leave_with(key));
        }
        self.walked += 1;
        self.end_locks_under(key, why, usize::MAX);
        let open = match why {
            Ending::Asked => self.opens.remove(key)?,
            Ending::Lost => self.opens.lose(key)?,
        };
        self.revoking.lower(usize::from(open.revoked));
        self.refund(open.client, 1);
        let fh = self.files.get(open.file).map(|file| file.fh);
        self.open_by_owner.remove(&(open.owner, open.file));
        if let Some(moved) = self.open_owners.release(open.owner, open.owner_place)
            && let Some(moved) = self.opens.get_mut(moved)
        {
            moved.owner_place = open.owner_place;
        }
        if let Some(moved) = self.files.close(open.file, open.file_place, open.share)
            && let Some(moved) = self.opens.get_mut(moved)
        {
            moved.file_place = open.file_place;
        }
        if let Some(moved) = list.remove(open.place)
            && let Some(moved) = self.opens.get_mut(moved)
        {
            moved.place = open.place;
        }
        fh
    }

    /// Number of steps that may be taken before other requests are served; at least one.
    pub(crate) const fn may_walk(&self) -> usize {
        let left = WALKED_AT_ONCE.saturating_sub(self.walked);
        if left == 0 { 1 } else { left }
    }

    /// Whether other requests must be served before the next step.
    pub(crate) const fn must_yield(&self) -> bool {
        self.walked >= WALKED_AT_ONCE
    }

    /// The state that a stateid names, with its client and file; the seqid is not checked.
    ///
    /// # Errors
    /// STALE_STATEID for a stateid of another boot, EXPIRED for lost state, as long as that is
    /// remembered, BAD_STATEID for an unknown stateid.
    pub(crate) fn find_stateid(&self, stateid: &Stateid) -> Result<FoundState, Status> {
        let named = Named::decode(stateid, self.epoch)?;
        let (client, file, seqid) = match named {
            Named::Open(key) => {
                let open = self.opens.get(key).ok_or_else(|| gone(&self.opens, key))?;
                if open.revoked {
                    return Err(Status::EXPIRED);
                }
                (open.client, open.file, open.seqid)
            }
            Named::Lock(key) => {
                let lock = self.locks.get(key).ok_or_else(|| gone(&self.locks, key))?;
                if self.revoking > 0 && self.is_being_revoked(lock) {
                    return Err(Status::EXPIRED);
                }
                (lock.client, lock.file, lock.seqid)
            }
            Named::Deleg(key) => {
                let held = self.delegated.named(key)?;
                (held.client, held.file, held.seqid)
            }
        };
        Ok(FoundState {
            named,
            client,
            file,
            seqid,
        })
    }

    /// Checks that the state was not revoked.
    ///
    /// # Errors
    /// DELEG_REVOKED or EXPIRED for a revoked delegation.
    pub(crate) fn check_kept(&self, named: Named) -> Result<(), Status> {
        match named {
            Named::Open(_) | Named::Lock(_) => Ok(()),
            Named::Deleg(key) => self.delegated.check(key),
        }
    }

    /// Whether the state is of this file; any file if `fh` is none.
    pub(crate) fn is_of(&self, stated: &FoundState, fh: Option<&Fh>) -> bool {
        let of_file = |fh: &Fh| {
            self.files
                .get(stated.file)
                .is_some_and(|file| file.fh == *fh)
        };
        fh.is_none_or(of_file)
    }

    /// The state that a stateid of this client and file names. [RFC 8881 §8.2.4]
    ///
    /// # Errors
    /// BAD_STATEID for a stateid that is unknown, of another boot, of another client or of another
    /// file, DELEG_REVOKED or EXPIRED for a revoked delegation, OLD_STATEID for an earlier seqid.
    pub(crate) fn check(
        &self,
        stateid: &Stateid,
        client: ClientKey,
        fh: Option<&Fh>,
    ) -> Result<Named, Status> {
        let stated = self
            .find_stateid(stateid)
            .map_err(|_| Status::BAD_STATEID)?;
        if stated.client != client || !self.is_of(&stated, fh) {
            return Err(Status::BAD_STATEID);
        }
        self.check_kept(stated.named)?;
        check_seqid(stateid.seqid, stated.seqid)?;
        Ok(stated.named)
    }
}

/// Maximum number of steps before other requests are served; a step takes about a microsecond.
pub(crate) const WALKED_AT_ONCE: usize = 128;
