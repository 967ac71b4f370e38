//! Names in directories.

use core::fmt;

use crate::nfs4::args::GssSvc;
use crate::nfs4::attr::{Bitmap, FattrRaw};
use crate::nfs4::basic::{ChangeInfo, Verifier};
use crate::xdr::{Decode, Encode, List, Reader, Show, Writer, XdrError, xdr};

xdr! {
    /// Results of CREATE [RFC 8881 §18.4].
    struct CreateOk {
        cinfo: ChangeInfo,
        attrset: Bitmap,
    }

    /// Results of REMOVE [RFC 8881 §18.25].
    struct RemoveOk {
        cinfo: ChangeInfo,
    }

    /// Results of RENAME [RFC 8881 §18.26].
    struct RenameOk {
        source_cinfo: ChangeInfo,
        target_cinfo: ChangeInfo,
    }

    /// Results of LINK [RFC 8881 §18.9].
    struct LinkOk {
        cinfo: ChangeInfo,
    }

    /// Results of READLINK [RFC 8881 §18.24].
    struct ReadLinkOk<'a> {
        link: &'a [u8],
    }

    /// Results of READDIR [RFC 8881 §18.23].
    struct ReadDirOk<'a> {
        cookieverf: Verifier,
        entries: DirEntries<'a>,
        eof: bool,
    }

    /// One entry of a directory [RFC 8881 §18.23].
    struct DirEntry<'a> {
        cookie: u64,
        name: &'a [u8],
        attrs: FattrRaw<'a>,
    }

    /// Results of SECINFO and SECINFO_NO_NAME [RFC 8881 §18.29, §18.45].
    struct SecInfoOk<'a> {
        flavors: List<'a, SecInfoFlavor<'a>>,
    }

    /// One way to authenticate [RFC 8881 §18.29].
    union SecInfoFlavor<'a> {
        6 => Gss(info: GssInfo<'a>),
        ; default Flavor
    }

    /// A mechanism of RPCSEC_GSS [RFC 8881 §18.29].
    struct GssInfo<'a> {
        oid: &'a [u8],
        qop: u32,
        service: GssSvc,
    }
}

/// The entries of a READDIR: a linked list on the wire, walked without allocating
/// [RFC 8881 §18.23; RFC 4506 §4.19].
#[derive(Clone, Copy)]
pub struct DirEntries<'a> {
    repr: Repr<'a>,
}

impl<'a> DirEntries<'a> {
    /// These entries, to be encoded.
    pub const fn new(entries: &'a [DirEntry<'a>]) -> Self {
        Self {
            repr: Repr::Items(entries),
        }
    }

    /// Walks over the entries.
    pub fn iter(&self) -> impl Iterator<Item = DirEntry<'a>> + use<'a> {
        let (items, mut wire) = match self.repr {
            Repr::Items(items) => (items, None),
            Repr::Wire(body) => (&[][..], Some(Reader::new(body))),
        };
        items.iter().copied().chain(core::iter::from_fn(move || {
            // It was decoded once when the list was.
            Option::<DirEntry<'a>>::decode(wire.as_mut()?)
                .ok()
                .flatten()
        }))
    }
}

impl Encode for DirEntries<'_> {
    fn encode(&self, w: &mut Writer) {
        match self.repr {
            Repr::Items(items) => {
                for entry in items {
                    w.bool(true);
                    entry.encode(w);
                }
                w.bool(false);
            }
            Repr::Wire(body) => w.raw(body),
        }
    }
}

impl<'a> Decode<'a> for DirEntries<'a> {
    const MIN: usize = 4;

    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        let start = r.position();
        while r.bool()? {
            DirEntry::decode(r)?;
        }
        Ok(Self {
            repr: Repr::Wire(r.since(start)),
        })
    }
}

impl PartialEq for DirEntries<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for DirEntries<'_> {}

impl fmt::Debug for DirEntries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().take(MAX_SHOWN)).finish()
    }
}

impl Show for DirEntries<'_> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How many entries are printed.
const MAX_SHOWN: usize = 8;

#[derive(Clone, Copy)]
enum Repr<'a> {
    Items(&'a [DirEntry<'a>]),
    Wire(&'a [u8]),
}

#[cfg(any(test, feature = "__fuzz"))]
impl crate::xdr::sample::Sample for DirEntries<'_> {
    fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
        for _ in 0..tape.below(4) {
            w.bool(true);
            DirEntry::sample(tape, w);
        }
        w.bool(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_list() {
        let entry = |cookie, name| DirEntry {
            cookie,
            name,
            attrs: FattrRaw::EMPTY,
        };
        let entries = [entry(3, &b"a"[..]), entry(4, b"bcdef")];
        let ours = ReadDirOk {
            cookieverf: Verifier([7; 8]),
            entries: DirEntries::new(&entries),
            eof: true,
        };
        let mut w = Writer::new();
        ours.encode(&mut w);
        let mut r = Reader::new(w.as_slice());
        let theirs = ReadDirOk::decode(&mut r).unwrap();
        assert!(r.is_empty());
        assert_eq!(ours, theirs);
        assert_eq!(theirs.entries.iter().count(), 2);
        let mut again = Writer::new();
        theirs.encode(&mut again);
        assert_eq!(w, again);
        for cut in 0..w.len() {
            let short = Reader::new(&w.as_slice()[..cut]);
            assert_eq!(ReadDirOk::decode(&mut { short }), Err(XdrError::Short));
        }
    }

    #[test]
    fn flavors_without_a_body() {
        let bytes = [0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0];
        let ok = SecInfoOk::decode(&mut Reader::new(&bytes)).unwrap();
        assert!(
            ok.flavors
                .iter()
                .eq([SecInfoFlavor::Flavor(1), SecInfoFlavor::Flavor(0)])
        );
    }
}
