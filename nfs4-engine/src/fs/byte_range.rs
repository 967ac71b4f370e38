//! Byte ranges, and how they are locked. [RFC 8881 §18.10]

/// A range of bytes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte, which is not before the first; `u64::MAX` goes to the end of any file.
    pub last: u64,
}

/// The kind of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// A shared lock (READ_LT).
    Read,
    /// An exclusive lock (WRITE_LT).
    Write,
}

/// A lock of a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteLock {
    /// The bytes.
    pub range: ByteRange,
    /// The kind.
    pub kind: LockKind,
}

impl ByteRange {
    /// The range of an offset and a length; a length of all ones goes to the end of any file.
    /// [RFC 8881 §18.10.3]
    pub(crate) fn new(offset: u64, length: u64) -> Option<ByteRange> {
        match length {
            0 => None,
            u64::MAX => Some(ByteRange {
                first: offset,
                last: u64::MAX,
            }),
            _ => Some(ByteRange {
                first: offset,
                // Even the end, one past the last byte, must not overflow.
                last: offset.checked_add(length)? - 1,
            }),
        }
    }

    /// Whether they have a byte in common.
    pub fn overlaps(self, other: ByteRange) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The length as the wire has it.
    pub(crate) fn length(self) -> u64 {
        if self.last == u64::MAX {
            u64::MAX
        } else {
            self.last - self.first + 1
        }
    }
}

impl ByteLock {
    /// Whether two owners cannot have both.
    pub fn conflicts(&self, other: &ByteLock) -> bool {
        let excludes = self.kind == LockKind::Write || other.kind == LockKind::Write;
        excludes && self.range.overlaps(other.range)
    }
}
