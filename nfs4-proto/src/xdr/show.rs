//! How wire types are printed: on one line, and no longer than a person reads.

use core::fmt;

use super::{Decode, List};

/// Prints a value for people; the `Debug` of the wire types is this.
pub trait Show {
    /// Appends the value to a line.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

macro_rules! as_debug {
    ($($t:ty),* $(,)?) => {$(
        impl $crate::xdr::Show for $t {
            fn show(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(self, f)
            }
        }
    )*};
}

pub(crate) use as_debug;

as_debug!(u32, i32, u64, i64, bool);

/// Nothing.
impl Show for () {
    fn show(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Text in quotes, anything else in hexadecimal; only the start of what is long.
impl Show for &[u8] {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, more) = match self.split_at_checked(MAX_BYTES) {
            Some((head, [_, ..])) => (head, true),
            Some((_, [])) | None => (*self, false),
        };
        if head
            .iter()
            .all(|b| (b' '..0x7f).contains(b) && !matches!(b, b'"' | b'\\'))
        {
            f.write_str("\"")?;
            head.iter()
                .try_for_each(|b| write!(f, "{}", char::from(*b)))?;
            f.write_str("\"")?;
        } else {
            f.write_str("0x")?;
            head.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        }
        if more {
            write!(f, "..({})", self.len())
        } else {
            Ok(())
        }
    }
}

impl<const N: usize> Show for [u8; N] {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Some(value) => value.show(f),
            None => f.write_str("-"),
        }
    }
}

/// Only the start of what is long.
impl<'a, T: Decode<'a> + Copy + Show> Show for List<'a, T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, item) in self.iter().take(MAX_ITEMS).enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            item.show(f)?;
        }
        if self.len() > MAX_ITEMS {
            write!(f, ", ..({})", self.len())?;
        }
        f.write_str("]")
    }
}

const MAX_BYTES: usize = 48;
const MAX_ITEMS: usize = 8;

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    struct Shown<T>(T);

    impl<T: Show> fmt::Display for Shown<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.show(f)
        }
    }

    fn shown<T: Show>(value: T) -> String {
        format!("{}", Shown(value))
    }

    #[test]
    fn short_and_on_one_line() {
        assert_eq!(shown(&b"a name"[..]), "\"a name\"");
        assert_eq!(shown(&b"\n\x01"[..]), "0x0a01");
        assert_eq!(shown(&[b'x'; 100][..]).len(), 50 + "..(100)".len());
        assert_eq!(shown(&[b'x'; 48][..]).len(), 50);
        assert_eq!(
            shown(List::new(&[1_u32; 9])),
            "[1, 1, 1, 1, 1, 1, 1, 1, ..(9)]"
        );
        assert_eq!(shown(Some(1_u32)), "1");
    }
}
