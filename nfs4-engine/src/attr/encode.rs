//! Encoding of fattr4 from the answers of file systems and the configuration. [RFC 8881 §3.3.7]

use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::consts::FH4_PERSISTENT;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader, Writer};

use super::open_arguments::open_arguments;
use super::supported::exclusive_create;
use crate::fh;
use crate::fs::{Attrs, Capabilities, FileKind, FsHandle, FsStat};
use crate::time::Wall;

/// The properties that all objects of an export share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) capabilities: Capabilities,
    /// The change attribute is a counter, and never goes back.
    pub(crate) counts_changes: bool,
    /// The first word of the fsid.
    pub(crate) fsid: u64,
    pub(crate) lease_seconds: u32,
    pub(crate) max_io: u32,
    /// The attributes that `supported_attrs` lists.
    pub(crate) served: Bitmap,
    /// The attributes that are sent if a client requests them.
    pub(crate) returned: Bitmap,
}

/// An object whose attributes are encoded.
pub(crate) struct Object<'a> {
    pub(crate) export: u16,
    pub(crate) handle: &'a FsHandle,
    pub(crate) attrs: &'a Attrs,
    /// The fileid of the directory that the object covers, if it does.
    pub(crate) covers: Option<u64>,
}

/// Where attributes are taken from.
pub(crate) struct Source<'a> {
    pub(crate) view: &'a View,
    pub(crate) object: Object<'a>,
    /// Present if an attribute of the file system was requested.
    pub(crate) stat: Option<&'a FsStat>,
    /// An fs_locations4, present if it was requested and is served.
    pub(crate) locations: Option<&'a [u8]>,
}

impl Object<'_> {
    /// The fileid of the directory that it covers, or else its own. [RFC 8881 §5.8.2.23]
    #[inline]
    pub(super) fn mounted_on(&self) -> u64 {
        let own = match self.attrs.mounted_on {
            0 => self.attrs.fileid,
            covered => covered,
        };
        self.covers.unwrap_or(own)
    }
}

/// Encodes a fattr4 with the requested attributes that are sent, in ascending order.
pub(crate) fn encode(w: &mut Writer, requested: &Bitmap, source: &Source<'_>) {
    encode_noting(w, requested, source, |_, _| {});
}

/// The same; `note` gets the number and the offset of each attribute.
#[inline]
pub(super) fn encode_noting(
    w: &mut Writer,
    requested: &Bitmap,
    source: &Source<'_>,
    mut note: impl FnMut(u32, usize),
) {
    let mut returned = *requested & source.view.returned;
    if source.stat.is_none() {
        returned = returned & !super::supported::FROM_STAT;
    }
    if source.locations.is_none() {
        returned.remove(num::FS_LOCATIONS);
    }
    returned.encode(w);
    let len_at = w.reserve_u32();
    let start = w.len();
    for number in returned.iter() {
        note(number, w.len());
        value(w, number, source);
    }
    // The length is a few kilobytes.
    let len = u32::try_from(w.len() - start).unwrap_or(u32::MAX);
    w.patch_u32(len_at, len);
}

/// Overwrites change attribute and length in the fattr4 that begins at `at`, as far as it has them.
pub(crate) fn overwrite_change_and_size(w: &mut Writer, at: usize, change: u64, size: u64) {
    let fattr = w.as_slice().get(at..).unwrap_or_default();
    let Some((mask, mut place)) = data_of(fattr) else {
        return;
    };
    for (number, value) in [(num::CHANGE, change), (num::SIZE, size)] {
        if mask.contains(number) {
            let [high, low] = [(value >> 32) as u32, value as u32];
            w.patch_u32(at + place, high);
            w.patch_u32(at + place + 4, low);
            place += 8;
        }
    }
}

/// The mask of a fattr4, and the offset of its change attribute: only attributes of a lower number
/// come before it.
fn data_of(fattr: &[u8]) -> Option<(Bitmap, usize)> {
    let mut r = Reader::new(fattr);
    let mask = Bitmap::decode(&mut r).ok()?;
    r.u32().ok()?;
    if mask.contains(num::SUPPORTED_ATTRS) {
        Bitmap::decode(&mut r).ok()?;
    }
    for number in [num::TYPE, num::FH_EXPIRE_TYPE] {
        if mask.contains(number) {
            r.u32().ok()?;
        }
    }
    Some((mask, r.position()))
}

/// Encodes a fattr4 for an object whose attributes cannot be read because of `status`:
/// `rdattr_error`, if it was requested, and `mounted_on_fileid`, if it is known.
/// [RFC 8881 §5.8.1.12]
pub(crate) fn encode_failed(
    w: &mut Writer,
    requested: &Bitmap,
    status: Status,
    mounted_on: Option<u64>,
) {
    let mut returned = *requested & Bitmap::of(&[num::RDATTR_ERROR, num::MOUNTED_ON_FILEID]);
    if mounted_on.is_none() {
        returned.remove(num::MOUNTED_ON_FILEID);
    }
    returned.encode(w);
    let len_at = w.reserve_u32();
    let start = w.len();
    for number in returned.iter() {
        match number {
            num::RDATTR_ERROR => w.u32(status.0),
            _ => w.u64(mounted_on.unwrap_or_default()),
        }
    }
    let len = u32::try_from(w.len() - start).unwrap_or(u32::MAX);
    w.patch_u32(len_at, len);
}

fn value(w: &mut Writer, number: u32, source: &Source<'_>) {
    let (view, object) = (source.view, &source.object);
    let attrs = object.attrs;
    let stat = || source.stat.copied().unwrap_or_default();
    match number {
        num::SUPPORTED_ATTRS => view.served.encode(w),
        num::TYPE => w.u32(wire_type(attrs.kind)),
        num::FH_EXPIRE_TYPE => w.u32(FH4_PERSISTENT),
        num::CHANGE => w.u64(attrs.change),
        num::SIZE => w.u64(attrs.size),
        num::LINK_SUPPORT => w.bool(view.capabilities.hard_links),
        num::SYMLINK_SUPPORT => w.bool(view.capabilities.symlinks),
        num::NAMED_ATTR => w.bool(false),
        num::FSID => {
            // The second word says which file system of the export it is. [RFC 8881 §5.8.1.9]
            w.u64(view.fsid);
            w.u64(attrs.fs);
        }
        num::UNIQUE_HANDLES => w.bool(true),
        num::LEASE_TIME => w.u32(view.lease_seconds),
        num::RDATTR_ERROR => w.u32(0),
        num::CANSETTIME => w.bool(true),
        num::CASE_INSENSITIVE => w.bool(view.capabilities.case_insensitive),
        num::CASE_PRESERVING => w.bool(view.capabilities.case_preserving),
        num::CHOWN_RESTRICTED => w.bool(true),
        num::FILEHANDLE => fh::encode(object.export, object.handle, w),
        num::FILEID => w.u64(attrs.fileid),
        num::MOUNTED_ON_FILEID => w.u64(object.mounted_on()),
        num::FILES_AVAIL => w.u64(stat().files_avail),
        num::FILES_FREE => w.u64(stat().files_free),
        num::FILES_TOTAL => w.u64(stat().files_total),
        num::FS_LOCATIONS => w.raw(source.locations.unwrap_or_default()),
        num::HOMOGENEOUS => w.bool(true),
        num::MAXFILESIZE => w.u64(view.capabilities.max_file_size),
        num::MAXLINK => w.u32(view.capabilities.max_links),
        num::MAXNAME => w.u32(view.capabilities.max_name.min(255)),
        num::MAXREAD | num::MAXWRITE => w.u64(u64::from(view.max_io)),
        num::MODE => w.u32(attrs.mode & 0o7777),
        num::NO_TRUNC => w.bool(true),
        num::NUMLINKS => w.u32(attrs.links),
        num::OWNER => decimal(w, attrs.uid),
        num::OWNER_GROUP => decimal(w, attrs.gid),
        num::RAWDEV => {
            w.u32(attrs.device.major);
            w.u32(attrs.device.minor);
        }
        num::SPACE_AVAIL => w.u64(stat().space_avail),
        num::SPACE_FREE => w.u64(stat().space_free),
        num::SPACE_TOTAL => w.u64(stat().space_total),
        num::SPACE_USED => w.u64(attrs.space_used),
        num::TIME_ACCESS => time(w, attrs.accessed),
        num::TIME_CREATE => time(w, attrs.created),
        num::TIME_DELTA => time(w, granularity(view.capabilities.time_granularity)),
        num::TIME_METADATA => time(w, attrs.changed),
        num::TIME_MODIFY => time(w, attrs.modified),
        num::SUPPATTR_EXCLCREAT => exclusive_create().encode(w),
        num::OPEN_ARGUMENTS => open_arguments().encode(w),
        num::CHANGE_ATTR_TYPE => w.u32(match view.counts_changes {
            true => NFS4_CHANGE_TYPE_IS_VERSION_COUNTER,
            false => NFS4_CHANGE_TYPE_IS_UNDEFINED,
        }),
        _ => debug_assert!(false, "attribute {number} is advertised and has no value"),
    }
}

pub(super) fn wire_type(kind: FileKind) -> u32 {
    match kind {
        FileKind::Regular => 1,
        FileKind::Directory => 2,
        FileKind::BlockDevice => 3,
        FileKind::CharDevice => 4,
        FileKind::Symlink => 5,
        FileKind::Socket => 6,
        FileKind::Fifo => 7,
    }
}

fn time(w: &mut Writer, at: Wall) {
    w.i64(at.seconds);
    w.u32(at.nanos);
}

fn granularity(nanos: u32) -> Wall {
    Wall {
        seconds: i64::from(nanos / 1_000_000_000),
        nanos: nanos % 1_000_000_000,
    }
}

/// Encodes a user or group id as a string of digits. [RFC 8881 §5.9]
pub(crate) fn decimal(w: &mut Writer, mut id: u32) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (id % 10) as u8;
        id /= 10;
        if id == 0 {
            break;
        }
    }
    w.opaque(&digits[at..]);
}

/// The change attribute is a counter. [RFC 7862 §12.2.3]
const NFS4_CHANGE_TYPE_IS_VERSION_COUNTER: u32 = 1;
const NFS4_CHANGE_TYPE_IS_UNDEFINED: u32 = 4;
