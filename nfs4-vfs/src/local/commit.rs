//! COMMIT, and how what was written to an object is made durable.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use nfs4_engine::fs::{FileKind, FsError, FsHandle, FsReply};
use rustix::fs::fsync;
use rustix::io::Errno;

use super::durability::Synced;
use super::error::{Result, fs_error};
use super::file::{Access, File};
use super::node::Node;
use super::shared::Shared;
use super::wait::{Attempt, Stop, Wait};

impl Shared {
    pub(super) fn commit(&self, fh: &FsHandle, wait: Wait) -> Attempt<FsReply> {
        let node = self.ready(fh, wait)?;
        self.file(&node)?;
        let file = self.descriptors.file(&node);
        if wait == Wait::No && (!node.fs_type.is_volatile || file.leased().is_some()) {
            return Err(Stop::Waits);
        }
        // An error that another call took is in the losses: the client writes again.
        let fd = self.syncable(&node, file)?;
        self.sync(file, &fd)?;
        Ok(FsReply::Committed {
            losses: self.losses.get(),
        })
    }

    /// Closes what was not used for a while, after its bytes are durable.
    pub(super) fn sweep(&self) {
        for file in self.descriptors.sweep() {
            if let Some(fd) = file.syncable() {
                // The losses tell of an error.
                let _ = self.sync(&file, &fd);
            }
        }
    }

    pub(super) fn sync(&self, file: &File, fd: &OwnedFd) -> Result<Synced> {
        let sync = || match fsync(fd) {
            // There is nothing to make durable in such a file system.
            Err(Errno::INVAL) => Ok(()),
            result => result,
        };
        file.durability.sync(&self.losses, sync).map_err(fs_error)
    }

    /// A descriptor that makes the object durable: the one with which its bytes were written, if
    /// there is one.
    pub(super) fn syncable(&self, node: &Node, file: &File) -> Result<Arc<OwnedFd>> {
        if let Some(fd) = file.syncable() {
            return Ok(fd);
        }
        let open = |access| self.descriptors.get(&self.root, node, access);
        match open(Access::Read) {
            // The mode may allow to write, and not to read.
            Err(FsError::AccessDenied) if node.kind == FileKind::Regular => open(Access::Write),
            opened => opened,
        }
    }
}
