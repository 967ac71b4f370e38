//! Read buffers, reused across connections.
//!
//! A fresh mapping of 1 MiB costs more than the copy of a WRITE into a file: a buffer returns here
//! when the last slice of it is dropped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use nfs4_engine::bytes::Bytes;

/// The buffers that are not in use.
#[derive(Debug)]
pub(crate) struct BufferPool {
    max_idle: u64,
    idle: AtomicU64,
    classes: [Mutex<Vec<Vec<u8>>>; CLASSES],
}

impl BufferPool {
    /// A pool that keeps at most `max_idle` bytes.
    pub(crate) fn new(max_idle: u64) -> Arc<BufferPool> {
        Arc::new(BufferPool {
            max_idle,
            idle: AtomicU64::new(0),
            classes: std::array::from_fn(|_| Mutex::new(Vec::new())),
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
        if self.idle.fetch_add(size, Ordering::Relaxed) + size > self.max_idle {
            self.idle.fetch_sub(size, Ordering::Relaxed);
            return;
        }
        lock(kept).push(bytes);
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

fn lock(kept: &Mutex<Vec<Vec<u8>>>) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
    // Nothing that can panic runs under it.
    kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The size of an ordinary read buffer without its slack, in bytes.
pub(crate) const SMALL: usize = 32 << 10;
pub(crate) const SLACK: usize = 4 << 10;
const CLASSES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

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
        let pool = BufferPool::new(1 << 20);
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
        let pool = BufferPool::new(class_size(0) as u64);
        let (one, two) = (pool.take(1), pool.take(1));
        drop((one, two));
        assert_eq!(pool.idle.load(Ordering::Relaxed), class_size(0) as u64);
        drop(pool.take(1 << 20));
        assert_eq!(pool.idle.load(Ordering::Relaxed), class_size(0) as u64);
    }

    #[test]
    fn a_size_beyond_all_classes_is_served_and_not_kept() {
        let pool = BufferPool::new(u64::MAX);
        let size = class_size(CLASSES - 1) + 1;
        let buffer = pool.take(size);
        assert!(buffer.len() >= size);
        drop(buffer);
        assert_eq!(pool.idle.load(Ordering::Relaxed), 0);
    }
}
