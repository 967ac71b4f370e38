//! Wire bytes of every type, made from a tape of bytes: what tests and fuzzers feed to decoders.
//!
//! The bytes that are made are canonical, so that decoding and encoding gives them back.

use super::{Decode, Encode, List, Reader, Writer, XdrError};

/// A tape that decides what a sample looks like; behind its end are zeros, which make the
/// smallest samples.
#[derive(Debug, Clone)]
pub struct Tape<'t> {
    bytes: &'t [u8],
}

impl<'t> Tape<'t> {
    /// A tape of these bytes.
    pub const fn new(bytes: &'t [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.bytes {
            [first, rest @ ..] => {
                self.bytes = rest;
                *first
            }
            [] => 0,
        }
    }

    /// A number below `n`, or 0.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n.max(1)
    }

    /// Any number, the ends of the range more often than others.
    pub fn u64(&mut self) -> u64 {
        match self.byte() {
            n @ 0..128 => u64::from(n),
            128..160 => u64::MAX,
            160.. => {
                let mut bytes = [0; 8];
                bytes.fill_with(|| self.byte());
                u64::from_be_bytes(bytes)
            }
        }
    }
}

/// A type of which the tape can make wire bytes.
pub trait Sample {
    /// Appends the canonical encoding of some value.
    fn sample(tape: &mut Tape<'_>, w: &mut Writer);

    /// The same with a limited length; types without a length ignore it.
    fn sample_max(tape: &mut Tape<'_>, w: &mut Writer, max: usize) {
        let _ = max;
        Self::sample(tape, w);
    }
}

/// An error's body of which the tape can make wire bytes.
pub trait SampleError {
    /// Appends a status that is not OK and its body.
    fn sample_error(tape: &mut Tape<'_>, w: &mut Writer);
}

/// Makes a sample of `T` and checks that decoding and encoding are inverse on it, and that no part
/// of it decodes.
pub fn check<'a, T>(tape: &mut Tape<'_>, w: &'a mut Writer) -> Result<T, &'static str>
where
    T: Sample + Encode + Decode<'a> + PartialEq,
{
    w.clear();
    T::sample(tape, w);
    let bytes = w.as_slice();
    if bytes.len() < T::MIN || !bytes.len().is_multiple_of(4) {
        return Err("the length is impossible");
    }
    let mut r = Reader::new(bytes);
    let value = T::decode(&mut r).map_err(|_| "the sample does not decode")?;
    if !r.is_empty() {
        return Err("something is left");
    }
    let mut again = Writer::new();
    value.encode(&mut again);
    if again.as_slice() != bytes {
        return Err("encoded, it is something else");
    }
    for cut in 0..bytes.len() {
        if T::decode(&mut Reader::new(bytes.get(..cut).unwrap_or_default())).is_ok() {
            return Err("a part of it decodes");
        }
    }
    // Values compare by what they decode to.
    let same = T::decode(&mut Reader::new(bytes)).map_err(|_: XdrError| "not twice")?;
    if same == value {
        Ok(value)
    } else {
        Err("not equal to itself")
    }
}

macro_rules! numbers {
    ($($t:ident),*) => {$(
        impl Sample for $t {
            fn sample(tape: &mut Tape<'_>, w: &mut Writer) {
                w.$t(tape.u64() as $t);
            }
        }
    )*};
}

numbers!(u32, i32, u64, i64);

impl Sample for bool {
    fn sample(tape: &mut Tape<'_>, w: &mut Writer) {
        w.bool(tape.byte() & 1 == 1);
    }
}

impl Sample for () {
    fn sample(_: &mut Tape<'_>, _: &mut Writer) {}
}

impl<const N: usize> Sample for [u8; N] {
    fn sample(tape: &mut Tape<'_>, w: &mut Writer) {
        let mut bytes = [0; N];
        bytes.fill_with(|| tape.byte());
        w.fixed(&bytes);
    }
}

impl Sample for &[u8] {
    fn sample(tape: &mut Tape<'_>, w: &mut Writer) {
        Self::sample_max(tape, w, 24);
    }

    fn sample_max(tape: &mut Tape<'_>, w: &mut Writer, max: usize) {
        let len = tape.below(max.min(24) + 1);
        let mut bytes = [0; 24];
        bytes.iter_mut().take(len).for_each(|b| *b = tape.byte());
        w.opaque(bytes.get(..len).unwrap_or_default());
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(tape: &mut Tape<'_>, w: &mut Writer) {
        let some = tape.byte() & 1 == 1;
        w.bool(some);
        if some {
            T::sample(tape, w);
        }
    }
}

impl<T: Sample> Sample for List<'_, T> {
    fn sample(tape: &mut Tape<'_>, w: &mut Writer) {
        Self::sample_max(tape, w, 3);
    }

    fn sample_max(tape: &mut Tape<'_>, w: &mut Writer, max: usize) {
        let count = tape.below(max.min(3) + 1);
        w.u32(count as u32);
        for _ in 0..count {
            T::sample(tape, w);
        }
    }
}
