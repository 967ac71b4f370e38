//! Open-owners and lock-owners. [RFC 8881 §9.1.1, RFC 7530 §9.1.5]

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::hash::{Hash, Hasher};

use hashbrown::Equivalent;

use crate::key_index::KeyIndex;
use crate::keys::{ClientKey, kind};
use crate::map::{DetMap, Keyed};
use crate::parted::Parted;
use crate::peer::{Evictable, EvictionEntry, EvictionOrder, LimitReached, Peer, Shares};
use crate::slab::{Entry, Key, Slab};
use crate::state::owner_seqid::OwnerSeqid;
use crate::time::Mono;

/// An open-owner or a lock-owner of a client, with its opens or its lock stateids.
///
/// It exists as long as it has some; in 4.0 longer, for its seqid and its last reply.
pub(crate) struct Owner<T> {
    name: OwnerName,
    /// The hash by which its name is found.
    hash: u64,
    held: KeyIndex<T>,
    remembered: Option<Box<Remembered<T>>>,
    /// When its last request began.
    used: Mono,
}

/// What is remembered of an owner of minor version 0.
struct Remembered<T> {
    seqid: OwnerSeqid,
    /// Its entry in the order of eviction.
    rank: EvictionEntry<kind::Owner<T>>,
}

/// Owners of one kind, by name.
pub(crate) struct Owners<T> {
    slab: Slab<Owner<T>>,
    by_name: DetMap<OwnerName, Key<kind::Owner<T>>>,
    /// Owners that are [loose](Owner::is_loose), by client and last use.
    loose: BTreeSet<(ClientKey, Mono, Key<kind::Owner<T>>)>,
    /// Loose owners without a request in execution, in the order of eviction.
    pub(crate) resting: EvictionOrder<kind::Owner<T>>,
    /// Bytes of the names and last replies of each peer's owners.
    pub(crate) bytes: Shares,
    /// The peer of each client, by the client's place.
    peers: Parted<Peer>,
}

#[derive(Clone, PartialEq, Eq)]
struct OwnerName {
    client: ClientKey,
    /// Shared by the owner and the index that finds it.
    name: Arc<[u8]>,
}

/// An [`OwnerName`] that borrows from the request.
#[derive(PartialEq, Eq, Hash)]
struct OwnerRef<'a> {
    client: ClientKey,
    name: &'a [u8],
}

impl<T> Entry for Owner<T> {
    type Kind = kind::Owner<T>;
}

impl<T> Owner<T> {
    pub(crate) fn client(&self) -> ClientKey {
        self.name.client
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name.name
    }

    /// Number of bytes of its name and its last reply.
    pub(crate) fn bytes(&self) -> usize {
        let last = self.seqid().and_then(OwnerSeqid::last);
        self.name().len() + last.map_or(0, |last| last.body.len())
    }

    /// Its opens or lock stateids.
    pub(crate) fn held(&self) -> &KeyIndex<T> {
        &self.held
    }

    /// Its seqid and last reply, in 4.0.
    pub(crate) fn seqid(&self) -> Option<&OwnerSeqid> {
        self.remembered
            .as_deref()
            .map(|remembered| &remembered.seqid)
    }

    /// Whether it may be evicted to make room for another owner.
    pub(crate) fn is_resting(&self) -> bool {
        self.is_loose() && !self.is_running()
    }

    fn is_running(&self) -> bool {
        self.seqid().is_some_and(OwnerSeqid::is_running)
    }

    /// Whether it may be removed when it has been silent: in 4.0, an owner without state, or one that
    /// is not confirmed.
    pub(crate) fn is_loose(&self) -> bool {
        let seqid = self.seqid();
        seqid.is_some_and(|seqid| self.held.is_empty() || !seqid.is_confirmed())
    }
}

impl<T> Owners<T> {
    pub(crate) const fn new(keyed: Keyed) -> Owners<T> {
        Owners {
            slab: Slab::new(),
            by_name: DetMap::new(keyed),
            loose: BTreeSet::new(),
            resting: EvictionOrder::new(),
            bytes: Shares::new(),
            peers: Parted::new(),
        }
    }

    /// Sets the peer that is charged with the owners of a client, which has none yet.
    pub(crate) fn enroll(&mut self, client: ClientKey, peer: Peer) {
        let place = client.index as usize;
        self.peers.reach(place, || peer);
        if let Some(known) = self.peers.get_mut(place) {
            *known = peer;
        }
    }

    /// Checks that there is room for the name of a client's owner, or that the owner exists; `most` is
    /// the limit for the bytes of all owners.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(crate) fn admits(
        &self,
        client: ClientKey,
        name: &[u8],
        most: usize,
    ) -> Result<(), LimitReached> {
        let peer = self.peer_of(client).ok_or(LimitReached::Share)?;
        let admitted = self.bytes.held(peer).admits(most, name.len());
        admitted.or_else(|full| self.find(client, name).map(|_| ()).ok_or(full))
    }

    /// The peer that is charged with a client's owners.
    pub(super) fn peer_of(&self, client: ClientKey) -> Option<Peer> {
        self.peers.get(client.index as usize).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// The hash by which a name is found.
    pub(super) fn hash_of(&self, client: ClientKey, name: &[u8]) -> u64 {
        self.by_name.hash_of(&OwnerRef { client, name })
    }

    pub(crate) fn find(&self, client: ClientKey, name: &[u8]) -> Option<Key<kind::Owner<T>>> {
        self.find_hashed(self.hash_of(client, name), (client, name))
    }

    /// As [`Owners::find`], with the hash of [`Owners::hash_of`].
    pub(super) fn find_hashed(
        &self,
        hash: u64,
        (client, name): (ClientKey, &[u8]),
    ) -> Option<Key<kind::Owner<T>>> {
        let name = OwnerRef { client, name };
        self.by_name.get_hashed(hash, &name).copied()
    }

    pub(crate) fn get(&self, key: Key<kind::Owner<T>>) -> Option<&Owner<T>> {
        self.slab.get(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (Key<kind::Owner<T>>, &Owner<T>)> + '_ {
        self.slab.entries()
    }

    /// Number of names, of loose owners, and of resting owners.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.by_name.len(), self.loose.len(), self.resting.len())
    }

    /// The name of an owner.
    pub(crate) fn name(&self, key: Key<kind::Owner<T>>) -> Option<Arc<[u8]>> {
        self.slab.get(key).map(|owner| Arc::clone(&owner.name.name))
    }

    /// The owner of this name, added if there is none; the caller adds state by [`Owners::hold`].
    pub(crate) fn named(&mut self, client: ClientKey, name: &[u8]) -> Key<kind::Owner<T>> {
        self.named_hashed(self.hash_of(client, name), (client, name))
    }

    /// As [`Owners::named`], with the hash of [`Owners::hash_of`].
    pub(super) fn named_hashed(
        &mut self,
        hash: u64,
        (client, name): (ClientKey, &[u8]),
    ) -> Key<kind::Owner<T>> {
        let known = self.find_hashed(hash, (client, name));
        known.unwrap_or_else(|| {
            let name = OwnerName {
                client,
                name: name.into(),
            };
            let key = self.slab.insert(Owner {
                name: name.clone(),
                hash,
                held: KeyIndex::new(),
                remembered: None,
                used: Mono::ZERO,
            });
            if let Some(peer) = self.peer_of(client) {
                self.bytes.add(peer, name.name.len());
            }
            self.by_name.insert_new(hash, name, key);
            key
        })
    }

    /// The place of the next entry in an owner's list.
    pub(crate) fn next_place(&self, key: Key<kind::Owner<T>>) -> u32 {
        let owner = self.slab.get(key);
        owner.map_or(0, |owner| owner.held.next_place())
    }

    /// Adds an open or a lock stateid to an owner.
    pub(crate) fn attach(&mut self, key: Key<kind::Owner<T>>, what: Key<T>) {
        self.unlist(key);
        if let Some(owner) = self.slab.get_mut(key) {
            owner.held.push(what);
        }
        self.list(key);
    }

    /// Removes the entry at a place of an owner's list; returns the entry that moved there.
    pub(crate) fn release(&mut self, key: Key<kind::Owner<T>>, place: u32) -> Option<Key<T>> {
        self.unlist(key);
        let owner = self.slab.get_mut(key)?;
        let moved = owner.held.remove(place);
        if owner.held.is_empty() && owner.remembered.is_none() {
            self.remove(key);
        } else {
            self.list(key);
        }
        moved
    }

    /// Changes an owner's seqid state, which is added if there is none; `now` is set if a request begins.
    pub(crate) fn with_seqid<R>(
        &mut self,
        key: Key<kind::Owner<T>>,
        now: Option<Mono>,
        change: impl FnOnce(&mut OwnerSeqid) -> R,
    ) -> Option<R> {
        self.unlist(key);
        let owner = self.slab.get_mut(key)?;
        owner.used = now.unwrap_or(owner.used);
        let before = owner.bytes();
        let result = change(&mut owner.remembered.get_or_insert_default().seqid);
        let (after, client) = (owner.bytes(), owner.client());
        if let Some(peer) = self.peer_of(client) {
            self.bytes.change(peer, before, after);
        }
        self.list(key);
        Some(result)
    }

    /// Removes an owner without state.
    pub(crate) fn remove(&mut self, key: Key<kind::Owner<T>>) {
        self.unlist(key);
        if let Some(owner) = self.slab.remove(key) {
            debug_assert!(
                owner.held.is_empty(),
                "the state of an owner ends before the owner"
            );
            if let Some(peer) = self.peer_of(owner.client()) {
                self.bytes.take(peer, owner.bytes());
            }
            self.by_name.remove_hashed(owner.hash, &owner.name);
        }
    }

    /// One of a client's loose owners.
    pub(crate) fn loose_of(&self, client: ClientKey) -> Option<Key<kind::Owner<T>>> {
        let first = (client, Mono::ZERO, Key::new(0, 0));
        let mut rest = self.loose.range(first..);
        let (whose, _, key) = rest.next()?;
        (*whose == client).then_some(*key)
    }

    /// One of a client's loose owners that has sent no request since then.
    pub(crate) fn silent_since(
        &self,
        client: ClientKey,
        since: Mono,
    ) -> Option<Key<kind::Owner<T>>> {
        let all = (client, Mono::ZERO, Key::new(0, 0))..(client, since, Key::new(0, 0));
        let mut silent = self.loose.range(all).map(|(_, _, key)| *key);
        silent.find(|key| self.get(*key).is_some_and(|owner| !owner.is_running()))
    }

    /// The owner to evict, if the resting owners of a client's peer exceed its share of this limit.
    pub(crate) fn excess_owner(
        &self,
        client: ClientKey,
        most: usize,
    ) -> Option<Key<kind::Owner<T>>> {
        let peer = self.peer_of(client)?;
        let whose = self.resting.held(peer).gives_way(most)?;
        self.resting.first_to(peer, whose)
    }

    fn list(&mut self, key: Key<kind::Owner<T>>) {
        if let Some(owner) = self.slab.get(key)
            && owner.is_loose()
        {
            let (client, runs) = (owner.client(), owner.is_running());
            self.loose.insert((client, owner.used, key));
            if !runs && let Some(peer) = self.peer_of(client) {
                self.resting.push(&mut self.slab, key, peer);
            }
        }
    }

    fn unlist(&mut self, key: Key<kind::Owner<T>>) {
        if let Some(owner) = self.slab.get(key)
            && owner.is_loose()
        {
            self.loose.remove(&(owner.client(), owner.used, key));
            self.resting.remove(&mut self.slab, key);
        }
    }
}

impl<T> Evictable for Owner<T> {
    fn rank(&mut self) -> Option<&mut EvictionEntry<kind::Owner<T>>> {
        Some(&mut self.remembered.as_deref_mut()?.rank)
    }
}

// A derive would require `T: Default`.
impl<T> Default for Remembered<T> {
    fn default() -> Remembered<T> {
        Remembered {
            seqid: OwnerSeqid::default(),
            rank: EvictionEntry::default(),
        }
    }
}

impl Hash for OwnerName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        OwnerRef {
            client: self.client,
            name: &self.name,
        }
        .hash(state);
    }
}

impl Equivalent<OwnerName> for OwnerRef<'_> {
    fn equivalent(&self, key: &OwnerName) -> bool {
        self.client == key.client && *self.name == *key.name
    }
}
