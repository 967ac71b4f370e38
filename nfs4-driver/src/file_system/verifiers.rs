//! The verifiers of exclusive creations.

use std::collections::{HashMap, VecDeque};

use nfs4_engine::fs::FsHandle;

use crate::sync::{Mutex, MutexGuard};

/// The verifiers of the files that were created last, since a [`FileSystem`] keeps none. A client
/// repeats a creation within seconds, when its connection was lost.
///
/// [`FileSystem`]: nfs4_engine::fs::FileSystem
#[derive(Default)]
pub(super) struct Verifiers {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    of: HashMap<FsHandle, [u8; 8]>,
    order: VecDeque<FsHandle>,
}

impl Verifiers {
    /// Notes the verifier of a new file; the oldest one gives way.
    pub(super) fn note(&self, fh: FsHandle, verifier: [u8; 8]) {
        let mut known = self.lock();
        if known.of.insert(fh, verifier).is_none() {
            known.order.push_back(fh);
        }
        if known.order.len() > MAX_KEPT
            && let Some(oldest) = known.order.pop_front()
        {
            known.of.remove(&oldest);
        }
    }

    /// Whether the file was created with this verifier.
    pub(super) fn is_of(&self, fh: &FsHandle, verifier: [u8; 8]) -> bool {
        self.lock().of.get(fh) == Some(&verifier)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // No panic leaves the value inconsistent.
        self.known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Maximum number of verifiers kept.
const MAX_KEPT: usize = 4_096;
