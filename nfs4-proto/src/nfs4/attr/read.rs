//! Walking over the values of a `fattr4`.

use crate::xdr::{Decode, Reader, XdrError};

use super::{Bitmap, BitmapIter, FattrRaw};

/// Goes over attributes in their order: ask for the next number, then read its value.
#[derive(Debug, Clone)]
pub struct AttrReader<'a> {
    mask: Bitmap,
    numbers: BitmapIter,
    values: Reader<'a>,
}

impl<'a> AttrReader<'a> {
    /// Starts before the first attribute.
    pub const fn new(raw: &FattrRaw<'a>) -> Self {
        Self {
            mask: raw.mask,
            numbers: raw.mask.iter(),
            values: Reader::new(raw.values),
        }
    }

    /// The number of the next attribute; its value must then be read before the next call.
    #[inline]
    pub fn next_number(&mut self) -> Option<u32> {
        self.numbers.next()
    }

    /// Reads a value as a `T`.
    #[inline]
    pub fn value<T: Decode<'a>>(&mut self) -> Result<T, XdrError> {
        T::decode(&mut self.values)
    }

    /// The place of the next value.
    pub const fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.values
    }

    /// Checks that no value is left, and that no bit was set whose value could not be read.
    pub fn finish(&self) -> Result<(), XdrError> {
        if self.mask.beyond() {
            return Err(XdrError::Trailing);
        }
        self.values.finish()
    }
}
