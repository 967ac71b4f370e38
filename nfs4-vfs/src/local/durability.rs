//! When the bytes of a file are durable, and when they may be lost.
//!
//! The kernel reports that it could not write bytes back once per open file description, to any call
//! that makes bytes durable, and forgets the bytes. All clients share one description of a file, so
//! that one of them takes the error for all. What is reported to one call is therefore counted
//! before the call answers, in the export's [`Losses`], and a call that ran at the same time waits to see
//! whether the error was its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::io::{Errno, Result};

use crate::sync::lock;

/// How often bytes of an export that were not yet durable may have been lost.
#[derive(Debug, Default)]
pub(super) struct Losses(AtomicU64);

/// The outcome of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Synced {
    /// All that was written before is durable.
    All,
    /// Another call took an error: bytes may be lost, which the [`Losses`] count.
    NotAll,
}

/// What of one file is durable.
#[derive(Debug, Default)]
pub(super) struct Durability {
    /// Number of writes that began without being durable.
    written: AtomicU64,
    /// How many of them had been done when the last sync began that is over.
    synced: AtomicU64,
    calls: Mutex<Calls>,
    /// A call ended.
    ended: Condvar,
}

/// The calls that make bytes durable, and take the kernel's error.
#[derive(Debug, Default)]
struct Calls {
    /// Number of syncs that began; one runs at a time.
    begun: u64,
    /// Number of syncs that ended.
    ended: u64,
    /// Durable writes under way, by their numbers.
    writes: Vec<u64>,
    next_write: u64,
    /// Number of calls that failed.
    failures: u64,
}

impl Losses {
    /// The number of losses.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Durability {
    /// Notes that bytes are about to be written that are not durable at once.
    pub(super) fn note_unstable(&self) {
        self.written.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether there are bytes that are not durable.
    pub(super) fn is_dirty(&self) -> bool {
        self.synced.load(Ordering::SeqCst) < self.written.load(Ordering::SeqCst)
    }

    /// Makes all that was written durable with `sync`, or with that of another thread if it begins
    /// later than now.
    ///
    /// # Errors
    /// That of `sync`.
    pub(super) fn sync(
        &self,
        losses: &Losses,
        sync: impl FnOnce() -> Result<()>,
    ) -> Result<Synced> {
        let mut calls = lock(&self.calls);
        let (needed, failures) = (calls.begun + 1, calls.failures);
        while calls.begun > calls.ended && calls.ended < needed {
            calls = self.wait(calls);
        }
        if calls.ended < needed {
            calls.begun += 1;
            let covered = self.written.load(Ordering::SeqCst);
            drop(calls);
            let result = sync();
            calls = lock(&self.calls);
            calls.ended += 1;
            // On an error too: the kernel has given those bytes up, which the losses tell.
            self.synced.fetch_max(covered, Ordering::SeqCst);
            self.ended.notify_all();
            if let Err(error) = result {
                calls.failures += 1;
                losses.count();
                return Err(error);
            }
        }
        let settled = self.settled(calls, failures, needed);
        Ok(if settled { Synced::All } else { Synced::NotAll })
    }

    /// Writes bytes with `write`, which makes them durable before it returns.
    ///
    /// # Errors
    /// That of `write`, or EIO if another call took the error.
    pub(super) fn write_durably(
        &self,
        losses: &Losses,
        write: impl FnOnce() -> Result<usize>,
    ) -> Result<usize> {
        let mut calls = lock(&self.calls);
        let (own, failures) = (calls.next_write, calls.failures);
        calls.next_write += 1;
        calls.writes.push(own);
        drop(calls);
        let result = write();
        let mut calls = lock(&self.calls);
        calls.writes.retain(|number| *number != own);
        self.ended.notify_all();
        match result {
            Ok(count) => {
                let syncs = calls.begun;
                let settled = self.settled(calls, failures, syncs);
                settled.then_some(count).ok_or(Errno::IO)
            }
            Err(error) => {
                // A full device refuses these bytes, or could not write back earlier ones.
                let refused = matches!(error, Errno::NOSPC | Errno::DQUOT | Errno::FBIG);
                if !refused || self.is_dirty() {
                    calls.failures += 1;
                    losses.count();
                }
                Err(error)
            }
        }
    }

    /// Waits for the calls that ran at the same time, of which one may have taken an error: the
    /// durable writes that have begun, and so many syncs. Returns whether none failed.
    fn settled(&self, mut calls: MutexGuard<'_, Calls>, failures: u64, syncs: u64) -> bool {
        let writes = calls.next_write;
        while calls.ended < syncs || calls.writes.iter().any(|number| *number < writes) {
            if calls.failures != failures {
                break;
            }
            calls = self.wait(calls);
        }
        calls.failures == failures
    }

    fn wait<'a>(&self, calls: MutexGuard<'a, Calls>) -> MutexGuard<'a, Calls> {
        self.ended
            .wait(calls)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
