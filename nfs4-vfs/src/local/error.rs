//! From the errors of system calls to those of a file system.

use nfs4_engine::fs::FsError;
use rustix::io::Errno;

/// The result of what a request needs.
pub(super) type Result<T> = std::result::Result<T, FsError>;

/// The error of a system call on names in a directory whose user has the rights that NFS asks for.
pub(super) fn of_names(error: Errno) -> FsError {
    match error {
        // A sticky or an immutable directory; LINK, REMOVE and RENAME have no status for the first.
        Errno::PERM => FsError::AccessDenied,
        // A file system is mounted there, which stays so.
        Errno::BUSY => FsError::AccessDenied,
        error => fs_error(error),
    }
}

/// The same when a name is made: the directory itself was removed.
pub(super) fn of_new_names(error: Errno) -> FsError {
    match error {
        Errno::NOENT => FsError::Stale,
        Errno::PERM => FsError::NotPermitted,
        error => of_names(error),
    }
}

/// The error of a system call on an object.
pub(super) fn fs_error(error: Errno) -> FsError {
    match error {
        Errno::PERM => FsError::NotPermitted,
        Errno::ACCESS => FsError::AccessDenied,
        Errno::NOENT => FsError::NotFound,
        Errno::EXIST => FsError::Exists,
        Errno::NOTDIR => FsError::NotDirectory,
        Errno::ISDIR => FsError::IsDirectory,
        Errno::LOOP => FsError::IsSymlink,
        Errno::NXIO | Errno::NODEV => FsError::WrongType,
        Errno::NOTEMPTY => FsError::NotEmpty,
        Errno::INVAL => FsError::Invalid,
        Errno::FBIG | Errno::OVERFLOW => FsError::TooLarge,
        Errno::NOSPC => FsError::NoSpace,
        Errno::DQUOT => FsError::Quota,
        Errno::MLINK => FsError::TooManyLinks,
        Errno::XDEV => FsError::CrossDevice,
        Errno::NAMETOOLONG => FsError::NameTooLong,
        Errno::ILSEQ => FsError::BadName,
        Errno::ROFS => FsError::ReadOnly,
        Errno::STALE => FsError::Stale,
        Errno::OPNOTSUPP | Errno::NOSYS => FsError::NotSupported,
        // Too few descriptors or too little memory, a lock or a lease of a local process, or a race.
        Errno::MFILE
        | Errno::NFILE
        | Errno::NOMEM
        | Errno::AGAIN
        | Errno::BUSY
        | Errno::TXTBSY
        | Errno::INTR => FsError::Busy,
        _ => FsError::Io,
    }
}
