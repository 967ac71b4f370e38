//! Stable storage that is as stable as its process.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use nfs4_engine::stable::{ClientRecord, StableError, StableWrite};

use crate::stable::{StableCompletion, StableStore};

/// Keeps records in memory: for tests, and for programs that start one server after another. Clones have the
/// same records.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Records>>);

#[derive(Debug, Default)]
struct Records {
    /// Number of starts.
    start: u64,
    /// By their keys, with the start that has written them.
    written: BTreeMap<Vec<u8>, (u64, ClientRecord)>,
}

impl MemoryStore {
    /// The records.
    pub fn records(&self) -> Vec<ClientRecord> {
        let records = self.lock();
        let written = records.written.values();
        written.map(|(_, record)| record.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        // No panic leaves it inconsistent.
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl StableStore for MemoryStore {
    fn recover(&self) -> io::Result<Vec<ClientRecord>> {
        self.lock().start += 1;
        Ok(self.records())
    }

    fn submit(&self, write: StableWrite, done: StableCompletion) {
        let stored = self.lock().apply(write);
        done.complete(stored);
    }
}

impl Records {
    fn apply(&mut self, write: StableWrite) -> Result<(), StableError> {
        let start = self.start;
        match write {
            StableWrite::Client(record) => {
                let key = record.key.to_bytes();
                self.written.insert(key, (start, record));
            }
            StableWrite::Forget { key } => {
                self.written.remove(&key.to_bytes());
            }
            StableWrite::GraceOver => self.written.retain(|_, (of, _)| *of == start),
            // Of a later engine.
            _ => return Err(StableError::Failed),
        }
        Ok(())
    }
}
