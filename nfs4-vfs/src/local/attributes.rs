//! GETATTR and ACCESS.

use std::os::fd::AsFd as _;

use nfs4_engine::fs::{AccessMask, Attrs, Device, FsError, FsHandle, FsReply, FsResult, Want};
use rustix::fs::{AtFlags, Statx};

use super::caller::Caller;
use super::error::Result;
use super::node::Node;
use super::shared::Shared;
use super::stat::{nanos, stat, wall};

impl Shared {
    pub(super) fn get_attrs(&self, fh: &FsHandle, want: Want) -> FsResult {
        let node = self.node(fh)?;
        let attrs = self.attrs(&node, AtFlags::empty())?;
        Ok(FsReply::Attrs {
            attrs,
            stat: self.space(&node, want)?,
        })
    }

    pub(super) fn access(&self, caller: &Caller, fh: &FsHandle, mask: AccessMask) -> FsResult {
        let node = self.node(fh)?;
        let stat = self.live(&node)?;
        Ok(FsReply::Access {
            granted: self
                .effective(&caller.cred, &node, &stat)?
                .granted(&caller.cred, mask),
            kind: node.kind,
        })
    }

    /// The attributes of an object.
    ///
    /// # Errors
    /// Stale if it has no name, and no client has it open.
    pub(super) fn attrs(&self, node: &Node, flags: AtFlags) -> Result<Attrs> {
        self.attrs_of(node, &stat(node.as_fd(), flags)?)
    }

    /// The same with what the kernel says.
    pub(super) fn attrs_of(&self, node: &Node, stat: &Statx) -> Result<Attrs> {
        if stat.stx_nlink == 0 && !self.holds(node) {
            return Err(FsError::Stale);
        }
        let mut attrs = Attrs::new(node.kind, stat.stx_ino, stat.stx_size, 0)
            .with_mode(stat.stx_mode.into())
            .with_owner(stat.stx_uid, stat.stx_gid)
            .with_links(stat.stx_nlink)
            .with_change(
                node.change
                    .value(nanos(&stat.stx_ctime), node.fs_type.grain),
            )
            .in_fs(node.fs, node.mounted_on);
        attrs.space_used = stat.stx_blocks.saturating_mul(512);
        attrs.device = Device {
            major: stat.stx_rdev_major,
            minor: stat.stx_rdev_minor,
        };
        attrs.accessed = wall(&stat.stx_atime);
        attrs.modified = wall(&stat.stx_mtime);
        attrs.changed = wall(&stat.stx_ctime);
        attrs.created = wall(&stat.stx_btime);
        Ok(attrs)
    }
}
