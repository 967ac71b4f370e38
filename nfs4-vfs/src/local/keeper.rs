//! What is done from time to time: objects are let go that no request used, the table of handles is made
//! durable, and jobs get a thread for which the system had none.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::pool::Waker;
use super::shared::Shared;
use crate::sync::lock;

/// A thread that wakes every second, until it is dropped.
pub(super) struct Keeper {
    end: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn start(shared: &Arc<Shared>, jobs: Waker) -> std::io::Result<Keeper> {
        let end = Arc::new((Mutex::new(false), Condvar::new()));
        let (shared, ends) = (Arc::clone(shared), Arc::clone(&end));
        let thread = Builder::new()
            .name("nfs4-keeper".to_owned())
            .stack_size(STACK)
            .spawn(move || keep(&shared, &jobs, &ends))?;
        Ok(Keeper {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *lock(&self.end.0) = true;
        self.end.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

fn keep(shared: &Shared, jobs: &Waker, (end, changed): &(Mutex<bool>, Condvar)) {
    let mut seconds = 0_u64;
    loop {
        let ended = lock(end);
        let waited = changed.wait_timeout_while(ended, TURN, |ended| !*ended);
        let is_ended = *waited.unwrap_or_else(PoisonError::into_inner).0;
        jobs.wake();
        shared.nodes.free();
        seconds += 1;
        if seconds.is_multiple_of(SWEEP) {
            shared.nodes.sweep();
            shared.sweep();
        }
        if let Some(table) = &shared.table {
            // The rows stay in the log, and the next turn tries again.
            let _ = table.flush();
        }
        if is_ended {
            return;
        }
    }
}

const TURN: Duration = Duration::from_secs(1);
/// Turns after which objects that are not used are counted as such: the third time they go.
const SWEEP: u64 = 5;
/// Size of the thread's stack in bytes.
const STACK: usize = 256 << 10;
