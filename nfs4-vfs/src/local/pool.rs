//! Threads for requests that block.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::thread::{Builder, JoinHandle, ThreadId, current};
use std::time::{Duration, Instant};

use nfs4_engine::fs::{Completion, FsError, FsHandle, FsResult, Pending};

use super::node::ObjectId;
use crate::sync::lock;

/// A place in the pool of this process for the requests of one export.
///
/// All exports share the pool's threads, and take turns. While there are several, none has them all:
/// a device that hangs takes three quarters of them at most. When the place is dropped, jobs that wait
/// are dropped, which answers their requests, and those that run are waited for.
///
/// Jobs of one lane run one after the other. What the kernel would let wait for each other then takes
/// one thread and not all, and while such jobs are quick, that thread is woken once for many of them.
pub(super) struct Pool {
    threads: Arc<Threads>,
    key: u64,
}

/// Sees to it that jobs run for which the system had no thread.
pub(super) struct Waker(Weak<Threads>);

/// What runs one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Writes to a file.
    Writes(ObjectId),
    /// The ends of locks of a file.
    Unlocks(FsHandle),
}

struct Job {
    lane: Option<Lane>,
    act: Act,
    /// It counts for the limit of requests that wait.
    is_request: bool,
}

enum Act {
    Answer(Completion, Box<dyn FnOnce() -> FsResult + Send>),
    Run(Box<dyn FnOnce() + Send>),
}

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
    /// One of them was notified, and does not run yet.
    is_waking: bool,
    /// Number of threads that wait for jobs to be done.
    waiting_for_done: usize,
    running: Vec<(ThreadId, JoinHandle<()>)>,
    /// Threads that end on their own.
    ending: Vec<JoinHandle<()>>,
    panics: u64,
}

/// Room for one job, under the lock.
struct Room<'a> {
    threads: &'a Arc<Threads>,
    state: MutexGuard<'a, State>,
    key: u64,
}

#[derive(Default)]
struct Place {
    jobs: VecDeque<Job>,
    /// Jobs that wait for one of their lane which runs or is in `jobs`, by lane.
    lanes: BTreeMap<Lane, VecDeque<Job>>,
    /// Number of requests that wait, in `jobs` and in `lanes`.
    waiting: usize,
    running: usize,
}

/// Answers that a thread has, and has not delivered.
#[derive(Default)]
struct Answers(Vec<(Completion, FsResult)>);

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
    /// is answered as one that was dropped. Of a lane, one runs at a time, in the order in which they came;
    /// answers of a lane may wait for a few later ones of it that are quick.
    ///
    /// Answers [`FsError::Busy`] at once while too many of the export's requests wait.
    pub(super) fn answer(
        &self,
        pending: &mut Pending<'_>,
        lane: Option<Lane>,
        answer: impl FnOnce() -> FsResult + Send + 'static,
    ) -> Poll<FsResult> {
        let answer = Box::new(answer);
        let room = match self.threads.room(self.key, lane) {
            Ok(room) => room,
            Err(busy) => return Poll::Ready(Err(busy)),
        };
        room.put(Job {
            lane,
            act: Act::Answer(pending.completion(), answer),
            is_request: true,
        });
        Poll::Pending
    }

    /// Runs `job` on a thread, also while too many of the export's requests wait. If the system refuses a thread,
    /// the job waits until there is one, which [`Waker::wake`] sees to.
    ///
    /// Nothing limits them here, and they do not count for the limit of requests. So these are jobs that let go of
    /// what a request got that waited in the same line: one or two for each OPEN, of the file and of its lease.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.run_in(None, job);
    }

    /// The same in a lane, which has at most one such job that waits.
    pub(super) fn run_in(&self, lane: Option<Lane>, job: impl FnOnce() + Send + 'static) {
        let mut state = lock(&self.threads.state);
        if !state.follows(self.key, lane) {
            let _ = self.threads.provide(&mut state);
        }
        let (threads, key) = (&self.threads, self.key);
        let act = Act::Run(Box::new(job));
        let room = Room {
            threads,
            state,
            key,
        };
        let is_request = false;
        room.put(Job {
            lane,
            act,
            is_request,
        });
    }

    /// What gives jobs a thread for which the system had none.
    pub(super) fn waker(&self) -> Waker {
        Waker(Arc::downgrade(&self.threads))
    }

    /// Number of jobs of all exports that panicked.
    pub(super) fn panics(&self) -> u64 {
        lock(&self.threads.state).panics
    }
}

impl Waker {
    /// Starts a thread if jobs wait for their turns, and none will run them.
    pub(super) fn wake(&self) {
        let Some(threads) = self.0.upgrade() else {
            return;
        };
        let mut state = lock(&threads.state);
        if !state.turns.is_empty() && state.running.is_empty() {
            // Else the next call tries again.
            let _ = threads.provide(&mut state);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = lock(&self.threads.state);
        let jobs = state.places.get_mut(&self.key).map(|place| {
            place.waiting = 0;
            let lanes = std::mem::take(&mut place.lanes);
            (std::mem::take(&mut place.jobs), lanes)
        });
        drop(state);
        // Foreign code: without the lock.
        drop(jobs);
        let mut state = lock(&self.threads.state);
        // A job may hold what holds this place.
        let own = state.is_own_thread(current().id());
        while !own && state.places.get(&self.key).is_some_and(|it| it.running > 0) {
            state.waiting_for_done += 1;
            state = wait(&self.threads.done, state);
            state.waiting_for_done -= 1;
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

    /// Room for a job of a place and of this lane, and a thread that will run it.
    ///
    /// # Errors
    /// [`FsError::Busy`] if too many wait, or if there is no thread and the system refuses one.
    fn room(self: &Arc<Threads>, key: u64, lane: Option<Lane>) -> Result<Room<'_>, FsError> {
        let mut state = lock(&self.state);
        let Some(place) = state.places.get(&key) else {
            return Err(FsError::Busy);
        };
        if place.waiting >= MAX_WAITING {
            return Err(FsError::Busy);
        }
        if !state.follows(key, lane)
            && self.provide(&mut state).is_err()
            && state.running.is_empty()
        {
            return Err(FsError::Busy);
        }
        Ok(Room {
            threads: self,
            state,
            key,
        })
    }

    /// Starts a thread if none waits for work and there may be more.
    fn provide(self: &Arc<Threads>, state: &mut State) -> std::io::Result<()> {
        if state.waiting_threads > 0 || state.running.len() >= state.most_threads {
            return Ok(());
        }
        self.start(state)
    }

    /// Wakes a thread that waits for work, unless one is being woken: that one wakes the next, if work is
    /// left then.
    fn wake(&self, state: &mut State) {
        if state.waiting_threads > 0 && !state.is_waking {
            state.is_waking = true;
            self.filled.notify_one();
        }
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
    fn work(self: &Arc<Threads>) {
        let own = current().id();
        let mut state = lock(&self.state);
        loop {
            if let Some((key, job)) = state.next_job() {
                if !state.turns.is_empty() {
                    // This job may take long. Without another thread, the others wait for it.
                    let _ = self.provide(&mut state);
                    self.wake(&mut state);
                }
                drop(state);
                state = self.run_lane(key, job);
                if state.waiting_for_done > 0 {
                    self.done.notify_all();
                }
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
            state.is_waking = false;
            if timeout.timed_out() && state.turns.is_empty() && !state.places.is_empty() {
                if let Some(at) = state.running.iter().position(|(id, _)| *id == own) {
                    let (_, thread) = state.running.swap_remove(at);
                    state.ending.push(thread);
                }
                return;
            }
        }
    }

    /// Runs a job, and those that follow in its lane while that is quick and no place waits for its turn.
    fn run_lane(&self, key: u64, job: Job) -> MutexGuard<'_, State> {
        let lane = job.lane;
        let mut answers = Answers::default();
        let mut next = Some(job);
        let mut panics = 0;
        let mut begin = lane.map(|_| Instant::now());
        while let Some(job) = next.take() {
            let run = || job.act.run(&mut answers);
            panics += u64::from(catch_unwind(AssertUnwindSafe(run)).is_err());
            let (Some(lane), Some(began)) = (lane, begin) else {
                break;
            };
            let end = Instant::now();
            begin = Some(end);
            if end.duration_since(began) < QUICK && answers.0.len() < MAX_ANSWERS {
                next = lock(&self.state).next_in(key, lane);
            }
        }
        let deliver = || answers.deliver();
        panics += u64::from(catch_unwind(AssertUnwindSafe(deliver)).is_err());
        let mut state = lock(&self.state);
        state.panics += panics;
        state.end(key, lane);
        state
    }
}

impl Act {
    /// Runs it; an answer is added to `answers`. If it panics, its completion is dropped.
    fn run(self, answers: &mut Answers) {
        match self {
            Act::Run(job) => job(),
            Act::Answer(completion, answer) => {
                let answer = answer();
                answers.0.push((completion, answer));
            }
        }
    }
}

impl Answers {
    fn deliver(self) {
        for (completion, answer) in self.0 {
            completion.complete(answer);
        }
    }
}

impl Room<'_> {
    fn put(mut self, job: Job) {
        let state = &mut *self.state;
        let Some(place) = state.places.get_mut(&self.key) else {
            return;
        };
        place.waiting += usize::from(job.is_request);
        if let Some(lane) = job.lane {
            match place.lanes.entry(lane) {
                Entry::Occupied(mut others) => return others.get_mut().push_back(job),
                Entry::Vacant(lane) => drop(lane.insert(VecDeque::new())),
            }
        }
        if place.jobs.is_empty() {
            state.turns.push_back(self.key);
        }
        place.jobs.push_back(job);
        self.threads.wake(state);
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
                place.waiting -= usize::from(job.is_request);
                place.running += 1;
                if !place.jobs.is_empty() {
                    self.turns.push_back(key);
                }
                return Some((key, job));
            }
        }
        None
    }

    /// The next job of a lane of which one has run, unless a place waits for its turn.
    fn next_in(&mut self, key: u64, lane: Lane) -> Option<Job> {
        if !self.turns.is_empty() {
            return None;
        }
        let place = self.places.get_mut(&key)?;
        let job = place.lanes.get_mut(&lane)?.pop_front()?;
        place.waiting -= usize::from(job.is_request);
        Some(job)
    }

    /// A job of a place is done; the next one of its lane gets in line.
    fn end(&mut self, key: u64, lane: Option<Lane>) {
        let Some(place) = self.places.get_mut(&key) else {
            return;
        };
        place.running -= 1;
        if let Some(lane) = lane {
            match place.lanes.get_mut(&lane).map(VecDeque::pop_front) {
                Some(Some(next)) => place.jobs.push_back(next),
                Some(None) => drop(place.lanes.remove(&lane)),
                // The place is being dropped.
                None => {}
            }
        }
        // Its turn may have been passed over for what it had running.
        if !place.jobs.is_empty() && !self.turns.contains(&key) {
            self.turns.push_back(key);
        }
    }

    /// Maximum number of threads that work for one place at once.
    fn most_of_one(&self) -> usize {
        if self.places.len() < 2 {
            return self.most_threads;
        }
        (self.most_threads - self.most_threads.div_ceil(4)).max(1)
    }

    /// Whether a job of this lane waits for another one.
    fn follows(&self, key: u64, lane: Option<Lane>) -> bool {
        let place = self.places.get(&key);
        place.is_some_and(|place| lane.is_some_and(|lane| place.lanes.contains_key(&lane)))
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

/// Maximum number of an export's requests that wait for a thread.
const MAX_WAITING: usize = 4096;

/// Maximum time that a job of a lane takes after which the thread goes on with the next before it delivers
/// the answer.
const QUICK: Duration = Duration::from_micros(50);

/// Maximum number of answers that wait for others of their lane.
const MAX_ANSWERS: usize = 16;

/// Time without work after which a thread ends.
const IDLE: Duration = Duration::from_secs(10);

/// Size of a thread's stack in bytes.
const STACK: usize = 512 << 10;

#[cfg(test)]
mod tests;
