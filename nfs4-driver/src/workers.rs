//! A bounded pool of threads that polls the futures of file systems.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use crate::spawn::{Spawn, Task};
use crate::sync::{Builder, Condvar, Mutex, MutexGuard};

/// A pool of plain threads for file systems: for those that block, and for asynchronous ones where
/// there is no runtime. Clones are handles of the same pool.
///
/// A future that waits takes no thread, and one that blocks takes one: as many requests as there are
/// threads can block at once, and others wait their turn. When the last handle is dropped, the
/// threads end as soon as they have polled what they are polling; tasks that are not done are dropped.
#[derive(Clone)]
pub struct Workers {
    owner: Arc<Owner>,
}

/// Stops the threads when it is dropped.
struct Owner {
    queue: Arc<Queue>,
    threads: usize,
}

/// The tasks that can go on.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Job>>,
    stopped: bool,
}

/// A task of the pool.
struct Job {
    queue: Weak<Queue>,
    state: Mutex<JobState>,
}

struct JobState {
    /// None while a thread polls it, and when it is done.
    task: Option<Task>,
    /// It was woken while a thread polled it.
    woken: bool,
    /// It is in the queue.
    queued: bool,
}

impl Workers {
    /// Starts a pool of so many threads.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn new(threads: NonZeroUsize) -> io::Result<Workers> {
        let queue = Arc::new(Queue::default());
        // Dropped on an error, so that the threads that have started end.
        let owner = Arc::new(Owner {
            queue: Arc::clone(&queue),
            threads: threads.get(),
        });
        for number in 0..threads.get() {
            let queue = Arc::clone(&queue);
            Builder::new()
                .name(format!("nfs4-worker-{number}"))
                .spawn(move || queue.work())?;
        }
        Ok(Workers { owner })
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.owner.threads
    }
}

impl Spawn for Workers {
    fn spawn(&self, task: Task) {
        let queue = &self.owner.queue;
        queue.push(Arc::new(Job {
            queue: Arc::downgrade(queue),
            state: Mutex::new(JobState {
                task: Some(task),
                woken: false,
                queued: true,
            }),
        }));
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("threads", &self.owner.threads)
            .finish()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        state.stopped = true;
        let left = std::mem::take(&mut state.ready);
        drop(state);
        self.queue.filled.notify_all();
        for job in left {
            job.abandon();
        }
    }
}

impl Queue {
    fn push(&self, job: Arc<Job>) {
        let mut state = lock(&self.state);
        if state.stopped {
            drop(state);
            return job.abandon();
        }
        state.ready.push_back(job);
        drop(state);
        self.filled.notify_one();
    }

    /// What a thread does until the pool is stopped.
    fn work(&self) {
        loop {
            let nothing = |state: &mut State| state.ready.is_empty() && !state.stopped;
            let waited = self.filled.wait_while(lock(&self.state), nothing);
            let mut state = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
            let Some(job) = state.ready.pop_front() else {
                return;
            };
            drop(state);
            // Only the delivery of an answer can panic, when the engine does.
            let _ = catch_unwind(AssertUnwindSafe(|| job.poll()));
        }
    }
}

impl Job {
    fn poll(self: Arc<Job>) {
        let mut state = lock(&self.state);
        state.queued = false;
        let Some(mut task) = state.task.take() else {
            return;
        };
        drop(state);
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = Context::from_waker(&waker);
        if let Poll::Ready(()) = std::pin::Pin::new(&mut task).poll(&mut cx) {
            return;
        }
        let mut state = lock(&self.state);
        state.task = Some(task);
        if std::mem::take(&mut state.woken) {
            self.enqueue(state);
        }
    }

    /// Drops the task, whose waker the file system may keep.
    fn abandon(&self) {
        let task = lock(&self.state).task.take();
        // Its destructors are foreign code: without the lock.
        drop(task);
    }

    fn enqueue(self: &Arc<Job>, mut state: MutexGuard<'_, JobState>) {
        state.queued = true;
        drop(state);
        match self.queue.upgrade() {
            Some(queue) => queue.push(Arc::clone(self)),
            None => self.abandon(),
        }
    }
}

impl Wake for Job {
    fn wake(self: Arc<Job>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Job>) {
        let mut state = lock(&self.state);
        if state.task.is_none() {
            state.woken = true;
        } else if !state.queued {
            self.enqueue(state);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic leaves the value inconsistent.
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn pool(threads: usize) -> Workers {
        Workers::new(NonZeroUsize::new(threads).unwrap()).unwrap()
    }

    /// A future that is ready once it was released, and the means to release it.
    fn gate() -> (impl Future<Output = ()> + Send, impl FnOnce() + Send) {
        let state = Arc::new(Mutex::new((false, None::<Waker>)));
        let seen = Arc::clone(&state);
        let future = std::future::poll_fn(move |cx| {
            let mut state = lock(&seen);
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        });
        let release = move || {
            let waker = {
                let mut state = lock(&state);
                state.0 = true;
                state.1.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        (future, release)
    }

    #[test]
    fn many_futures_that_wait_take_one_thread() {
        let pool = pool(1);
        let (done, ends) = mpsc::channel();
        let mut releases = Vec::new();
        for number in 0..100 {
            let (gate, release) = gate();
            releases.push(release);
            let done = done.clone();
            pool.spawn(Task::new(async move {
                gate.await;
                done.send(number).unwrap();
            }));
        }
        assert!(ends.recv_timeout(Duration::from_millis(50)).is_err());
        for release in releases.into_iter().rev() {
            release();
        }
        let mut ended: Vec<i32> = (0..100)
            .map(|_| ends.recv_timeout(Duration::from_secs(10)).unwrap())
            .collect();
        ended.sort_unstable();
        assert_eq!(ended, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_future_that_blocks_takes_one_thread_of_several() {
        let pool = pool(2);
        let (done, ends) = mpsc::channel();
        let (release, blocked) = mpsc::channel::<()>();
        pool.spawn(Task::new(async move {
            let _ = blocked.recv();
        }));
        pool.spawn(Task::new(async move { done.send(()).unwrap() }));
        ends.recv_timeout(Duration::from_secs(10)).unwrap();
        drop(release);
    }

    #[test]
    fn a_wake_up_during_a_poll_is_not_lost() {
        let pool = pool(2);
        let (done, ends) = mpsc::channel();
        for _ in 0..1_000 {
            let mut polls = 0;
            let done = done.clone();
            pool.spawn(Task::new(async move {
                std::future::poll_fn(|cx| {
                    polls += 1;
                    if polls == 3 {
                        return Poll::Ready(());
                    }
                    let waker = cx.waker().clone();
                    if polls == 1 {
                        waker.wake();
                    } else {
                        std::thread::spawn(move || waker.wake());
                    }
                    Poll::Pending
                })
                .await;
                done.send(()).unwrap();
            }));
        }
        for _ in 0..1_000 {
            ends.recv_timeout(Duration::from_secs(10)).unwrap();
        }
    }

    #[test]
    fn a_dropped_pool_drops_its_tasks_and_survives_panics() {
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let dropped = Arc::new(AtomicUsize::new(0));
        let pool = pool(1);
        pool.spawn(Task::new(async { panic!("a task panics") }));
        let (gate, release) = gate();
        let counted = Counted(Arc::clone(&dropped));
        let (started, starts) = mpsc::channel();
        pool.spawn(Task::new(async move {
            let _counted = counted;
            started.send(()).unwrap();
            gate.await;
            unreachable!("the pool is gone");
        }));
        starts.recv_timeout(Duration::from_secs(10)).unwrap();
        drop(pool);
        release();
        for _ in 0..1_000 {
            if dropped.load(Ordering::SeqCst) == 1 {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the task is still there");
    }
}
