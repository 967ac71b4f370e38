//! What can go wrong in a file system.

use nfs4_proto::nfs4::status::Status;

/// Why a file system refuses; each maps to one NFS status. [RFC 8881 §15.1]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FsError {
    /// The caller is not the owner (EPERM).
    #[error("not the owner")]
    NotPermitted,
    /// Permission denied (EACCES).
    #[error("permission denied")]
    AccessDenied,
    /// No such object (ENOENT).
    #[error("no such object")]
    NotFound,
    /// The name is taken (EEXIST).
    #[error("the name is taken")]
    Exists,
    /// A directory is needed (ENOTDIR).
    #[error("not a directory")]
    NotDirectory,
    /// It is a directory (EISDIR).
    #[error("is a directory")]
    IsDirectory,
    /// It is a symbolic link, where a file or directory is needed.
    #[error("is a symbolic link")]
    IsSymlink,
    /// It is of another type than the request needs, and neither a directory nor a link.
    #[error("wrong type of object")]
    WrongType,
    /// The directory is not empty.
    #[error("directory not empty")]
    NotEmpty,
    /// An argument is senseless for this object (EINVAL).
    #[error("invalid argument")]
    Invalid,
    /// The file would be too large.
    #[error("file too large")]
    TooLarge,
    /// No room left.
    #[error("no space left")]
    NoSpace,
    /// The user's quota is used up.
    #[error("quota exceeded")]
    Quota,
    /// Too many hard links.
    #[error("too many links")]
    TooManyLinks,
    /// Source and target are on different file systems.
    #[error("across file systems")]
    CrossDevice,
    /// The name is too long.
    #[error("name too long")]
    NameTooLong,
    /// The name holds characters that cannot be stored.
    #[error("bad character in name")]
    BadName,
    /// The file system is read-only.
    #[error("read-only file system")]
    ReadOnly,
    /// The object of the handle is gone.
    #[error("stale filehandle")]
    Stale,
    /// The handle was never given out.
    #[error("bad filehandle")]
    BadHandle,
    /// The cookie was never given out for this directory.
    #[error("bad cookie")]
    BadCookie,
    /// The file system does not do this.
    #[error("not supported")]
    NotSupported,
    /// The hardware or what is below failed.
    #[error("input or output error")]
    Io,
    /// Not now; the client tries again later.
    #[error("try again later")]
    Busy,
    /// The request was dropped without an answer, or its answer was none to it.
    #[error("the file system gave no proper answer")]
    NoAnswer,
    /// A driver's: the file system panicked.
    #[error("the file system panicked")]
    Panicked,
    /// A driver's: the file system waits without a [`Completion`](super::Completion), or took one
    /// and answered at once, or took more than one.
    #[error("the file system mixed answering at once and later")]
    Misused,
}

impl FsError {
    /// All of them, in the order of their declaration.
    pub const ALL: [FsError; 27] = [
        FsError::NotPermitted,
        FsError::AccessDenied,
        FsError::NotFound,
        FsError::Exists,
        FsError::NotDirectory,
        FsError::IsDirectory,
        FsError::IsSymlink,
        FsError::WrongType,
        FsError::NotEmpty,
        FsError::Invalid,
        FsError::TooLarge,
        FsError::NoSpace,
        FsError::Quota,
        FsError::TooManyLinks,
        FsError::CrossDevice,
        FsError::NameTooLong,
        FsError::BadName,
        FsError::ReadOnly,
        FsError::Stale,
        FsError::BadHandle,
        FsError::BadCookie,
        FsError::NotSupported,
        FsError::Io,
        FsError::Busy,
        FsError::NoAnswer,
        FsError::Panicked,
        FsError::Misused,
    ];

    /// Whether it says that there is no answer of the file system's, rather than what that is.
    pub(crate) const fn is_no_answer(self) -> bool {
        matches!(
            self,
            FsError::NoAnswer | FsError::Panicked | FsError::Misused
        )
    }

    /// The status that a client sees.
    pub fn status(self) -> Status {
        match self {
            FsError::NotPermitted => Status::PERM,
            FsError::AccessDenied => Status::ACCESS,
            FsError::NotFound => Status::NOENT,
            FsError::Exists => Status::EXIST,
            FsError::NotDirectory => Status::NOTDIR,
            FsError::IsDirectory => Status::ISDIR,
            FsError::IsSymlink => Status::SYMLINK,
            FsError::WrongType => Status::WRONG_TYPE,
            FsError::NotEmpty => Status::NOTEMPTY,
            FsError::Invalid => Status::INVAL,
            FsError::TooLarge => Status::FBIG,
            FsError::NoSpace => Status::NOSPC,
            FsError::Quota => Status::DQUOT,
            FsError::TooManyLinks => Status::MLINK,
            FsError::CrossDevice => Status::XDEV,
            FsError::NameTooLong => Status::NAMETOOLONG,
            FsError::BadName => Status::BADCHAR,
            FsError::ReadOnly => Status::ROFS,
            FsError::Stale => Status::STALE,
            FsError::BadHandle => Status::BADHANDLE,
            FsError::BadCookie => Status::BAD_COOKIE,
            FsError::NotSupported => Status::NOTSUPP,
            FsError::Io => Status::IO,
            FsError::Busy => Status::DELAY,
            FsError::NoAnswer | FsError::Panicked | FsError::Misused => Status::SERVERFAULT,
        }
    }
}

/// What an operation answers whose file system refused.
impl From<FsError> for Status {
    fn from(error: FsError) -> Status {
        error.status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_at_their_places() {
        for (place, error) in FsError::ALL.into_iter().enumerate() {
            assert_eq!(error as usize, place);
        }
    }
}
