//! Record marking: how messages lie in a byte stream [RFC 5531 §11].

use bytes::{Buf, Bytes, BytesMut};

/// The four bytes before a fragment [RFC 5531 §11].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Whether the fragment ends its record.
    pub last: bool,
    /// The length of the fragment in bytes, below 2^31.
    pub len: u32,
}

impl Mark {
    /// The number of bytes of a mark.
    pub const LEN: usize = 4;

    /// Reads a mark from its bytes.
    #[inline]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        let n = u32::from_be_bytes(bytes);
        Self {
            last: n & LAST != 0,
            len: n & !LAST,
        }
    }

    /// The bytes of the mark.
    #[inline]
    pub const fn to_bytes(self) -> [u8; 4] {
        (if self.last {
            self.len | LAST
        } else {
            self.len & !LAST
        })
        .to_be_bytes()
    }

    /// The mark at the start of `stream`, or nothing if fewer than four bytes are there.
    #[inline]
    pub fn peek(stream: &[u8]) -> Option<Self> {
        stream.first_chunk().map(|b| Self::from_bytes(*b))
    }
}

/// The mark of a record that is sent as one fragment of `len` bytes [RFC 5531 §11].
#[inline]
pub const fn write_mark(len: usize) -> [u8; 4] {
    debug_assert!(len < LAST as usize);
    Mark {
        last: true,
        len: len as u32,
    }
    .to_bytes()
}

/// What a peer's records may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordLimits {
    /// The most bytes of one record, marks not counted.
    pub max_record: usize,
    /// The most fragments of one record, empty ones included.
    pub max_fragments: u32,
}

/// Cuts a stream into records, refusing at a mark what would be too large behind it.
///
/// The caller appends what it reads to a buffer and calls [`cut`](Self::cut) until it returns
/// [`Cut::Need`]. A record of one fragment leaves without a copy. After an error the stream has
/// no more records in it and the connection is to be closed.
#[derive(Debug)]
pub struct RecordCutter {
    limits: RecordLimits,
    /// The fragment whose mark was read, with what is still to come of it.
    current: Option<Mark>,
    /// Earlier bytes of a record of several fragments.
    assembled: BytesMut,
    fragments: u32,
}

impl RecordCutter {
    /// A cutter at the start of a stream.
    pub fn new(limits: RecordLimits) -> Self {
        Self {
            limits,
            current: None,
            assembled: BytesMut::new(),
            fragments: 0,
        }
    }

    /// Takes the next record out of `stream`, or says what is missing.
    pub fn cut(&mut self, stream: &mut BytesMut) -> Result<Cut, RecordError> {
        loop {
            let Some(mark) = self.current else {
                let Some(mark) = Mark::peek(stream) else {
                    return Ok(Cut::Need(Need::Mark {
                        missing: Mark::LEN - stream.len(),
                    }));
                };
                self.admit(mark)?;
                stream.advance(Mark::LEN);
                self.current = Some(mark);
                continue;
            };
            let len = mark.len as usize;
            if mark.last && self.assembled.is_empty() {
                if stream.len() < len {
                    let missing = len - stream.len();
                    return Ok(Cut::Need(Need::Record { len, missing }));
                }
                self.reset();
                return Ok(Cut::Record(stream.split_to(len).freeze()));
            }
            // One of several fragments: what is there moves over, so that the stream's buffer
            // never has to hold a whole fragment.
            let here = len.min(stream.len());
            if let Some(bytes) = stream.get(..here) {
                self.assembled.extend_from_slice(bytes);
            }
            stream.advance(here);
            if here < len {
                let missing = len - here;
                self.current = Some(Mark {
                    last: mark.last,
                    len: missing as u32,
                });
                return Ok(Cut::Need(Need::Fragment { missing }));
            }
            self.current = None;
            if mark.last {
                let record = core::mem::take(&mut self.assembled).freeze();
                self.reset();
                return Ok(Cut::Record(record));
            }
        }
    }

    /// After [`Need::Record`]: the caller takes the body itself, and the cutter continues behind it.
    ///
    /// Returns the length of the body: exactly that many bytes of the stream, what is already in
    /// the stream's buffer first, are the record and must not be shown to the cutter again. None
    /// if the cutter is not at the start of the body of an unfragmented record.
    pub fn take_body(&mut self) -> Option<usize> {
        let mark = self.current?;
        if !mark.last || !self.assembled.is_empty() {
            return None;
        }
        self.reset();
        Some(mark.len as usize)
    }

    /// Whether the stream may end here: no mark is read whose record is not complete.
    ///
    /// Bytes of an incomplete mark are the caller's to look for.
    pub fn is_between_records(&self) -> bool {
        self.current.is_none() && self.fragments == 0
    }

    /// The limits in force.
    pub const fn limits(&self) -> RecordLimits {
        self.limits
    }

    fn admit(&mut self, mark: Mark) -> Result<(), RecordError> {
        let total = self.assembled.len().saturating_add(mark.len as usize);
        if total > self.limits.max_record {
            return Err(RecordError::TooLarge {
                announced: total,
                max: self.limits.max_record,
            });
        }
        self.fragments = self.fragments.saturating_add(1);
        if self.fragments > self.limits.max_fragments {
            return Err(RecordError::TooManyFragments {
                max: self.limits.max_fragments,
            });
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.current = None;
        self.fragments = 0;
    }
}

/// What [`RecordCutter::cut`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// A whole record, without marks.
    Record(Bytes),
    /// More bytes are needed.
    Need(Need),
}

/// What is missing before the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The mark is not complete.
    Mark {
        /// Bytes to come, at least.
        missing: usize,
    },
    /// The body of a record of one fragment is not complete; a large one can be read straight into
    /// a buffer of its size, see [`RecordCutter::take_body`].
    Record {
        /// The length of the record.
        len: usize,
        /// Bytes to come.
        missing: usize,
    },
    /// One of several fragments is not complete.
    Fragment {
        /// Bytes to come of it.
        missing: usize,
    },
}

impl Need {
    /// The least number of bytes after which another cut can succeed.
    pub const fn missing(self) -> usize {
        match self {
            Self::Mark { missing } | Self::Record { missing, .. } | Self::Fragment { missing } => {
                missing
            }
        }
    }
}

/// Why a stream cannot be cut any further: the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A mark announces more than the limit, fragments before it included.
    #[error("a record of {announced} bytes is over the limit of {max}")]
    TooLarge {
        /// The length that was announced.
        announced: usize,
        /// The limit.
        max: usize,
    },
    /// A record has more fragments than the limit.
    #[error("a record of more than {max} fragments")]
    TooManyFragments {
        /// The limit.
        max: u32,
    },
}

const LAST: u32 = 0x8000_0000;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const LIMITS: RecordLimits = RecordLimits {
        max_record: 64,
        max_fragments: 4,
    };

    fn mark(last: bool, len: u32) -> [u8; 4] {
        Mark { last, len }.to_bytes()
    }

    /// Feeds `stream` in pieces of `step` bytes.
    fn all(stream: &[u8], step: usize) -> Result<Vec<Bytes>, RecordError> {
        let mut cutter = RecordCutter::new(LIMITS);
        let mut buf = BytesMut::new();
        let mut records = Vec::new();
        for piece in stream.chunks(step) {
            buf.extend_from_slice(piece);
            loop {
                match cutter.cut(&mut buf)? {
                    Cut::Record(r) => records.push(r),
                    Cut::Need(need) => {
                        assert!(need.missing() > 0);
                        break;
                    }
                }
            }
        }
        assert!(buf.is_empty() && cutter.is_between_records());
        Ok(records)
    }

    #[test]
    fn the_size_of_the_pieces_does_not_matter() {
        let mut stream = Vec::new();
        stream.extend(mark(true, 5));
        stream.extend(b"hello");
        stream.extend(mark(false, 3));
        stream.extend(b"abc");
        stream.extend(mark(false, 0));
        stream.extend(mark(true, 2));
        stream.extend(b"de");
        stream.extend(mark(false, 2));
        stream.extend(b"xy");
        stream.extend(mark(true, 0));
        stream.extend(mark(false, 0));
        stream.extend(mark(true, 1));
        stream.extend(b"z");
        stream.extend(mark(true, 0));
        for step in 1..=stream.len() {
            let records = all(&stream, step).unwrap();
            let want: [&[u8]; 5] = [b"hello", b"abcde", b"xy", b"z", b""];
            assert_eq!(records, want);
        }
    }

    #[test]
    fn too_large_is_known_at_the_mark() {
        let large = mark(true, 65);
        let want = RecordError::TooLarge {
            announced: 65,
            max: 64,
        };
        assert_eq!(all(&large, 4), Err(want));
        let mut sum = Vec::from(mark(false, 60));
        sum.extend([0; 60]);
        sum.extend(mark(true, 5));
        assert_eq!(all(&sum, 64), Err(want));
        let empties: Vec<u8> = core::iter::repeat_n(mark(false, 0), 5).flatten().collect();
        assert_eq!(
            all(&empties, 20),
            Err(RecordError::TooManyFragments { max: 4 })
        );
    }

    #[test]
    fn one_fragment_is_not_copied() {
        let mut buf = BytesMut::from(&[0x80, 0, 0, 4, 1, 2, 3, 4][..]);
        let at = buf.as_ptr() as usize + 4;
        let Cut::Record(record) = RecordCutter::new(LIMITS).cut(&mut buf).unwrap() else {
            unreachable!()
        };
        assert_eq!(record.as_ptr() as usize, at);
    }

    #[test]
    fn the_caller_can_take_a_body() {
        let mut cutter = RecordCutter::new(LIMITS);
        let mut buf = BytesMut::from(&[0x80, 0, 0, 60, 1, 2, 3][..]);
        assert_eq!(cutter.take_body(), None);
        let need = Need::Record {
            len: 60,
            missing: 57,
        };
        assert_eq!(cutter.cut(&mut buf), Ok(Cut::Need(need)));
        assert_eq!(cutter.take_body(), Some(60));
        assert!(cutter.is_between_records());
        buf.clear();
        buf.extend_from_slice(&write_mark(0));
        assert_eq!(cutter.cut(&mut buf), Ok(Cut::Record(Bytes::new())));
    }
}
