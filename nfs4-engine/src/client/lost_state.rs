//! What a client has lost because its lease had expired, or because the administrator has removed an export, as
//! long as the client has not acknowledged it. [RFC 8881 §8.4.2.4, §8.5, §18.38]

use alloc::vec::Vec;

use crate::keys::{LockKey, OpenKey, kind};
use crate::slab::Key;

/// The opens, lock stateids and delegations that were revoked while the lease of their client had expired.
#[derive(Default)]
pub(crate) struct LostState {
    opens: LostKeys<kind::Open>,
    locks: LostKeys<kind::Lock>,
    /// The opens that have ended with their exports.
    of_removed: LostKeys<kind::Open>,
    /// Number of revoked delegations, whose records know why.
    pub(crate) delegations: u32,
    /// Nothing was left to the client when it lost the last of these.
    pub(crate) all: bool,
}

/// Keys of entries that are gone.
struct LostKeys<K> {
    /// In their order.
    kept: Vec<Key<K>>,
    /// There were more of them, which are not known any more.
    is_cut: bool,
}

impl LostState {
    /// Whether nothing was lost with the lease, or the client has acknowledged all of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.delegations == 0 && self.opens.kept.is_empty() && self.locks.kept.is_empty()
    }

    /// Whether opens have ended with their exports, which the client has not acknowledged.
    pub(crate) fn is_any_of_removed(&self) -> bool {
        !self.of_removed.kept.is_empty()
    }

    /// Number of opens and lock stateids that are remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.opens.kept.len() + self.locks.kept.len() + self.of_removed.kept.len()
    }

    /// Whether an open or a lock stateid was lost that the client has not acknowledged, or cannot acknowledge.
    pub(crate) fn is_any_unknown(&self) -> bool {
        let is_cut = self.opens.is_cut || self.locks.is_cut || self.of_removed.is_cut;
        self.remembered() > 0 || is_cut
    }

    /// Remembers an open; returns whether one more is remembered than before.
    pub(crate) fn add_open(&mut self, key: OpenKey) -> bool {
        self.opens.add(key)
    }

    /// As [`LostState::add_open`], of a lock stateid.
    pub(crate) fn add_lock(&mut self, key: LockKey) -> bool {
        self.locks.add(key)
    }

    /// As [`LostState::add_open`], of an open that ends with its export.
    pub(crate) fn add_of_removed(&mut self, key: OpenKey) -> bool {
        self.of_removed.add(key)
    }

    pub(crate) fn has_of_removed(&self, key: OpenKey) -> bool {
        self.of_removed.has(key)
    }

    pub(crate) fn has_open(&self, key: OpenKey) -> bool {
        self.opens.has(key)
    }

    pub(crate) fn has_lock(&self, key: LockKey) -> bool {
        self.locks.has(key)
    }

    /// Forgets an open; returns whether it was remembered.
    pub(crate) fn forget_open(&mut self, key: OpenKey) -> bool {
        self.opens.forget(key) || self.of_removed.forget(key)
    }

    /// As [`LostState::forget_open`], of a lock stateid.
    pub(crate) fn forget_lock(&mut self, key: LockKey) -> bool {
        self.locks.forget(key)
    }
}

impl<K> LostKeys<K> {
    fn add(&mut self, key: Key<K>) -> bool {
        let Err(place) = self.kept.binary_search(&key) else {
            return false;
        };
        if self.kept.len() < MOST_REMEMBERED {
            self.kept.insert(place, key);
            return true;
        }
        // Which one is forgotten makes no difference: its stateid is a bad one from now on, and the client
        // cannot acknowledge its loss.
        self.is_cut = true;
        if let Some(last) = self.kept.last_mut() {
            *last = key;
            self.kept.sort_unstable();
        }
        false
    }

    fn has(&self, key: Key<K>) -> bool {
        self.kept.binary_search(&key).is_ok()
    }

    fn forget(&mut self, key: Key<K>) -> bool {
        let found = self.kept.binary_search(&key);
        found.map(|place| self.kept.remove(place)).is_ok()
    }
}

// A derive would require `K: Default`.
impl<K> Default for LostKeys<K> {
    fn default() -> LostKeys<K> {
        LostKeys {
            kept: Vec::new(),
            is_cut: false,
        }
    }
}

/// Maximum number of opens, and of lock stateids, that are remembered for a client.
const MOST_REMEMBERED: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_remembered_once_and_within_bounds() {
        let mut lost = LostState::default();
        assert!(lost.is_empty());
        let key = |index| OpenKey::new(index, 1);
        for index in (0..3_000).rev() {
            assert_eq!(lost.add_open(key(index)), index >= 3_000 - 1_024);
            assert!(lost.has_open(key(index)) && !lost.add_open(key(index)));
        }
        assert_eq!(lost.remembered(), 1_024);
        assert!(lost.is_any_unknown());
        assert!(!lost.has_lock(LockKey::new(0, 1)));
        assert!(lost.forget_open(key(0)) && !lost.forget_open(key(0)));
        assert!(lost.add_lock(LockKey::new(0, 1)));
        assert_eq!(lost.remembered(), 1_024);
    }
}
