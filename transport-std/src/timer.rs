//! The thread that runs a node's timer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, Builder, JoinHandle, Thread};
use std::time::Duration;

use nfs4_driver::Timer;

/// A running timer.
pub(crate) struct TimerThread {
    thread: JoinHandle<()>,
    stopped: Arc<AtomicBool>,
}

impl TimerThread {
    /// Starts it; `failed` is called when the engine is dead.
    pub(crate) fn start(
        timer: Timer,
        stack: usize,
        failed: impl FnOnce() + Send + 'static,
    ) -> io::Result<TimerThread> {
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        let thread = Builder::new()
            .name("nfs4-timer".to_owned())
            .stack_size(stack)
            .spawn(move || {
                let _failed = Failed {
                    then: Some(failed),
                    unless: &seen,
                };
                run(timer, &seen);
            })?;
        Ok(TimerThread { thread, stopped })
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
        // It panicked if the engine did, which is reported elsewhere.
        let _ = self.thread.join();
    }
}

fn run(mut timer: Timer, stopped: &AtomicBool) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while !stopped.load(Ordering::SeqCst) {
        match timer.run(&waker) {
            Ok(None) => thread::park(),
            Ok(Some(Duration::ZERO)) => thread::yield_now(),
            Ok(Some(span)) => thread::park_timeout(span),
            Err(_dead) => return,
        }
    }
}

/// Wakes a thread that parks.
pub(crate) struct Unpark(pub(crate) Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// A panic ends it as well.
struct Failed<'a, F: FnOnce()> {
    then: Option<F>,
    unless: &'a AtomicBool,
}

impl<F: FnOnce()> Drop for Failed<'_, F> {
    fn drop(&mut self) {
        if let Some(then) = self.then.take()
            && !self.unless.load(Ordering::SeqCst)
        {
            then();
        }
    }
}
