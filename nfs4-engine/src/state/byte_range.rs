//! A range of bytes, and how it is locked. [RFC 8881 §18.10]

/// A range of bytes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// The kind of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// A shared lock (READ_LT).
    Read,
    /// An exclusive lock (WRITE_LT).
    Write,
}

impl Range {
    /// The range of an offset and a length; a length of all ones goes to the end of any file.
    /// [RFC 8881 §18.10.3]
    pub(crate) fn new(offset: u64, length: u64) -> Option<Range> {
        match length {
            0 => None,
            u64::MAX => Some(Range {
                first: offset,
                last: u64::MAX,
            }),
            _ => Some(Range {
                first: offset,
                // Even the end, one past the last byte, must not overflow.
                last: offset.checked_add(length)? - 1,
            }),
        }
    }

    /// Whether they have a byte in common.
    pub(crate) fn overlaps(self, other: Range) -> bool {
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
