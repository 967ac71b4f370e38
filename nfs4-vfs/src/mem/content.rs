//! The bytes of a file, in chunks.
//!
//! A chunk that is absent is a hole. A chunk's bytes are one [`Bytes`]: a reader takes a slice of
//! it, which is a snapshot, and a writer that finds a slice still in use writes a new one. What lies beyond a file's
//! end in its last chunk is always zero.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{FsError, Payload};

use super::space::{BLOCK, CHUNK_COST, Space};
use crate::buffers::BufferPool;
use crate::sync::{lock, read, write};

/// The bytes of a file; its length is kept with its attributes.
pub(super) struct Content {
    // Held shared while bytes are read or written, alone while the file is cut.
    shape: RwLock<()>,
    // Held for look-ups only, never while bytes are copied.
    chunks: RwLock<BTreeMap<u64, Arc<Chunk>>>,
    // Sum of the room of all chunks.
    held: AtomicU64,
    space: Arc<Space>,
}

struct Chunk {
    // How many bytes are charged; `bytes` is made so long when it is next written. It grows under
    // the lock on the map and shrinks only while the shape is locked.
    room: AtomicU32,
    bytes: Mutex<Bytes>,
}

/// Chunks that were cut off, to be dropped outside the locks.
pub(super) struct CutOff(#[expect(dead_code, reason = "only dropped")] BTreeMap<u64, Arc<Chunk>>);

impl Content {
    pub(super) fn new(space: &Arc<Space>) -> Content {
        Content {
            shape: RwLock::new(()),
            chunks: RwLock::default(),
            held: AtomicU64::new(0),
            space: Arc::clone(space),
        }
    }

    /// Locks the file against truncation, to read or write it.
    pub(super) fn share(&self) -> RwLockReadGuard<'_, ()> {
        read(&self.shape)
    }

    /// Locks the file alone, to truncate it.
    pub(super) fn exclude(&self) -> RwLockWriteGuard<'_, ()> {
        write(&self.shape)
    }

    /// Bytes of memory that its chunks take.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Bytes that are charged for them.
    pub(super) fn charged(&self) -> u64 {
        self.held() + read(&self.chunks).len() as u64 * CHUNK_COST
    }

    /// Appends `len` bytes from `offset` to `payload`, as they are now; they do not reach beyond the
    /// file's end. While the file is [shared](Content::share).
    pub(super) fn read(
        &self,
        offset: u64,
        len: usize,
        buffers: &Arc<BufferPool>,
        payload: &mut Payload,
    ) {
        let touched = (offset % CHUNK + len as u64).div_ceil(CHUNK);
        if len > COPY_UP_TO && (len <= BRIEF || touched * CHUNK <= len as u64 * PINNED) {
            self.share_to(offset, len, payload);
        } else if len <= COPY_UP_TO {
            let mut copy = vec![0; len];
            self.copy_to(offset, &mut copy);
            payload.push(Bytes::from(copy));
        } else {
            let mut done = 0;
            while done < len {
                let mut buffer = buffers.take();
                let count = buffer.len().min(len - done);
                self.copy_to(offset + done as u64, &mut buffer[..count]);
                payload.push(buffer.freeze(count));
                done += count;
            }
        }
    }

    /// Copies `data` to `offset`, all or nothing; while the file is [shared](Content::share).
    pub(super) fn write(&self, offset: u64, data: &[u8]) -> Result<(), FsError> {
        self.make_room(offset, data.len())?;
        let mut rest = data;
        for piece in pieces(offset, data.len()) {
            let (head, tail) = rest.split_at(piece.len);
            rest = tail;
            if let Some(chunk) = self.chunk(piece.index) {
                chunk.store(piece.at, head);
            } else {
                debug_assert!(false, "a chunk vanished from a shared file");
            }
        }
        Ok(())
    }

    /// Removes all bytes from `size` on; while the file is [excluded](Content::exclude).
    pub(super) fn cut(&self, size: u64) -> CutOff {
        let mut chunks = write(&self.chunks);
        let cut_off = chunks.split_off(&size.div_ceil(CHUNK));
        let mut freed = 0;
        let kept = (size % CHUNK) as usize;
        if kept > 0
            && let Some(last) = chunks.get(&(size / CHUNK))
        {
            freed += last.cut(kept);
        }
        drop(chunks);
        freed += cut_off
            .values()
            .map(|chunk| u64::from(chunk.room()))
            .sum::<u64>();
        self.held.fetch_sub(freed, Ordering::Relaxed);
        self.space
            .give_back(freed + cut_off.len() as u64 * CHUNK_COST);
        CutOff(cut_off)
    }

    fn chunk(&self, index: u64) -> Option<Arc<Chunk>> {
        read(&self.chunks).get(&index).cloned()
    }

    /// Fills `space` with the bytes from `offset`.
    fn copy_to(&self, offset: u64, space: &mut [u8]) {
        let mut rest = space;
        for piece in pieces(offset, rest.len()) {
            let (head, tail) = rest.split_at_mut(piece.len);
            rest = tail;
            match self.chunk(piece.index) {
                Some(chunk) => chunk.copy_to(piece.at, head),
                None => head.fill(0),
            }
        }
    }

    /// Appends slices of the chunks, with zeros where there is nothing.
    fn share_to(&self, offset: u64, len: usize, payload: &mut Payload) {
        let at = (offset % CHUNK) as usize;
        // By far the most: it needs no loop.
        if at + len <= CHUNK as usize
            && let Some(chunk) = self.chunk(offset / CHUNK)
            && let Some(whole) = chunk.whole(at, len)
        {
            payload.push(whole);
            return;
        }
        let mut zeros = 0;
        for piece in pieces(offset, len) {
            let there = match self.chunk(piece.index) {
                Some(chunk) => chunk.slice(piece.at, piece.len),
                None => Bytes::new(),
            };
            let lacking = piece.len - there.len();
            if zeros > 0 && !there.is_empty() {
                push_zeros(mem::take(&mut zeros), payload);
            }
            payload.push(there);
            zeros += lacking;
        }
        if zeros > 0 {
            push_zeros(zeros, payload);
        }
    }

    /// Ensures that each chunk of the range is there and charged.
    fn make_room(&self, offset: u64, len: usize) -> Result<(), FsError> {
        let lacks = |chunk: Option<&Arc<Chunk>>, piece: &Piece| {
            chunk.is_none_or(|chunk| (chunk.room() as usize) < piece.at + piece.len)
        };
        {
            let chunks = read(&self.chunks);
            if !pieces(offset, len).any(|piece| lacks(chunks.get(&piece.index), &piece)) {
                return Ok(());
            }
        }
        let mut chunks = write(&self.chunks);
        let (mut held, mut fresh) = (0, 0);
        for piece in pieces(offset, len) {
            let chunk = chunks.get(&piece.index);
            if lacks(chunk, &piece) {
                let room = chunk.map_or(0, |chunk| chunk.room());
                held += u64::from(room_for(room, piece.at + piece.len) - room);
                fresh += u64::from(chunk.is_none());
            }
        }
        self.space.charge(held + fresh * CHUNK_COST)?.keep();
        self.held.fetch_add(held, Ordering::Relaxed);
        for piece in pieces(offset, len) {
            let chunk = chunks.entry(piece.index).or_insert_with(Chunk::empty);
            if lacks(Some(chunk), &piece) {
                let room = room_for(chunk.room(), piece.at + piece.len);
                chunk.room.store(room, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.space.give_back(self.charged());
    }
}

impl Chunk {
    fn empty() -> Arc<Chunk> {
        Arc::new(Chunk {
            room: AtomicU32::new(0),
            bytes: Mutex::new(Bytes::new()),
        })
    }

    fn room(&self) -> u32 {
        self.room.load(Ordering::Relaxed)
    }

    /// Copies `data` in: the one copy of a WRITE.
    fn store(&self, at: usize, data: &[u8]) {
        let mut bytes = lock(&self.bytes);
        let room = self.room() as usize;
        let end = at + data.len();
        *bytes = match mem::take(&mut *bytes).try_into_mut() {
            Ok(mut own) if end <= own.len() => {
                own[at..end].copy_from_slice(data);
                own.freeze()
            }
            Ok(own) => rebuilt(&own, room, at, data),
            Err(shared) => rebuilt(&shared, room, at, data),
        };
    }

    /// Drops all bytes from `kept` on; returns how many bytes of room that frees.
    fn cut(&self, kept: usize) -> u64 {
        let mut bytes = lock(&self.bytes);
        let before = self.room();
        let room = before.min(room_for(0, kept));
        let kept = kept.min(bytes.len());
        *bytes = rebuilt(&bytes[..kept], room as usize, kept, &[]);
        self.room.store(room, Ordering::Relaxed);
        u64::from(before - room)
    }

    /// This range, if all of it is there.
    fn whole(&self, at: usize, len: usize) -> Option<Bytes> {
        let bytes = lock(&self.bytes);
        (at + len <= bytes.len()).then(|| bytes.slice(at..at + len))
    }

    /// The bytes of this range that exist.
    fn slice(&self, at: usize, len: usize) -> Bytes {
        let bytes = lock(&self.bytes);
        let end = bytes.len().min(at + len);
        if at < end {
            bytes.slice(at..end)
        } else {
            Bytes::new()
        }
    }

    /// Fills `space` with what there is from `at` on, and zeros behind it.
    fn copy_to(&self, at: usize, space: &mut [u8]) {
        let bytes = lock(&self.bytes);
        let there = bytes.get(at..).unwrap_or_default();
        let (copied, zeros) = space.split_at_mut(there.len().min(space.len()));
        copied.copy_from_slice(&there[..copied.len()]);
        zeros.fill(0);
    }
}

/// A part of a range that lies in one chunk.
struct Piece {
    index: u64,
    at: usize,
    len: usize,
}

fn pieces(offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let start = offset + done as u64;
        let at = (start % CHUNK) as usize;
        let piece = Piece {
            index: start / CHUNK,
            at,
            len: (len - done).min(CHUNK as usize - at),
        };
        done += piece.len;
        Some(piece)
    })
}

/// A chunk of `room` bytes with `data` at `at`, as `old` elsewhere; zero is written only where
/// nothing else is.
fn rebuilt(old: &[u8], room: usize, at: usize, data: &[u8]) -> Bytes {
    let room = room.max(old.len()).max(at + data.len());
    let mut new = Vec::with_capacity(room);
    new.extend_from_slice(&old[..at.min(old.len())]);
    new.resize(at, 0);
    new.extend_from_slice(data);
    new.extend_from_slice(old.get(at + data.len()..).unwrap_or(&[]));
    new.resize(room, 0);
    Bytes::from(new)
}

/// How much room a chunk of `room` bytes gets to hold `needed`: as much as it needs at first, then
/// doubling, so that small files are small and appending is cheap.
fn room_for(room: u32, needed: usize) -> u32 {
    let needed = (needed as u64).next_multiple_of(BLOCK) as u32;
    needed.max(room.saturating_mul(2)).min(CHUNK as u32)
}

fn push_zeros(count: usize, payload: &mut Payload) {
    let mut left = count;
    while left > 0 {
        let now = left.min(ZEROS.len());
        payload.push(Bytes::from_static(&ZEROS[..now]));
        left -= now;
    }
}

/// Buffers for READs that are copied: 1 MiB at most is kept.
pub(super) fn buffers() -> Arc<BufferPool> {
    BufferPool::new(16 << 10, 64)
}

/// The bytes of a full chunk; a read that lies within one shares its memory.
pub(super) const CHUNK: u64 = 64 * 1024;
/// Reads of no more than this are copied: that costs 20 ns over the 4 ns of sharing, and spares
/// the next writer 1.3 µs and more for a copy of the whole chunk, should it come before the answer
/// has gone.
const COPY_UP_TO: usize = 1024;
/// Reads of no more than this are shared, although they keep more than [`PINNED`] times their bytes
/// alive: the engine copies them into their replies at once.
const BRIEF: usize = 4096;
/// Maximum bytes of chunks that a byte of an unsent reply keeps alive after they were written again.
/// A read that would keep more is copied.
const PINNED: u64 = 4;
// It is never written, so it takes no memory.
static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
/// The largest READ that a server can be set to allow, in bytes.
const LARGEST: u64 = 16 << 20;
// A chunk is a piece, and what lacks at its end another.
const _: () = assert!((LARGEST / CHUNK + 1) * 2 <= Payload::MAX_PIECES as u64);
