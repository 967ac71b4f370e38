//! Doubly linked queues whose links lie in the entries of a slab: an entry leaves its queue in one
//! step.

use crate::slab::{Entry, Key, Slab};

/// A queue of entries.
#[derive(Debug)]
pub(crate) struct Chain<K> {
    first: Option<Key<K>>,
    last: Option<Key<K>>,
    len: usize,
}

/// The neighbours of an entry in a queue.
#[derive(Debug)]
pub(crate) struct Link<K> {
    before: Option<Key<K>>,
    after: Option<Key<K>>,
}

impl<K> Chain<K> {
    pub(crate) const fn new() -> Chain<K> {
        Chain {
            first: None,
            last: None,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The oldest entry.
    pub(crate) fn first(&self) -> Option<Key<K>> {
        self.first
    }

    /// Appends an entry. `link` finds the neighbours in an entry, and this entry is in no queue by
    /// that yet.
    pub(crate) fn push<T: Entry<Kind = K>>(
        &mut self,
        slab: &mut Slab<T>,
        key: Key<K>,
        link: impl Fn(&mut T) -> Option<&mut Link<K>>,
    ) {
        let Some(own) = slab.get_mut(key).and_then(&link) else {
            return;
        };
        let before = self.last.replace(key);
        *own = Link {
            before,
            after: None,
        };
        match before
            .and_then(|before| slab.get_mut(before))
            .and_then(link)
        {
            Some(before) => before.after = Some(key),
            None => self.first = Some(key),
        }
        self.len += 1;
    }

    /// Removes an entry that is in this queue.
    pub(crate) fn remove<T: Entry<Kind = K>>(
        &mut self,
        slab: &mut Slab<T>,
        key: Key<K>,
        link: impl Fn(&mut T) -> Option<&mut Link<K>>,
    ) {
        let Some(own) = slab.get_mut(key).and_then(&link) else {
            return;
        };
        let Link { before, after } = core::mem::take(own);
        match before.and_then(|key| slab.get_mut(key)).and_then(&link) {
            Some(before) => before.after = after,
            None => self.first = after,
        }
        match after.and_then(|key| slab.get_mut(key)).and_then(link) {
            Some(after) => after.before = before,
            None => self.last = before,
        }
        self.len -= 1;
    }
}

// `#[derive(Default)]` would require `K: Default`.
impl<K> Default for Chain<K> {
    fn default() -> Chain<K> {
        Chain::new()
    }
}

impl<K> Default for Link<K> {
    fn default() -> Link<K> {
        Link {
            before: None,
            after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    struct Value {
        value: u32,
        link: Link<Value>,
    }

    impl Entry for Value {
        type Kind = Value;
    }

    fn link(entry: &mut Value) -> Option<&mut Link<Value>> {
        Some(&mut entry.link)
    }

    #[test]
    fn any_entry_can_be_removed_from_a_chain() {
        let mut slab = Slab::new();
        let mut chain = Chain::default();
        let mut list = Vec::new();
        // Removes the last, the first, one in the middle, and in the end all.
        let takes: [Option<usize>; 12] = [
            None,
            None,
            None,
            None,
            Some(3),
            Some(0),
            None,
            None,
            Some(1),
            Some(2),
            Some(1),
            Some(0),
        ];
        for (value, take) in (0..).zip(takes) {
            match take {
                None => {
                    let entry = Value {
                        value,
                        link: Link::default(),
                    };
                    let key = slab.insert(entry);
                    chain.push(&mut slab, key, link);
                    list.push((value, key));
                }
                Some(at) => {
                    let (_, key) = list.remove(at);
                    chain.remove(&mut slab, key, link);
                    slab.remove(key);
                }
            }
            let mut walked = Vec::new();
            let mut at = chain.first();
            while let Some(key) = at {
                let entry = slab.get(key).unwrap();
                walked.push((entry.value, key));
                at = entry.link.after;
            }
            assert_eq!(walked, list);
            assert_eq!(chain.len(), list.len());
        }
        assert!(chain.first().is_none() && chain.last.is_none());
    }
}
