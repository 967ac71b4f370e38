//! Reading a directory in search of something.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use nfs4_engine::fs::FsError;
use rustix::fs::{Mode, OFlags, RawDir, RawDirEntry, ResolveFlags, openat2};
use rustix::io::Errno;

use super::error::{Result, fs_error};
use super::handle_row::Key;
use super::node::Node;
use super::shared::Shared;

impl Shared {
    /// Fileid of the directory that a mount with this name covers, as its directory has it; 0 if it
    /// is not there.
    pub(super) fn covered(&self, dir: &Node, name: &[u8]) -> Result<u64> {
        let is_it =
            |entry: &RawDirEntry<'_>| (entry.file_name().to_bytes() == name).then(|| entry.ino());
        Ok(self.first(dir, is_it)?.unwrap_or(0))
    }

    /// The object of a row in this directory, and its name.
    pub(super) fn search(&self, dir: &Node, key: Key) -> Result<Option<(OwnedFd, Vec<u8>)>> {
        self.first(dir, |entry| {
            let name = entry.file_name().to_bytes();
            if entry.ino() != key.ino || matches!(name, b"." | b"..") {
                return None;
            }
            let found = self.root.find(dir, name, ResolveFlags::empty()).ok()?;
            self.is(&found, key).then(|| (found, name.to_vec()))
        })
    }

    /// A directory, opened to read its entries.
    pub(super) fn reader(&self, dir: &Node) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat2(dir, c".", flags, Mode::empty(), self.root.resolve());
        opened.map_err(of_listing)
    }

    fn first<T>(
        &self,
        dir: &Node,
        mut find: impl FnMut(&RawDirEntry<'_>) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut listed = RawDir::new(self.reader(dir)?, &mut buffer);
        while let Some(entry) = listed.next() {
            if let Some(found) = find(&entry.map_err(of_listing)?) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The error of reading a directory.
pub(super) fn of_listing(error: Errno) -> FsError {
    match error {
        // It was removed.
        Errno::NOENT => FsError::Stale,
        error => fs_error(error),
    }
}

/// Length of a buffer for entries, in bytes: more than a hundred with usual names.
pub(super) const BUFFER: usize = 8 << 10;
