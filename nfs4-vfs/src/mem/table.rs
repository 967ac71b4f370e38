//! All objects by number: a sharded slab with generations.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, RwLock};

use nfs4_engine::fs::FsError;

use super::handle::InodeId;
use super::inode::Inode;
use crate::sync::{read, write};

/// All objects, found without hashing; a shard's lock is held for no more than a look-up.
pub(super) struct Table {
    shards: [RwLock<Shard>; SHARDS as usize],
    // The shard that takes the next object.
    turn: AtomicU32,
}

#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    // Of the object that is here, or else of the next one.
    generation: u32,
    inode: Option<Arc<Inode>>,
}

impl Table {
    pub(super) fn new() -> Table {
        Table {
            shards: Default::default(),
            turn: AtomicU32::new(0),
        }
    }

    /// Adds an object under a number that no object had before.
    pub(super) fn insert(
        &self,
        make: impl FnOnce(InodeId) -> Inode,
    ) -> Result<Arc<Inode>, FsError> {
        let which = self.turn.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut shard = write(&self.shards[which as usize]);
        let place = match shard.free.pop() {
            Some(place) => place,
            None => {
                let place = u32::try_from(shard.slots.len()).map_err(|_| FsError::NoSpace)?;
                if place >= u32::MAX / SHARDS - 1 {
                    return Err(FsError::NoSpace);
                }
                shard.slots.push(Slot {
                    generation: 0,
                    inode: None,
                });
                place
            }
        };
        let slot = &mut shard.slots[place as usize];
        // No object has a number below SHARDS, so none has the fileid 0.
        let index = (place + 1) * SHARDS + which;
        let inode = Arc::new(make(InodeId {
            generation: slot.generation,
            index,
        }));
        slot.inode = Some(Arc::clone(&inode));
        Ok(inode)
    }

    pub(super) fn get(&self, id: InodeId) -> Result<Arc<Inode>, FsError> {
        let place = (id.index / SHARDS)
            .checked_sub(1)
            .ok_or(FsError::BadHandle)?;
        let shard = read(&self.shards[(id.index % SHARDS) as usize]);
        let slot = shard.slots.get(place as usize).ok_or(FsError::BadHandle)?;
        if slot.generation != id.generation {
            return Err(FsError::Stale);
        }
        slot.inode.clone().ok_or(FsError::Stale)
    }

    /// Removes an object; its handle is stale from now on. The caller drops it, outside all locks.
    pub(super) fn remove(&self, id: InodeId) -> Option<Arc<Inode>> {
        let place = (id.index / SHARDS).checked_sub(1)?;
        let mut shard = write(&self.shards[(id.index % SHARDS) as usize]);
        let slot = shard.slots.get_mut(place as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let inode = slot.inode.take()?;
        // A place whose generations are used up is never used again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            shard.free.push(place);
        }
        Some(inode)
    }

    /// Calls `visit` with every object; for the end of the file system, and for tests.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<Inode>)) {
        for shard in &self.shards {
            read(shard)
                .slots
                .iter()
                .filter_map(|slot| slot.inode.as_ref())
                .for_each(&mut visit);
        }
    }
}

const SHARDS: u32 = 16;
