//! The reading half.

use super::{XdrError, pad_len};

/// A place in borrowed wire bytes; copying it is how one looks ahead [RFC 4506].
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    buf: &'a [u8],
    pos: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `buf`.
    #[inline]
    pub const fn new(buf: &'a [u8]) -> Self {
        Self { buf, pos: 0 }
    }

    /// Starts `pos` bytes into `buf`; a place behind the end reads as an empty rest.
    #[inline]
    pub const fn at(buf: &'a [u8], pos: usize) -> Self {
        let pos = if pos < buf.len() { pos } else { buf.len() };
        Self { buf, pos }
    }

    /// Moves to `pos` bytes from the start of the buffer; behind the end is [`XdrError::Short`].
    #[inline]
    pub fn seek(&mut self, pos: usize) -> Result<(), XdrError> {
        if pos > self.buf.len() {
            return Err(XdrError::Short);
        }
        self.pos = pos;
        Ok(())
    }

    /// The number of bytes read so far, from the start of the buffer.
    #[inline]
    pub const fn position(&self) -> usize {
        self.pos
    }

    /// The number of bytes not yet read.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.buf.len().saturating_sub(self.pos)
    }

    /// Whether everything is read.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The whole buffer, what is already read included.
    #[inline]
    pub const fn buffer(&self) -> &'a [u8] {
        self.buf
    }

    /// An unsigned integer [RFC 4506 §4.2].
    #[inline]
    pub fn u32(&mut self) -> Result<u32, XdrError> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// A signed integer [RFC 4506 §4.1].
    #[inline]
    pub fn i32(&mut self) -> Result<i32, XdrError> {
        self.chunk().map(i32::from_be_bytes)
    }

    /// An unsigned hyper integer [RFC 4506 §4.5].
    #[inline]
    pub fn u64(&mut self) -> Result<u64, XdrError> {
        self.chunk().map(u64::from_be_bytes)
    }

    /// A signed hyper integer [RFC 4506 §4.5].
    #[inline]
    pub fn i64(&mut self) -> Result<i64, XdrError> {
        self.chunk().map(i64::from_be_bytes)
    }

    /// A boolean; anything but 0 and 1 is [`XdrError::BadBool`] [RFC 4506 §4.4].
    #[inline]
    pub fn bool(&mut self) -> Result<bool, XdrError> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            2.. => Err(XdrError::BadBool),
        }
    }

    /// A fixed-length opaque as an array [RFC 4506 §4.9].
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], XdrError> {
        let value = self.chunk()?;
        self.skip(pad_len(N))?;
        Ok(value)
    }

    /// A fixed-length opaque of `n` bytes, borrowed; padding may have any value [RFC 4506 §4.9].
    #[inline]
    pub fn fixed(&mut self, n: usize) -> Result<&'a [u8], XdrError> {
        let value = self.rest_slice().get(..n).ok_or(XdrError::Short)?;
        self.pos += n;
        self.skip(pad_len(n))?;
        Ok(value)
    }

    /// A variable-length opaque of at most `max` bytes, borrowed [RFC 4506 §4.10].
    #[inline]
    pub fn opaque(&mut self, max: usize) -> Result<&'a [u8], XdrError> {
        let len = self.u32()? as usize;
        if len > max {
            return Err(XdrError::TooLong);
        }
        self.fixed(len)
    }

    /// Everything not yet read, which is then read.
    #[inline]
    pub fn rest(&mut self) -> Result<&'a [u8], XdrError> {
        let rest = self.rest_slice();
        self.pos = self.buf.len();
        Ok(rest)
    }

    /// The bytes between `start` (an earlier [`position`](Self::position)) and here.
    #[inline]
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.buf.get(start..self.pos).unwrap_or_default()
    }

    /// Passes over `n` bytes.
    #[inline]
    pub fn skip(&mut self, n: usize) -> Result<(), XdrError> {
        if n > self.remaining() {
            return Err(XdrError::Short);
        }
        self.pos += n;
        Ok(())
    }

    /// Succeeds only if everything is read, else [`XdrError::Trailing`].
    #[inline]
    pub fn finish(&self) -> Result<(), XdrError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(XdrError::Trailing)
        }
    }

    #[inline]
    fn rest_slice(&self) -> &'a [u8] {
        self.buf.get(self.pos..).unwrap_or_default()
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], XdrError> {
        let value = self
            .rest_slice()
            .first_chunk::<N>()
            .ok_or(XdrError::Short)?;
        self.pos += N;
        Ok(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_and_nothing_more() {
        let bytes = [0, 0, 0, 1, 0, 0, 0, 3, b'a', b'b', b'c', 9, 0xff];
        let mut r = Reader::new(&bytes);
        assert_eq!(r.bool(), Ok(true));
        assert_eq!(r.opaque(3), Ok(&b"abc"[..]), "padding may be anything");
        assert_eq!(r.position(), 12);
        assert_eq!(r.finish(), Err(XdrError::Trailing));
        assert_eq!(r.u32(), Err(XdrError::Short));
        assert_eq!(r.rest(), Ok(&[0xff][..]));
        assert!(r.is_empty());
        assert_eq!(r.u64(), Err(XdrError::Short));
    }

    #[test]
    fn limits_come_before_lengths() {
        let bytes = [0xff, 0xff, 0xff, 0xff];
        assert_eq!(Reader::new(&bytes).opaque(8), Err(XdrError::TooLong));
        assert_eq!(Reader::new(&bytes).opaque(usize::MAX), Err(XdrError::Short));
        assert_eq!(Reader::new(&bytes).bool(), Err(XdrError::BadBool));
        assert_eq!(Reader::new(&bytes).fixed(3).map(<[u8]>::len), Ok(3));
        assert_eq!(
            Reader::new(&bytes[..3]).fixed(3),
            Err(XdrError::Short),
            "no padding"
        );
        assert_eq!(Reader::new(&bytes).fixed(usize::MAX), Err(XdrError::Short));
    }

    #[test]
    fn places() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut r = Reader::at(&bytes, 4);
        assert_eq!(r.u32(), Ok(0x0506_0708));
        assert_eq!(r.since(4), &bytes[4..]);
        assert_eq!(r.seek(9), Err(XdrError::Short));
        assert_eq!(r.seek(0), Ok(()));
        assert_eq!(r.array::<8>(), Ok(bytes));
        assert!(Reader::at(&bytes, 99).is_empty());
    }
}
