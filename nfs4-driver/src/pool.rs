//! Read buffers, reused across connections.
//!
//! A fresh mapping of 1 MiB costs more than the copy of a WRITE into a file: a buffer returns here
//! when the last slice of it is dropped. A buffer that is not used for a while is freed.

use std::sync::Arc;
use std::time::Duration;

use nfs4_engine::Mono;
use nfs4_engine::bytes::Bytes;

use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering};
use crate::timer_wakers::Timers;

/// The buffers that are not in use.
#[derive(Debug)]
pub(crate) struct BufferPool {
    max_idle: u64,
    idle: AtomicU64,
    classes: [Mutex<Kept>; CLASSES],
    /// The timers call [`BufferPool::tend`].
    tended: AtomicBool,
    /// Time at which buffers were last freed.
    shed: Mutex<Option<Mono>>,
    timers: Arc<Timers>,
}

/// The buffers of one class.
#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    /// Number of buffers that were not used since the last time that buffers were freed.
    unwanted: usize,
}

impl BufferPool {
    /// A pool that keeps at most `max_idle` bytes; the timers are woken when there is something to
    /// [tend](BufferPool::tend).
    pub(crate) fn new(max_idle: u64, timers: Arc<Timers>) -> Arc<BufferPool> {
        Arc::new(BufferPool {
            max_idle,
            idle: AtomicU64::new(0),
            classes: Default::default(),
            tended: AtomicBool::new(false),
            shed: Mutex::default(),
            timers,
        })
    }

    /// A buffer of at least `size` bytes with arbitrary contents.
    pub(crate) fn take(self: &Arc<BufferPool>, size: usize) -> Buffer {
        let class = class_of(size);
        let reused = self.classes.get(class).and_then(|kept| lock(kept).pop());
        let bytes = match reused {
            Some(bytes) => {
                self.idle.fetch_sub(bytes.len() as u64, Ordering::Relaxed);
                bytes
            }
            None => vec![0; class_size(class).max(size)],
        };
        Buffer {
            bytes,
            pool: Arc::clone(self),
        }
    }

    fn give_back(&self, bytes: Vec<u8>) {
        let Some(kept) = self.classes.get(class_of(bytes.len())) else {
            return;
        };
        let size = bytes.len() as u64;
        let idle = self.idle.fetch_add(size, Ordering::Relaxed) + size;
        if idle > self.max_idle {
            self.idle.fetch_sub(size, Ordering::Relaxed);
            return;
        }
        lock(kept).buffers.push(bytes);
        if idle > FEW && !self.tended.load(Ordering::SeqCst) {
            self.have_tended();
        }
    }

    #[cold]
    fn have_tended(&self) {
        if !self.tended.swap(true, Ordering::SeqCst) {
            self.timers.wake();
        }
    }

    /// Frees buffers that were not used for a while; returns when to call it again: not before the
    /// timers are woken, if only a few bytes are kept.
    pub(crate) fn tend(&self, now: Mono) -> Option<Duration> {
        if !self.tended.load(Ordering::SeqCst) {
            return None;
        }
        let mut shed = lock(&self.shed);
        let since = shed.map(|shed| now.since(shed));
        if let Some(since) = since.filter(|since| *since < WHILE) {
            return Some(WHILE - since);
        }
        *shed = Some(now);
        for class in &self.classes {
            let mut kept = lock(class);
            // At the first call it is not known how long buffers were idle.
            let unwanted = since.map_or(0, |_| kept.unwanted);
            let given_up: Vec<_> = kept.buffers.drain(..unwanted).collect();
            kept.unwanted = kept.buffers.len();
            drop(kept);
            let bytes: usize = given_up.iter().map(Vec::len).sum();
            self.idle.fetch_sub(bytes as u64, Ordering::Relaxed);
        }
        if self.idle.load(Ordering::Relaxed) > FEW {
            return Some(WHILE);
        }
        *shed = None;
        self.tended.store(false, Ordering::SeqCst);
        // A thread that returns a buffer now may have seen that the pool is tended.
        let more = self.idle.load(Ordering::Relaxed) > FEW;
        (more && !self.tended.swap(true, Ordering::SeqCst)).then_some(WHILE)
    }
}

impl Kept {
    fn pop(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop();
        self.unwanted = self.unwanted.min(self.buffers.len());
        buffer
    }
}

/// A buffer that returns to its pool when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    pool: Arc<BufferPool>,
}

impl Buffer {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The first `len` bytes, to be shared; the buffer returns to the pool after the last share.
    pub(crate) fn freeze(self, len: usize) -> Bytes {
        Bytes::from_owner(Frozen {
            len: len.min(self.bytes.len()),
            buffer: self,
        })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}

struct Frozen {
    buffer: Buffer,
    len: usize,
}

impl AsRef<[u8]> for Frozen {
    fn as_ref(&self) -> &[u8] {
        &self.buffer.bytes[..self.len]
    }
}

/// Classes double in size. The slack leaves room for the headers around a payload that is a power
/// of two.
fn class_size(class: usize) -> usize {
    (SMALL << class) + SLACK
}

/// The smallest class that holds `size` bytes; [`CLASSES`] or more if none does.
fn class_of(size: usize) -> usize {
    let units = size.saturating_sub(SLACK).div_ceil(SMALL).max(1);
    units.next_power_of_two().trailing_zeros() as usize
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under it.
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The size of an ordinary read buffer without its slack, in bytes.
pub(crate) const SMALL: usize = 32 << 10;
pub(crate) const SLACK: usize = 4 << 10;
const CLASSES: usize = 12;

/// Bytes that are never freed.
const FEW: u64 = 1 << 20;
/// Time after which an unused buffer is freed.
const WHILE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(max_idle: u64) -> Arc<BufferPool> {
        BufferPool::new(max_idle, Arc::default())
    }

    fn at(seconds: u64) -> Mono {
        Mono::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn buffers_that_are_not_used_for_a_while_are_freed() {
        let pool = pool(u64::MAX);
        let idle = || pool.idle.load(Ordering::Relaxed) >> 20;
        assert_eq!(pool.tend(at(0)), None, "there is nothing");
        let all: Vec<Buffer> = (0..8).map(|_| pool.take(1 << 20)).collect();
        drop(all);
        assert_eq!((pool.tend(at(5)), idle()), (Some(WHILE), 8));
        assert_eq!(pool.tend(at(9)), Some(Duration::from_secs(6)));
        // Three are wanted at once, again and again.
        for _ in 0..4 {
            drop([1, 2, 3].map(|_| pool.take(1 << 20)));
        }
        assert_eq!((pool.tend(at(15)), idle()), (Some(WHILE), 3));
        let out = pool.take(1 << 20);
        assert_eq!((pool.tend(at(25)), idle()), (None, 0));
        drop(out);
        // The timers learn of it again.
        assert_eq!((pool.tend(at(30)), idle()), (Some(WHILE), 1));
    }

    #[test]
    fn a_class_holds_what_is_asked_of_it() {
        for size in [
            0,
            1,
            SMALL,
            SMALL + SLACK,
            SMALL + SLACK + 1,
            1 << 20,
            (1 << 20) + 500,
        ] {
            assert!(class_size(class_of(size)) >= size, "{size}");
        }
        assert_eq!(class_of(SMALL + SLACK), 0);
        assert_eq!(class_of(class_size(5)), 5);
        assert_eq!(class_size(class_of((1 << 20) + 500)), (1 << 20) + SLACK);
    }

    #[test]
    fn a_buffer_returns_after_its_last_slice() {
        let pool = pool(1 << 20);
        let mut buffer = pool.take(100);
        buffer.bytes_mut()[..3].copy_from_slice(b"abc");
        let whole = buffer.freeze(3);
        let part = whole.slice(1..);
        drop(whole);
        assert_eq!(pool.idle.load(Ordering::Relaxed), 0);
        assert_eq!(&part[..], b"bc");
        drop(part);
        assert_eq!(pool.idle.load(Ordering::Relaxed), class_size(0) as u64);
        let again = pool.take(100);
        assert_eq!(&again.bytes()[..3], b"abc");
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let pool = pool(class_size(0) as u64);
        let (one, two) = (pool.take(1), pool.take(1));
        drop((one, two));
        assert_eq!(pool.idle.load(Ordering::Relaxed), class_size(0) as u64);
        drop(pool.take(1 << 20));
        assert_eq!(pool.idle.load(Ordering::Relaxed), class_size(0) as u64);
    }

    #[test]
    fn a_size_beyond_all_classes_is_served_and_not_kept() {
        let pool = pool(u64::MAX);
        let size = class_size(CLASSES - 1) + 1;
        let buffer = pool.take(size);
        assert!(buffer.len() >= size);
        drop(buffer);
        assert_eq!(pool.idle.load(Ordering::Relaxed), 0);
    }
}
