//! The bytes that wait to be sent on a connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::{Outbox, Reply, Segment};

/// Bytes to send: copied runs, with large payloads between them that are never copied.
#[derive(Debug, Default)]
pub(crate) struct Output {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that are sent.
    sent: usize,
    len: u64,
    /// The memory of a run that was sent.
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Chunk {
    Run(Vec<u8>),
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
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len() as u64;
        if let Some(Chunk::Run(run)) = self.chunks.back_mut() {
            run.extend_from_slice(bytes);
            return;
        }
        let mut run = std::mem::take(&mut self.spare);
        run.extend_from_slice(bytes);
        self.chunks.push_back(Chunk::Run(run));
    }

    /// Appends the bytes that `write` appends to the run it is given.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.chunks.back(), Some(Chunk::Run(_))) {
            self.chunks
                .push_back(Chunk::Run(std::mem::take(&mut self.spare)));
        }
        if let Some(Chunk::Run(run)) = self.chunks.back_mut() {
            let before = run.len();
            write(run);
            self.len += (run.len() - before) as u64;
        }
    }

    /// Appends these bytes without copying them.
    pub(crate) fn push_payload(&mut self, payload: Bytes) {
        if !payload.is_empty() {
            self.len += payload.len() as u64;
            self.chunks.push_back(Chunk::Payload(payload));
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
        if self.is_empty() && self.sent == 0 {
            std::mem::swap(self, other);
            return;
        }
        debug_assert_eq!(other.sent, 0, "nothing was sent from what is moved");
        self.len += std::mem::take(&mut other.len);
        self.chunks.append(&mut other.chunks);
    }

    /// Fills `slices` with the first bytes to be sent; returns how many slices are used.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.sent;
        let mut used = 0;
        let filled = self
            .chunks
            .iter()
            .map(Chunk::bytes)
            .filter(|bytes| !bytes.is_empty());
        for (slice, bytes) in slices.iter_mut().zip(filled) {
            *slice = IoSlice::new(bytes.get(skip..).unwrap_or_default());
            skip = 0;
            used += 1;
        }
        used
    }

    /// Records that the first `count` bytes were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        debug_assert!(count as u64 <= self.len, "more was sent than there was");
        self.len = self.len.saturating_sub(count as u64);
        self.sent += count;
        while let Some(first) = self.chunks.front() {
            let size = first.bytes().len();
            if self.sent < size {
                break;
            }
            self.sent -= size;
            match self.chunks.pop_front() {
                Some(Chunk::Run(mut run)) if run.capacity() <= KEEP => {
                    run.clear();
                    self.spare = run;
                }
                Some(Chunk::Run(_) | Chunk::Payload(_)) | None => {}
            }
        }
    }
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Chunk::Run(run) => run,
            Chunk::Payload(payload) => payload,
        }
    }
}

/// Maximum bytes of a sent run that is kept for the next replies.
const KEEP: usize = 16 << 10;

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
        assert_eq!(output.chunks.len(), 3);
        let expected = b"abcdPAYLOADef";
        for sent in 0..expected.len() {
            assert_eq!(all(&output), expected[sent..]);
            assert_eq!(output.len(), (expected.len() - sent) as u64);
            output.sent(1);
        }
        assert!(output.is_empty());
        assert!(output.chunks.is_empty());
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
}
