//! The bytes that wait to be sent on a connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use nfs4_engine::bytes::{Buf, Bytes};
use nfs4_engine::{Outbox, Reply, Segment};

/// Bytes to send: copied ones, and between them payloads that are never copied.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// What is not sent, in order; no part is empty.
    parts: VecDeque<Part>,
    /// The bytes of all [`Part::Copied`], one after the other. Before them are some that were sent.
    copied: Vec<u8>,
    copied_sent: usize,
    len: u64,
}

#[derive(Debug)]
enum Part {
    /// Number of bytes in `copied`.
    Copied(usize),
    Payload(Bytes),
}

impl Output {
    /// Bytes that are not sent yet.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a copy of these bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.write(|copied| copied.extend_from_slice(bytes));
    }

    /// Appends the bytes that `write` appends to the vector that it is given.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        // What is moved was paid for by as many bytes that were sent.
        if self.copied_sent > KEEP && self.copied_sent > self.copied.len() / 2 {
            self.copied.drain(..self.copied_sent);
            self.copied_sent = 0;
        }
        let before = self.copied.len();
        write(&mut self.copied);
        let count = self.copied.len() - before;
        if count == 0 {
            return;
        }
        self.len += count as u64;
        match self.parts.back_mut() {
            Some(Part::Copied(more)) => *more += count,
            Some(Part::Payload(_)) | None => self.parts.push_back(Part::Copied(count)),
        }
    }

    /// Appends these bytes without copying them.
    pub(crate) fn push_payload(&mut self, payload: Bytes) {
        if !payload.is_empty() {
            self.len += payload.len() as u64;
            self.parts.push_back(Part::Payload(payload));
        }
    }

    /// Appends a reply of the engine.
    pub(crate) fn push_reply(&mut self, outbox: &Outbox, reply: &Reply) {
        for segment in outbox.segments(reply) {
            match segment {
                Segment::Bytes(bytes) => self.push(bytes),
                Segment::Payload(payload) => self.push_payload(payload.clone()),
            }
        }
    }

    /// Appends all of `other`.
    pub(crate) fn append(&mut self, other: &mut Output) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        let mut copied = other.copied.get(other.copied_sent..).unwrap_or_default();
        for part in other.parts.drain(..) {
            match part {
                Part::Copied(count) => {
                    let (own, rest) = copied.split_at(count.min(copied.len()));
                    self.push(own);
                    copied = rest;
                }
                Part::Payload(payload) => self.push_payload(payload),
            }
        }
        other.all_sent();
    }

    /// Fills `slices` with the first bytes to be sent; returns how many slices are used.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut copied = self.copied.get(self.copied_sent..).unwrap_or_default();
        let mut used = 0;
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(match part {
                Part::Copied(count) => {
                    let (own, rest) = copied.split_at((*count).min(copied.len()));
                    copied = rest;
                    own
                }
                Part::Payload(payload) => payload,
            });
            used += 1;
        }
        used
    }

    /// Records that the first `count` bytes were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        debug_assert!(count as u64 <= self.len, "more was sent than there was");
        self.len = self.len.saturating_sub(count as u64);
        if self.len == 0 {
            self.all_sent();
            return;
        }
        let mut left = count;
        while let Some(first) = self.parts.front_mut() {
            let size = match first {
                Part::Copied(size) => *size,
                Part::Payload(payload) => payload.len(),
            };
            let taken = left.min(size);
            left -= taken;
            match first {
                Part::Copied(size) => {
                    *size -= taken;
                    self.copied_sent += taken;
                }
                Part::Payload(payload) => payload.advance(taken),
            }
            if taken < size {
                break;
            }
            self.parts.pop_front();
        }
    }

    /// Nothing is left; a moderate amount of memory is kept.
    fn all_sent(&mut self) {
        self.len = 0;
        self.copied_sent = 0;
        self.parts.clear();
        self.copied.clear();
        if self.copied.capacity() > KEEP {
            self.copied = Vec::new();
        }
        if self.parts.capacity() > KEEP_PARTS {
            self.parts = VecDeque::new();
        }
    }
}

/// Maximum bytes of sent replies' memory that is kept for the next replies.
const KEEP: usize = 16 << 10;
/// Maximum number of parts for which memory is kept.
const KEEP_PARTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(output: &Output) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 16];
        let used = output.slices(&mut slices);
        slices[..used]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect()
    }

    #[test]
    fn bytes_leave_in_order_however_little_is_taken() {
        let mut output = Output::default();
        output.push(b"ab");
        output.push(b"cd");
        output.push_payload(Bytes::from_static(b"PAYLOAD"));
        output.push_payload(Bytes::new());
        output.write(|run| run.extend_from_slice(b"ef"));
        assert_eq!(output.parts.len(), 3);
        let expected = b"abcdPAYLOADef";
        for sent in 0..expected.len() {
            assert_eq!(all(&output), expected[sent..]);
            assert_eq!(output.len(), (expected.len() - sent) as u64);
            output.sent(1);
        }
        assert!(output.is_empty());
        assert!(output.parts.is_empty());
    }

    #[test]
    fn appending_keeps_the_order_behind_a_half_sent_chunk() {
        let (mut first, mut second) = (Output::default(), Output::default());
        first.push(b"abc");
        first.sent(1);
        second.push(b"def");
        first.append(&mut second);
        assert_eq!(all(&first), b"bcdef");
        assert!(second.is_empty());
        first.push(b"g");
        assert_eq!(all(&first), b"bcdefg");
    }

    #[test]
    fn no_more_slices_are_used_than_there_are() {
        let mut output = Output::default();
        for _ in 0..5 {
            output.push(b"x");
            output.push_payload(Bytes::from_static(b"y"));
        }
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(output.slices(&mut slices), 4);
    }

    #[test]
    fn whatever_is_sent_meanwhile_the_bytes_stay_in_order() {
        let (mut output, mut other) = (Output::default(), Output::default());
        let (mut expected, mut taken) = (Vec::new(), Vec::new());
        let mut random = 1_usize;
        for round in 0_u32..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let bytes = round.to_be_bytes().repeat(random >> 32 & 31);
            expected.extend_from_slice(&bytes);
            match random >> 40 & 3 {
                0 => output.push(&bytes),
                1 => output.push_payload(Bytes::from(bytes)),
                2 => output.write(|copied| copied.extend_from_slice(&bytes)),
                _ => {
                    let half = bytes.len() / 2;
                    other.push(&bytes[..half]);
                    other.push_payload(Bytes::copy_from_slice(&bytes[half..]));
                    output.append(&mut other);
                    assert!(other.is_empty() && other.parts.is_empty());
                }
            }
            // Now and then there is a backlog.
            let most = if round / 1_000 % 2 == 0 { 40 } else { 200 };
            let now: Vec<u8> = all(&output).into_iter().take(random >> 48 & most).collect();
            output.sent(now.len());
            taken.extend(now);
            assert_eq!(output.len(), (expected.len() - taken.len()) as u64);
            assert!(output.copied.len() - output.copied_sent <= output.len() as usize);
            assert!(output.copied.len() <= 2 * output.len() as usize + 2 * KEEP);
        }
        while !output.is_empty() {
            let now = all(&output);
            output.sent(now.len());
            taken.extend(now);
        }
        assert!(taken == expected);
        assert!(output.copied.capacity() <= KEEP && output.parts.capacity() <= KEEP_PARTS);
    }
}
