//! Futures that wait, panic or never end, for methods that misbehave.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// Waits without a runtime, on a thread of its own.
pub async fn sleep(time: Duration) {
    let gate = Gate::default();
    let opened = gate.clone();
    thread::spawn(move || {
        thread::sleep(time);
        opened.open();
    });
    gate.passed().await;
}

/// Lets futures through once it is open, and counts those that are at it.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<GateState>>);

#[derive(Default)]
struct GateState {
    open: bool,
    waiting: usize,
    wakers: Vec<Waker>,
}

/// A future at a gate.
struct Passing(Gate);

impl Gate {
    /// Opens it.
    ///
    /// # Panics
    /// If a thread panicked in it.
    pub fn open(&self) {
        let mut state = self.0.lock().expect("no panic");
        state.open = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Number of futures that wait, or have not been dropped since.
    ///
    /// # Panics
    /// If a thread panicked in it.
    pub fn waiting(&self) -> usize {
        self.0.lock().expect("no panic").waiting
    }

    /// Wakes those that wait in vain.
    ///
    /// # Panics
    /// If a thread panicked in it.
    pub fn disturb(&self) {
        let wakers = self.0.lock().expect("no panic").wakers.clone();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until it is open. It keeps the wakers of all polls, as a careless future does.
    pub fn passed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.lock().expect("no panic").waiting += 1;
        Passing(self.clone())
    }
}

impl Future for Passing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.0.lock().expect("no panic");
        if state.open {
            return Poll::Ready(());
        }
        state.wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.0.0.lock().expect("no panic").waiting -= 1;
    }
}

/// A future that panics when it is polled for this time, counted from 1, or when it is dropped. It
/// wakes itself.
pub struct Panics {
    at: Option<usize>,
    polled: usize,
}

impl Panics {
    /// At this poll.
    pub fn at_poll(at: usize) -> Panics {
        let polled = 0;
        let at = Some(at);
        Panics { at, polled }
    }

    /// When it is dropped after its end, which is at its second poll.
    pub fn when_dropped() -> Panics {
        let polled = 0;
        Panics { at: None, polled }
    }
}

impl Future for Panics {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polled += 1;
        if self.at == Some(self.polled) {
            panic!("a fault of the file system");
        }
        if self.at.is_none() && self.polled == 2 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        if self.at.is_none() && !thread::panicking() {
            panic!("a fault of the file system");
        }
    }
}

/// Counts.
#[derive(Clone, Default)]
pub struct Times(Arc<AtomicUsize>);

impl Times {
    /// Once more.
    pub fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How often.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A future that may panic when it is dropped after its end.
pub(super) struct EndsBadly<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    badly: bool,
    ended: bool,
}

impl<'a, T> EndsBadly<'a, T> {
    pub(super) fn new(future: impl Future<Output = T> + Send + 'a, badly: bool) -> Self {
        EndsBadly {
            future: Box::pin(future),
            badly,
            ended: false,
        }
    }
}

impl<T> Future for EndsBadly<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let polled = self.future.as_mut().poll(cx);
        self.ended = polled.is_ready();
        polled
    }
}

impl<T> Drop for EndsBadly<'_, T> {
    fn drop(&mut self) {
        if self.badly && self.ended && !thread::panicking() {
            panic!("a fault of the file system");
        }
    }
}
