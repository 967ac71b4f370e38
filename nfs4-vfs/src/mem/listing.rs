//! READDIR.

use std::sync::Arc;

use nfs4_engine::fs::{
    Attrs, DirWriter, FileKind, FsError, FsHandle, FsReply, FsResult, Full, Rights,
};

use super::inode::Inode;
use super::{Caller, MemFs};

impl MemFs {
    pub(super) fn read_dir(
        &self,
        caller: &Caller<'_>,
        dir: &FsHandle,
        cookie: u64,
        mut entries: DirWriter,
    ) -> FsResult {
        let (dir, rights) = self.listed(caller, dir)?;
        if !rights.allow(Rights::EXECUTE) {
            entries.conceal();
        }
        let ended = self.list(caller, &dir, cookie, |cookie, name, fh, attrs| {
            entries.push(cookie, name, fh, attrs)
        })?;
        if ended {
            entries.end();
        }
        Ok(FsReply::Entries(entries))
    }

    /// A directory that the user may list, and the user's rights to it.
    pub(super) fn listed(
        &self,
        caller: &Caller<'_>,
        dir: &FsHandle,
    ) -> Result<(Arc<Inode>, Rights), FsError> {
        let inode = self.inode(dir)?;
        inode.directory()?;
        let rights = inode
            .meta()
            .protection(FileKind::Directory)
            .rights(caller.cred);
        rights.require(Rights::READ)?;
        Ok((inode, rights))
    }

    /// Pushes the entries after `cookie` until the reader is full; returns whether these were all.
    pub(super) fn list(
        &self,
        caller: &Caller<'_>,
        dir: &Inode,
        cookie: u64,
        mut push: impl FnMut(u64, &[u8], &FsHandle, &Attrs) -> Result<(), Full>,
    ) -> Result<bool, FsError> {
        let directory = dir.directory()?;
        if !directory.read()?.knows(cookie) {
            return Err(FsError::BadCookie);
        }
        dir.meta().note_read(caller.now.wall);
        let mut last = cookie;
        loop {
            // A change of the directory waits for one batch, not for a whole reply.
            let entries = directory.read()?;
            let mut pushed = 0;
            for (cookie, name, child) in entries.after(last).take(BATCH) {
                let attrs = child.attrs(&child.meta());
                if push(cookie, name, &self.handle_of(child), &attrs).is_err() {
                    return Ok(false);
                }
                last = cookie;
                pushed += 1;
            }
            if pushed < BATCH {
                return Ok(true);
            }
        }
    }
}

const BATCH: usize = 128;
