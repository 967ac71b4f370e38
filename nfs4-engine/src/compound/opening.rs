//! What an OPEN waits for. [RFC 8881 §18.16]

use nfs4_proto::nfs4::status::Status;

use crate::keys::ClientKey;

/// What an OPEN asks the file system for, as far as that matters when it has answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// Why no file may be made, if the OPEN could make one.
    pub(crate) barred: Option<Barred>,
    /// The client for whose open room is kept.
    pub(crate) room: Option<ClientKey>,
    /// A file that is there is cut.
    pub(crate) cut: bool,
    /// What was made once cannot be made again: the second time it is refused, because the file is
    /// there or because of the file's mode.
    pub(crate) once: bool,
}

/// Why an OPEN that may make a file must not make this one: the file system is asked only for one
/// that is there, so that an OPEN which cannot succeed leaves no file behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// The OPEN claims what is delegated to its client, which is there.
    Claims,
    /// Nothing can be changed there.
    ReadOnly,
    /// The size is beyond the largest file.
    TooLong,
    /// There is no room for one more open; one of a file that its owner has open needs none.
    Full(Status),
}

impl Barred {
    /// What is answered if the file is not there.
    pub(crate) const fn when_absent(self) -> Status {
        match self {
            Barred::Claims => Status::NOENT,
            Barred::ReadOnly => Status::ROFS,
            Barred::TooLong => Status::FBIG,
            Barred::Full(status) => status,
        }
    }
}
