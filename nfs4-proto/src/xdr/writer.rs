//! The writing half.

use alloc::vec::Vec;

/// Appends XDR to a vector that it owns; nothing here can fail [RFC 4506].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writer {
    buf: Vec<u8>,
}

impl Writer {
    /// An empty writer that has not allocated.
    #[inline]
    pub const fn new() -> Self {
        Self { buf: Vec::new() }
    }

    /// An empty writer with room for `n` bytes.
    #[inline]
    pub fn with_capacity(n: usize) -> Self {
        Self {
            buf: Vec::with_capacity(n),
        }
    }

    /// Continues at the end of `buf`.
    #[inline]
    pub const fn from_vec(buf: Vec<u8>) -> Self {
        Self { buf }
    }

    /// An unsigned integer [RFC 4506 §4.2].
    #[inline]
    pub fn u32(&mut self, v: u32) {
        self.buf.extend_from_slice(&v.to_be_bytes());
    }

    /// A signed integer [RFC 4506 §4.1].
    #[inline]
    pub fn i32(&mut self, v: i32) {
        self.buf.extend_from_slice(&v.to_be_bytes());
    }

    /// An unsigned hyper integer [RFC 4506 §4.5].
    #[inline]
    pub fn u64(&mut self, v: u64) {
        self.buf.extend_from_slice(&v.to_be_bytes());
    }

    /// A signed hyper integer [RFC 4506 §4.5].
    #[inline]
    pub fn i64(&mut self, v: i64) {
        self.buf.extend_from_slice(&v.to_be_bytes());
    }

    /// A boolean [RFC 4506 §4.4].
    #[inline]
    pub fn bool(&mut self, v: bool) {
        self.u32(u32::from(v));
    }

    /// A variable-length opaque: length, bytes, padding [RFC 4506 §4.10].
    ///
    /// Lengths are 32 bits on the wire: no caller has 4 GiB to send.
    #[inline]
    pub fn opaque(&mut self, bytes: &[u8]) {
        debug_assert!(u32::try_from(bytes.len()).is_ok(), "an opaque of 4 GiB");
        self.u32(bytes.len() as u32);
        self.fixed(bytes);
    }

    /// A fixed-length opaque: bytes, padding [RFC 4506 §4.9].
    #[inline]
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
        self.pad(bytes.len());
    }

    /// Bytes that are XDR already, without length and padding.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// The zero bytes that follow `n` bytes of opaque data.
    #[inline]
    pub fn pad(&mut self, n: usize) {
        // Three and then fewer: a copy of a fixed length costs no call.
        let end = self.buf.len() + pad_len(n);
        self.buf.extend_from_slice(&[0; 3]);
        self.buf.truncate(end);
    }

    /// Appends a placeholder for [`patch_u32`](Self::patch_u32) and returns its place.
    #[inline]
    pub fn reserve_u32(&mut self) -> usize {
        let at = self.buf.len();
        self.u32(0);
        at
    }

    /// Overwrites the four bytes at `at`; does nothing where there are no four bytes.
    #[inline]
    pub fn patch_u32(&mut self, at: usize, v: u32) {
        let place = self
            .buf
            .get_mut(at..)
            .and_then(<[u8]>::first_chunk_mut::<4>);
        debug_assert!(place.is_some(), "patch behind the end");
        if let Some(place) = place {
            *place = v.to_be_bytes();
        }
    }

    /// What is written from `at` on, to be overwritten.
    #[inline]
    pub fn written_mut(&mut self, at: usize) -> &mut [u8] {
        self.buf.get_mut(at..).unwrap_or_default()
    }

    /// The number of bytes written.
    #[inline]
    pub const fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing is written.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// Drops everything from `len` on.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.buf.truncate(len);
    }

    /// Drops everything and keeps the capacity.
    #[inline]
    pub fn clear(&mut self) {
        self.buf.clear();
    }

    /// Makes room for `n` more bytes.
    #[inline]
    pub fn reserve(&mut self, n: usize) {
        self.buf.reserve(n);
    }

    /// The number of bytes that fit without allocating.
    #[inline]
    pub const fn capacity(&self) -> usize {
        self.buf.capacity()
    }

    /// What is written.
    #[inline]
    pub const fn as_slice(&self) -> &[u8] {
        self.buf.as_slice()
    }

    /// What is written, as the vector itself.
    #[inline]
    pub fn into_vec(self) -> Vec<u8> {
        self.buf
    }
}

/// The padding behind `n` bytes of opaque data: 0 to 3 bytes [RFC 4506 §3].
#[inline]
pub const fn pad_len(n: usize) -> usize {
    n.wrapping_neg() & 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_to_four() {
        for n in 0..9 {
            assert_eq!((n + pad_len(n)) % 4, 0);
            assert!(pad_len(n) < 4);
        }
        let mut w = Writer::new();
        w.opaque(b"abcde");
        assert_eq!(w.as_slice(), b"\0\0\0\x05abcde\0\0\0");
        w.clear();
        w.fixed(b"x");
        assert_eq!(w.into_vec(), b"x\0\0\0");
    }

    #[test]
    fn patches_what_it_reserved() {
        let mut w = Writer::with_capacity(16);
        w.bool(true);
        let at = w.reserve_u32();
        w.i64(-1);
        w.patch_u32(at, 0xdead_beef);
        assert_eq!(
            w.as_slice(),
            [
                0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef, 255, 255, 255, 255, 255, 255, 255, 255
            ]
        );
        w.truncate(at);
        assert_eq!(w.len(), 4);
    }
}
