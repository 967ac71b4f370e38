//! Eviction order.

use crate::chain::{Chain, Link};
use crate::keys::PartyKey;
use crate::parted::Parted;
use crate::peer::share::are;
use crate::peer::{EvictFrom, Peer, PeerUsage};
use crate::slab::{Entry, Key, Slab};

/// The evictable entries of a table in the order of their eviction: of all peers, and of each
/// party.
#[derive(Debug)]
pub(crate) struct EvictionOrder<K> {
    all: Chain<K>,
    /// The order of each party, by the index of the party.
    of: Parted<Chain<K>>,
}

/// The position of an entry in [`EvictionOrder`], if it is listed.
#[derive(Debug)]
pub(crate) struct EvictionEntry<K> {
    /// The peer whose lists hold it.
    peer: Option<Peer>,
    /// Its neighbours in the list of all, that of its host, and that of its principal.
    links: [Link<K>; 3],
}

/// An entry that [`EvictionOrder`] can list.
pub(crate) trait Evictable: Entry + Sized {
    /// Its position; none if it is never evictable.
    fn rank(&mut self) -> Option<&mut EvictionEntry<Self::Kind>>;
}

impl<K> EvictionOrder<K> {
    pub(crate) const fn new() -> EvictionOrder<K> {
        EvictionOrder {
            all: Chain::new(),
            of: Parted::new(),
        }
    }

    /// Number of entries, as it counts against a peer.
    pub(crate) fn held(&self, peer: Peer) -> PeerUsage {
        let of = |key: PartyKey| self.of.get(key.index as usize).map_or(0, Chain::len);
        PeerUsage {
            own: peer.user.map_or(0, of),
            host: of(peer.host),
            all: self.all.len(),
        }
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The first entry to evict for a peer.
    pub(crate) fn first_to(&self, peer: Peer, whose: EvictFrom) -> Option<Key<K>> {
        let party = match whose {
            EvictFrom::Own => peer.user.unwrap_or(peer.host),
            EvictFrom::Host => peer.host,
            EvictFrom::First => return self.first(),
        };
        self.of.get(party.index as usize)?.first()
    }

    /// The first entry to evict of all.
    pub(crate) fn first(&self) -> Option<Key<K>> {
        self.all.first()
    }

    /// The entry to evict for its own peer: of the same principal, or else of the same host.
    pub(crate) fn first_of(&self, peer: Peer) -> Option<Key<K>> {
        let mut nearest = peer.user.into_iter().chain([peer.host]);
        nearest.find_map(|party| self.of.get(party.index as usize)?.first())
    }

    /// Whether each of these parties has this number of entries listed, and no other party any.
    pub(crate) fn are(&self, expected: impl IntoIterator<Item = (PartyKey, usize)>) -> bool {
        are(self.of.iter().map(Chain::len), expected)
    }

    /// Appends an entry of a peer, unless it is listed already.
    pub(crate) fn push<T: Evictable<Kind = K>>(
        &mut self,
        slab: &mut Slab<T>,
        key: Key<K>,
        peer: Peer,
    ) {
        match slab.get_mut(key).and_then(T::rank) {
            Some(rank) if rank.peer.is_none() => rank.peer = Some(peer),
            _ => return,
        }
        self.all.push(slab, key, link::<T>(ALL));
        for (party, at) in peer.parties().zip(PARTIES) {
            let place = party.index as usize;
            self.of.reach(place, Chain::default);
            if let Some(chain) = self.of.get_mut(place) {
                chain.push(slab, key, link::<T>(at));
            }
        }
    }

    /// Removes an entry, if it is listed here.
    pub(crate) fn remove<T: Evictable<Kind = K>>(&mut self, slab: &mut Slab<T>, key: Key<K>) {
        let rank = slab.get_mut(key).and_then(T::rank);
        let Some(peer) = rank.and_then(|rank| rank.peer.take()) else {
            return;
        };
        self.all.remove(slab, key, link::<T>(ALL));
        for (party, at) in peer.parties().zip(PARTIES) {
            if let Some(chain) = self.of.get_mut(party.index as usize) {
                chain.remove(slab, key, link::<T>(at));
            }
        }
    }
}

impl<K> EvictionEntry<K> {
    /// Whether the entry is listed.
    pub(crate) fn is_listed(&self) -> bool {
        self.peer.is_some()
    }
}

impl<K> Default for EvictionEntry<K> {
    fn default() -> EvictionEntry<K> {
        EvictionEntry {
            peer: None,
            links: Default::default(),
        }
    }
}

fn link<T: Evictable>(at: usize) -> impl Fn(&mut T) -> Option<&mut Link<T::Kind>> {
    move |entry| entry.rank()?.links.get_mut(at)
}

const ALL: usize = 0;
/// The indices of the host and the principal.
const PARTIES: [usize; 2] = [1, 2];

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Value(EvictionEntry<Value>);

    impl Entry for Value {
        type Kind = Value;
    }

    impl Evictable for Value {
        fn rank(&mut self) -> Option<&mut EvictionEntry<Value>> {
            Some(&mut self.0)
        }
    }

    #[test]
    fn the_oldest_entry_of_a_principal_host_or_all_is_evicted_first() {
        let peer = |host, user| Peer {
            host: PartyKey::new(host, 1),
            user: Some(PartyKey::new(user, 1)),
        };
        // Two principals at one host, and one at another.
        let (one, two, other) = (peer(0, 1), peer(0, 2), peer(3, 4));
        let (mut slab, mut ranks) = (Slab::new(), EvictionOrder::new());
        let keys = [other, two, one, one].map(|peer| {
            let key = slab.insert(Value::default());
            ranks.push(&mut slab, key, peer);
            key
        });
        // An entry that is listed is not listed again.
        ranks.push(&mut slab, keys[0], one);
        let held = |own, host, all| PeerUsage { own, host, all };
        assert_eq!(ranks.held(one), held(2, 3, 4));
        assert_eq!(ranks.held(other), held(1, 1, 4));
        let first = |ranks: &EvictionOrder<Value>, whose| ranks.first_to(one, whose);
        assert_eq!(first(&ranks, EvictFrom::Own), Some(keys[2]));
        assert_eq!(first(&ranks, EvictFrom::Host), Some(keys[1]));
        assert_eq!(first(&ranks, EvictFrom::First), Some(keys[0]));
        for key in [keys[1], keys[2], keys[2]] {
            ranks.remove(&mut slab, key);
        }
        assert_eq!(first(&ranks, EvictFrom::Host), Some(keys[3]));
        assert_eq!(ranks.first_of(two), Some(keys[3]), "of its host");
        ranks.remove(&mut slab, keys[3]);
        assert_eq!(ranks.first_of(two), None);
        assert_eq!(ranks.held(other), held(1, 1, 1));
        assert!(
            slab.get_mut(keys[3])
                .is_some_and(|entry| !entry.0.is_listed())
        );
    }
}
