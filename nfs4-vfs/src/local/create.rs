//! CREATE, and the attributes of what is new.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use nfs4_engine::fs::{
    Device, FileKind, FsError, FsHandle, FsOp, FsReply, FsResult, NewNode, Protection, Rights,
    SetAttrs,
};
use rustix::fs::{AtFlags, FileType, Mode, Statx, makedev, mkdirat, mknodat, symlinkat};

use super::caller::Caller;
use super::change::earliest_stamp;
use super::error::{Result, of_new_names};
use super::identity::{as_user, switches};
use super::names::check_name;
use super::node::Node;
use super::permission::{has_default_acl, protection};
use super::set_attributes::sane_times;
use super::shared::{Shared, object};
use super::stat::{birth, kind, stat, stat_name};
use super::taken_back::Made;

impl Shared {
    pub(super) fn create(
        &self,
        caller: &Caller,
        dir: &FsHandle,
        name: &[u8],
        node: &NewNode,
        set: &SetAttrs,
    ) -> FsResult {
        check_name(name)?;
        sane_times(set)?;
        if set.size.is_some() {
            return Err(FsError::Invalid);
        }
        let dir = self.node(dir)?;
        let before = self.require(caller, self.directory(&dir)?, Rights::CHANGE_ENTRIES)?;
        if self.entry(&dir, name)?.is_some() {
            return Err(FsError::Exists);
        }
        let new = protection(&dir, &before).of_new(&caller.cred, node.kind(), set)?;
        let begun = earliest_stamp();
        as_user(&caller.cred, || make(&dir, name, node, new.mode))??;
        let (made, stat) = self.made(caller, (&dir, name), node.kind(), begun)?;
        let finished = self
            .set_new(caller, &dir, (&made, &stat), &new, set)
            .and_then(|stat| {
                self.settle(&[&made, &dir])?;
                Ok(FsReply::Created {
                    fh: made.handle,
                    attrs: self.attrs_of(&made, &stat)?,
                    dir: self.changed(&dir, &before)?,
                })
            });
        finished.inspect_err(|_| self.take_back(caller, (&dir, name), &Made::of(&stat)))
    }

    /// The object that was just made under this name, since `begun`, in nanoseconds.
    ///
    /// # Errors
    /// Busy if another process put another one into its place: the client tries again.
    fn made(
        &self,
        caller: &Caller,
        (dir, name): (&Node, &[u8]),
        made: FileKind,
        begun: u64,
    ) -> Result<(Arc<Node>, Statx)> {
        let own = stat_name(dir.as_fd(), name).map_err(|error| match error {
            FsError::NotFound => FsError::Busy,
            // What was done must not be done again.
            _ => FsError::Io,
        })?;
        let is_owned = !switches() || own.stx_uid == caller.cred.uid;
        // Where times of birth are those of this machine's clock.
        let is_new = !dir.fs_type.is_resident || birth(&own) == 0 || birth(&own) >= begun;
        if !is_owned || !is_new || kind(&own) != Ok(made) {
            return Err(FsError::Busy);
        }
        let own = Made::of(&own);
        let found = self.entry(dir, name);
        let found = found.inspect_err(|_| self.take_back(caller, (dir, name), &own))?;
        found
            .filter(|(_, stat)| object(stat) == own.id)
            .ok_or(FsError::Busy)
    }

    /// Gives a new object the owner, mode and times that it should have, and returns its attributes.
    pub(super) fn set_new(
        &self,
        caller: &Caller,
        dir: &Node,
        (made, now): (&Node, &Statx),
        new: &Protection,
        set: &SetAttrs,
    ) -> Result<Statx> {
        let is = protection(made, now);
        // The group is the file system's choice, unless the client has one.
        let owner = set.uid.filter(|uid| *uid != is.uid);
        let group = set.gid.filter(|gid| *gid != is.gid);
        // The umask of this process is not the client's; an ACL that the directory gives is.
        let differs = is.mode != new.mode && made.kind != FileKind::Symlink;
        let mode = differs && (owner.is_some() || group.is_some() || !has_default_acl(dir));
        let change = SetAttrs::default().with(|change| {
            change.uid = owner;
            change.gid = group;
            change.mode = mode.then_some(new.mode);
            change.accessed = set.accessed;
            change.modified = set.modified;
        });
        if change.is_empty() {
            return Ok(*now);
        }
        self.apply(caller, made, &change, None)?;
        stat(made.as_fd(), AtFlags::empty())
    }
}

fn make(dir: &Node, name: &[u8], node: &NewNode, mode: u32) -> Result<()> {
    if let NewNode::BlockDevice(device) | NewNode::CharDevice(device) = node {
        check_device(*device)?;
    }
    let mode = Mode::from_raw_mode(mode);
    let special =
        |kind, device: Device| mknodat(dir, name, kind, mode, makedev(device.major, device.minor));
    let made = match node {
        NewNode::Directory => mkdirat(dir, name, mode),
        NewNode::Symlink(target) => {
            check_target(target)?;
            symlinkat(&target[..], dir, name)
        }
        NewNode::BlockDevice(device) => special(FileType::BlockDevice, *device),
        NewNode::CharDevice(device) => special(FileType::CharacterDevice, *device),
        NewNode::Socket => special(FileType::Socket, Device::default()),
        NewNode::Fifo => special(FileType::Fifo, Device::default()),
    };
    made.map_err(of_new_names)
}

/// The kernel drops the bits that it has no room for: the node would be that of another device.
fn check_device(device: Device) -> Result<()> {
    if device.major < 1 << MAJOR_BITS && device.minor < 1 << MINOR_BITS {
        Ok(())
    } else {
        Err(FsError::Invalid)
    }
}

fn check_target(target: &[u8]) -> Result<()> {
    match target.len() {
        0 => Err(FsError::Invalid),
        1..=FsOp::MAX_TARGET if target.contains(&0) => Err(FsError::Invalid),
        1..=FsOp::MAX_TARGET => Ok(()),
        _ => Err(FsError::NameTooLong),
    }
}

/// Bits of the numbers of a device in Linux.
const MAJOR_BITS: u32 = 12;
const MINOR_BITS: u32 = 20;
