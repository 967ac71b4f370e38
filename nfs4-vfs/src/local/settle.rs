//! Durability of names and attributes: they are durable before a request that changes them is
//! answered. [RFC 8881 §18.4.4, §18.26.4, §18.30.4]

use std::os::fd::AsFd as _;

use nfs4_engine::fs::FileKind;
use rustix::fs::{OFlags, fsync};
use rustix::io::Errno;

use super::Result;
use super::error::fs_error;
use super::node::Node;
use super::shared::Shared;

impl Shared {
    /// Makes the attributes of `objects` durable, and the names in those that are directories.
    ///
    /// Links, devices, pipes and sockets cannot be opened for that: what made them is durable with
    /// their directory, and a later change of their attributes when the file system writes it.
    ///
    /// # Errors
    /// Io if the device fails. What was requested is done, but may not last.
    pub(super) fn settle(&self, objects: &[&Node]) -> Result<()> {
        for object in objects.iter().filter(|object| !object.fs_type.is_volatile) {
            let flags = match object.kind {
                FileKind::Directory => OFlags::RDONLY | OFlags::DIRECTORY,
                FileKind::Regular => OFlags::RDONLY | OFlags::NONBLOCK,
                _ => continue,
            };
            let opened = match self.root.reopen(object.as_fd(), flags) {
                // Of an unprivileged process, or a file that was made read-only.
                Err(Errno::ACCESS) if object.kind == FileKind::Regular => self
                    .root
                    .reopen(object.as_fd(), OFlags::WRONLY | OFlags::NONBLOCK),
                opened => opened,
            };
            match opened {
                Ok(opened) => fsync(opened).map_err(fs_error)?,
                // This process may neither read nor write it, and so cannot do more.
                Err(Errno::ACCESS) => {}
                Err(error) => return Err(fs_error(error)),
            }
        }
        Ok(())
    }
}
