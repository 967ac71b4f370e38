//! The attributes that a client may set.

use crate::limits::MAX_LABEL;
use crate::nfs4::basic::{Ace, Time};
use crate::nfs4::consts::{SET_TO_CLIENT_TIME4, SET_TO_SERVER_TIME4};
use crate::xdr::{Encode, List, Writer, XdrError, xdr};

use super::{AttrReader, Bitmap, FattrRaw, num};

xdr! {
    /// What a time is set to [RFC 8881 §3.3.3].
    union TimeHow {
        SET_TO_SERVER_TIME4 => ServerTime,
        SET_TO_CLIENT_TIME4 => ClientTime(time: Time),
    }

    /// New mode bits, and which of them are meant [RFC 8881 §6.2.5].
    struct ModeMasked {
        value_to_set: u32,
        mask_bits: u32,
    }

    /// A mode, and the umask that applies if no inherited ACL does [RFC 8275 §5].
    struct ModeUmask {
        mode: u32,
        umask: u32,
    }

    /// An access control list with flags of its own [RFC 8881 §6.4.3.2].
    struct Acl41<'a> {
        flag: u32,
        aces: List<'a, Ace<'a>>,
    }

    /// A security label [RFC 7862 §12.2.4].
    struct SecLabel<'a> {
        lfs: u32,
        pi: u32,
        data: &'a [u8] [max MAX_LABEL],
    }

    /// Whether and for how long a file is to be kept [RFC 8881 §5.13].
    struct RetentionSet {
        enable: bool,
        duration: Option<u64>,
    }

    /// What the client would like of the layout [RFC 8881 §3.3.19].
    struct LayoutHint<'a> {
        r#type: u32,
        body: &'a [u8],
    }
}

macro_rules! settable {
    ($($field:ident : $t:ty = $number:ident $doc:literal,)*) => {
        /// The attributes of a SETATTR, CREATE or OPEN, decoded [RFC 8881 §18.30].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct SettableAttrs<'a> {
            $(
                #[doc = $doc]
                pub $field: Option<$t>,
            )*
        }

        impl<'a> SettableAttrs<'a> {
            /// Decodes `raw`, of which only attributes in `supported` may be set.
            pub fn decode(raw: &FattrRaw<'a>, supported: &Bitmap) -> Result<Self, AttrError> {
                check(&raw.mask, supported)?;
                let mut attrs = Self::default();
                let mut reader = AttrReader::new(raw);
                while let Some(number) = reader.next_number() {
                    match number {
                        $(num::$number => attrs.$field = Some(reader.value::<$t>()?),)*
                        _ => return Err(AttrError::ReadOnly(number)),
                    }
                }
                reader.finish()?;
                Ok(attrs)
            }

            /// Which attributes are there.
            pub fn mask(&self) -> Bitmap {
                let mut mask = Bitmap::EMPTY;
                $(if self.$field.is_some() {
                    mask.insert(num::$number);
                })*
                mask
            }

            /// Appends the values alone: with [`mask`](Self::mask) they make a [`FattrRaw`].
            pub fn encode_values(&self, w: &mut Writer) {
                $(if let Some(value) = &self.$field {
                    value.encode(w);
                })*
            }

            /// Appends the attributes as a whole `fattr4`.
            pub fn encode_fattr(&self, w: &mut Writer) {
                self.mask().encode(w);
                let at = w.reserve_u32();
                self.encode_values(w);
                w.patch_u32(at, (w.len() - at - 4) as u32);
            }
        }

        #[cfg(test)]
        const ALL_SETTABLE: &[u32] = &[$(num::$number),*];
    };
}

// In ascending order of the numbers: they are encoded as they stand here.
settable! {
    size: u64 = SIZE "The new length of the file in bytes.",
    acl: List<'a, Ace<'a>> = ACL "The access control list.",
    archive: bool = ARCHIVE "Whether the file changed since its last backup.",
    hidden: bool = HIDDEN "Whether the file is hidden.",
    mimetype: &'a [u8] = MIMETYPE "The MIME type.",
    mode: u32 = MODE "The mode bits.",
    owner: &'a [u8] = OWNER "The owner as a string.",
    owner_group: &'a [u8] = OWNER_GROUP "The group as a string.",
    system: bool = SYSTEM "Whether it is a system file.",
    time_access_set: TimeHow = TIME_ACCESS_SET "The time of the last read.",
    time_backup: Time = TIME_BACKUP "The time of the last backup.",
    time_create: Time = TIME_CREATE "The time of birth.",
    time_modify_set: TimeHow = TIME_MODIFY_SET "The time of the last write.",
    dacl: Acl41<'a> = DACL "The discretionary access control list.",
    sacl: Acl41<'a> = SACL "The system access control list.",
    layout_hint: LayoutHint<'a> = LAYOUT_HINT "A wish for the layout.",
    retention_set: RetentionSet = RETENTION_SET "Retention.",
    retentevt_set: RetentionSet = RETENTEVT_SET "Event-based retention.",
    retention_hold: u64 = RETENTION_HOLD "Administrative holds.",
    mode_set_masked: ModeMasked = MODE_SET_MASKED "Some of the mode bits.",
    sec_label: SecLabel<'a> = SEC_LABEL "The security label.",
    mode_umask: ModeUmask = MODE_UMASK "Mode and umask of what is created.",
}

/// Why attributes cannot be set: the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttrError {
    /// The attribute is unknown or not supported: `NFS4ERR_ATTRNOTSUPP`.
    #[error("attribute {0} is not supported")]
    Unsupported(u32),
    /// The attribute cannot be set: `NFS4ERR_INVAL`.
    #[error("attribute {0} cannot be set")]
    ReadOnly(u32),
    /// The values do not fit the mask: `NFS4ERR_BADXDR`.
    #[error("malformed attributes: {0}")]
    Xdr(#[from] XdrError),
}

fn check(mask: &Bitmap, supported: &Bitmap) -> Result<(), AttrError> {
    let alien = *mask & !*supported;
    if let Some(number) = alien.iter().next() {
        return Err(AttrError::Unsupported(number));
    }
    if mask.beyond() {
        return Err(AttrError::Unsupported(Bitmap::WORDS as u32 * 32));
    }
    match (*mask & !num::WRITABLE).iter().next() {
        Some(number) => Err(AttrError::ReadOnly(number)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xdr::{Decode, Reader};

    const ALL: Bitmap = num::READABLE;

    fn supported() -> Bitmap {
        ALL | num::WRITABLE
    }

    #[test]
    fn the_list_is_the_writable_ones_in_order() {
        assert!(ALL_SETTABLE.is_sorted());
        assert_eq!(Bitmap::of(ALL_SETTABLE), num::WRITABLE);
    }

    #[test]
    fn both_ways() {
        let attrs = SettableAttrs {
            size: Some(7),
            mode: Some(0o644),
            owner: Some(b"1000"),
            time_modify_set: Some(TimeHow::ServerTime),
            mode_umask: Some(ModeUmask {
                mode: 0o666,
                umask: 0o22,
            }),
            ..SettableAttrs::default()
        };
        let mut w = Writer::new();
        attrs.encode_fattr(&mut w);
        let mut r = Reader::new(w.as_slice());
        let raw = FattrRaw::decode(&mut r).unwrap();
        assert!(r.is_empty());
        assert_eq!(SettableAttrs::decode(&raw, &supported()), Ok(attrs));
    }

    #[test]
    fn says_what_is_wrong() {
        let raw = |numbers: &[u32], values| FattrRaw {
            mask: Bitmap::of(numbers),
            values,
        };
        let decode = |raw| SettableAttrs::decode(&raw, &supported()).unwrap_err();
        assert_eq!(decode(raw(&[num::TYPE], &[])), AttrError::ReadOnly(1));
        assert_eq!(
            decode(raw(&[num::TYPE, 95], &[])),
            AttrError::Unsupported(95)
        );
        assert_eq!(decode(raw(&[200], &[])), AttrError::Unsupported(96));
        assert_eq!(
            decode(raw(&[num::SIZE], &[0; 7])),
            AttrError::Xdr(XdrError::Short)
        );
        assert_eq!(
            decode(raw(&[num::SIZE], &[0; 12])),
            AttrError::Xdr(XdrError::Trailing)
        );
        let only_mode = Bitmap::of(&[num::MODE]);
        let size = raw(&[num::SIZE], &[0; 8]);
        assert_eq!(
            SettableAttrs::decode(&size, &only_mode),
            Err(AttrError::Unsupported(num::SIZE))
        );
    }
}
