//! Every attribute with a typed value.

use core::fmt;

use crate::nfs4::Status;
use crate::nfs4::basic::{Ace, FileHandle, FileType, Fsid, SpecData, Time};
use crate::xdr::{Decode, Encode, List, Reader, Show, Writer, XdrError};

use super::num::for_each_attr;
use super::{
    Acl41, AttrReader, Bitmap, ChangeAttrType, ChangePolicy, FattrRaw, FsLocations,
    FsLocationsInfo, FsStatus, LayoutHint, MdsThreshold, ModeMasked, ModeUmask, OpenArguments,
    RetentionGet, RetentionSet, SecLabel, TimeHow,
};

macro_rules! values {
    ($(
        $constant:ident $variant:ident $name:literal $n:literal $access:ident $minor:literal [$t:ty];
    )*) => {
        /// The value of one attribute [RFC 8881 §5, RFC 7862 §12.2, RFC 8276 §8.2].
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum AttrValue<'a> {
            $(
                #[doc = concat!("`", $name, "`, ", stringify!($n), ".")]
                $variant($t),
            )*
        }

        impl fmt::Debug for AttrValue<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(value) => {
                        f.write_str(concat!($name, "="))?;
                        value.show(f)
                    })*
                }
            }
        }

        impl<'a> AttrValue<'a> {
            /// The number of the attribute.
            pub const fn number(&self) -> u32 {
                match self {
                    $(Self::$variant(_) => $n,)*
                }
            }

            /// Reads the value of the attribute `number`; of one that is not known nothing can be
            /// read: [`XdrError::BadDiscriminant`].
            pub fn decode_value(number: u32, r: &mut Reader<'a>) -> Result<Self, XdrError> {
                match number {
                    $($n => <$t>::decode(r).map(Self::$variant),)*
                    _ => Err(XdrError::BadDiscriminant),
                }
            }

            /// Makes a sample of the value of the attribute `number`.
            #[cfg(any(test, feature = "__fuzz"))]
            #[doc(hidden)]
            pub fn sample_value(
                number: u32,
                tape: &mut crate::xdr::sample::Tape<'_>,
                w: &mut Writer,
            ) {
                match number {
                    $($n => <$t as crate::xdr::sample::Sample>::sample(tape, w),)*
                    _ => {}
                }
            }

            /// Appends the value alone.
            pub fn encode_value(&self, w: &mut Writer) {
                match self {
                    $(Self::$variant(value) => value.encode(w),)*
                }
            }
        }
    };
}

for_each_attr! { values }

impl<'a> FattrRaw<'a> {
    /// Walks over the values; ends after the first that cannot be read.
    pub fn values(&self) -> impl Iterator<Item = Result<AttrValue<'a>, XdrError>> + use<'a> {
        let mut reader = Some(AttrReader::new(self));
        core::iter::from_fn(move || {
            let inner = reader.as_mut()?;
            let item = match inner.next_number() {
                Some(number) => AttrValue::decode_value(number, inner.reader()),
                None => {
                    let end = inner.finish();
                    reader = None;
                    return end.err().map(Err);
                }
            };
            if item.is_err() {
                reader = None;
            }
            Some(item)
        })
    }

    /// The value of one attribute, if it is there and everything before it can be read.
    pub fn get(&self, number: u32) -> Option<AttrValue<'a>> {
        self.values()
            .map_while(Result::ok)
            .find(|value| value.number() == number)
    }
}

/// Appends a whole `fattr4`: the mask, and what `value` writes for each number in it, which has to
/// be exactly the value of that attribute [RFC 8881 §3.3.7].
#[inline]
pub fn write_fattr(w: &mut Writer, mask: Bitmap, mut value: impl FnMut(u32, &mut Writer)) {
    mask.encode(w);
    let at = w.reserve_u32();
    for number in mask {
        value(number, w);
    }
    let len = w.len() - at - 4;
    w.patch_u32(at, len as u32);
    w.pad(len);
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::nfs4::attr::num;

    #[test]
    fn writes_and_walks() {
        let mut w = Writer::new();
        write_fattr(
            &mut w,
            Bitmap::of(&[num::SIZE, num::TYPE, num::OWNER]),
            |n, w| match n {
                num::SIZE => w.u64(5),
                num::TYPE => FileType::Directory.encode(w),
                _ => w.opaque(b"me"),
            },
        );
        let mut r = Reader::new(w.as_slice());
        let raw = FattrRaw::decode(&mut r).unwrap();
        assert!(r.is_empty());
        let values: Vec<_> = raw.values().map(Result::unwrap).collect();
        let want = [
            AttrValue::Type(FileType::Directory),
            AttrValue::Size(5),
            AttrValue::Owner(b"me"),
        ];
        assert_eq!(values, want);
        assert_eq!(raw.get(num::SIZE), Some(AttrValue::Size(5)));
        assert_eq!(raw.get(num::MODE), None);
    }

    #[test]
    fn ends_at_what_cannot_be_read() {
        let raw = FattrRaw {
            mask: Bitmap::of(&[4, 90]),
            values: &[0; 16],
        };
        let values: Vec<_> = raw.values().collect();
        assert_eq!(
            values,
            [Ok(AttrValue::Size(0)), Err(XdrError::BadDiscriminant)]
        );
        let raw = FattrRaw {
            mask: Bitmap::of(&[4]),
            values: &[0; 12],
        };
        assert_eq!(raw.values().last(), Some(Err(XdrError::Trailing)));
    }
}
