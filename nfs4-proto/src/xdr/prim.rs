//! The two traits for Rust's own types.

use super::{Decode, DecodeMax, Encode, Reader, Writer, XdrError};

macro_rules! number {
    ($($t:ident $min:literal),*) => {$(
        impl Encode for $t {
            #[inline]
            fn encode(&self, w: &mut Writer) {
                w.$t(*self);
            }
        }

        impl<'a> Decode<'a> for $t {
            const MIN: usize = $min;

            #[inline]
            fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
                r.$t()
            }
        }
    )*};
}

number!(u32 4, i32 4, u64 8, i64 8, bool 4);

/// `void` [RFC 4506 §4.16].
impl Encode for () {
    #[inline]
    fn encode(&self, _: &mut Writer) {}
}

impl<'a> Decode<'a> for () {
    const MIN: usize = 0;

    #[inline]
    fn decode(_: &mut Reader<'a>) -> Result<Self, XdrError> {
        Ok(())
    }
}

/// Fixed-length opaque data [RFC 4506 §4.9].
impl<const N: usize> Encode for [u8; N] {
    #[inline]
    fn encode(&self, w: &mut Writer) {
        w.fixed(self);
    }
}

impl<'a, const N: usize> Decode<'a> for [u8; N] {
    const MIN: usize = N + super::pad_len(N);

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        r.array()
    }
}

/// Variable-length opaque data or a string [RFC 4506 §4.10, §4.11].
impl Encode for &[u8] {
    #[inline]
    fn encode(&self, w: &mut Writer) {
        w.opaque(self);
    }
}

impl<'a> Decode<'a> for &'a [u8] {
    const MIN: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        r.opaque(usize::MAX)
    }
}

impl<'a> DecodeMax<'a> for &'a [u8] {
    #[inline]
    fn decode_max(r: &mut Reader<'a>, max: usize) -> Result<Self, XdrError> {
        r.opaque(max)
    }
}

/// Optional data, and an array of at most one element: both are a 0 or 1 and the value
/// [RFC 4506 §4.13, §4.19].
impl<T: Encode> Encode for Option<T> {
    #[inline]
    fn encode(&self, w: &mut Writer) {
        w.bool(self.is_some());
        if let Some(v) = self {
            v.encode(w);
        }
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
    const MIN: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        if r.bool()? {
            T::decode(r).map(Some)
        } else {
            Ok(None)
        }
    }
}
