//! Buffers for bytes that wait to be sent.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};

use nfs4_engine::bytes::Bytes;

/// Buffers of one size for what a file system reads into memory of its own. Each returns when the
/// last share of its bytes is dropped, which is when the reply was sent.
///
/// It keeps a limited number of buffers; those beyond it are freed when they return. It does not limit
/// how many are taken at once: the number of requests under way and the unsent bytes of replies do.
///
/// ```
/// use nfs4_engine::fs::Payload;
/// use nfs4_vfs::BufferPool;
///
/// // 16 KiB each, and at most 1 MiB that is kept.
/// let pool = BufferPool::new(16 << 10, 64);
/// let mut file = &b"what is in the file"[..];
/// let mut payload = Payload::new();
/// while !file.is_empty() {
///     let mut buffer = pool.take();
///     let count = std::io::Read::read(&mut file, &mut buffer)?;
///     payload.push(buffer.freeze(count));
/// }
/// assert_eq!(payload.to_vec(), b"what is in the file");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct BufferPool {
    size: usize,
    max_kept: usize,
    kept: Mutex<Vec<Box<[u8]>>>,
}

impl BufferPool {
    /// A pool of buffers of `size` bytes, of which at most `max_kept` are kept while not in use.
    pub fn new(size: usize, max_kept: usize) -> Arc<BufferPool> {
        Arc::new(BufferPool {
            size,
            max_kept,
            kept: Mutex::default(),
        })
    }

    /// A buffer with arbitrary contents.
    pub fn take(self: &Arc<BufferPool>) -> Buffer {
        let kept = self.lock().pop();
        Buffer {
            bytes: kept.unwrap_or_else(|| vec![0; self.size].into_boxed_slice()),
            pool: Arc::clone(self),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        // Nothing that can panic runs under it.
        self.kept
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A buffer of a [`BufferPool`], to which it returns when dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    pool: Arc<BufferPool>,
}

impl Buffer {
    /// Its first `len` bytes, or all of them if there are fewer, to be shared.
    pub fn freeze(self, len: usize) -> Bytes {
        Bytes::from_owner(Frozen {
            len: len.min(self.bytes.len()),
            buffer: self,
        })
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut kept = self.pool.lock();
        if kept.len() < self.pool.max_kept {
            kept.push(bytes);
        } else {
            drop(kept);
            drop(bytes);
        }
    }
}

struct Frozen {
    buffer: Buffer,
    len: usize,
}

impl AsRef<[u8]> for Frozen {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_returns_after_the_last_share_of_it() {
        let pool = BufferPool::new(100, 8);
        let mut buffer = pool.take();
        assert_eq!(buffer.len(), 100);
        buffer[..3].copy_from_slice(b"abc");
        let whole = buffer.freeze(3);
        let part = whole.slice(1..);
        drop(whole);
        assert_eq!(pool.lock().len(), 0);
        assert_eq!(&part[..], b"bc");
        drop(part);
        assert_eq!(pool.lock().len(), 1);
        assert_eq!(&pool.take()[..3], b"abc");
        assert_eq!(pool.take().freeze(101).len(), 100);
    }

    #[test]
    fn no_more_are_kept_than_the_limit() {
        let pool = BufferPool::new(10, 2);
        let taken: Vec<Bytes> = (0..5).map(|_| pool.take().freeze(1)).collect();
        drop(taken);
        assert_eq!(pool.lock().len(), 2);
        drop((pool.take(), pool.take(), pool.take()));
        assert_eq!(pool.lock().len(), 2);
    }
}
