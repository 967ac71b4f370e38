//! Decoding of a fattr4 that a client sets. [RFC 8881 §5.4, §18.30]

use nfs4_proto::nfs4::attr::{Bitmap, FattrRaw, num};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Reader, XdrError};

use crate::fs::{SetAttrs, SetTime};
use crate::time::Wall;

/// Decodes the attributes to set.
///
/// # Errors
/// ATTRNOTSUPP for an attribute that is not served, INVAL for one that cannot be set or has an
/// invalid value, BADOWNER, BADXDR if the values do not fill their length.
pub(crate) fn decode_settable(fattr: &FattrRaw<'_>, served: &Bitmap) -> Result<SetAttrs, Status> {
    if !served.contains_all(&fattr.mask) {
        return Err(Status::ATTRNOTSUPP);
    }
    if !SETTABLE.contains_all(&fattr.mask) {
        return Err(Status::INVAL);
    }
    let mut set = SetAttrs::default();
    let mut values = Reader::new(fattr.values);
    for number in fattr.mask.iter() {
        one(&mut set, number, &mut values)?;
    }
    if values.is_empty() {
        Ok(set)
    } else {
        Err(Status::BADXDR)
    }
}

fn one(set: &mut SetAttrs, number: u32, r: &mut Reader<'_>) -> Result<(), Status> {
    match number {
        num::SIZE => set.size = Some(r.u64()?),
        num::MODE => {
            let mode = r.u32()?;
            if mode & !0o7777 != 0 {
                return Err(Status::INVAL);
            }
            set.mode = Some(mode);
        }
        num::OWNER => set.uid = Some(owner(r.opaque(MAX_OWNER)?)?),
        num::OWNER_GROUP => set.gid = Some(owner(r.opaque(MAX_OWNER)?)?),
        num::TIME_ACCESS_SET => set.accessed = set_time(r)?,
        num::TIME_MODIFY_SET => set.modified = set_time(r)?,
        num::TIME_CREATE => set.created = Some(time(r)?),
        _ => return Err(Status::INVAL),
    }
    Ok(())
}

fn set_time(r: &mut Reader<'_>) -> Result<SetTime, Status> {
    match r.u32()? {
        0 => Ok(SetTime::Server),
        1 => Ok(SetTime::Client(time(r)?)),
        _ => Err(XdrError::BadDiscriminant.into()),
    }
}

fn time(r: &mut Reader<'_>) -> Result<Wall, Status> {
    let at = Wall {
        seconds: r.i64()?,
        nanos: r.u32()?,
    };
    if at.nanos < 1_000_000_000 {
        Ok(at)
    } else {
        Err(Status::INVAL)
    }
}

/// Decodes a user or group: digits, with or without a domain. [RFC 8881 §5.9]
fn owner(name: &[u8]) -> Result<u32, Status> {
    let digits = name.split(|byte| *byte == b'@').next().unwrap_or_default();
    if digits.is_empty() {
        return Err(if name.is_empty() {
            Status::INVAL
        } else {
            Status::BADOWNER
        });
    }
    let text = core::str::from_utf8(digits).map_err(|_| Status::INVAL)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Status::BADOWNER);
    }
    match text.parse() {
        // System calls take this id for "unchanged".
        Ok(u32::MAX) | Err(_) => Err(Status::BADOWNER),
        Ok(id) => Ok(id),
    }
}

const SETTABLE: Bitmap = Bitmap::of(&[
    num::SIZE,
    num::MODE,
    num::OWNER,
    num::OWNER_GROUP,
    num::TIME_ACCESS_SET,
    num::TIME_CREATE,
    num::TIME_MODIFY_SET,
]);

/// Maximum length of an owner string, in bytes.
const MAX_OWNER: usize = 1024;
