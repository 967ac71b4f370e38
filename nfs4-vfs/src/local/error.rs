//! From the errors of system calls to those of a file system, and why an export has no start.

use std::fmt;
use std::path::PathBuf;

use nfs4_engine::fs::FsError;
use rustix::io::Errno;

/// The result of what a request needs.
pub(super) type Result<T> = std::result::Result<T, FsError>;

/// Why a directory cannot be exported.
#[derive(Debug)]
#[non_exhaustive]
pub enum LocalFsError {
    /// The root cannot be opened, or is not a directory.
    Root(PathBuf, std::io::Error),
    /// The attributes or the handle of the root cannot be read.
    Attributes(PathBuf, FsError),
    /// The table of handles in the state directory cannot be opened.
    Table(PathBuf, std::io::Error),
    /// The system refuses a thread.
    Thread(std::io::Error),
    /// `/proc` is not mounted, through which files are opened.
    Proc(std::io::Error),
}

impl fmt::Display for LocalFsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalFsError::Root(path, error) => {
                write!(f, "cannot open the directory {}: {error}", path.display())
            }
            LocalFsError::Attributes(path, error) => {
                write!(
                    f,
                    "cannot read the attributes of {}: {error}",
                    path.display()
                )
            }
            LocalFsError::Table(path, error) => {
                write!(
                    f,
                    "cannot open the table of filehandles {}: {error}",
                    path.display()
                )
            }
            LocalFsError::Thread(error) => write!(f, "cannot start a thread: {error}"),
            LocalFsError::Proc(error) => write!(f, "/proc is not mounted: {error}"),
        }
    }
}

impl std::error::Error for LocalFsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LocalFsError::Root(_, error)
            | LocalFsError::Table(_, error)
            | LocalFsError::Thread(error)
            | LocalFsError::Proc(error) => Some(error),
            LocalFsError::Attributes(_, error) => Some(error),
        }
    }
}

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
        // The second: the directory is encrypted, and its key is not there.
        Errno::PERM | Errno::NOKEY => FsError::NotPermitted,
        // A file that runs denies writing for as long as that lasts.
        Errno::ACCESS | Errno::TXTBSY => FsError::AccessDenied,
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
        | Errno::TIMEDOUT
        | Errno::INTR => FsError::Busy,
        _ => FsError::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that most machines cannot be made to give.
    #[test]
    fn each_error_of_the_system_has_its_own_meaning() {
        for (error, meaning) in [
            (Errno::DQUOT, FsError::Quota),
            (Errno::NOSPC, FsError::NoSpace),
            (Errno::FBIG, FsError::TooLarge),
            (Errno::MLINK, FsError::TooManyLinks),
            (Errno::NAMETOOLONG, FsError::NameTooLong),
            (Errno::ROFS, FsError::ReadOnly),
            (Errno::TXTBSY, FsError::AccessDenied),
            (Errno::NOKEY, FsError::NotPermitted),
            (Errno::MFILE, FsError::Busy),
            (Errno::NFILE, FsError::Busy),
            (Errno::NOMEM, FsError::Busy),
            (Errno::TIMEDOUT, FsError::Busy),
            (Errno::IO, FsError::Io),
        ] {
            assert_eq!(fs_error(error), meaning, "{error}");
            // Where names are made and removed, they mean the same.
            if error != Errno::NOKEY {
                assert_eq!(of_names(error), meaning, "{error}");
                assert_eq!(of_new_names(error), meaning, "{error}");
            }
        }
    }
}
