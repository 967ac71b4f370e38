//! The faults of a file system.

use core::fmt;

use super::FsError;

/// A breach of the contract of a file system, which [`FsOp`](super::FsOp) and
/// [`Backend`](super::Backend) state. Only the request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FsFault {
    /// An error that the request may not return ([`FsCall::errors`](super::call::FsCall::errors)):
    /// the client gets the nearest status that the operation may return. Or there was no valid
    /// answer.
    Error(FsError),
    /// The answer is for another kind of request, or for another request.
    Reply,
    /// The request was answered again; only the first answer counts.
    Again,
    /// Invalid attributes: a `fileid` of zero, a `size` beyond 2^63 - 1, a time with 10^9 or more
    /// nanoseconds; or the attributes of an object that cannot be opened.
    Attributes,
    /// The answer lacks the space of the file system, which was requested.
    Stat,
    /// An invalid number of bytes: more than requested, or none although the file does not end
    /// there.
    Length,
    /// More than [`Payload::MAX_PIECES`](super::Payload::MAX_PIECES) pieces of bytes.
    Pieces,
    /// The written bytes are less durable than requested.
    Stability,
    /// The target of a symbolic link is empty, too long, or contains NUL.
    Target,
    /// The handle is that of another object than the one to open.
    Handle,
    /// The name of a directory entry is empty, ".", ".." or too long, or contains '/' or NUL.
    Name,
    /// The cookie of a directory entry is 0, 1 or 2, or not greater than that before it, with ordered cookies.
    Cookie,
    /// A listing has neither an entry nor an end.
    Unended,
    /// A lock of another process that does not conflict with the requested one.
    Lock,
}

impl FsFault {
    /// Number of faults.
    pub(crate) const COUNT: usize = FsError::ALL.len() + OTHERS;

    /// Its index among all faults.
    pub(crate) const fn index(self) -> usize {
        let other = match self {
            FsFault::Error(error) => return error as usize,
            FsFault::Reply => 0,
            FsFault::Again => 1,
            FsFault::Attributes => 2,
            FsFault::Stat => 3,
            FsFault::Length => 4,
            FsFault::Stability => 5,
            FsFault::Target => 6,
            FsFault::Handle => 7,
            FsFault::Name => 8,
            FsFault::Cookie => 9,
            FsFault::Unended => 10,
            FsFault::Pieces => 11,
            FsFault::Lock => 12,
        };
        FsError::ALL.len() + other
    }
}

impl fmt::Display for FsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            FsFault::Error(error) if error.is_no_answer() => return write!(f, "{error}"),
            FsFault::Error(error) => return write!(f, "{error:?} is not an error of this request"),
            FsFault::Reply => "the answer is for another request",
            FsFault::Again => "the request was answered again",
            FsFault::Attributes => "the attributes are invalid",
            FsFault::Stat => "the space of the file system is missing",
            FsFault::Length => "the number of bytes is invalid",
            FsFault::Pieces => "the bytes come in too many pieces",
            FsFault::Stability => "the bytes are less durable than requested",
            FsFault::Target => "the target of a symbolic link is invalid",
            FsFault::Handle => "the handle is that of another object",
            FsFault::Name => "an entry with an invalid name is left out",
            FsFault::Cookie => "an entry with an invalid cookie is left out",
            FsFault::Lock => "the lock of another process does not conflict",
            FsFault::Unended => "the listing has neither an entry nor an end",
        };
        f.write_str(text)
    }
}

/// Number of faults that are not errors.
const OTHERS: usize = 13;
