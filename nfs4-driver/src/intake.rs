//! From bytes to records: read buffers, record marks, fragments. [RFC 5531 §11]

use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use nfs4_engine::bytes::{Buf, Bytes};
use nfs4_engine::proto::rpc::{Mark, RecordError, RecordLimits};

use crate::pool::{Buffer, BufferPool, SLACK, SMALL};

/// The receiving side of a connection.
///
/// Bytes are read into a pooled buffer; once it holds a whole fragment it is frozen and fragments
/// are cut from it without copying. The remainder moves to the next buffer, which has the record's
/// own size if the record is large. Between records there is no buffer.
#[derive(Debug)]
pub(crate) struct Intake {
    pool: Arc<BufferPool>,
    limits: RecordLimits,
    /// Frozen bytes that are not cut yet; while there are some, `filling` is empty.
    ready: Bytes,
    filling: Option<Buffer>,
    filled: usize,
    /// Where reading into `filling` must stop, so that it ends with its large record.
    stop: usize,
    /// The size of the buffer that the record being read needs, if it has a smaller one.
    wanted: Option<usize>,
    /// `filling` is lent by [`Intake::lend`].
    lent: bool,
    /// Set when all whole fragments are cut: only then may more be read.
    hungry: bool,
    assembly: Option<Assembly>,
}

/// A record that came in more than one fragment, so far.
#[derive(Debug)]
struct Assembly {
    bytes: Vec<u8>,
    fragments: u32,
}

impl Assembly {
    fn new() -> Assembly {
        Assembly {
            bytes: Vec::with_capacity(2 * READ),
            fragments: 0,
        }
    }

    /// Bytes that the buffer lacks before the next read.
    fn lacks(&self) -> Option<usize> {
        let room = self.bytes.capacity() - self.bytes.len();
        (room < READ).then_some(self.bytes.capacity())
    }
}

impl Intake {
    pub(crate) fn new(pool: Arc<BufferPool>, limits: RecordLimits) -> Intake {
        Intake {
            pool,
            limits,
            ready: Bytes::new(),
            filling: None,
            filled: 0,
            stop: 0,
            wanted: None,
            lent: false,
            hungry: true,
            assembly: None,
        }
    }

    /// Whether more bytes are needed for the next record.
    pub(crate) fn is_hungry(&self) -> bool {
        self.hungry
    }

    /// Whether the peer is in the middle of a record.
    pub(crate) fn is_mid_record(&self) -> bool {
        self.hungry && (self.filled > 0 || self.wanted.is_some() || self.assembly.is_some())
    }

    /// Bytes that the current record needs beyond its buffer: nothing is read before
    /// [`Intake::grow`].
    pub(crate) fn wanted(&self) -> Option<usize> {
        let lacks = || self.assembly.as_ref().and_then(Assembly::lacks);
        self.wanted.or_else(lacks)
    }

    /// Provides the bytes of [`wanted`](Intake::wanted).
    pub(crate) fn grow(&mut self) {
        if let Some(so_far) = &mut self.assembly
            && self.wanted.is_none()
            && let Some(lacks) = so_far.lacks()
        {
            so_far
                .bytes
                .reserve_exact(so_far.bytes.capacity() - so_far.bytes.len() + lacks);
        }
        let Some(size) = self.wanted.take() else {
            return;
        };
        self.carry_over(size);
        if let Some(buffer) = self.filling.as_mut().filter(|buffer| buffer.len() < size) {
            let mut larger = self.pool.take(size);
            larger.bytes_mut()[..self.filled].copy_from_slice(&buffer.bytes()[..self.filled]);
            *buffer = larger;
        }
    }

    /// Bytes of an incomplete record, beyond a few ordinary read buffers.
    pub(crate) fn held(&self) -> u64 {
        let assembled = self
            .assembly
            .as_ref()
            .map_or(0, |so_far| so_far.bytes.capacity());
        let large = if self.stop > SMALL && self.wanted.is_none() {
            self.stop
        } else {
            0
        };
        (assembled.saturating_sub(2 * READ) + large) as u64
    }

    /// Whether the space is lent, so that nothing else can be read.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent
    }

    /// The space to read into; never empty. Only while [`Intake::is_hungry`] and nothing is lent.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        debug_assert!(self.hungry, "what was read is cut first");
        debug_assert!(self.wanted().is_none(), "the record has its buffer first");
        debug_assert!(!self.lent, "there is one space");
        let buffer = self.filling.get_or_insert_with(|| self.pool.take(SMALL));
        let room = room(buffer, self.filled, self.stop);
        &mut buffer.bytes_mut()[room]
    }

    /// Lends [`Intake::space`]. Only while [`Intake::is_hungry`] and nothing is lent.
    pub(crate) fn lend(&mut self) -> ReadSpace {
        debug_assert!(self.hungry, "what was read is cut first");
        debug_assert!(self.wanted().is_none(), "the record has its buffer first");
        debug_assert!(!self.lent, "there is one space");
        let buffer = self.filling.take();
        let buffer = buffer.unwrap_or_else(|| self.pool.take(SMALL));
        self.lent = true;
        ReadSpace {
            room: room(&buffer, self.filled, self.stop),
            buffer,
        }
    }

    /// Takes back the lent space, into which `count` bytes were read.
    pub(crate) fn take_back(&mut self, space: ReadSpace, count: usize) {
        debug_assert!(self.lent, "it was lent by this connection");
        self.lent = false;
        self.filling = Some(space.buffer);
        if count > 0 {
            self.received(count);
        }
    }

    /// Records `count` bytes that were read into [`Intake::space`].
    pub(crate) fn received(&mut self, count: usize) {
        let room = self.filling.as_ref().map_or(0, Buffer::len) - self.filled;
        debug_assert!(count <= room, "more was read than there was space");
        self.filled += count.min(room);
        self.hungry = count == 0;
    }

    /// Returns an empty buffer to the pool: nothing is read for a while.
    pub(crate) fn rest(&mut self) {
        if self.filled == 0 {
            self.filling = None;
        }
    }

    /// The next whole record, without its marks; none if more bytes are needed.
    pub(crate) fn next_record(&mut self) -> Result<Option<Bytes>, RecordError> {
        while let Some((payload, last)) = self.next_fragment()? {
            match (&mut self.assembly, last) {
                (None, true) => return Ok(Some(payload)),
                (assembly, last) => {
                    let so_far = assembly.get_or_insert_with(Assembly::new);
                    so_far.fragments += 1;
                    if so_far.fragments > self.limits.max_fragments {
                        return Err(RecordError::TooManyFragments {
                            max: self.limits.max_fragments,
                        });
                    }
                    so_far.bytes.extend_from_slice(&payload);
                    if last {
                        let whole = assembly.take().map(|whole| whole.bytes);
                        return Ok(Some(whole.unwrap_or_default().into()));
                    }
                }
            }
        }
        self.hungry = true;
        Ok(None)
    }

    fn next_fragment(&mut self) -> Result<Option<(Bytes, bool)>, RecordError> {
        if self.ready.is_empty() {
            let Some(buffer) = &self.filling else {
                return Ok(None);
            };
            let Some(mark) = Mark::peek(&buffer.bytes()[..self.filled]) else {
                return Ok(None);
            };
            self.check(mark)?;
            if self.filled < end(mark) {
                self.make_room(mark);
                return Ok(None);
            }
            if let Some(buffer) = self.filling.take() {
                self.ready = buffer.freeze(self.filled);
            }
            self.filled = 0;
            self.stop = 0;
        }
        let Some(mark) = Mark::peek(&self.ready) else {
            self.carry_over(SMALL);
            return Ok(None);
        };
        self.check(mark)?;
        if self.ready.len() < end(mark) {
            self.stop = if end(mark) > SMALL { end(mark) } else { 0 };
            if self.stop == 0 {
                self.carry_over(SMALL);
            } else {
                self.wanted = Some(self.stop);
            }
            return Ok(None);
        }
        self.ready.advance(Mark::LEN);
        Ok(Some((self.ready.split_to(mark.len as usize), mark.last)))
    }

    /// Refuses a fragment before memory is set aside for it.
    fn check(&self, mark: Mark) -> Result<(), RecordError> {
        let before = self
            .assembly
            .as_ref()
            .map_or(0, |assembly| assembly.bytes.len());
        let announced = before.saturating_add(mark.len as usize);
        let max = self.limits.max_record;
        if announced > max {
            Err(RecordError::TooLarge { announced, max })
        } else {
            Ok(())
        }
    }

    /// Notes the memory that a fragment needs if it does not fit.
    fn make_room(&mut self, mark: Mark) {
        if end(mark) > SMALL {
            self.stop = end(mark);
        }
        let Some(buffer) = &self.filling else {
            return;
        };
        if buffer.len() < end(mark) {
            self.wanted = Some(end(mark));
        }
    }

    /// Moves the remaining frozen bytes to a new buffer of at least `size` bytes.
    fn carry_over(&mut self, size: usize) {
        let rest = std::mem::take(&mut self.ready);
        if rest.is_empty() {
            return;
        }
        let mut buffer = self.pool.take(size.max(rest.len()));
        buffer.bytes_mut()[..rest.len()].copy_from_slice(&rest);
        self.filled = rest.len();
        self.filling = Some(buffer);
    }
}

/// Maximum number of bytes that one read into an ordinary buffer brings.
const READ: usize = SMALL + SLACK;

/// The space to read into, apart from its connection: see
/// [`Connection::lend`](crate::Connection::lend).
#[derive(Debug)]
pub struct ReadSpace {
    buffer: Buffer,
    room: Range<usize>,
}

impl Deref for ReadSpace {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer.bytes()[self.room.clone()]
    }
}

impl DerefMut for ReadSpace {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.bytes_mut()[self.room.clone()]
    }
}

/// The part of a buffer that is to be filled next.
fn room(buffer: &Buffer, filled: usize, stop: usize) -> Range<usize> {
    let end = if stop > filled {
        stop.min(buffer.len())
    } else {
        buffer.len()
    };
    filled..end
}

/// The length of a fragment with its mark.
fn end(mark: Mark) -> usize {
    Mark::LEN + mark.len as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1 << 20;

    fn intake() -> Intake {
        Intake::new(
            BufferPool::new(8 << 20, Arc::default()),
            RecordLimits {
                max_record: MAX,
                max_fragments: 4,
            },
        )
    }

    fn fragment(payload: &[u8], last: bool) -> Vec<u8> {
        [&mark(payload.len(), last), payload].concat()
    }

    fn mark(len: usize, last: bool) -> [u8; 4] {
        Mark {
            len: len as u32,
            last,
        }
        .to_bytes()
    }

    /// Feeds a stream in reads of at most `step` bytes.
    fn feed(
        intake: &mut Intake,
        mut stream: &[u8],
        step: usize,
    ) -> Result<Vec<Bytes>, RecordError> {
        let mut records = Vec::new();
        while !stream.is_empty() {
            let space = intake.space();
            let count = stream.len().min(step).min(space.len());
            space[..count].copy_from_slice(&stream[..count]);
            stream = &stream[count..];
            intake.received(count);
            while let Some(record) = intake.next_record()? {
                records.push(record);
            }
            while intake.wanted().is_some() {
                intake.grow();
            }
        }
        intake.rest();
        Ok(records)
    }

    #[test]
    fn records_do_not_depend_on_the_sizes_of_reads() {
        let sizes = [0, 1, 3, 100, 40_000, 5, SMALL - 4, SMALL, 300_000, 7, MAX];
        let payloads: Vec<Vec<u8>> = sizes
            .iter()
            .enumerate()
            .map(|(i, size)| (0..*size).map(|at| (at * 31 + i) as u8).collect())
            .collect();
        let stream: Vec<u8> = payloads
            .iter()
            .flat_map(|one| fragment(one, true))
            .collect();
        for step in [1, 2, 3, 4, 5, 1_000, 33_333, usize::MAX] {
            let mut intake = intake();
            let records = feed(&mut intake, &stream, step).unwrap();
            assert!(records.iter().eq(payloads.iter()), "reads of {step}");
            assert!(!intake.is_mid_record());
            assert!(
                intake.filling.is_none(),
                "an idle connection owns no read buffer"
            );
        }
    }

    #[test]
    fn a_space_that_was_lent_is_read_to_like_any_other() {
        let payloads = [vec![1; 10], vec![2; 100_000], vec![3; 5]];
        let stream: Vec<u8> = payloads
            .iter()
            .flat_map(|one| fragment(one, true))
            .collect();
        let mut intake = intake();
        let mut rest = &stream[..];
        let mut records = Vec::new();
        while !rest.is_empty() {
            intake.grow();
            let none = intake.lend();
            intake.take_back(none, 0);
            let mut space = intake.lend();
            assert!(intake.is_lent() && intake.next_record().unwrap().is_none());
            let count = rest.len().min(33_333).min(space.len());
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            intake.take_back(space, count);
            while let Some(record) = intake.next_record().unwrap() {
                records.push(record);
            }
        }
        assert_eq!(records, payloads);
        assert!(!intake.is_lent() && !intake.is_mid_record());
    }

    #[test]
    fn fragments_are_put_together() {
        let stream = [
            fragment(b"ab", false),
            fragment(b"", false),
            fragment(b"cd", true),
            fragment(b"whole", true),
        ]
        .concat();
        for step in 1..stream.len() {
            let records = feed(&mut intake(), &stream, step).unwrap();
            assert_eq!(records, [&b"abcd"[..], b"whole"]);
        }
    }

    #[test]
    fn length_and_fragments_are_bounded_before_memory_is_taken() {
        let mut one = intake();
        let too_large = RecordError::TooLarge {
            announced: MAX + 1,
            max: MAX,
        };
        assert_eq!(feed(&mut one, &mark(MAX + 1, true), 4), Err(too_large));
        assert!(
            one.filling
                .as_ref()
                .is_none_or(|buffer| buffer.len() < 2 * SMALL)
        );
        let mut sum = intake();
        let stream = [&fragment(&[0; 10], false)[..], &mark(MAX - 9, false)].concat();
        assert_eq!(feed(&mut sum, &stream, 14), Err(too_large));
        let mut many = intake();
        let stream = fragment(b"", false).repeat(5);
        assert_eq!(
            feed(&mut many, &stream, 100),
            Err(RecordError::TooManyFragments { max: 4 })
        );
    }

    #[test]
    fn a_large_record_ends_its_own_buffer() {
        let mut intake = intake();
        let large = fragment(&vec![7; 200_000], true);
        let (head, tail) = large.split_at(1_000);
        assert!(feed(&mut intake, head, usize::MAX).unwrap().is_empty());
        assert!(intake.is_mid_record());
        assert_eq!(intake.space().len(), tail.len());
        assert_eq!(feed(&mut intake, tail, usize::MAX).unwrap(), [&large[4..]]);
    }
}
