//! The directory that a path lies in.

use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// What a path names before its last part; none for the working directory.
pub(crate) fn of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

/// Looks whether a file can be made at a path, as far as its directory is concerned.
///
/// # Errors
/// Why not.
pub(crate) fn takes_files(path: &Path) -> io::Result<()> {
    let folder = of(path).unwrap_or(Path::new("."));
    let needed = Access::WRITE_OK | Access::EXEC_OK;
    Ok(accessat(CWD, folder, needed, AtFlags::EACCESS)?)
}
