//! What a file system does wrong.

use core::fmt;

use super::FsError;

/// What a file system does that its contract, stated at [`FsOp`](super::FsOp) and
/// [`Backend`](super::Backend), does not allow. It costs the request alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FsFault {
    /// An error that the request may not be answered ([`FsCall::errors`](super::FsCall::errors)):
    /// the client gets the nearest status that it may get. Or there was no proper answer.
    Error(FsError),
    /// The answer is one to another kind of request, or to another request.
    Reply,
    /// The request was answered once more, and only the first answer counts.
    Again,
    /// Attributes that cannot be: a `fileid` of zero, a `size` beyond 2^63 - 1, a time with 10^9 or
    /// more nanoseconds; or those of something that cannot be opened.
    Attributes,
    /// The room in the file system was asked for and is not in the answer.
    Stat,
    /// Fewer or more bytes than there may be: more than asked, or none although there is no end.
    Length,
    /// Written bytes are less durable than asked.
    Stability,
    /// The target of a symbolic link is empty, too long, or holds NUL.
    Target,
    /// The handle of another object than the one that was to be opened.
    Handle,
    /// The name of a directory entry is empty, ".", ".." or too long, or holds '/' or NUL.
    Name,
    /// The cookie of a directory entry is 0, 1 or 2, or not greater than the one before it.
    Cookie,
    /// A listing that has neither an entry nor an end.
    Unended,
}

impl FsFault {
    /// How many there are.
    pub(crate) const COUNT: usize = FsError::ALL.len() + OTHERS;

    /// Its place among all.
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
        };
        FsError::ALL.len() + other
    }
}

impl fmt::Display for FsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            FsFault::Error(error) if error.is_no_answer() => return write!(f, "{error}"),
            FsFault::Error(error) => return write!(f, "{error:?} is no error of this request"),
            FsFault::Reply => "the answer is another request's",
            FsFault::Again => "the request was answered before",
            FsFault::Attributes => "the attributes cannot be",
            FsFault::Stat => "the room in the file system is missing",
            FsFault::Length => "the number of bytes cannot be",
            FsFault::Stability => "the bytes are less durable than asked",
            FsFault::Target => "the target of a symbolic link cannot be",
            FsFault::Handle => "the handle is another object's",
            FsFault::Name => "an entry with such a name is left out",
            FsFault::Cookie => "an entry with such a cookie is left out",
            FsFault::Unended => "the listing has neither an entry nor an end",
        };
        f.write_str(text)
    }
}

/// Faults that are no errors.
const OTHERS: usize = 11;
