//! The lock around the engine: fair, and unusable after a panic.

use std::ops::{Deref, DerefMut};
use std::thread::panicking;

use crate::sync::{FairMutex, FairMutexGuard};

/// A value behind a lock. A waiting thread gets it after a fraction of a millisecond, however often
/// other threads take it; after a panic of a holder, no thread gets it.
pub(crate) struct FairLock<T> {
    inner: FairMutex<Inner<T>>,
}

struct Inner<T> {
    value: T,
    dead: bool,
}

/// The lock, held until it is dropped.
pub(crate) struct FairGuard<'a, T> {
    inner: FairMutexGuard<'a, Inner<T>>,
    /// The thread was unwinding when it took the lock.
    unwinding: bool,
}

impl<T> FairLock<T> {
    pub(crate) const fn new(value: T) -> FairLock<T> {
        FairLock {
            inner: FairMutex::new(Inner { value, dead: false }),
        }
    }

    /// Waits for the lock; none if a holder panicked.
    pub(crate) fn hold(&self) -> Option<FairGuard<'_, T>> {
        let inner = self.inner.lock();
        (!inner.dead).then(|| FairGuard {
            inner,
            unwinding: panicking(),
        })
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
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn no_thread_gets_the_lock_after_a_panic_of_its_holder() {
        let guarded = FairLock::new(1);
        *guarded.hold().unwrap() += 1;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let held = guarded.hold().unwrap();
            assert_eq!(*held, 3, "a fault of the holder");
        }));
        assert!(panicked.is_err());
        assert!(guarded.hold().is_none());
    }

    #[test]
    fn an_unwinding_thread_may_hold_the_lock() {
        struct Last<'a>(&'a FairLock<u32>);
        impl Drop for Last<'_> {
            fn drop(&mut self) {
                *self.0.hold().unwrap() += 1;
            }
        }
        let guarded = FairLock::new(0);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _last = Last(&guarded);
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err());
        assert_eq!(guarded.hold().map(|held| *held), Some(1));
    }
}
