//! The entries of a directory, by name and by cookie.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use nfs4_engine::fs::FsError;

use super::handle::InodeId;
use super::inode::Inode;
use crate::sync::{read, write};

/// What makes an object a directory.
pub(super) struct Directory {
    entries: RwLock<Entries>,
    // A fileid. It changes only under the file system's rename lock.
    parent: AtomicU64,
}

/// The entries, under the directory's lock.
pub(super) struct Entries {
    // With the object beside the cookie: most accesses to a directory are look-ups of a name.
    by_name: HashMap<Arc<[u8]>, (u64, Arc<Inode>)>,
    // A listing goes up, and each new entry gets a lower cookie than all before it: what comes
    // while a listing is under way lies behind it, so that every listing ends. An entry keeps its
    // cookie for as long as it is there, so that no listing has it twice or leaves it out.
    by_cookie: BTreeMap<u64, Entry>,
    // Cookie of the next new entry; there are more than any server uses.
    next_cookie: u64,
    removed: bool,
}

struct Entry {
    name: Arc<[u8]>,
    inode: Arc<Inode>,
}

impl Directory {
    pub(super) fn new(parent: InodeId) -> Directory {
        let entries = Entries {
            by_name: HashMap::new(),
            by_cookie: BTreeMap::new(),
            next_cookie: HIGHEST_COOKIE,
            removed: false,
        };
        Directory {
            entries: RwLock::new(entries),
            parent: AtomicU64::new(parent.fileid()),
        }
    }

    /// Locks the entries for reading, unless the directory was removed.
    pub(super) fn read(&self) -> Result<RwLockReadGuard<'_, Entries>, FsError> {
        let entries = read(&self.entries);
        if entries.removed {
            Err(FsError::Stale)
        } else {
            Ok(entries)
        }
    }

    /// Locks the entries for writing, unless the directory was removed.
    pub(super) fn write(&self) -> Result<RwLockWriteGuard<'_, Entries>, FsError> {
        let entries = write(&self.entries);
        if entries.removed {
            Err(FsError::Stale)
        } else {
            Ok(entries)
        }
    }

    pub(super) fn parent(&self) -> InodeId {
        InodeId::from_fileid(self.parent.load(Ordering::Relaxed))
    }

    /// Sets another parent; only under the rename lock.
    pub(super) fn set_parent(&self, parent: InodeId) {
        self.parent.store(parent.fileid(), Ordering::Relaxed);
    }

    /// Removes all entries, at the end of the file system.
    pub(super) fn take_all(&self) -> impl Sized {
        let mut entries = write(&self.entries);
        (
            mem::take(&mut entries.by_name),
            mem::take(&mut entries.by_cookie),
        )
    }
}

impl Entries {
    pub(super) fn find(&self, name: &[u8]) -> Option<&Arc<Inode>> {
        self.by_name.get(name).map(|(_, inode)| inode)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_cookie.is_empty()
    }

    /// Marks the directory as removed: no entry is added any more, and no request served.
    pub(super) fn set_removed(&mut self) {
        self.removed = true;
    }

    /// Adds a name that is not there.
    pub(super) fn insert(&mut self, name: &[u8], inode: Arc<Inode>) {
        let name: Arc<[u8]> = Arc::from(name);
        let cookie = self.next_cookie;
        self.next_cookie -= 1;
        let taken = self
            .by_name
            .insert(Arc::clone(&name), (cookie, Arc::clone(&inode)));
        debug_assert!(taken.is_none(), "added a name twice");
        self.by_cookie.insert(cookie, Entry { name, inode });
    }

    /// Removes a name.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Arc<Inode>> {
        let (cookie, inode) = self.by_name.remove(name)?;
        self.by_cookie.remove(&cookie);
        Some(inode)
    }

    /// Renames an entry to a name that is free; its place in listings stays.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) {
        let Some((cookie, inode)) = self.by_name.remove(from) else {
            debug_assert!(false, "renamed what is not there");
            return;
        };
        let name: Arc<[u8]> = Arc::from(to);
        if let Some(entry) = self.by_cookie.get_mut(&cookie) {
            entry.name = Arc::clone(&name);
        }
        let taken = self.by_name.insert(name, (cookie, inode));
        debug_assert!(taken.is_none(), "renamed to a name that is there");
    }

    /// Puts another object at a name, whose place in listings stays; returns the former one.
    pub(super) fn replace(&mut self, name: &[u8], inode: Arc<Inode>) -> Option<Arc<Inode>> {
        let (cookie, place) = self.by_name.get_mut(name)?;
        let entry = self.by_cookie.get_mut(cookie)?;
        entry.inode = Arc::clone(&inode);
        Some(mem::replace(place, inode))
    }

    /// Whether a cookie starts a listing, or was given out.
    pub(super) fn knows(&self, cookie: u64) -> bool {
        cookie == 0 || self.next_cookie < cookie && cookie <= HIGHEST_COOKIE
    }

    /// The entries after `cookie`, in the order of their cookies: the newest first.
    pub(super) fn after(&self, cookie: u64) -> impl Iterator<Item = (u64, &[u8], &Arc<Inode>)> {
        self.by_cookie
            .range((Bound::Excluded(cookie), Bound::Unbounded))
            .map(|(cookie, entry)| (*cookie, &*entry.name, &entry.inode))
    }
}

/// Clients keep cookies in signed numbers, too.
const HIGHEST_COOKIE: u64 = i64::MAX as u64;
