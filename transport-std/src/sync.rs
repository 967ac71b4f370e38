//! The locks and threads of `signal`, which `tests/interleavings` replaces by those of a scheduler.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread::JoinHandle;
