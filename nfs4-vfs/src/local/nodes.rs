//! The objects that are kept for the next request.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use nfs4_engine::fs::FsHandle;

use super::node::{Node, ObjectId};
use super::stat::has_name;
use crate::sync::lock;

/// Objects by handle and by inode; those that were not used longest give way to others.
pub(super) struct Nodes {
    by_handle: [Mutex<Shard>; SHARDS],
    by_object: [Mutex<Objects>; SHARDS],
    /// Maximum number in each shard.
    room: usize,
    /// Those that gave way, and are the last of a file without a name: its space is freed with them, which may take
    /// long.
    last: Mutex<Vec<Arc<Node>>>,
}

/// Objects by device and inode.
type Objects = HashMap<(u64, u64), Arc<Node>>;

#[derive(Default)]
struct Shard {
    places: HashMap<FsHandle, usize, BuildHasherDefault<TagHasher>>,
    nodes: Vec<Arc<Node>>,
    /// Where the search for one that gives way goes on.
    hand: usize,
}

/// Takes the last eight bytes of a handle: its tag, which is a keyed hash of the rest. Only handles with
/// a right tag are ever inserted.
#[derive(Default)]
struct TagHasher {
    hash: u64,
    /// The handle's length, which it hashes first.
    len: usize,
}

impl Hasher for TagHasher {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        let handle = bytes.get(..self.len).unwrap_or(bytes);
        if let Some(tag) = handle.last_chunk() {
            self.hash = self.hash.rotate_left(5) ^ u64::from_ne_bytes(*tag);
        }
    }

    fn write_u8(&mut self, len: u8) {
        self.len = len.into();
    }
}

impl Nodes {
    /// Room for some `most` objects.
    pub(super) fn new(most: usize) -> Nodes {
        Nodes {
            by_handle: Default::default(),
            by_object: Default::default(),
            room: (most / SHARDS).max(4),
            last: Mutex::default(),
        }
    }

    /// The object of a handle, if it is kept.
    pub(super) fn get(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        let shard = self.shard(fh);
        let place = *shard.places.get(fh)?;
        let node = shard.nodes.get(place)?;
        node.touch();
        Some(Arc::clone(node))
    }

    /// The object with this inode, if it is kept: its number means no other object as long.
    pub(super) fn of_inode(&self, dev: u64, ino: u64) -> Option<Arc<Node>> {
        let node = self.objects(dev, ino).get(&(dev, ino)).cloned()?;
        node.touch();
        Some(node)
    }

    /// Keeps an object; returns the one that is kept already, if there is.
    pub(super) fn insert(&self, node: Node) -> Arc<Node> {
        let ObjectId { dev, ino, .. } = node.id;
        let node = Arc::clone(
            self.objects(dev, ino)
                .entry((dev, ino))
                .or_insert_with(|| Arc::new(node)),
        );
        let mut shard = self.shard(&node.handle);
        if shard.places.contains_key(&node.handle) {
            return node;
        }
        let gone = shard.insert(Arc::clone(&node), self.room);
        drop(shard);
        if let Some(gone) = gone {
            self.forget_object(&gone);
            if !has_name(&gone) {
                lock(&self.last).push(gone);
            }
        }
        node
    }

    /// Keeps an object no longer.
    pub(super) fn remove(&self, node: &Arc<Node>) {
        drop(self.shard(&node.handle).remove(&node.handle));
        self.forget_object(node);
    }

    /// Frees the space of files without a name that gave way to others.
    pub(super) fn free(&self) {
        let last = std::mem::take(&mut *lock(&self.last));
        drop(last);
    }

    /// Lets objects go that were not used since the last but one call.
    pub(super) fn sweep(&self) {
        for shard in &self.by_handle {
            let mut gone = Vec::new();
            {
                let mut shard = lock(shard);
                let mut place = 0;
                while let Some(node) = shard.nodes.get(place) {
                    if node.age() > 2 {
                        let handle = node.handle;
                        gone.extend(shard.remove(&handle));
                    } else {
                        place += 1;
                    }
                }
            }
            gone.iter().for_each(|node| self.forget_object(node));
        }
    }

    /// Number of objects that are kept.
    pub(super) fn len(&self) -> usize {
        let shards = self.by_handle.iter();
        shards.map(|shard| lock(shard).nodes.len()).sum()
    }

    fn forget_object(&self, node: &Arc<Node>) {
        let ObjectId { dev, ino, .. } = node.id;
        let mut objects = self.objects(dev, ino);
        if objects
            .get(&(dev, ino))
            .is_some_and(|kept| Arc::ptr_eq(kept, node))
        {
            objects.remove(&(dev, ino));
        }
    }

    fn shard(&self, fh: &FsHandle) -> MutexGuard<'_, Shard> {
        let last = fh.as_bytes().last().copied().unwrap_or(0);
        lock(&self.by_handle[usize::from(last) % SHARDS])
    }

    fn objects(&self, dev: u64, ino: u64) -> MutexGuard<'_, Objects> {
        lock(&self.by_object[((dev ^ ino) % SHARDS as u64) as usize])
    }
}

impl Shard {
    /// Inserts an object that is not here, and returns the one that gave way.
    fn insert(&mut self, node: Arc<Node>, room: usize) -> Option<Arc<Node>> {
        let handle = node.handle;
        if self.nodes.len() < room {
            self.places.insert(handle, self.nodes.len());
            self.nodes.push(node);
            return None;
        }
        // One that was not used since the hand came by; after a round it is any.
        let mut place = self.hand % self.nodes.len();
        for _ in 0..LOOKS {
            if self.nodes[place].age() > 1 {
                break;
            }
            place = (place + 1) % self.nodes.len();
        }
        self.hand = place + 1;
        let gone = std::mem::replace(&mut self.nodes[place], node);
        self.places.remove(&gone.handle);
        self.places.insert(handle, place);
        Some(gone)
    }

    fn remove(&mut self, handle: &FsHandle) -> Option<Arc<Node>> {
        let place = self.places.remove(handle)?;
        let node = self.nodes.swap_remove(place);
        if let Some(moved) = self.nodes.get(place) {
            self.places.insert(moved.handle, place);
        }
        Some(node)
    }
}

const SHARDS: usize = 16;
/// Maximum number of objects that are looked at for one that gives way.
const LOOKS: usize = 8;
