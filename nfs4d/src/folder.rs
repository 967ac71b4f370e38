//! The directory that a path lies in.

use std::path::Path;

/// What a path names before its last part; none for the working directory.
pub(crate) fn of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}
