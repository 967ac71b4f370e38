//! Directories of the operating system as exports: what every file system passes, and what only these
//! can get wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod escapes;
mod folder;
mod locks;
mod subject;

use std::path::Path;

use subject::Local;

/// On the file system of temporary files: mostly a disk's.
mod on_disk {
    use super::Local;

    nfs4_vfs::fs_conformance!(Local::on_disk(std::env::temp_dir()));
}

/// In memory.
mod on_tmpfs {
    use super::Local;

    nfs4_vfs::fs_conformance!(Local::on_tmpfs(super::tmpfs()));
}

/// A folder in memory where there is one.
fn tmpfs() -> std::path::PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    }
}
