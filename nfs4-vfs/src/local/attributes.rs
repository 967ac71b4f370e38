//! GETATTR, SETATTR and ACCESS.

use std::os::fd::AsFd as _;

use nfs4_engine::Wall;
use nfs4_engine::fs::{Attrs, Device, FileKind, FsError, FsHandle, FsReply, FsResult, Want};
use rustix::fs::{AtFlags, FileType, Statx, StatxTimestamp};

use super::Result;
use super::node::Node;
use super::root::stat;
use super::shared::Shared;

impl Shared {
    pub(super) fn get_attrs(&self, fh: &FsHandle, want: Want) -> FsResult {
        let node = self.node(fh)?;
        let attrs = self.attrs(&node, AtFlags::empty())?;
        Ok(FsReply::Attrs {
            attrs,
            stat: self.space(&node, want)?,
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
            .with_change(node.change.value(nanos(&stat.stx_ctime), node.grain));
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

/// The type of an object.
pub(super) fn kind(of: FileType) -> Result<FileKind> {
    Ok(match of {
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice => FileKind::CharDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Unknown => return Err(FsError::Io),
    })
}

/// The device of the object's file system.
pub(super) fn device(stat: &Statx) -> u64 {
    u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor)
}

/// Its time of birth in nanoseconds, 0 if there is none.
pub(super) fn birth(stat: &Statx) -> u64 {
    nanos(&stat.stx_btime)
}

/// The time in nanoseconds since 1970, 0 before.
pub(super) fn nanos(time: &StatxTimestamp) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec.into())
}

fn wall(time: &StatxTimestamp) -> Wall {
    Wall {
        seconds: time.tv_sec,
        nanos: time.tv_nsec.min(999_999_999),
    }
}
