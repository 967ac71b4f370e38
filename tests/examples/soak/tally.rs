//! What is counted of all clients, and which of them goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Shared by all threads.
#[derive(Default)]
pub(crate) struct Tally {
    stop: AtomicBool,
    calm: AtomicBool,
    requests: AtomicU64,
    delays: AtomicU64,
    delegations: AtomicU64,
    /// Microseconds.
    longest: AtomicU64,
    hostile: Mutex<BTreeMap<&'static str, u64>>,
    faults: Mutex<Vec<String>>,
}

/// What has been counted since the last time, but for the faults, which are all.
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) delays: u64,
    pub(crate) delegations: u64,
    pub(crate) longest: Duration,
    pub(crate) hostile: BTreeMap<&'static str, u64>,
    pub(crate) faults: usize,
}

impl Tally {
    /// Everything is to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether everything is to end.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Attackers rest from now on, or go on.
    pub(crate) fn set_calm(&self, calm: bool) {
        self.calm.store(calm, Ordering::SeqCst);
    }

    /// Whether attackers rest.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// Sleeps so long, or until everything is to end; whether it goes on.
    pub(crate) fn rest(&self, mut span: Duration) -> bool {
        while !self.stopped() && !span.is_zero() {
            let part = span.min(Duration::from_millis(100));
            std::thread::sleep(part);
            span -= part;
        }
        !self.stopped()
    }

    /// A well-behaved client sends a request.
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// It was told DELAY.
    pub(crate) fn delayed(&self) {
        self.delays.fetch_add(1, Ordering::Relaxed);
    }

    /// It was given a delegation.
    pub(crate) fn delegation(&self) {
        self.delegations.fetch_add(1, Ordering::Relaxed);
    }

    /// So long it waited for an answer that is not DELAY.
    pub(crate) fn answered(&self, after: Duration) {
        self.longest
            .fetch_max(after.as_micros() as u64, Ordering::Relaxed);
    }

    /// An attack of this name has done so much.
    pub(crate) fn attacked(&self, name: &'static str, count: u64) {
        *locked(&self.hostile).entry(name).or_default() += count;
    }

    /// Something is not as it must be.
    pub(crate) fn fault(&self, what: String) {
        println!("soak: FAULT {what}");
        locked(&self.faults).push(what);
    }

    /// What has been counted since the last time.
    pub(crate) fn take(&self) -> Counted {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Counted {
            requests: take(&self.requests),
            delays: take(&self.delays),
            delegations: take(&self.delegations),
            longest: Duration::from_micros(take(&self.longest)),
            hostile: std::mem::take(&mut *locked(&self.hostile)),
            faults: locked(&self.faults).len(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
