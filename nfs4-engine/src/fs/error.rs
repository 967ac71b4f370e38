//! The errors of a file system.

use nfs4_proto::nfs4::status::Status;

/// The error of a file system; each maps to one NFS status. [RFC 8881 §15.1]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FsError {
    /// The caller is not the owner (EPERM).
    #[error("not the owner")]
    NotPermitted,
    /// Permission denied (EACCES).
    #[error("permission denied")]
    AccessDenied,
    /// The object does not exist (ENOENT).
    #[error("no such object")]
    NotFound,
    /// The name exists already (EEXIST).
    #[error("the name is taken")]
    Exists,
    /// The object must be a directory (ENOTDIR).
    #[error("not a directory")]
    NotDirectory,
    /// The object is a directory (EISDIR).
    #[error("is a directory")]
    IsDirectory,
    /// The object is a symbolic link, where a file or directory is needed.
    #[error("is a symbolic link")]
    IsSymlink,
    /// The object has another type than the request needs, and is neither a directory nor a link.
    #[error("wrong type of object")]
    WrongType,
    /// The directory is not empty.
    #[error("directory not empty")]
    NotEmpty,
    /// An argument is invalid for this object (EINVAL).
    #[error("invalid argument")]
    Invalid,
    /// The file would be too large.
    #[error("file too large")]
    TooLarge,
    /// No space is left.
    #[error("no space left")]
    NoSpace,
    /// The user's quota is used up.
    #[error("quota exceeded")]
    Quota,
    /// The object has too many hard links.
    #[error("too many links")]
    TooManyLinks,
    /// Source and target are on different file systems.
    #[error("across file systems")]
    CrossDevice,
    /// The name is too long.
    #[error("name too long")]
    NameTooLong,
    /// The name contains characters that cannot be stored.
    #[error("bad character in name")]
    BadName,
    /// The file system is read-only.
    #[error("read-only file system")]
    ReadOnly,
    /// The object of the handle no longer exists.
    #[error("stale filehandle")]
    Stale,
    /// The file system never made this handle.
    #[error("bad filehandle")]
    BadHandle,
    /// The file system never returned this cookie for this directory.
    #[error("bad cookie")]
    BadCookie,
    /// The file system does not support the request.
    #[error("not supported")]
    NotSupported,
    /// The hardware or a layer below failed.
    #[error("input or output error")]
    Io,
    /// The file system cannot answer now; the client tries again later.
    #[error("try again later")]
    Busy,
    /// The request was dropped without an answer, or its answer was invalid.
    #[error("the file system gave no proper answer")]
    NoAnswer,
    /// Set by the driver: the file system panicked.
    #[error("the file system panicked")]
    Panicked,
    /// Set by the driver: the file system answered `Pending` without taking a
    /// [`Completion`](super::Completion), took one and answered at once, or took more than one.
    #[error("the file system mixed answering at once and later")]
    Misused,
}

impl FsError {
    /// All variants, in the order of their declaration.
    pub const ALL: &'static [FsError] = &[
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

    /// Whether it stands for a missing or invalid answer, and is not the file system's own.
    pub(crate) const fn is_no_answer(self) -> bool {
        matches!(
            self,
            FsError::NoAnswer | FsError::Panicked | FsError::Misused
        )
    }

    /// The status that a client gets.
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

/// The status of an operation whose file system refused.
impl From<FsError> for Status {
    fn from(error: FsError) -> Status {
        error.status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_at_its_index() {
        for (place, error) in FsError::ALL.iter().copied().enumerate() {
            assert_eq!(error as usize, place);
        }
    }
}
