//! The lock around the engine: fair, and unusable after a panic.

use std::ops::{Deref, DerefMut};
use std::thread::panicking;
use std::time::Instant;

use nfs4_engine::metrics::LockTimes;

use crate::sync::{FairMutex, FairMutexGuard};

/// A value behind a lock. A waiting thread gets it after a fraction of a millisecond, however often
/// other threads take it; after a panic of a holder, no thread gets it.
pub(crate) struct FairLock<T> {
    inner: FairMutex<Inner<T>>,
}

struct Inner<T> {
    value: T,
    dead: bool,
    times: LockTimes,
}

/// The lock, held until it is dropped.
pub(crate) struct FairGuard<'a, T> {
    inner: FairMutexGuard<'a, Inner<T>>,
    /// The thread was unwinding when it took the lock.
    unwinding: bool,
    /// When it was taken, if that is measured.
    since: Option<Instant>,
}

impl<T> FairLock<T> {
    pub(crate) fn new(value: T) -> FairLock<T> {
        FairLock {
            inner: FairMutex::new(Inner {
                value,
                dead: false,
                times: LockTimes::default(),
            }),
        }
    }

    /// Waits for the lock, and measures its times if asked to; none if a holder panicked.
    pub(crate) fn hold(&self, measured: bool) -> Option<FairGuard<'_, T>> {
        let asked = measured.then(Instant::now);
        let mut inner = self.inner.lock();
        if inner.dead {
            return None;
        }
        let since = asked.map(|asked| {
            let since = Instant::now();
            inner.times.waits.observe(since.duration_since(asked));
            since
        });
        Some(FairGuard {
            inner,
            unwinding: panicking(),
            since,
        })
    }
}

impl<T> FairGuard<'_, T> {
    /// The times that were measured since the last call.
    pub(crate) fn take_times(&mut self) -> LockTimes {
        std::mem::take(&mut self.inner.times)
    }
}

impl<T> Deref for FairGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner.value
    }
}

impl<T> DerefMut for FairGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner.value
    }
}

impl<T> Drop for FairGuard<'_, T> {
    fn drop(&mut self) {
        if !self.unwinding && panicking() {
            self.inner.dead = true;
        }
        if let Some(since) = self.since {
            self.inner.times.holds.observe(since.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn no_thread_gets_the_lock_after_a_panic_of_its_holder() {
        let guarded = FairLock::new(1);
        *guarded.hold(false).unwrap() += 1;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let held = guarded.hold(false).unwrap();
            assert_eq!(*held, 3, "a fault of the holder");
        }));
        assert!(panicked.is_err());
        assert!(guarded.hold(false).is_none());
    }

    #[test]
    fn an_unwinding_thread_may_hold_the_lock() {
        struct Last<'a>(&'a FairLock<u32>);
        impl Drop for Last<'_> {
            fn drop(&mut self) {
                *self.0.hold(false).unwrap() += 1;
            }
        }
        let guarded = FairLock::new(0);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _last = Last(&guarded);
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err());
        assert_eq!(guarded.hold(false).map(|held| *held), Some(1));
    }

    #[test]
    fn times_are_those_of_the_uses_that_are_measured() {
        let guarded = FairLock::new(());
        for measured in [true, false, true] {
            drop(guarded.hold(measured));
        }
        let times = guarded.hold(true).unwrap().take_times();
        let count = |counts: &[u64]| counts.iter().sum::<u64>();
        // The one that takes the times still holds the lock.
        assert_eq!(count(times.waits.counts()), 3);
        assert_eq!(count(times.holds.counts()), 2);
        let times = guarded.hold(false).unwrap().take_times();
        assert_eq!(count(times.waits.counts()), 0);
        assert_eq!(count(times.holds.counts()), 1);
    }
}
