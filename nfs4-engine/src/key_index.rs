//! Lists of keys whose entries know their own index, so that each leaves in one step.

use crate::parted::Parted;
use crate::slab::Key;

/// Keys, in an order that no peer may rely on.
pub(crate) struct KeyIndex<K>(Parted<Key<K>>);

impl<K> KeyIndex<K> {
    pub(crate) const fn new() -> KeyIndex<K> {
        KeyIndex(Parted::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key at this index.
    pub(crate) fn at(&self, place: u32) -> Option<Key<K>> {
        self.0.get(place as usize).copied()
    }

    /// All keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Key<K>> + '_ {
        self.0.iter().copied()
    }

    /// One of the keys.
    pub(crate) fn any(&self) -> Option<Key<K>> {
        self.0.last().copied()
    }

    /// The index that the next [`KeyIndex::push`] uses.
    pub(crate) fn next_place(&self) -> u32 {
        // Every list has a limit far below 2^32.
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn push(&mut self, key: Key<K>) {
        self.0.push(key);
    }

    /// Removes the key at `place`; returns the key that moved there.
    pub(crate) fn remove(&mut self, place: u32) -> Option<Key<K>> {
        let place = place as usize;
        self.0.swap_remove(place);
        self.0.get(place).copied()
    }
}
