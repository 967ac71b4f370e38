//! Buffers for bytes that are read.

use std::sync::Arc;

use crate::buffers::{Buffer, BufferPool};

/// Buffers for bytes that are read: of several sizes, so that an answer that waits to be sent keeps at
/// most four times its length.
pub(super) struct Buffers([Arc<BufferPool>; SIZES.len()]);

impl Buffers {
    pub(super) fn new() -> Buffers {
        Buffers(SIZES.map(|(size, kept)| BufferPool::new(size, kept)))
    }

    /// A buffer for up to so many bytes, or else a large one.
    pub(super) fn take(&self, len: usize) -> Buffer {
        let [small, middle, large] = &self.0;
        match len {
            0..=SMALL => small.take(),
            _ if len <= MIDDLE => middle.take(),
            _ => large.take(),
        }
    }
}

const SMALL: usize = 4 << 10;
const MIDDLE: usize = 16 << 10;
/// Size of a large one in bytes.
pub(super) const LARGE: usize = 64 << 10;
/// Sizes of buffers, and how many of each are kept while not in use.
const SIZES: [(usize, usize); 3] = [(SMALL, 256), (MIDDLE, 64), (LARGE, 64)];
