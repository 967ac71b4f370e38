//! A fattr4 that is made from an earlier one: most attributes are the same for all objects of a listing.

use alloc::vec::Vec;

use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::xdr::Writer;

use super::encode::{Object, Source, encode_noting, wire_type};
use crate::fh::Fh;

/// The fattr4 of the last object that was encoded attribute by attribute, and where in it those
/// attributes are that differ from object to object.
pub(crate) struct Template {
    bytes: [u8; MAX_LEN],
    /// Length of the fattr4; 0 for none.
    len: usize,
    uid: u32,
    gid: u32,
    /// The file system in the export.
    fs: u64,
    /// Length of the file system's handle, and its offset; 0 if the filehandle is not requested.
    handle_len: usize,
    handle_at: usize,
    runs: [Run; FIELDS.len()],
    count: usize,
}

/// Templates of the masks that clients request, a few for all clients: most request the same.
pub(crate) struct Templates {
    kept: Vec<(MaskOf, Template)>,
}

/// What the constant part of a fattr4 depends on, beside the settings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaskOf {
    pub(crate) requested: Bitmap,
    pub(crate) export: u16,
    pub(crate) minor: u32,
}

/// Attributes that follow each other in the fattr4 as they do in an [`image`].
#[derive(Clone, Copy, Default)]
struct Run {
    /// The offset in the fattr4.
    to: u16,
    /// The offset in the image, and the length.
    from: u8,
    len: u8,
}

impl Template {
    pub(crate) const fn new() -> Template {
        Template {
            bytes: [0; MAX_LEN],
            len: 0,
            uid: 0,
            gid: 0,
            fs: 0,
            handle_len: 0,
            handle_at: 0,
            runs: [Run {
                to: 0,
                from: 0,
                len: 0,
            }; FIELDS.len()],
            count: 0,
        }
    }

    /// Encodes the fattr4 of an object, if it has the owners of the last one that was learned, lies in
    /// the same file system, and has a handle of the same length.
    #[inline]
    pub(crate) fn encode(&self, w: &mut Writer, object: &Object<'_>) -> bool {
        let handle = object.handle.as_bytes();
        let attrs = object.attrs;
        let is_alike = (attrs.uid, attrs.gid, attrs.fs) == (self.uid, self.gid, self.fs);
        if !is_alike || handle.len() != self.handle_len || self.len == 0 {
            return false;
        }
        let at = w.len();
        w.raw(self.bytes.get(..self.len).unwrap_or_default());
        let fattr = w.written_mut(at);
        let image = image(object);
        for run in self.runs.get(..self.count).unwrap_or_default() {
            run.copy(&image, fattr);
        }
        if self.handle_at != 0
            && let Some(place) = fattr.get_mut(self.handle_at..)
            && let Some(place) = place.get_mut(..handle.len())
        {
            place.copy_from_slice(handle);
        }
        true
    }

    /// Encodes attribute by attribute, and keeps the result. It serves further objects for which
    /// `requested` and all of `source` but `source.object` are the same.
    #[cold]
    pub(crate) fn learn(&mut self, w: &mut Writer, requested: &Bitmap, source: &Source<'_>) {
        let start = w.len();
        *self = Template::new();
        encode_noting(w, requested, source, |number, at| {
            // It is kept only if it is shorter than that.
            let to = u16::try_from(at - start).unwrap_or(u16::MAX);
            if number == num::FILEHANDLE {
                self.handle_at = usize::from(to) + 4 + Fh::PREFIX_LEN;
            } else if let Some((from, len)) = place_in_image(number) {
                self.add(Run { to, from, len });
            }
        });
        let fattr = w.as_slice().get(start..).unwrap_or_default();
        if let Some(place) = self.bytes.get_mut(..fattr.len()) {
            place.copy_from_slice(fattr);
            self.len = fattr.len();
        }
        self.handle_len = source.object.handle.as_bytes().len();
        let attrs = source.object.attrs;
        (self.uid, self.gid, self.fs) = (attrs.uid, attrs.gid, attrs.fs);
    }

    /// Adds a run, to the last one if it follows that.
    fn add(&mut self, run: Run) {
        let last = self.count.checked_sub(1);
        let last = last.and_then(|last| self.runs.get_mut(last));
        if let Some(last) = last
            && last.to.saturating_add(u16::from(last.len)) == run.to
            && last.from + last.len == run.from
        {
            last.len += run.len;
        } else if let Some(free) = self.runs.get_mut(self.count) {
            *free = run;
            self.count += 1;
        }
    }
}

impl Templates {
    pub(crate) fn new() -> Templates {
        let none = MaskOf {
            requested: Bitmap::EMPTY,
            export: 0,
            minor: 0,
        };
        Templates {
            kept: (0..KEPT).map(|_| (none, Template::new())).collect(),
        }
    }

    /// The template of a mask; empty if another mask had its place.
    #[inline]
    pub(crate) fn of(&mut self, mask: MaskOf) -> Option<&mut Template> {
        let [low, middle, high] = mask.requested.words();
        let seed = low ^ middle.rotate_left(11) ^ high.rotate_left(22);
        let seed = seed ^ u32::from(mask.export) << 8 ^ mask.minor;
        let place = seed.wrapping_mul(0x9e37_79b9) >> (32 - KEPT.ilog2());
        let (of, template) = self.kept.get_mut(place as usize)?;
        if *of != mask {
            *of = mask;
            template.len = 0;
        }
        Some(template)
    }

    /// Drops all templates: a setting that they depend on has changed.
    pub(crate) fn clear(&mut self) {
        for (_, template) in &mut self.kept {
            template.len = 0;
        }
    }
}

impl Run {
    #[inline]
    fn copy(self, image: &[u8; IMAGE_LEN], fattr: &mut [u8]) {
        let from = image.get(usize::from(self.from)..).unwrap_or_default();
        let to = fattr.get_mut(usize::from(self.to)..).unwrap_or_default();
        // A copy of a fixed length costs no call.
        match self.len {
            4 => copy::<4>(from, to),
            8 => copy::<8>(from, to),
            12 => copy::<12>(from, to),
            16 => copy::<16>(from, to),
            20 => copy::<20>(from, to),
            24 => copy::<24>(from, to),
            len => {
                let len = usize::from(len);
                if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
                    to.copy_from_slice(from);
                }
            }
        }
    }
}

#[inline]
fn copy<const LEN: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(from), Some(to)) = (from.first_chunk::<LEN>(), to.first_chunk_mut()) {
        *to = *from;
    }
}

/// The attributes of [`FIELDS`], encoded one after the other.
#[inline]
fn image(object: &Object<'_>) -> [u8; IMAGE_LEN] {
    let attrs = object.attrs;
    let mut image = [0; IMAGE_LEN];
    image[..4].copy_from_slice(&wire_type(attrs.kind).to_be_bytes());
    image[4..12].copy_from_slice(&attrs.change.to_be_bytes());
    image[12..20].copy_from_slice(&attrs.size.to_be_bytes());
    image[20..28].copy_from_slice(&attrs.fileid.to_be_bytes());
    image[28..32].copy_from_slice(&(attrs.mode & 0o7777).to_be_bytes());
    image[32..36].copy_from_slice(&attrs.links.to_be_bytes());
    image[36..40].copy_from_slice(&attrs.device.major.to_be_bytes());
    image[40..44].copy_from_slice(&attrs.device.minor.to_be_bytes());
    image[44..52].copy_from_slice(&attrs.space_used.to_be_bytes());
    let times = [attrs.accessed, attrs.created, attrs.changed, attrs.modified];
    let (places, covered) = image[52..].split_at_mut(48);
    for (place, at) in places.as_chunks_mut::<12>().0.iter_mut().zip(times) {
        place[..8].copy_from_slice(&at.seconds.to_be_bytes());
        place[8..].copy_from_slice(&at.nanos.to_be_bytes());
    }
    covered.copy_from_slice(&object.mounted_on().to_be_bytes());
    image
}

/// The offset of an attribute in an [`image`], and its length.
fn place_in_image(number: u32) -> Option<(u8, u8)> {
    let mut from = 0;
    for (field, len) in FIELDS {
        if field == number {
            return Some((from, len));
        }
        from += len;
    }
    None
}

/// The attributes of a fixed length that differ from object to object, in ascending order, each with
/// its length in bytes.
const FIELDS: [(u32, u8); 13] = [
    (num::TYPE, 4),
    (num::CHANGE, 8),
    (num::SIZE, 8),
    (num::FILEID, 8),
    (num::MODE, 4),
    (num::NUMLINKS, 4),
    (num::RAWDEV, 8),
    (num::SPACE_USED, 8),
    (num::TIME_ACCESS, 12),
    (num::TIME_CREATE, 12),
    (num::TIME_METADATA, 12),
    (num::TIME_MODIFY, 12),
    (num::MOUNTED_ON_FILEID, 8),
];

/// Length of an [`image`], in bytes.
const IMAGE_LEN: usize = 108;
/// Number of masks whose templates are kept, a power of two.
const KEPT: usize = 32;
/// Maximum length of a fattr4 that is kept, in bytes; all attributes but fs_locations fit.
const MAX_LEN: usize = 640;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::encode::{View, encode};
    use crate::fs::{Attrs, Capabilities, Device, FileKind, FsHandle};
    use crate::time::Wall;

    fn attrs(seed: u64) -> Attrs {
        let part = |number: u64| {
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(number as u32)
        };
        let time = |number| Wall {
            seconds: part(number) as i64,
            nanos: part(number + 1) as u32 % 1_000_000_000,
        };
        Attrs {
            kind: [FileKind::Regular, FileKind::Directory, FileKind::Fifo][seed as usize % 3],
            mode: part(1) as u32,
            links: part(2) as u32,
            uid: [0, 1, 1000, 65_534][seed as usize / 3 % 4],
            gid: [0, 100][seed as usize / 5 % 2],
            device: Device {
                major: part(3) as u32,
                minor: part(4) as u32,
            },
            fileid: part(5),
            change: part(6),
            size: part(7),
            space_used: part(8),
            accessed: time(9),
            modified: time(12),
            changed: time(15),
            created: time(18),
            fs: [0, 0, part(21)][seed as usize / 7 % 3],
            mounted_on: [0, part(22)][seed as usize / 2 % 2],
        }
    }

    #[test]
    fn each_object_is_encoded_as_it_is_alone() {
        let served = Bitmap::of(&core::array::from_fn::<u32, 82, _>(|number| number as u32));
        let view = View {
            capabilities: Capabilities {
                hard_links: true,
                symlinks: true,
                case_insensitive: false,
                case_preserving: true,
                max_name: 255,
                max_links: 1_000,
                max_file_size: 1 << 40,
                time_granularity: 1,
                ordered_cookies: true,
                local_locks: false,
            },
            counts_changes: true,
            fsid: 1,
            lease_seconds: 90,
            max_io: 1 << 20,
            served,
            returned: crate::attr::supported(2, &crate::Config::default()),
        };
        for mask in 0..2_000_u32 {
            // Every attribute alone, and then mixtures.
            let requested = if mask < 96 {
                Bitmap::of(&[mask])
            } else {
                let word = |turn| mask.wrapping_mul(0x85eb_ca6b).rotate_left(turn);
                Bitmap::from_words([word(0), word(7), word(13)])
            };
            let requested = requested & !crate::attr::WRITE_ONLY;
            let mut template = Template::new();
            for object in 0..12 {
                let handle = [object as u8; 60];
                let handle = FsHandle::new(&handle[..20 + object as usize / 6]).unwrap();
                let source = Source {
                    view: &view,
                    object: Object {
                        export: 7,
                        handle: &handle,
                        attrs: &attrs(u64::from(mask) + object / 3),
                        covers: None,
                    },
                    stat: None,
                    locations: None,
                };
                let (mut alone, mut made) = (Writer::new(), Writer::new());
                made.u32(9);
                encode(&mut alone, &requested, &source);
                if !template.encode(&mut made, &source.object) {
                    template.learn(&mut made, &requested, &source);
                }
                assert_eq!(&made.as_slice()[4..], alone.as_slice(), "{requested:?}");
            }
        }
    }

    #[test]
    fn all_fields_are_in_the_image() {
        let lens: usize = FIELDS.iter().map(|(_, len)| usize::from(*len)).sum();
        assert_eq!(lens, IMAGE_LEN);
        assert!(FIELDS.is_sorted());
    }
}
