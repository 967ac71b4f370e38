//! The attributes that are served. [RFC 8881 §5.6, §5.7]

use nfs4_proto::nfs4::attr::{Bitmap, num};

use crate::config::Config;
use crate::fs::Want;

/// The attributes served in a minor version: a client can request or set them.
pub(crate) fn supported(minor: u32, config: &Config) -> Bitmap {
    let always = match minor {
        0 => SUPPORTED_V40,
        1 => SUPPORTED,
        _ => SUPPORTED_V42,
    };
    if config.server_addresses.is_empty() {
        always
    } else {
        always.with(num::FS_LOCATIONS)
    }
}

/// The attributes that are sent if a client requests them: those that are served and, in minor
/// version 1, `open_arguments`. It belongs to minor version 2 and is not listed; clients of minor
/// version 1 that know it request it without a look at the list. [RFC 9754 §2]
pub(crate) fn returned(minor: u32, config: &Config) -> Bitmap {
    let served = supported(minor, config);
    if minor == 0 {
        served
    } else {
        served.with(num::OPEN_ARGUMENTS)
    }
}

/// The attributes that may be set together with an exclusive creation. [RFC 8881 §5.8.1.14]
pub(crate) const fn exclusive_create() -> Bitmap {
    Bitmap::of(&[num::SIZE, num::MODE, num::OWNER, num::OWNER_GROUP])
}

/// The attributes of the file system that a GETATTR of this mask needs.
pub(crate) fn want(mask: &Bitmap) -> Want {
    Want {
        attrs: mask.intersects(&FROM_ATTRS),
        stat: mask.intersects(&FROM_STAT),
    }
}

/// Attributes that can only be set.
pub(crate) const WRITE_ONLY: Bitmap = Bitmap::of(&[num::TIME_ACCESS_SET, num::TIME_MODIFY_SET]);

/// Attributes that change with a file's bytes, wherever the bytes are written. [RFC 8881 §10.4]
pub(crate) const OF_DATA: Bitmap =
    Bitmap::of(&[num::CHANGE, num::SIZE, num::TIME_METADATA, num::TIME_MODIFY]);

const SUPPORTED_V40: Bitmap = Bitmap::of(&[
    num::SUPPORTED_ATTRS,
    num::TYPE,
    num::FH_EXPIRE_TYPE,
    num::CHANGE,
    num::SIZE,
    num::LINK_SUPPORT,
    num::SYMLINK_SUPPORT,
    num::NAMED_ATTR,
    num::FSID,
    num::UNIQUE_HANDLES,
    num::LEASE_TIME,
    num::RDATTR_ERROR,
    num::CANSETTIME,
    num::CASE_INSENSITIVE,
    num::CASE_PRESERVING,
    num::CHOWN_RESTRICTED,
    num::FILEHANDLE,
    num::FILEID,
    num::FILES_AVAIL,
    num::FILES_FREE,
    num::FILES_TOTAL,
    num::HOMOGENEOUS,
    num::MAXFILESIZE,
    num::MAXLINK,
    num::MAXNAME,
    num::MAXREAD,
    num::MAXWRITE,
    num::MODE,
    num::NO_TRUNC,
    num::NUMLINKS,
    num::OWNER,
    num::OWNER_GROUP,
    num::RAWDEV,
    num::SPACE_AVAIL,
    num::SPACE_FREE,
    num::SPACE_TOTAL,
    num::SPACE_USED,
    num::TIME_ACCESS,
    num::TIME_ACCESS_SET,
    num::TIME_CREATE,
    num::TIME_DELTA,
    num::TIME_METADATA,
    num::TIME_MODIFY,
    num::TIME_MODIFY_SET,
    num::MOUNTED_ON_FILEID,
]);

const SUPPORTED: Bitmap = SUPPORTED_V40.with(num::SUPPATTR_EXCLCREAT);

const SUPPORTED_V42: Bitmap = SUPPORTED
    .with(num::CHANGE_ATTR_TYPE)
    .with(num::OPEN_ARGUMENTS);

pub(super) const FROM_STAT: Bitmap = Bitmap::of(&[
    num::FILES_AVAIL,
    num::FILES_FREE,
    num::FILES_TOTAL,
    num::SPACE_AVAIL,
    num::SPACE_FREE,
    num::SPACE_TOTAL,
]);

const FROM_ATTRS: Bitmap = Bitmap::of(&[
    num::TYPE,
    num::CHANGE,
    num::SIZE,
    num::FILEID,
    num::MODE,
    num::NUMLINKS,
    num::OWNER,
    num::OWNER_GROUP,
    num::RAWDEV,
    num::SPACE_USED,
    num::TIME_ACCESS,
    num::TIME_CREATE,
    num::TIME_METADATA,
    num::TIME_MODIFY,
    num::MOUNTED_ON_FILEID,
]);
