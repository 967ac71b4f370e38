//! READDIR.

use std::mem::MaybeUninit;

use nfs4_engine::fs::{Attrs, DirWriter, FsError, FsHandle, FsReply, FsResult, Full, Rights};
use rustix::fs::{RawDir, SeekFrom, seek};
use rustix::io::Errno;

use super::caller::Caller;
use super::error::{Result, fs_error};
use super::node::Node;
use super::scan::{BUFFER, of_listing};
use super::shared::Shared;

impl Shared {
    pub(super) fn read_dir(
        &self,
        caller: &Caller,
        dir: &FsHandle,
        cookie: u64,
        mut entries: DirWriter,
    ) -> FsResult {
        let dir = self.node(dir)?;
        let stat = self.live(self.directory(&dir)?)?;
        let rights = self
            .effective(&caller.cred, &dir, &stat)?
            .rights(&caller.cred);
        rights.require(Rights::READ)?;
        let may_search = rights.allow(Rights::EXECUTE);
        if !may_search {
            entries.conceal();
        }
        let ended = self.list(&dir, cookie, |cookie, name, fh, attrs| {
            entries.push(cookie, name, fh, attrs)
        })?;
        if ended {
            entries.end();
        }
        self.settle_handles()?;
        Ok(FsReply::Entries(entries))
    }

    /// Pushes the entries after `cookie` until the reader is full; returns whether these were all.
    fn list(
        &self,
        dir: &Node,
        cookie: u64,
        mut push: impl FnMut(u64, &[u8], &FsHandle, &Attrs) -> std::result::Result<(), Full>,
    ) -> Result<bool> {
        let reader = self.reader(dir)?;
        let start = position(cookie)?;
        if start == END {
            return Ok(true);
        }
        if start != 0 {
            seek(&reader, SeekFrom::Start(start)).map_err(|error| match error {
                Errno::INVAL | Errno::OVERFLOW => FsError::BadCookie,
                error => fs_error(error),
            })?;
        }
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut listed = RawDir::new(&reader, &mut buffer);
        while let Some(entry) = listed.next() {
            let entry = entry.map_err(of_listing)?;
            let name = entry.file_name().to_bytes();
            let next = entry.next_entry_cookie();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let Some((fh, attrs)) = self.listed(dir, name)? else {
                continue;
            };
            if push(cookie_of(next), name, &fh, &attrs).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The object of an entry; none if it is gone, or may not be seen.
    fn listed(&self, dir: &Node, name: &[u8]) -> Result<Option<(FsHandle, Attrs)>> {
        let found = match self.entry(dir, name) {
            Ok(found) => found,
            Err(error @ (FsError::Busy | FsError::Io)) => return Err(error),
            Err(_) => None,
        };
        let Some((node, stat)) = found else {
            return Ok(None);
        };
        match self.attrs_of(&node, &stat) {
            Ok(attrs) => Ok(Some((node.handle, attrs))),
            Err(FsError::Stale) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The cookie of an entry after which the kernel's position is `next`. NFS reserves the first three
/// cookies. Positions need not grow: tmpfs lists its newest entries first. [RFC 8881 §18.23.3]
fn cookie_of(next: u64) -> u64 {
    next.min(END - RESERVED) + RESERVED
}

/// The kernel's position of a cookie.
fn position(cookie: u64) -> Result<u64> {
    match cookie {
        0 => Ok(0),
        END => Ok(END),
        _ if cookie > END => Err(FsError::BadCookie),
        _ => cookie.checked_sub(RESERVED).ok_or(FsError::BadCookie),
    }
}

/// Number of cookies that NFS reserves.
const RESERVED: u64 = 3;
/// The last position; some file systems are there after the last entry.
const END: u64 = i64::MAX as u64;
