//! OPEN: finding or making a file, checking rights, and holding it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use nfs4_engine::Wall;
use nfs4_engine::fs::{
    Creation, DirChange, FileKind, FsError, FsReply, FsResult, OpenHow, Opened, Protection, Rights,
    SetAttrs, SetTime, Target,
};
use rustix::fs::{AtFlags, Mode, OFlags, Statx, openat2};
use rustix::io::Errno;

use super::caller::Caller;
use super::error::{Result, fs_error, of_new_names};
use super::file::Access;
use super::identity::as_user;
use super::names::{ATTEMPTS, check_name};
use super::node::Node;
use super::permission::protection;
use super::set_attributes::{check_size, sane_times};
use super::shared::Shared;

impl Shared {
    pub(super) fn open_file(&self, caller: &Caller, target: &Target, how: &OpenHow) -> FsResult {
        // Before a file is made.
        self.descriptors.may_hold()?;
        match target {
            Target::Handle(fh) => {
                if how.create != Creation::No {
                    return Err(FsError::Invalid);
                }
                let node = self.node(fh)?;
                let stat = self.live(self.file(&node)?)?;
                self.may_open(caller, (&node, &stat), how)?;
                self.hold(&node, how, false, DirChange::default())
            }
            Target::Name { dir, name } => {
                check_name(name)?;
                self.open_name(caller, &*self.node(dir)?, name, how)
            }
        }
    }

    fn open_name(&self, caller: &Caller, dir: &Node, name: &[u8], how: &OpenHow) -> FsResult {
        for _ in 0..ATTEMPTS {
            let above = self.require(caller, self.searched(dir)?, Rights::EXECUTE)?;
            if let Some((found, stat)) = self.entry(dir, name)? {
                return self.open_found(caller, (dir, &above), (&found, &stat), how);
            }
            let (set, verifier) = match &how.create {
                Creation::No => return Err(FsError::NotFound),
                Creation::Unchecked(set) | Creation::Guarded(set) => (*set, None),
                Creation::Exclusive { verifier, set } => (*set, Some(*verifier)),
            };
            let made = self.open_new(caller, (dir, &above), name, &set, verifier);
            match made.and_then(|(node, change)| self.hold(&node, how, true, change)) {
                // Another process made it meanwhile.
                Err(FsError::Exists) if !matches!(how.create, Creation::Guarded(_)) => {}
                done => return done,
            }
        }
        Err(FsError::Busy)
    }

    fn open_found(
        &self,
        caller: &Caller,
        (dir, above): (&Node, &Statx),
        (found, stat): (&Arc<Node>, &Statx),
        how: &OpenHow,
    ) -> FsResult {
        let created = match &how.create {
            Creation::No | Creation::Unchecked(_) => false,
            Creation::Guarded(_) => return Err(FsError::Exists),
            Creation::Exclusive { verifier, set: _ } => {
                if found.kind != FileKind::Regular || !has_verifier(stat, *verifier) {
                    return Err(FsError::Exists);
                }
                true
            }
        };
        found.file()?;
        // The same creation again: as the first time, its mode is not checked. A verifier is no
        // secret, so that holds for the creator only.
        if !created || caller.cred.uid != stat.stx_uid {
            self.may_open(caller, (found, stat), how)?;
        }
        self.hold(found, how, created, self.unchanged(dir, above))
    }

    fn open_new(
        &self,
        caller: &Caller,
        (dir, above): (&Node, &Statx),
        name: &[u8],
        set: &SetAttrs,
        verifier: Option<[u8; 8]>,
    ) -> Result<(Arc<Node>, DirChange)> {
        sane_times(set)?;
        if set.created.is_some() {
            return Err(FsError::Invalid);
        }
        if let Some(size) = set.size {
            check_size(size)?;
        }
        self.effective(&caller.cred, dir, above)?
            .require(&caller.cred, Rights::CHANGE_ENTRIES)?;
        let new = protection(dir, above).of_new(&caller.cred, FileKind::Regular, set)?;
        let made = as_user(&caller.cred, || self.make_file(dir, name, &new))??;
        let (node, stat) = self.adopt(
            self.root.hold(made.as_fd()).map_err(fs_error)?,
            Some((dir, name)),
        )?;
        let mut set = *set;
        if let Some(verifier) = verifier {
            (set.accessed, set.modified) = times_of(verifier);
        }
        let size = set.size.filter(|size| *size > 0);
        if let Some(size) = size {
            rustix::fs::ftruncate(&made, size).map_err(fs_error)?;
        }
        self.set_new(caller, dir, (&node, &stat), &new, &set)?;
        self.settle(&[&node, dir])?;
        // It reads and writes whatever the mode is.
        self.descriptors.adopt(&node, made, Access::Write);
        Ok((node, self.changed(dir, above)?))
    }

    fn make_file(&self, dir: &Node, name: &[u8], new: &Protection) -> Result<OwnedFd> {
        let flags = OFlags::CREATE
            | OFlags::EXCL
            | OFlags::RDWR
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC
            | OFlags::NOCTTY;
        let mode = Mode::from_raw_mode(new.mode);
        match openat2(dir, name, flags, mode, self.root.resolve()) {
            Err(Errno::XDEV) => Err(FsError::Exists),
            made => made.map_err(of_new_names),
        }
    }

    fn may_open(
        &self,
        caller: &Caller,
        (node, stat): (&Node, &Statx),
        how: &OpenHow,
    ) -> Result<()> {
        self.effective(&caller.cred, node, stat)?
            .may_open(&caller.cred, how.read, how.write)
    }

    /// Holds a file once more, with what is needed to read and write it.
    fn hold(&self, node: &Arc<Node>, how: &OpenHow, created: bool, dir: DirChange) -> FsResult {
        let descriptors = self
            .descriptors
            .hold(&self.root, node, how.read, how.write)?;
        self.holds.hold(node);
        descriptors.keep();
        match self.attrs(node, AtFlags::empty()) {
            Ok(attrs) => Ok(FsReply::Opened(Opened {
                fh: node.handle,
                attrs,
                created,
                dir,
            })),
            Err(error) => {
                drop(self.release(&node.handle));
                Err(error)
            }
        }
    }
}

/// The times that hold the verifier of an exclusive creation, until the client sets others: after
/// a restart too, the repeated creation finds its file. As other servers do, it leaves out the
/// highest bit of either half, which makes a time negative.
fn times_of(verifier: [u8; 8]) -> (SetTime, SetTime) {
    let [a, b, c, d, e, f, g, h] = verifier;
    let time = |half: [u8; 4]| {
        SetTime::Client(Wall {
            seconds: i64::from(u32::from_be_bytes(half) & 0x7fff_ffff),
            nanos: 0,
        })
    };
    (time([a, b, c, d]), time([e, f, g, h]))
}

fn has_verifier(stat: &Statx, verifier: [u8; 8]) -> bool {
    let (accessed, modified) = times_of(verifier);
    let is = |time: &rustix::fs::StatxTimestamp| SetTime::Client(super::stat::wall(time));
    stat.stx_size == 0 && (is(&stat.stx_atime), is(&stat.stx_mtime)) == (accessed, modified)
}
