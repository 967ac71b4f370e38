//! Stable storage: where the records of clients outlast the server.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use nfs4_engine::Input;
use nfs4_engine::stable::{ClientRecord, StableError, StableTicket, StableWrite};

use crate::mailbox::{LateAnswers, Mailbox};
use crate::sync::{Mutex, MutexGuard};

/// Keeps the records of clients, so that they can reclaim their state after the server has died: on a disk,
/// in a database, in another process. [RFC 8881 §8.4.2]
///
/// With a store the server has a grace period after each start that finds records in it. An
/// [`Identity`](crate::Identity) that stays the same belongs to it: clients reclaim from the server that they
/// know.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::io;
/// use std::sync::Mutex;
///
/// use nfs4_driver::engine::stable::{ClientRecord, StableError, StableWrite};
/// use nfs4_driver::{StableCompletion, StableStore};
///
/// /// Has forgotten all when its process ends, and hence is of no use.
/// #[derive(Default)]
/// struct Forgetful(Mutex<BTreeMap<Vec<u8>, ClientRecord>>);
///
/// impl StableStore for Forgetful {
///     fn recover(&self) -> io::Result<Vec<ClientRecord>> {
///         Ok(Vec::new())
///     }
///
///     fn submit(&self, write: StableWrite, done: StableCompletion) {
///         let mut records = self.0.lock().unwrap();
///         let stored = match write {
///             StableWrite::Client(record) => {
///                 records.insert(record.key.to_bytes(), record);
///                 Ok(())
///             }
///             StableWrite::Forget { key } => {
///                 records.remove(&key.to_bytes());
///                 Ok(())
///             }
///             // None is of a former server.
///             StableWrite::GraceOver => Ok(()),
///             _ => Err(StableError::Failed),
///         };
///         drop(records);
///         done.complete(stored);
///     }
/// }
/// ```
pub trait StableStore: Send + Sync + 'static {
    /// All records, at a start of the server and before it writes any. From now on they are those of a former
    /// server, of which [`StableWrite::GraceOver`] leaves only those that were written again.
    ///
    /// # Errors
    /// They cannot be read: a server that does not know all of them must not start.
    fn recover(&self) -> io::Result<Vec<ClientRecord>>;

    /// Begins a write. Writes take effect in the order in which they are submitted; each is complete once it is
    /// durable. It is called by one thread at a time, outside all locks, and must not block: that thread has
    /// requests to answer.
    fn submit(&self, write: StableWrite, done: StableCompletion);
}

impl<S: StableStore + ?Sized> StableStore for Arc<S> {
    fn recover(&self) -> io::Result<Vec<ClientRecord>> {
        (**self).recover()
    }

    fn submit(&self, write: StableWrite, done: StableCompletion) {
        (**self).submit(write, done);
    }
}

/// Takes the end of one write. Dropped without it, it reports [`StableError::NoAnswer`].
#[must_use = "requests wait until the write is complete"]
pub struct StableCompletion {
    ticket: StableTicket,
    to: Option<Asker>,
}

/// The part of a node that has asked for a write.
pub(crate) enum Asker {
    /// A request on this connection.
    Connection(Arc<Mailbox>),
    /// A timer, or the administrator.
    Node(Weak<dyn LateAnswers>),
}

impl StableCompletion {
    pub(crate) fn new(ticket: StableTicket, to: Asker) -> StableCompletion {
        let to = Some(to);
        StableCompletion { ticket, to }
    }

    /// Reports that the write is durable, or has failed; then nothing is granted that depends on it. Any
    /// thread may do so.
    pub fn complete(mut self, result: Result<(), StableError>) {
        self.answer(result);
    }

    fn answer(&mut self, result: Result<(), StableError>) {
        let ticket = self.ticket;
        let answer = Input::StableDone { ticket, result };
        match self.to.take() {
            Some(Asker::Connection(mailbox)) => mailbox.answer(answer),
            Some(Asker::Node(node)) => {
                // Without a node there is nothing to report to.
                if let Some(node) = node.upgrade() {
                    node.answer_late(answer);
                }
            }
            None => {}
        }
    }
}

impl Drop for StableCompletion {
    fn drop(&mut self) {
        self.answer(Err(StableError::NoAnswer));
    }
}

impl fmt::Debug for StableCompletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StableCompletion")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

/// The writes that the engine has asked for, on their way to the store.
#[derive(Default)]
pub(crate) struct Stores {
    store: Mutex<Option<Arc<dyn StableStore>>>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(StableWrite, StableCompletion)>,
    /// A thread submits them.
    is_served: bool,
}

impl Stores {
    /// Submits to this store from now on.
    pub(crate) fn set(&self, store: Arc<dyn StableStore>) {
        *locked(&self.store) = Some(store);
    }

    /// Queues a write. The caller has the engine's lock, so that the order is the engine's.
    pub(crate) fn put(&self, write: StableWrite, done: StableCompletion) {
        locked(&self.queue).waiting.push_back((write, done));
    }

    /// Submits what is queued, unless another thread does so; without the engine's lock.
    pub(crate) fn submit(&self) {
        let mut queue = locked(&self.queue);
        if queue.is_served {
            return;
        }
        while let Some((write, done)) = queue.waiting.pop_front() {
            queue.is_served = true;
            drop(queue);
            let store = locked(&self.store).clone();
            match store {
                // If it panics, it drops the completion.
                Some(store) => {
                    let _ = catch_unwind(AssertUnwindSafe(|| store.submit(write, done)));
                }
                None => done.complete(Err(StableError::Failed)),
            }
            queue = locked(&self.queue);
            queue.is_served = false;
            // A thread that came meanwhile has left its writes here.
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No foreign code runs under it.
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
