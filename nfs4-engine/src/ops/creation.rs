//! How an OPEN creates a file, or truncates an existing one. [RFC 8881 §18.16.3]

use nfs4_proto::nfs4::args::{CreateHow, OpenFlag};
use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::status::Status;

use crate::attr;
use crate::compound::opening::{Barred, Opening};
use crate::fs::{Attrs, Creation, FsError, SetAttrs};

/// Whether the OPEN fails if the file exists; the user's rights to that file do not matter then.
pub(super) fn wants_new(how: &OpenFlag<'_>) -> bool {
    match how {
        OpenFlag::Create(
            CreateHow::Guarded(_) | CreateHow::Exclusive(_) | CreateHow::Exclusive41 { .. },
        ) => true,
        OpenFlag::NoCreate | OpenFlag::Create(CreateHow::Unchecked(_)) => false,
    }
}

/// The file that the file system creates if none exists.
///
/// # Errors
/// INVAL for attributes that an exclusive creation cannot set, and those of
/// [`attr::decode_settable`].
pub(super) fn wanted(how: &OpenFlag<'_>, served: &Bitmap) -> Result<Creation, Status> {
    let OpenFlag::Create(how) = how else {
        return Ok(Creation::No);
    };
    Ok(match how {
        CreateHow::Unchecked(attrs) => Creation::Unchecked(attr::decode_settable(attrs, served)?),
        CreateHow::Guarded(attrs) => Creation::Guarded(attr::decode_settable(attrs, served)?),
        CreateHow::Exclusive(verifier) => Creation::Exclusive {
            verifier: verifier.0,
            set: for_the_owner_alone(SetAttrs::default()),
        },
        CreateHow::Exclusive41 { verf, attrs } => {
            if !attr::exclusive_create().contains_all(&attrs.mask) {
                return Err(Status::INVAL);
            }
            Creation::Exclusive {
                verifier: verf.0,
                set: for_the_owner_alone(attr::decode_settable(attrs, served)?),
            }
        }
    })
}

/// An exclusive creation is followed by a SETATTR; no other user can open the file before that.
/// [RFC 8881 §18.16.4]
fn for_the_owner_alone(set: SetAttrs) -> SetAttrs {
    SetAttrs {
        mode: set.mode.or(Some(OWNER_ONLY)),
        ..set
    }
}

/// Whether an existing file is truncated: an UNCHECKED creation with length zero does so, and any other
/// length leaves the file as it is.
pub(super) fn cuts(create: &Creation) -> bool {
    match create {
        Creation::Unchecked(set) => set.size == Some(0),
        Creation::No | Creation::Guarded(_) | Creation::Exclusive { .. } => false,
    }
}

/// The length of the new file, in bytes.
pub(super) fn length(create: &Creation) -> u64 {
    let set = match create {
        Creation::No => return 0,
        Creation::Unchecked(set) | Creation::Guarded(set) | Creation::Exclusive { set, .. } => set,
    };
    set.size.unwrap_or(0)
}

/// [`Opening::once`].
pub(super) fn happens_once(create: &Creation) -> bool {
    match create {
        Creation::Guarded(_) => true,
        Creation::Unchecked(set) => set.mode.is_some_and(|mode| mode & OWNER_ONLY != OWNER_ONLY),
        Creation::No | Creation::Exclusive { .. } => false,
    }
}

/// The attributes that were set on the new file, and those that hold the verifier of an exclusive
/// creation, which the client sets itself then. [RFC 8881 §18.16.4]
pub(super) fn given(how: &OpenFlag<'_>, now: &Attrs) -> Bitmap {
    match how {
        OpenFlag::NoCreate => Bitmap::default(),
        OpenFlag::Create(CreateHow::Unchecked(attrs) | CreateHow::Guarded(attrs)) => attrs.mask,
        OpenFlag::Create(CreateHow::Exclusive(verifier)) => {
            with_verifier(Bitmap::default(), verifier.0, now)
        }
        OpenFlag::Create(CreateHow::Exclusive41 { verf, attrs }) => {
            with_verifier(attrs.mask, verf.0, now)
        }
    }
}

fn with_verifier(set: Bitmap, verifier: [u8; 8], now: &Attrs) -> Bitmap {
    if (now.accessed, now.modified) != Creation::verifier_times(verifier) {
        return set;
    }
    // As Linux's server does, and not as those that are set: its client looks for these.
    set.with(num::TIME_ACCESS).with(num::TIME_MODIFY)
}

impl Opening {
    /// The status if the file exists, or was created, and must not be opened.
    pub(super) fn when_there(&self, how: &OpenFlag<'_>) -> Option<Status> {
        let barred = self.barred?;
        if !wants_new(how) {
            return None;
        }
        let guarded = matches!(how, OpenFlag::Create(CreateHow::Guarded(_)));
        Some(match barred {
            // The OPEN may be a retry of the same exclusive creation, which cannot be known here.
            Barred::Full(status) if !guarded => status,
            Barred::Full(_) | Barred::Claims | Barred::ReadOnly | Barred::TooLong => Status::EXIST,
        })
    }

    /// The status if the file system refuses the OPEN.
    pub(super) fn when_refused(&self, how: &OpenFlag<'_>, error: FsError) -> Status {
        match (error, self.barred) {
            (FsError::NotFound, Some(barred)) => barred.when_absent(),
            // Another kind of object has the name.
            (FsError::IsDirectory | FsError::IsSymlink | FsError::WrongType, Some(_)) => {
                self.when_there(how).unwrap_or(error.status())
            }
            _ => error.status(),
        }
    }
}

/// The mode that allows the owner to read and write, and denies other users all access.
const OWNER_ONLY: u32 = 0o600;
