//! Locks that a panic of another thread does not take away.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a value that no panic leaves inconsistent.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
