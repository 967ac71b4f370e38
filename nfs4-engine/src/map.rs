//! Maps for keys that a peer chooses.

use core::hash::{BuildHasher, Hash};

use hashbrown::{Equivalent, HashMap};
use siphasher::sip::SipHasher13;

/// A map that cannot be iterated, so that its order never shows, under a hash whose key no peer
/// knows.
pub(crate) struct DetMap<K, V>(HashMap<K, V, Keyed>);

/// A hash function keyed with the entropy of the boot.
#[derive(Clone, Copy)]
pub(crate) struct Keyed([u8; 16]);

impl Keyed {
    pub(crate) const fn new(entropy: [u8; 16]) -> Keyed {
        Keyed(entropy)
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

impl<K: Eq + Hash, V> DetMap<K, V> {
    pub(crate) const fn new(keyed: Keyed) -> DetMap<K, V> {
        DetMap(HashMap::with_hasher(keyed))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        self.0.get(key)
    }

    pub(crate) fn get_mut<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub(crate) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        self.0.remove(key)
    }
}
