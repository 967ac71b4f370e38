//! Values one after the other, and a value and its bytes.

use core::fmt::Debug;

use super::print;
use crate::xdr::{Decode, Reader};

/// Checks of the bytes of a value, if they are one: it is encoded in no more bytes, those decode to the
/// same value, and that is encoded in the same bytes.
macro_rules! inverse {
    ($t:ty, $bytes:expr) => {{
        let bytes: &[u8] = $bytes;
        if let Ok(value) = <$t>::decode(&mut Reader::new(bytes)) {
            let mut w = Writer::new();
            value.encode(&mut w);
            assert!(w.len() <= bytes.len(), "it grows");
            let mut r = Reader::new(w.as_slice());
            let again = <$t>::decode(&mut r);
            assert_eq!(again, Ok(value));
            assert!(r.is_empty(), "something is left");
            let mut second = Writer::new();
            if let Ok(again) = again {
                again.encode(&mut second);
            }
            assert_eq!(w.as_slice(), second.as_slice(), "not the same twice");
        }
    }};
}

/// Checks of a message that begins with `$header` and goes on with so many `$op` as it says: each
/// operation, and all up to the first that does not decode, decode to what they are encoded from.
macro_rules! inverse_message {
    ($header:ty, $op:ty, $data:expr) => {{
        let data: &[u8] = $data;
        let mut r = Reader::new(data);
        if let Ok(header) = <$header>::decode(&mut r) {
            let first = r;
            let mut whole = Writer::new();
            header.encode(&mut whole);
            let mut count = 0;
            while count < header.ops {
                let start = r.position();
                let Ok(item) = <$op>::decode(&mut r) else {
                    break;
                };
                assert!(r.position() > start, "no progress");
                inverse!($op, r.since(start));
                item.encode(&mut whole);
                count += 1;
            }
            let mut again = Reader::new(whole.as_slice());
            assert_eq!(<$header>::decode(&mut again), Ok(header));
            let mut before = first;
            for _ in 0..count {
                assert_eq!(<$op>::decode(&mut again), <$op>::decode(&mut before));
            }
            assert!(again.is_empty(), "something is left");
            assert!(whole.len() <= data.len(), "it grows");
        }
    }};
}

pub(super) use {inverse, inverse_message};

/// Decodes and prints at most `count` values, up to the first that is none.
pub(super) fn print_all<'a, T: Decode<'a> + Debug>(count: u32, mut r: Reader<'a>) {
    for _ in 0..count {
        let start = r.position();
        let Ok(item) = T::decode(&mut r) else { return };
        print::value(&item, r.position().saturating_sub(start));
    }
}
