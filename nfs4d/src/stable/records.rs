//! The records of clients in the database, written by a thread of their own.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nfs4_driver::{StableCompletion, StableStore};
use nfs4_engine::stable::{ClientRecord, StableError, StableWrite};

use super::State;
use super::fault::{Failed, StateFault};

/// Stores what the engine asks for. All writes that come while one transaction is made durable are in the
/// next one, so that a thousand clients which come at once do not wait for a thousand transactions.
#[derive(Debug)]
pub(crate) struct Records {
    state: Arc<State>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<(StableWrite, StableCompletion)>,
    /// Nothing follows.
    ended: bool,
}

impl Records {
    /// Starts the thread that writes to `state`, of which [`State::boot`] was asked for.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub(crate) fn of(state: Arc<State>) -> io::Result<Records> {
        let queue = Arc::<Queue>::default();
        let (own, its) = (Arc::clone(&queue), Arc::clone(&state));
        let writer = thread::Builder::new()
            .name("nfs4d-state".to_owned())
            .spawn(move || own.write_to(&its))?;
        Ok(Records {
            state,
            queue,
            writer: Some(writer),
        })
    }
}

impl StableStore for Records {
    fn recover(&self) -> io::Result<Vec<ClientRecord>> {
        Ok(self.state.records()?)
    }

    fn submit(&self, write: StableWrite, done: StableCompletion) {
        let mut inner = self.queue.lock();
        if inner.waiting.len() >= MOST_WAITING {
            drop(inner);
            return done.complete(Err(StableError::Failed));
        }
        inner.waiting.push_back((write, done));
        drop(inner);
        self.queue.changed.notify_one();
    }
}

impl Drop for Records {
    /// Waits until all is written.
    fn drop(&mut self) {
        self.queue.lock().ended = true;
        self.queue.changed.notify_one();
        // The last handle of a node can be dropped by the thread itself, when it completes a write.
        let writer = self.writer.take();
        let other = writer.filter(|writer| writer.thread().id() != thread::current().id());
        if other.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the thread that stores records of clients has panicked");
        }
    }
}

impl Queue {
    fn write_to(&self, state: &State) {
        let mut failing = false;
        while let Some(batch) = self.next() {
            let (writes, completions): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let stored = state.apply(&writes);
            let told = stored.as_ref().copied().map_err(error_of);
            completions.into_iter().for_each(|done| done.complete(told));
            match stored {
                Ok(()) if failing => {
                    tracing::warn!("records of clients are stored again");
                    failing = false;
                }
                Ok(()) => {}
                Err(why) => {
                    tracing::error!(%why, "records of clients cannot be stored, and nothing is granted that depends on them");
                    failing = true;
                    // The database is opened anew by the next write, and clients try again all the time.
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Waits for writes, and takes them; none when nothing follows.
    fn next(&self) -> Option<VecDeque<(StableWrite, StableCompletion)>> {
        let mut inner = self.lock();
        while inner.waiting.is_empty() {
            if inner.ended {
                return None;
            }
            let waited = self.changed.wait(inner);
            inner = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        Some(std::mem::take(&mut inner.waiting))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No foreign code runs under it.
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn error_of(failed: &Failed) -> StableError {
    match &failed.source {
        StateFault::Io(why) => match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StableError::NoSpace,
            io::ErrorKind::ReadOnlyFilesystem => StableError::ReadOnly,
            _ => StableError::Failed,
        },
        _ => StableError::Failed,
    }
}

/// Maximum number of writes that wait: some 16 MiB of records.
const MOST_WAITING: usize = 4_096;
/// Time after a failure in which nothing is tried.
const PAUSE: Duration = Duration::from_millis(250);
