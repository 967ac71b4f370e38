//! Tables whose keys the engine mints: an index and a generation, looked up without hashing.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use crate::seal::Draw;

/// A table of `T`. The key of a removed entry finds nothing, also after its index is reused.
///
/// The table grows by chunks, so that no insertion moves more than one chunk.
pub(crate) struct Slab<T> {
    /// All chunks are full but the last.
    chunks: Vec<Vec<Cell<T>>>,
    /// Number of places.
    places: usize,
    /// Number of free places.
    free: usize,
    /// The first and the last free place: free places form a queue, so that each is reused as late
    /// as possible.
    ends: (u32, u32),
    /// The source of generations, if peers see them.
    draw: Option<Draw>,
}

struct Cell<T> {
    generation: u32,
    /// The generation of the last entry here that was lost; 0 if there was none.
    lost: u32,
    content: Content<T>,
}

/// The content of a place.
enum Content<T> {
    Taken(T),
    /// Free, with the next place in the queue of free ones.
    Free(u32),
}

/// An entry of a [`Slab`].
pub(crate) trait Entry {
    /// The marker of the keys of these entries.
    type Kind;
}

/// The key of an entry in the slab of this kind.
pub(crate) struct Key<K> {
    pub(crate) index: u32,
    pub(crate) generation: u32,
    of: PhantomData<fn() -> K>,
}

/// A place: the key of its present or former entry, and the entry if there is one.
pub(crate) type Place<'a, T> = (Key<<T as Entry>::Kind>, Option<&'a T>);

impl<T: Entry> Slab<T> {
    pub(crate) const fn new() -> Slab<T> {
        Slab {
            chunks: Vec::new(),
            places: 0,
            free: 0,
            ends: (0, 0),
            draw: None,
        }
    }

    /// A table whose generations no peer can predict.
    pub(crate) const fn secret(draw: Draw) -> Slab<T> {
        Slab {
            chunks: Vec::new(),
            places: 0,
            free: 0,
            ends: (0, 0),
            draw: Some(draw),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.places - self.free
    }

    /// The key of the next entry, in a table whose generations are not secret.
    #[inline]
    pub(crate) fn next_key(&self) -> Key<T::Kind> {
        debug_assert!(self.draw.is_none(), "a secret is not known before its use");
        let index = self.ends.0;
        match self.entry(index) {
            Some(entry) if self.free > 0 => Key::new(index, entry.generation),
            _ => Key::new(u32::try_from(self.places).unwrap_or(u32::MAX), 1),
        }
    }

    /// Adds an entry that is made from its own key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key<T::Kind>) -> T) -> Key<T::Kind> {
        let drawn = self.draw.as_mut().map(Draw::next);
        let index = self.ends.0;
        if self.free > 0
            && let Some(entry) = self.entry_mut(index)
            && let Content::Free(next) = entry.content
        {
            entry.generation = drawn.unwrap_or(entry.generation);
            let key = Key::new(index, entry.generation);
            entry.content = Content::Taken(make(key));
            self.ends.0 = next;
            self.free -= 1;
            return key;
        }
        // A slab never grows to 2^32 entries: every table has a limit far below.
        let index = u32::try_from(self.places).unwrap_or(u32::MAX);
        let key = Key::new(index, drawn.unwrap_or(1));
        let entry = Cell {
            generation: key.generation,
            lost: 0,
            content: Content::Taken(make(key)),
        };
        self.places += 1;
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(entry),
            _ => self.chunks.push(alloc::vec![entry]),
        }
        key
    }

    #[inline]
    fn entry(&self, index: u32) -> Option<&Cell<T>> {
        let index = index as usize;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    #[inline]
    fn entry_mut(&mut self, index: u32) -> Option<&mut Cell<T>> {
        let index = index as usize;
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }

    pub(crate) fn insert(&mut self, value: T) -> Key<T::Kind> {
        self.insert_with(|_| value)
    }

    #[inline]
    pub(crate) fn get(&self, key: Key<T::Kind>) -> Option<&T> {
        let entry = self.entry(key.index)?;
        if entry.generation == key.generation {
            entry.content.taken()
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key<T::Kind>) -> Option<&mut T> {
        let entry = self.entry_mut(key.index)?;
        if entry.generation == key.generation {
            match &mut entry.content {
                Content::Taken(value) => Some(value),
                Content::Free(_) => None,
            }
        } else {
            None
        }
    }

    /// The key of the entry that is at this index now.
    pub(crate) fn key_at(&self, index: u32) -> Option<Key<T::Kind>> {
        let entry = self.entry(index)?;
        entry
            .content
            .taken()
            .is_some()
            .then_some(Key::new(index, entry.generation))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        let entries = self.chunks.iter().flatten();
        entries.filter_map(|entry| entry.content.taken())
    }

    /// All entries with their keys, in an order that no peer may rely on.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Key<T::Kind>, &T)> + '_ {
        let entries = self.chunks.iter().flatten();
        entries.zip(0..).filter_map(|(entry, index)| {
            let key = Key::new(index, entry.generation);
            entry.content.taken().map(|value| (key, value))
        })
    }

    /// Every place from `index` on, free or not.
    pub(crate) fn places_from(&self, index: u32) -> impl Iterator<Item = Place<'_, T>> {
        let from = index as usize;
        let chunks = self.chunks.iter().skip(from / CHUNK);
        let rest = chunks.flatten().skip(from % CHUNK);
        // In this order: the number after the last is asked for only if there is an entry for it.
        rest.zip(index..).map(|(entry, index)| {
            let key = Key::new(index, entry.generation);
            (key, entry.content.taken())
        })
    }

    pub(crate) fn contains(&self, key: Key<T::Kind>) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn remove(&mut self, key: Key<T::Kind>) -> Option<T> {
        let entry = self.entry_mut(key.index)?;
        if entry.generation != key.generation {
            return None;
        }
        if let Content::Free(_) = entry.content {
            return None;
        }
        // Zero is skipped, so that an all-zero id never names an entry.
        entry.generation = entry.generation.checked_add(1).unwrap_or(1);
        let taken = core::mem::replace(&mut entry.content, Content::Free(key.index));
        self.put_last(key.index);
        match taken {
            Content::Taken(value) => Some(value),
            Content::Free(_) => None,
        }
    }

    /// Appends a free place to the queue of free places.
    fn put_last(&mut self, index: u32) {
        let last = self.ends.1;
        self.ends.1 = index;
        if self.free == 0 {
            self.ends.0 = index;
        } else if let Some(last) = self.entry_mut(last) {
            last.content = Content::Free(index);
        }
        self.free += 1;
    }

    /// Removes an entry as [`Slab::remove`] does, and remembers its loss until another entry at its
    /// index is lost.
    pub(crate) fn lose(&mut self, key: Key<T::Kind>) -> Option<T> {
        let value = self.remove(key)?;
        if let Some(entry) = self.entry_mut(key.index) {
            entry.lost = key.generation;
        }
        Some(value)
    }

    /// Whether this key is of an entry that is remembered as lost.
    pub(crate) fn was_lost(&self, key: Key<T::Kind>) -> bool {
        self.lost_at(key.index) == Some(key.generation)
    }

    /// The generation of the last entry at this index that was lost.
    pub(crate) fn lost_at(&self, index: u32) -> Option<u32> {
        let entry = self.entry(index)?;
        (entry.lost != 0).then_some(entry.lost)
    }
}

impl<T> Content<T> {
    #[inline]
    fn taken(&self) -> Option<&T> {
        match self {
            Content::Taken(value) => Some(value),
            Content::Free(_) => None,
        }
    }
}

impl<K> Key<K> {
    pub(crate) const fn new(index: u32, generation: u32) -> Key<K> {
        Key {
            index,
            generation,
            of: PhantomData,
        }
    }
}

// Derives would require the same of `K`.
impl<K> Clone for Key<K> {
    fn clone(&self) -> Key<K> {
        *self
    }
}

impl<K> Copy for Key<K> {}

impl<K> PartialEq for Key<K> {
    fn eq(&self, other: &Key<K>) -> bool {
        self.index == other.index && self.generation == other.generation
    }
}

impl<K> Eq for Key<K> {}

impl<K> Ord for Key<K> {
    fn cmp(&self, other: &Key<K>) -> Ordering {
        (self.index, self.generation).cmp(&(other.index, other.generation))
    }
}

impl<K> PartialOrd for Key<K> {
    fn partial_cmp(&self, other: &Key<K>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Hash for Key<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.index) << 32 | u64::from(self.generation));
    }
}

impl<K> fmt::Debug for Key<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

/// Number of places in a chunk.
const CHUNK: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    impl Entry for usize {
        type Kind = usize;
    }

    impl Entry for char {
        type Kind = char;
    }

    #[test]
    fn no_insertion_moves_more_than_a_chunk() {
        let mut slab = Slab::new();
        let mut keys = Vec::new();
        for value in 0..10 * CHUNK {
            keys.push(slab.insert(value));
        }
        assert!(slab.chunks.iter().all(|chunk| chunk.capacity() <= CHUNK));
        assert!(
            keys.iter()
                .map(|key| slab.get(*key).copied())
                .eq((0..10 * CHUNK).map(Some))
        );
        assert!(slab.iter().copied().eq(0..10 * CHUNK));
        assert!(slab.entries().map(|(key, _)| key).eq(keys.iter().copied()));
        for from in [0, 1, CHUNK - 1, CHUNK, 5 * CHUNK + 7, 10 * CHUNK] {
            let places = slab.places_from(from as u32).map(|(key, _)| key);
            assert!(places.eq(keys.iter().skip(from).copied()), "from {from}");
        }
    }

    #[test]
    fn a_key_outlives_its_entry_without_finding_another() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        assert_eq!(slab.remove(first), None);
        let second = slab.insert('b');
        assert_eq!(second.index, first.index);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get(second), Some(&'b'));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn places_are_reused_in_the_order_they_became_free() {
        let mut slab = Slab::new();
        let mut queue = alloc::collections::VecDeque::new();
        let mut held: Vec<_> = (0..50).map(|value| slab.insert(value)).collect();
        let mut seed = 1_u64;
        for value in 0..10_000 {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            if seed >> 63 == 0 && !held.is_empty() {
                let key = held.swap_remove((seed >> 33) as usize % held.len());
                assert!(slab.remove(key).is_some() && slab.remove(key).is_none());
                queue.push_back(key.index);
            } else {
                let places = slab.places as u32;
                let key = slab.insert(value);
                assert_eq!(key.index, queue.pop_front().unwrap_or(places));
                assert_eq!(slab.get(key), Some(&value));
                held.push(key);
            }
            assert_eq!(slab.len(), held.len());
        }
    }

    #[test]
    fn a_lost_entry_is_distinguished_from_a_removed_one() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        assert!(!slab.was_lost(first));
        let second = slab.insert('b');
        assert_eq!(slab.lose(second), Some('b'));
        let third = slab.insert('c');
        assert_eq!(slab.remove(third), Some('c'));
        assert!(slab.was_lost(second) && !slab.was_lost(first) && !slab.was_lost(third));
    }
}
