//! What a client has lost because its lease had expired, or because the administrator has removed an export, as
//! long as the client has not acknowledged it. [RFC 8881 §8.4.2.4, §8.5, §18.38]

use alloc::boxed::Box;

use crate::count::Count;
use crate::keys::{LockKey, OpenKey};
use crate::map::{KeyMap, Keyed};

/// The opens, lock stateids and delegations that a client has lost. All are remembered: what was lost has counted
/// for the limits of the client's peer, and goes on to count.
#[derive(Default)]
pub(crate) struct LostState {
    /// The opens and lock stateids, as long as there are any.
    keys: Option<Box<LostKeys>>,
    /// Number of delegations that were revoked while the lease had expired, whose records know why.
    pub(crate) delegations: u32,
    /// Nothing was left to the client when it lost the last of what the lease has cost it.
    pub(crate) all: bool,
}

/// Keys of entries that are gone.
struct LostKeys {
    opens: KeyMap<OpenKey, LostWith>,
    locks: KeyMap<LockKey, ()>,
    /// Number of the opens that have ended with their exports.
    of_removed: usize,
}

/// What an open has ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LostWith {
    Lease,
    Export,
}

impl LostState {
    /// Whether nothing was lost with the lease, or the client has acknowledged all of it.
    pub(crate) fn is_empty(&self) -> bool {
        let keys = self.keys.as_deref();
        self.delegations == 0 && keys.is_none_or(|keys| keys.len() == keys.of_removed)
    }

    /// Whether opens have ended with their exports, which the client has not acknowledged.
    pub(crate) fn is_any_of_removed(&self) -> bool {
        self.keys.as_deref().is_some_and(|keys| keys.of_removed > 0)
    }

    /// Number of opens and lock stateids that are remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.keys.as_deref().map_or(0, LostKeys::len)
    }

    /// Remembers an open; returns whether one more is remembered than before.
    pub(crate) fn add_open(&mut self, key: OpenKey, keyed: Keyed) -> bool {
        self.add_open_with(key, LostWith::Lease, keyed)
    }

    /// As [`LostState::add_open`], of a lock stateid.
    pub(crate) fn add_lock(&mut self, key: LockKey, keyed: Keyed) -> bool {
        self.keys_by(keyed).locks.insert(key, ()).is_none()
    }

    /// As [`LostState::add_open`], of an open that ends with its export.
    pub(crate) fn add_of_removed(&mut self, key: OpenKey, keyed: Keyed) -> bool {
        self.add_open_with(key, LostWith::Export, keyed)
    }

    pub(crate) fn has_of_removed(&self, key: OpenKey) -> bool {
        self.open_with(key) == Some(LostWith::Export)
    }

    pub(crate) fn has_open(&self, key: OpenKey) -> bool {
        self.open_with(key) == Some(LostWith::Lease)
    }

    pub(crate) fn has_lock(&self, key: LockKey) -> bool {
        let keys = self.keys.as_deref();
        keys.is_some_and(|keys| keys.locks.get(&key).is_some())
    }

    /// Forgets an open; returns whether it was remembered.
    pub(crate) fn forget_open(&mut self, key: OpenKey) -> bool {
        let Some(keys) = self.keys.as_deref_mut() else {
            return false;
        };
        let with = keys.opens.remove(&key);
        keys.of_removed
            .lower(usize::from(with == Some(LostWith::Export)));
        self.drop_empty();
        with.is_some()
    }

    /// As [`LostState::forget_open`], of a lock stateid.
    pub(crate) fn forget_lock(&mut self, key: LockKey) -> bool {
        let keys = self.keys.as_deref_mut();
        let known = keys.and_then(|keys| keys.locks.remove(&key)).is_some();
        self.drop_empty();
        known
    }

    fn open_with(&self, key: OpenKey) -> Option<LostWith> {
        self.keys.as_deref()?.opens.get(&key).copied()
    }

    /// An open that was taken with the lease, and ends with its export before that is over, stays what it is.
    fn add_open_with(&mut self, key: OpenKey, with: LostWith, keyed: Keyed) -> bool {
        let keys = self.keys_by(keyed);
        if keys.opens.get(&key).is_some() {
            return false;
        }
        keys.opens.insert(key, with);
        keys.of_removed += usize::from(with == LostWith::Export);
        true
    }

    fn keys_by(&mut self, keyed: Keyed) -> &mut LostKeys {
        self.keys.get_or_insert_with(|| {
            Box::new(LostKeys {
                opens: KeyMap::of_keys(keyed),
                locks: KeyMap::of_keys(keyed),
                of_removed: 0,
            })
        })
    }

    fn drop_empty(&mut self) {
        if self.remembered() == 0 {
            self.keys = None;
        }
    }
}

impl LostKeys {
    const fn len(&self) -> usize {
        self.opens.len() + self.locks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_lost_is_remembered_once_until_it_is_acknowledged() {
        let keyed = Keyed::new([1; 16]);
        let mut lost = LostState::default();
        assert!(lost.is_empty());
        let key = |index| OpenKey::new(index, 1);
        for index in 0..6_000 {
            assert!(lost.add_of_removed(key(index), keyed));
            assert!(!lost.add_open(key(index), keyed), "it has ended before");
        }
        assert!(lost.is_empty() && lost.is_any_of_removed());
        let lock = LockKey::new(0, 1);
        assert!(!lost.has_lock(lock));
        assert!(lost.add_lock(lock, keyed) && !lost.add_lock(lock, keyed));
        assert!(lost.add_open(key(6_000), keyed));
        assert!(lost.has_lock(lock) && lost.has_open(key(6_000)) && !lost.is_empty());
        assert_eq!(lost.remembered(), 6_002);
        for index in 0..6_000 {
            assert!(lost.has_of_removed(key(index)) && !lost.has_open(key(index)));
            assert!(lost.forget_open(key(index)) && !lost.forget_open(key(index)));
        }
        assert!(!lost.is_any_of_removed());
        assert!(lost.forget_open(key(6_000)) && lost.forget_lock(lock));
        assert_eq!((lost.remembered(), lost.is_empty()), (0, true));
    }
}
