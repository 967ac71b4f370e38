//! The locks and threads of this crate: the standard library's; or, in `tests/interleavings`, those
//! of a scheduler that tries many orders of the threads' steps.

#[cfg(not(feature = "__shuttle"))]
pub(crate) use self::plain::*;
#[cfg(feature = "__shuttle")]
pub(crate) use self::scheduled::*;

#[cfg(not(feature = "__shuttle"))]
mod plain {
    pub(crate) use parking_lot::{Mutex as FairMutex, MutexGuard as FairMutexGuard};
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread::Builder;
}

#[cfg(feature = "__shuttle")]
mod scheduled {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, MutexGuard as FairMutexGuard};
    pub(crate) use shuttle::thread::Builder;

    /// A lock that a panic does not poison.
    #[derive(Default)]
    pub(crate) struct FairMutex<T>(Mutex<T>);

    impl<T> FairMutex<T> {
        pub(crate) const fn new(value: T) -> FairMutex<T> {
            FairMutex(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> FairMutexGuard<'_, T> {
            self.0
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
        }
    }
}
