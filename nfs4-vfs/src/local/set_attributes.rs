//! SETATTR.

use std::os::fd::AsFd as _;

use nfs4_engine::Wall;
use nfs4_engine::fs::{
    Authority, FileKind, FsError, FsHandle, FsReply, FsResult, Protection, SetAttrs, SetTime,
};
use rustix::fs::{
    AtFlags, Gid, Statx, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid, chownat, ftruncate,
    utimensat,
};
use rustix::io::Errno;

use super::caller::Caller;
use super::error::{Result, fs_error};
use super::file::Access;
use super::identity::{as_user, switches};
use super::node::Node;
use super::permission::protection;
use super::shared::Shared;
use super::stat::{stat, wall};
use super::system;
use crate::sync::write;

impl Shared {
    pub(super) fn set_attrs(
        &self,
        caller: &Caller,
        fh: &FsHandle,
        set: &SetAttrs,
        authority: Authority,
    ) -> FsResult {
        sane_times(set)?;
        // Linux sets no time of birth.
        if set.created.is_some() {
            return Err(FsError::Invalid);
        }
        let node = self.node(fh)?;
        let before = self.live(&node)?;
        match (set.size, node.kind) {
            (None, _) => {}
            (Some(size), FileKind::Regular) => check_size(size)?,
            (Some(_), FileKind::Directory) => return Err(FsError::IsDirectory),
            (Some(_), _) => return Err(FsError::Invalid),
        }
        self.effective(&caller.cred, &node, &before)?
            .may_set(&caller.cred, set, authority)?;
        if !set.is_empty() {
            let former = protection(&node, &before);
            let mode = former.after_set(&caller.cred, set).mode;
            // The mode of a link has no meaning, and Linux does not change it.
            let keeps = node.kind == FileKind::Symlink;
            let all = set.with(|set| set.mode = set.mode.filter(|_| !keeps).map(|_| mode));
            // What the kernel does not take away from a file that lends rights, as it takes the process
            // for the user.
            let implied = (!keeps && !switches() && mode != former.mode).then_some(mode);
            self.apply(caller, &node, &all, implied)?;
            self.settle(&[&node])?;
        }
        Ok(FsReply::Attrs {
            attrs: self.attrs(&node, AtFlags::empty())?,
            stat: None,
        })
    }

    /// Makes these changes, which the user may make: those that take setuid and setgid away as the user,
    /// so that the kernel does so at once with the change, the others with the rights of this process.
    /// Without a mode to set, the file has the `implied` one at the end, if there is one.
    ///
    /// # Errors
    /// If one fails, those before it are undone. First come those that can be undone, and the length
    /// comes last; after it, what was just set is set once more, which fails only with the device.
    pub(super) fn apply(
        &self,
        caller: &Caller,
        node: &Node,
        set: &SetAttrs,
        implied: Option<u32>,
    ) -> Result<()> {
        node.change.count();
        let file = match set.size {
            Some(_) => Some(self.descriptors.get(&self.root, node, Access::Write)?),
            None => None,
        };
        // Where the mode denies it, another thread may change that to open the file, and then change it back.
        let changes_mode = set.uid.or(set.gid).or(set.mode).or(implied).is_some();
        let is_let_in = changes_mode && node.kind == FileKind::Regular && !switches();
        let opening = is_let_in.then(|| &self.descriptors.file(node).opening);
        let _alone = opening.map(write);
        let before = stat(node.as_fd(), AtFlags::empty())?;
        let changed = self.apply_reversible(caller, node, set).and_then(|()| {
            let (Some(size), Some(file)) = (set.size, &file) else {
                return Ok(());
            };
            let cut = || ftruncate(file, size).map_err(fs_error);
            match set.mode {
                None => as_user(&caller.cred, cut)?,
                // It is the one to have after the cut.
                Some(_) => cut(),
            }
        });
        if let Err(error) = changed {
            self.restore(caller, node, set, &before);
            node.change.count();
            return Err(error);
        }
        let cleared = set.mode.filter(|_| set.size.is_some());
        if let Some(mode) = cleared.or(implied)
            && self.mode(node)? != mode
        {
            self.change_mode(node, mode)?;
        }
        if set.size.is_some() {
            change_times(caller, node, set)?;
        }
        node.change.count();
        Ok(())
    }

    fn apply_reversible(&self, caller: &Caller, node: &Node, set: &SetAttrs) -> Result<()> {
        if set.uid.is_some() || set.gid.is_some() {
            as_user(&caller.cred, || change_owner(node, set.uid, set.gid))??;
        }
        if let Some(mode) = set.mode {
            self.change_mode(node, mode)?;
        }
        change_times(caller, node, set)
    }

    /// Undoes what was done of these changes, as far as the device lets it.
    fn restore(&self, caller: &Caller, node: &Node, set: &SetAttrs, before: &Statx) {
        let gives = set.uid.is_some() || set.gid.is_some();
        if gives {
            let _ = change_owner(node, Some(before.stx_uid), Some(before.stx_gid));
        }
        // Else it was not touched, and may be another request's.
        if gives || set.mode.is_some() {
            let mode = u32::from(before.stx_mode) & Protection::MODE_BITS;
            if node.kind != FileKind::Symlink && self.mode(node).is_ok_and(|now| now != mode) {
                let _ = self.change_mode(node, mode);
            }
        }
        let former = |time: SetTime, before| match time {
            SetTime::Keep => SetTime::Keep,
            SetTime::Server | SetTime::Client(_) => SetTime::Client(wall(before)),
        };
        let times = SetAttrs::default().with(|times| {
            times.accessed = former(set.accessed, &before.stx_atime);
            times.modified = former(set.modified, &before.stx_mtime);
        });
        let _ = change_times(caller, node, &times);
    }

    fn mode(&self, node: &Node) -> Result<u32> {
        let now = stat(node.as_fd(), AtFlags::empty())?;
        Ok(u32::from(now.stx_mode) & Protection::MODE_BITS)
    }

    fn change_mode(&self, node: &Node, mode: u32) -> Result<()> {
        match system::change_mode(node.as_fd(), mode) {
            // Before Linux 6.6. The path leads to that object, which is no link.
            Err(Errno::NOSYS) => self.root.change_mode(node.as_fd(), mode),
            done => done,
        }
        .map_err(fs_error)
    }
}

/// Whether the times that a client chose are times.
pub(super) fn sane_times(set: &SetAttrs) -> Result<()> {
    let sane = |wall: Wall| wall.nanos < 1_000_000_000;
    let sane_set = |time: SetTime| match time {
        SetTime::Keep | SetTime::Server => true,
        SetTime::Client(wall) => sane(wall),
    };
    if sane_set(set.accessed) && sane_set(set.modified) && set.created.is_none_or(sane) {
        Ok(())
    } else {
        Err(FsError::Invalid)
    }
}

/// Whether a file can have this size.
pub(super) fn check_size(size: u64) -> Result<()> {
    if size <= i64::MAX as u64 {
        Ok(())
    } else {
        Err(FsError::TooLarge)
    }
}

fn change_owner(node: &Node, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    // The last id stands for "unchanged".
    if uid == Some(u32::MAX) || gid == Some(u32::MAX) {
        return Err(FsError::Invalid);
    }
    let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
    chownat(node, c"", uid, gid, AtFlags::EMPTY_PATH).map_err(fs_error)
}

fn change_times(caller: &Caller, node: &Node, set: &SetAttrs) -> Result<()> {
    let omitted = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let now = caller.now.wall;
    let spec = |time: SetTime| match time {
        SetTime::Keep => omitted,
        SetTime::Server => timespec(now),
        SetTime::Client(wall) => timespec(wall),
    };
    if (set.accessed, set.modified) == (SetTime::Keep, SetTime::Keep) {
        return Ok(());
    }
    let times = Timestamps {
        last_access: spec(set.accessed),
        last_modification: spec(set.modified),
    };
    match utimensat(node, c"", &times, AtFlags::EMPTY_PATH) {
        // A process that may only write the file may set both to the time of the call.
        Err(Errno::PERM) if (set.accessed, set.modified) == (SetTime::Server, SetTime::Server) => {
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_NOW,
            };
            let times = Timestamps {
                last_access: now,
                last_modification: now,
            };
            utimensat(node, c"", &times, AtFlags::EMPTY_PATH)
        }
        done => done,
    }
    .map_err(fs_error)
}

fn timespec(wall: Wall) -> Timespec {
    Timespec {
        tv_sec: wall.seconds,
        tv_nsec: wall.nanos.into(),
    }
}
