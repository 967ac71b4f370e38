//! Maps without a visible order: for keys that a peer chooses, and for keys that the server mints.

use alloc::boxed::Box;
use core::hash::{BuildHasher, Hash, Hasher};

use hashbrown::hash_table::Entry as Found;
use hashbrown::{Equivalent, HashTable};

use siphasher::sip::SipHasher13;

/// A map that cannot be iterated, so that its order never shows. No peer knows the key of its hash.
///
/// The map grows in parts and keeps the hashes beside the keys: no insertion moves more than the
/// entries of one part, or hashes their keys.
pub(crate) struct DetMap<K, V, S = Keyed> {
    first: Table<K, V>,
    /// The entries beyond the first table, in parts by some bits of the hash.
    rest: Option<Box<[Table<K, V>; PARTS]>>,
    len: usize,
    hasher: S,
}

/// A map for keys that the server mints and a peer can at most select from.
pub(crate) type KeyMap<K, V> = DetMap<K, V, Folded>;

type Table<K, V> = HashTable<Entry<K, V>>;

struct Entry<K, V> {
    hash: u64,
    key: K,
    value: V,
}

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

/// A hash function for a few words: each is multiplied by a secret number, and the upper half of
/// the product is folded into the lower. It costs a tenth of [`Keyed`], and no peer sees an output
/// of it.
#[derive(Clone, Copy)]
pub(crate) struct Folded {
    start: u64,
    factor: u64,
}

/// The state of [`Folded`] after some words.
pub(crate) struct Folding {
    state: u64,
    factor: u64,
}

impl Folded {
    pub(crate) fn new(keyed: Keyed) -> Folded {
        Folded {
            start: keyed.hash_one("start"),
            factor: keyed.hash_one("factor") | 1,
        }
    }
}

impl BuildHasher for Folded {
    type Hasher = Folding;

    #[inline]
    fn build_hasher(&self) -> Folding {
        Folding {
            state: self.start,
            factor: self.factor,
        }
    }
}

impl Hasher for Folding {
    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.factor);
        self.state = (product >> 64) as u64 ^ product as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
}

impl<K: Eq + Hash, V> DetMap<K, V> {
    pub(crate) const fn new(keyed: Keyed) -> DetMap<K, V> {
        DetMap::under(keyed)
    }
}

impl<K: Eq + Hash, V> KeyMap<K, V> {
    pub(crate) fn of_keys(keyed: Keyed) -> KeyMap<K, V> {
        DetMap::under(Folded::new(keyed))
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> DetMap<K, V, S> {
    const fn under(hasher: S) -> DetMap<K, V, S> {
        DetMap {
            first: HashTable::new(),
            rest: None,
            len: 0,
            hasher,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The hash of a key, for a caller that looks it up more than once.
    pub(crate) fn hash_of<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        self.get_hashed(self.hash_of(key), key)
    }

    /// As [`DetMap::get`], with the key's [`DetMap::hash_of`].
    pub(crate) fn get_hashed<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> Option<&V> {
        let is_it = |entry: &Entry<K, V>| entry.hash == hash && key.equivalent(&entry.key);
        let found = self.first.find(hash, is_it).or_else(|| {
            let rest = self.rest.as_deref()?;
            rest.get(part(hash))?.find(hash, is_it)
        });
        found.map(|entry| &entry.value)
    }

    pub(crate) fn get_mut<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut V> {
        let hash = self.hasher.hash_one(key);
        self.find_mut(hash, key)
    }

    fn find_mut<Q: Equivalent<K> + ?Sized>(&mut self, hash: u64, key: &Q) -> Option<&mut V> {
        let is_it = |entry: &Entry<K, V>| entry.hash == hash && key.equivalent(&entry.key);
        let found = self.first.find_mut(hash, is_it).or_else(|| {
            let rest = self.rest.as_deref_mut()?;
            rest.get_mut(part(hash))?.find_mut(hash, is_it)
        });
        found.map(|entry| &mut entry.value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = self.hash_of(&key);
        if let Some(found) = self.find_mut(hash, &key) {
            return Some(core::mem::replace(found, value));
        }
        self.insert_new(hash, key, value);
        None
    }

    /// Inserts a key that is not there, with its [`DetMap::hash_of`].
    pub(crate) fn insert_new(&mut self, hash: u64, key: K, value: V) {
        let entry = Entry { hash, key, value };
        self.len += 1;
        let table = if self.first.len() < MAX_FIRST {
            &mut self.first
        } else {
            let rest = self
                .rest
                .get_or_insert_with(|| Box::new([const { HashTable::new() }; PARTS]));
            rest.get_mut(part(hash)).unwrap_or(&mut self.first)
        };
        table.insert_unique(hash, entry, |entry| entry.hash);
    }

    pub(crate) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        self.remove_hashed(self.hash_of(key), key)
    }

    /// As [`DetMap::remove`], with the key's [`DetMap::hash_of`].
    pub(crate) fn remove_hashed<Q: Equivalent<K> + ?Sized>(
        &mut self,
        hash: u64,
        key: &Q,
    ) -> Option<V> {
        let is_it = |entry: &Entry<K, V>| entry.hash == hash && key.equivalent(&entry.key);
        let in_rest = self
            .rest
            .as_deref_mut()
            .and_then(|rest| rest.get_mut(part(hash)));
        for table in core::iter::once(&mut self.first).chain(in_rest) {
            if let Found::Occupied(found) = table.entry(hash, is_it, |entry| entry.hash) {
                self.len -= 1;
                return Some(found.remove().0.value);
            }
        }
        None
    }
}

/// The part of a hash, by bits that a table itself does not use.
const fn part(hash: u64) -> usize {
    (hash >> 40) as usize % PARTS
}

/// Maximum number of entries in the first table, before there are parts.
const MAX_FIRST: usize = 4_096;
/// Number of parts: with a million entries, each has as many as the first table.
const PARTS: usize = 256;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Number of times that a key of the one test was hashed.
    static HASHED: AtomicUsize = AtomicUsize::new(0);

    #[derive(Clone, PartialEq, Eq)]
    struct Counted(u32);

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            HASHED.fetch_add(1, Ordering::Relaxed);
            state.write_u32(self.0);
        }
    }

    impl<K, V, S> DetMap<K, V, S> {
        fn tables(&self) -> Vec<&Table<K, V>> {
            let rest = self.rest.iter().flat_map(|rest| rest.iter());
            core::iter::once(&self.first).chain(rest).collect()
        }
    }

    /// Words that count upwards, in their lower or their upper half, are spread evenly.
    #[test]
    fn folded_words_fill_parts_evenly() {
        for shift in [0, 20, 32, 46] {
            let mut map = KeyMap::of_keys(Keyed::new([7; 16]));
            for number in 0..200_000_u64 {
                map.insert((number << shift, 1_u64), ());
            }
            let longest = map.tables().iter().map(|table| table.len()).max();
            assert!(longest <= Some(MAX_FIRST), "{longest:?} at {shift}");
            let mut buckets = alloc::vec![0; 1 << 16];
            for entry in map.tables().into_iter().flatten() {
                buckets[entry.hash as usize % (1 << 16)] += 1;
            }
            assert!(
                buckets.iter().max() < Some(&24),
                "{:?} at {shift}",
                buckets.iter().max()
            );
        }
    }

    #[test]
    fn no_insertion_moves_more_than_a_part_or_hashes_another_key() {
        let mut map = DetMap::new(Keyed::new([7; 16]));
        for number in 0..200_000 {
            let (before, moved) = (HASHED.load(Ordering::Relaxed), map.len());
            assert_eq!(map.insert(Counted(number), number), None);
            let hashed = HASHED.load(Ordering::Relaxed) - before;
            assert!(hashed <= 1, "after {moved} entries");
        }
        assert_eq!(map.len(), 200_000);
        let longest = map.tables().iter().map(|table| table.len()).max();
        assert!(
            longest <= Some(MAX_FIRST),
            "{longest:?} entries in one table"
        );
        for number in 0..200_000 {
            assert_eq!(map.get(&Counted(number)), Some(&number));
        }
        assert_eq!(map.get(&Counted(200_000)), None);
        for number in (0..200_000).step_by(3) {
            assert_eq!(map.insert(Counted(number), 1), Some(number));
            assert_eq!(map.remove(&Counted(number)), Some(1));
            assert_eq!(map.remove(&Counted(number)), None);
        }
        assert_eq!(map.len(), 133_333);
        assert_eq!(map.get_mut(&Counted(199_999)).copied(), Some(199_999));
    }
}
