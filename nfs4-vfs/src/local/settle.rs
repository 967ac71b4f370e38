//! Durability of names and attributes: they are durable before a request that changes them is
//! answered, unless the administrator does without. [RFC 8881 §18.4.4, §18.26.4, §18.30.4]

use nfs4_engine::fs::{FileKind, FsError};
use rustix::io::Errno;

use super::durability::Synced;
use super::error::Result;
use super::mounts::is_name_of_mount;
use super::node::Node;
use super::shared::Shared;

impl Shared {
    /// Makes the handles that clients have got, or get with this answer, outlast a loss of power, where they
    /// are kept in a table: a client may have its file open across a restart.
    ///
    /// # Errors
    /// Busy if that cannot be had now.
    pub(super) fn settle_handles(&self) -> Result<()> {
        match &self.table {
            Some(table) if self.handles_outlast_power() => table.settle(),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether [`Shared::settle_handles`] has nothing to wait for.
    pub(super) fn has_settled_handles(&self) -> bool {
        let table = self.table.as_ref();
        table.is_none_or(|table| !self.handles_outlast_power() || table.is_settled())
    }

    /// Whether the objects do; else their handles need not.
    fn handles_outlast_power(&self) -> bool {
        self.root.cross_mounts || !self.root.fs_type.is_volatile
    }

    /// Makes the attributes of `objects` durable, and the names in those that are directories.
    ///
    /// Links, devices, pipes and sockets cannot be opened for that: what made them is durable with
    /// their directory, and a later change of their attributes when the file system writes it.
    ///
    /// # Errors
    /// Io if the device fails, or no handle can be settled: what was done may not last, and the caller takes it back
    /// if it can.
    pub(super) fn settle(&self, objects: &[&Node]) -> Result<()> {
        // What was done must not be done again.
        self.settle_handles().map_err(|_| FsError::Io)?;
        if !self.config.sync_metadata {
            return Ok(());
        }
        for object in objects.iter().filter(|object| !object.fs_type.is_volatile) {
            if !matches!(object.kind, FileKind::Directory | FileKind::Regular) {
                continue;
            }
            let file = self.descriptors.file(object);
            let synced = match self.syncable(object, file) {
                Ok(fd) => self.sync(file, &fd)?,
                // This process may neither read nor write it, or has no descriptor left: all is made durable
                // with it.
                Err(why @ (FsError::AccessDenied | FsError::Busy)) => match self.sync_all(object) {
                    Ok(()) => Synced::All,
                    // It can do no more.
                    Err(Errno::ACCESS) if why == FsError::AccessDenied => continue,
                    // What was done must not be done again.
                    Err(_) => return Err(FsError::Io),
                },
                Err(error) => return Err(error),
            };
            if synced == Synced::NotAll {
                return Err(FsError::Io);
            }
        }
        Ok(())
    }

    /// Makes all that was written to the object's file system durable.
    ///
    /// # Errors
    /// EACCES if this process may not.
    fn sync_all(&self, object: &Node) -> rustix::io::Result<()> {
        match self.mounts.named(object.fs) {
            Some(mount) => mount.sync_all(),
            // It is not mounted any more.
            None if is_name_of_mount(object.fs) => Err(Errno::IO),
            // Parts of the root's mount with inodes of their own, too.
            None => self.root.sync_all(),
        }
    }
}
