//! Printing without a buffer.

use core::fmt::{self, Debug, Display, Write};

use crate::dump::Dump;

/// Prints both readings of a message.
pub(super) fn messages(data: &[u8]) {
    line(format_args!("{}", Dump::new(data)), data.len());
    line(format_args!("{}", Dump::callback(data)), data.len());
}

/// Prints a value that was decoded from `len` bytes.
pub(super) fn value(value: &impl Debug, len: usize) {
    line(format_args!("{value:?}"), len);
}

/// Checks that what is printed of `len` bytes is one line, and bounded by them.
fn line(text: impl Display, len: usize) {
    let mut line = Line {
        left: FIXED + PER_BYTE * len,
    };
    let printed = write!(line, "{text}");
    assert!(printed.is_ok(), "more than {PER_BYTE} characters a byte");
}

struct Line {
    left: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        assert!(!text.contains('\n'), "more than one line");
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Characters of a message of no bytes.
const FIXED: usize = 512;
/// A word of a bitmap is the names of 32 attributes.
const PER_BYTE: usize = 256;
