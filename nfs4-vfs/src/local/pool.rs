//! Threads for requests that block.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::thread::{Builder, JoinHandle, ThreadId, current};
use std::time::Duration;

use nfs4_engine::fs::{FsError, FsResult, Pending};

use crate::sync::lock;

/// A place in the pool of this process for the requests of one export.
///
/// All exports share the pool's threads, and take turns. While there are several, none has them all:
/// a device that hangs takes three quarters of them at most. When the place is dropped, jobs that wait
/// are dropped, which answers their requests, and those that run are waited for.
pub(super) struct Pool {
    threads: Arc<Threads>,
    key: u64,
}

type Job = Box<dyn FnOnce() + Send>;

/// The threads, which start when there is work, and end when there was none for a while.
struct Threads {
    state: Mutex<State>,
    /// There is a job, or the threads must end.
    filled: Condvar,
    /// A job of a place that is dropped is done.
    done: Condvar,
    idle: Duration,
}

#[derive(Default)]
struct State {
    places: BTreeMap<u64, Place>,
    /// Places with jobs that wait, in the order of their turns.
    turns: VecDeque<u64>,
    next_key: u64,
    most_threads: usize,
    waiting_threads: usize,
    running: Vec<(ThreadId, JoinHandle<()>)>,
    /// Threads that end on their own.
    ending: Vec<JoinHandle<()>>,
    panics: u64,
}

/// Room for one job, under the lock.
struct Room<'a> {
    filled: &'a Condvar,
    state: MutexGuard<'a, State>,
    key: u64,
}

#[derive(Default)]
struct Place {
    jobs: VecDeque<Job>,
    running: usize,
}

impl Pool {
    /// A place in the pool, which has at least so many threads from now on.
    pub(super) fn enter(threads: usize) -> Pool {
        let mut shared = lock(&SHARED);
        let threads_of_all = shared.upgrade().unwrap_or_else(|| {
            let all = Threads::new(IDLE);
            *shared = Arc::downgrade(&all);
            all
        });
        Pool::place_in(threads_of_all, threads)
    }

    fn place_in(threads: Arc<Threads>, most: usize) -> Pool {
        let key = {
            let mut state = lock(&threads.state);
            state.most_threads = state.most_threads.max(most).max(1);
            let key = state.next_key;
            state.next_key += 1;
            state.places.insert(key, Place::default());
            key
        };
        Pool { threads, key }
    }

    /// Runs `answer` on a thread, and answers the request with its result. If it panics, the request
    /// is answered as one that was dropped.
    ///
    /// Answers [`FsError::Busy`] at once while too many of the export's requests wait.
    pub(super) fn answer(
        &self,
        pending: &mut Pending<'_>,
        answer: impl FnOnce() -> FsResult + Send + 'static,
    ) -> Poll<FsResult> {
        let room = match self.threads.room(self.key) {
            Ok(room) => room,
            Err(busy) => return Poll::Ready(Err(busy)),
        };
        let completion = pending.completion();
        room.put(Box::new(move || completion.complete(answer())));
        Poll::Pending
    }

    /// Runs `job` on a thread.
    ///
    /// # Errors
    /// [`FsError::Busy`] while too many of the export's jobs wait, or if the system refuses a thread.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), FsError> {
        self.threads.room(self.key)?.put(Box::new(job));
        Ok(())
    }

    /// Number of jobs of all exports that panicked.
    pub(super) fn panics(&self) -> u64 {
        lock(&self.threads.state).panics
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = lock(&self.threads.state);
        let jobs = state
            .places
            .get_mut(&self.key)
            .map(|place| std::mem::take(&mut place.jobs));
        drop(state);
        // Foreign code: without the lock.
        drop(jobs);
        let mut state = lock(&self.threads.state);
        // A job may hold what holds this place.
        let own = state.is_own_thread(current().id());
        while !own && state.places.get(&self.key).is_some_and(|it| it.running > 0) {
            state = wait(&self.threads.done, state);
        }
        drop(state);
        // Under this lock, no place is entered in threads that end.
        let mut shared = lock(&SHARED);
        let mut state = lock(&self.threads.state);
        state.places.remove(&self.key);
        if state.places.is_empty() {
            if shared.as_ptr() == Arc::as_ptr(&self.threads) {
                *shared = Weak::new();
            }
            drop(shared);
            let threads = std::mem::take(&mut state.running);
            let ending = std::mem::take(&mut state.ending);
            drop(state);
            self.threads.filled.notify_all();
            let all = threads.into_iter().map(|(_, thread)| thread).chain(ending);
            for thread in all.filter(|thread| thread.thread().id() != current().id()) {
                // Jobs are caught: a thread ends well.
                let _ = thread.join();
            }
        }
    }
}

impl Threads {
    fn new(idle: Duration) -> Arc<Threads> {
        Arc::new(Threads {
            state: Mutex::default(),
            filled: Condvar::new(),
            done: Condvar::new(),
            idle,
        })
    }

    /// Room for a job of a place, and a thread that will run it.
    ///
    /// # Errors
    /// [`FsError::Busy`] if too many wait, or if there is no thread and the system refuses one.
    fn room(self: &Arc<Threads>, key: u64) -> Result<Room<'_>, FsError> {
        let mut state = lock(&self.state);
        let place = state.places.get(&key);
        if place.is_none_or(|place| place.jobs.len() >= MAX_WAITING) {
            return Err(FsError::Busy);
        }
        if state.waiting_threads == 0
            && state.running.len() < state.most_threads
            && self.start(&mut state).is_err()
            && state.running.is_empty()
        {
            return Err(FsError::Busy);
        }
        Ok(Room {
            filled: &self.filled,
            state,
            key,
        })
    }

    fn start(self: &Arc<Threads>, state: &mut State) -> std::io::Result<()> {
        for ended in state.ending.drain(..) {
            // It has nothing left to do but to end.
            let _ = ended.join();
        }
        let threads = Arc::clone(self);
        let thread = Builder::new()
            .name("nfs4-local".to_owned())
            .stack_size(STACK)
            .spawn(move || threads.work())?;
        state.running.push((thread.thread().id(), thread));
        Ok(())
    }

    /// What a thread does until there is no work for a while, or no place.
    fn work(&self) {
        let own = current().id();
        let mut state = lock(&self.state);
        loop {
            if let Some((key, job)) = state.next_job() {
                drop(state);
                let panicked = catch_unwind(AssertUnwindSafe(job)).is_err();
                state = lock(&self.state);
                state.panics += u64::from(panicked);
                if let Some(place) = state.places.get_mut(&key) {
                    place.running -= 1;
                    // Its turn may have been passed over for what it had running.
                    if !place.jobs.is_empty() && !state.turns.contains(&key) {
                        state.turns.push_back(key);
                    }
                }
                self.done.notify_all();
                continue;
            }
            if state.places.is_empty() {
                return;
            }
            state.waiting_threads += 1;
            let waited = self.filled.wait_timeout(state, self.idle);
            let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = next;
            state.waiting_threads -= 1;
            if timeout.timed_out() && state.turns.is_empty() && !state.places.is_empty() {
                if let Some(at) = state.running.iter().position(|(id, _)| *id == own) {
                    let (_, thread) = state.running.swap_remove(at);
                    state.ending.push(thread);
                }
                return;
            }
        }
    }
}

impl Room<'_> {
    fn put(mut self, job: Job) {
        let state = &mut *self.state;
        if let Some(place) = state.places.get_mut(&self.key) {
            if place.jobs.is_empty() {
                state.turns.push_back(self.key);
            }
            place.jobs.push_back(job);
            self.filled.notify_one();
        }
    }
}

impl State {
    /// The next job, of the place whose turn it is.
    fn next_job(&mut self) -> Option<(u64, Job)> {
        let most = self.most_of_one();
        for _ in 0..self.turns.len() {
            let key = self.turns.pop_front()?;
            let Some(place) = self.places.get_mut(&key) else {
                continue;
            };
            if place.running >= most {
                // Its turn comes when one of its jobs is done.
                continue;
            }
            if let Some(job) = place.jobs.pop_front() {
                place.running += 1;
                if !place.jobs.is_empty() {
                    self.turns.push_back(key);
                }
                return Some((key, job));
            }
        }
        None
    }

    /// Maximum number of threads that work for one place at once.
    fn most_of_one(&self) -> usize {
        if self.places.len() < 2 {
            return self.most_threads;
        }
        (self.most_threads - self.most_threads.div_ceil(4)).max(1)
    }

    fn is_own_thread(&self, id: ThreadId) -> bool {
        self.running.iter().any(|(own, _)| *own == id)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.threads.state);
        f.debug_struct("Pool")
            .field("key", &self.key)
            .field("threads", &state.running.len())
            .field("panics", &state.panics)
            .finish_non_exhaustive()
    }
}

fn wait<'a>(condvar: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condvar.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// The threads of all exports of this process.
static SHARED: Mutex<Weak<Threads>> = Mutex::new(Weak::new());

/// Number of threads unless the administrator says otherwise: as many requests can wait for devices.
pub(super) const DEFAULT_THREADS: usize = 32;

/// Maximum number of an export's jobs that wait for a thread.
const MAX_WAITING: usize = 4096;

/// Time without work after which a thread ends.
const IDLE: Duration = Duration::from_secs(10);

/// Size of a thread's stack in bytes.
const STACK: usize = 512 << 10;

#[cfg(test)]
mod tests;
