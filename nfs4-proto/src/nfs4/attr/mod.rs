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
    Acl41, AttrError, LayoutHint, ModeMasked, ModeUmask, RetentionSet, SecLabel, SetAttrs, SetTime,
};
pub use self::types::{
    ChangeAttrType, ChangePolicy, FsLocation, FsLocations, FsLocationsInfo, FsLocationsItem,
    FsLocationsServer, FsStatus, FsStatusType, MdsThreshold, OpenArguments, RetentionGet,
    ThresholdItem,
};
pub use self::value::{AttrValue, write_fattr};

use crate::xdr::xdr;

xdr! {
    /// Attributes as they are sent: which ones, and their values in ascending order of the numbers
    /// [RFC 8881 §3.3.7].
    struct FattrRaw<'a> {
        mask: Bitmap,
        values: &'a [u8],
    }
}

impl FattrRaw<'_> {
    /// No attributes.
    pub const EMPTY: FattrRaw<'static> = FattrRaw {
        mask: Bitmap::EMPTY,
        values: &[],
    };
}
