//! Files that clients have open: each is held by a descriptor until its last release.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use nfs4_engine::fs::FsHandle;

use crate::sync::lock;

use super::node::Node;

/// Open files, and how often each is held.
#[derive(Default)]
pub(super) struct Holds {
    held: Mutex<HashMap<FsHandle, (Arc<Node>, u64)>>,
}

impl Holds {
    /// Holds an object once more; returns whether it was not held before.
    pub(super) fn hold(&self, node: &Arc<Node>) -> bool {
        let mut held = self.lock();
        let entry = held
            .entry(node.handle)
            .or_insert_with(|| (Arc::clone(node), 0));
        entry.1 += 1;
        entry.1 == 1
    }

    /// Lets an object go once; returns it if that was the last time.
    pub(super) fn release(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        let mut held = self.lock();
        let (_, count) = held.get_mut(fh)?;
        *count -= 1;
        if *count > 0 {
            return None;
        }
        held.remove(fh).map(|(node, _)| node)
    }

    /// The object of a handle, if it is held.
    pub(super) fn get(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        self.lock().get(fh).map(|(node, _)| Arc::clone(node))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FsHandle, (Arc<Node>, u64)>> {
        lock(&self.held)
    }
}
