//! Files that clients have open: each is held by a descriptor until its last release.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use nfs4_engine::fs::FsHandle;

use crate::sync::lock;

use super::node::Node;

/// Open files, and how often each is held.
#[derive(Default)]
pub(super) struct Holds {
    held: Mutex<HashMap<FsHandle, Held>>,
}

struct Held {
    node: Arc<Node>,
    count: u64,
    /// That of the exclusive creation that made the file: as long as a client has it open, the client
    /// may repeat the creation, and the times that hold the verifier may have changed meanwhile.
    verifier: Option<[u8; 8]>,
}

impl Holds {
    /// Holds an object once more, which was made with this verifier, if there is one.
    pub(super) fn hold(&self, node: &Arc<Node>, verifier: Option<[u8; 8]>) {
        let mut held = self.lock();
        let entry = held.entry(node.handle).or_insert_with(|| Held {
            node: Arc::clone(node),
            count: 0,
            verifier: None,
        });
        entry.count += 1;
        entry.verifier = verifier.or(entry.verifier);
    }

    /// Lets an object go once; returns it if that was the last time.
    pub(super) fn release(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        let mut held = self.lock();
        let entry = held.get_mut(fh)?;
        entry.count -= 1;
        if entry.count > 0 {
            return None;
        }
        held.remove(fh).map(|entry| entry.node)
    }

    /// The object of a handle, if it is held.
    pub(super) fn get(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        self.lock().get(fh).map(|entry| Arc::clone(&entry.node))
    }

    /// The verifier that a held object was made with.
    pub(super) fn verifier(&self, fh: &FsHandle) -> Option<[u8; 8]> {
        self.lock().get(fh)?.verifier
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FsHandle, Held>> {
        lock(&self.held)
    }
}
