//! What an OPEN waits for. [RFC 8881 §18.16]

use nfs4_proto::nfs4::status::Status;

use crate::keys::ClientKey;

/// What an OPEN asks the file system for, as far as that matters when it has answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// Why no file may be made, if the OPEN could make one.
    pub(crate) barred: Option<Barred>,
    /// The client whose open is reserved.
    pub(crate) room: Option<ClientKey>,
    /// An existing file is truncated.
    pub(crate) cut: bool,
    /// The file system does not check the user's rights: the user must be the owner of the file.
    pub(crate) by_owner: bool,
    /// The creation cannot be repeated: the second time it would be refused, because the file exists or
    /// because of its mode.
    pub(crate) once: bool,
}

/// Why an OPEN that may make a file must not make this one: the file system is asked only for an
/// existing file, so that an OPEN which cannot succeed leaves no file behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// The OPEN claims a delegation of its client, whose file exists.
    Claims,
    /// The export is read-only.
    ReadOnly,
    /// The size is beyond the largest file.
    TooLong,
    /// There is no room for one more open; an OPEN of a file that its owner has open needs none.
    Full(Status),
}

impl Barred {
    /// The status if the file does not exist.
    pub(crate) const fn when_absent(self) -> Status {
        match self {
            Barred::Claims => Status::NOENT,
            Barred::ReadOnly => Status::ROFS,
            Barred::TooLong => Status::FBIG,
            Barred::Full(status) => status,
        }
    }
}
