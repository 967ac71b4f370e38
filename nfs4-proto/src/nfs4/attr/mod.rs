//! Attributes: their numbers, sets of them, and their values on the wire.

mod bitmap;
pub mod num;
mod read;
mod set;
mod types;
mod value;

pub use self::bitmap::{Bitmap, BitmapIter};
pub use self::read::AttrReader;
pub use self::set::{
    Acl41, AttrError, LayoutHint, ModeMasked, ModeUmask, RetentionSet, SecLabel, SettableAttrs,
    TimeHow,
};
pub use self::types::{
    ChangeAttrType, ChangePolicy, FsLocation, FsLocations, FsLocationsInfo, FsLocationsItem,
    FsLocationsServer, FsStatus, FsStatusType, MdsThreshold, OpenArguments, RetentionGet,
    ThresholdItem,
};
pub use self::value::{AttrValue, write_fattr};

use core::fmt;

use crate::xdr::{Decode, Encode, Reader, Show, Writer, XdrError};

/// Attributes as they are sent: which ones, and their values in ascending order of the numbers
/// [RFC 8881 §3.3.7].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FattrRaw<'a> {
    /// Which attributes are there.
    pub mask: Bitmap,
    /// Their values, one after the other.
    pub values: &'a [u8],
}

impl FattrRaw<'_> {
    /// No attributes.
    pub const EMPTY: FattrRaw<'static> = FattrRaw {
        mask: Bitmap::EMPTY,
        values: &[],
    };
}

impl Encode for FattrRaw<'_> {
    #[inline]
    fn encode(&self, w: &mut Writer) {
        self.mask.encode(w);
        self.values.encode(w);
    }
}

impl<'a> Decode<'a> for FattrRaw<'a> {
    const MIN: usize = 8;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        Ok(Self {
            mask: Decode::decode(r)?,
            values: Decode::decode(r)?,
        })
    }
}

/// The values, or the bytes where they are no values.
impl Show for FattrRaw<'_> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.values().any(|value| value.is_err()) {
            write!(f, "{:?} ", self.mask)?;
            return self.values.show(f);
        }
        f.debug_set().entries(self.values().flatten()).finish()
    }
}

impl fmt::Debug for FattrRaw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f)
    }
}

#[cfg(any(test, feature = "__fuzz"))]
impl crate::xdr::sample::Sample for FattrRaw<'_> {
    fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
        Bitmap::sample(tape, w);
        <&[u8]>::sample(tape, w);
    }
}
