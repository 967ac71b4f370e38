//! OPEN: finding or making a file, checking rights, and holding it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

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
use super::stat::{stat, wall};
use super::taken_back::Made;

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
                if node.handle != *fh {
                    // It is in use by the handle that another mount has given it: the client looks it up again.
                    return Err(FsError::Stale);
                }
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
                return self.open_found(caller, (dir, &above, name), (&found, &stat), how);
            }
            let (set, verifier) = match &how.create {
                Creation::No => return Err(FsError::NotFound),
                Creation::Unchecked(set) | Creation::Guarded(set) => (*set, None),
                Creation::Exclusive { verifier, set } => (*set, Some(*verifier)),
            };
            let under_way = match verifier {
                // The same creation may come again before the file has its verifier.
                Some(_) => Some(self.creations.begin(dir.id, name).ok_or(FsError::Busy)?),
                None => None,
            };
            let made = self.open_new(caller, (dir, &above), name, &set, verifier);
            let done = made.and_then(|(node, made, change)| {
                let held = self.hold(&node, how, true, change);
                held.inspect_err(|_| self.take_back(caller, (dir, name), &made))
            });
            drop(under_way);
            match done {
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
        (dir, above, name): (&Node, &Statx, &[u8]),
        (found, stat): (&Arc<Node>, &Statx),
        how: &OpenHow,
    ) -> FsResult {
        let created = match &how.create {
            Creation::No | Creation::Unchecked(_) => false,
            Creation::Guarded(_) => return Err(FsError::Exists),
            Creation::Exclusive { verifier, set: _ } => {
                if self.creations.is_under_way(dir.id, name) {
                    return Err(FsError::Busy);
                }
                if found.kind != FileKind::Regular || !self.has_verifier(found, *verifier)? {
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
    ) -> Result<(Arc<Node>, Made, DirChange)> {
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
        let mut left = Made::of(&stat(made.as_fd(), AtFlags::empty())?);
        let at = (dir, above, name);
        let finished = self.finish_file(caller, at, (&made, &mut left), (set, &new), verifier);
        let finished = finished.inspect_err(|_| self.take_back(caller, (dir, name), &left));
        let (node, change) = finished?;
        // It reads and writes whatever the mode is.
        self.descriptors.adopt(&node, made, Access::Write);
        Ok((node, left, change))
    }

    /// Gives a file that was just made what it needs before a client hears of it, and notes how it has left it.
    fn finish_file(
        &self,
        caller: &Caller,
        (dir, above, name): (&Node, &Statx, &[u8]),
        (made, left): (&OwnedFd, &mut Made),
        (set, new): (&SetAttrs, &Protection),
        verifier: Option<[u8; 8]>,
    ) -> Result<(Arc<Node>, DirChange)> {
        if let Some(size) = set.size.filter(|size| *size > 0) {
            rustix::fs::ftruncate(made, size).map_err(fs_error)?;
            *left = Made::of(&stat(made.as_fd(), AtFlags::empty())?);
        }
        let (node, stat) = self.adopt(
            self.root.hold(made.as_fd()).map_err(fs_error)?,
            Some((dir, name)),
        )?;
        let mut set = *set;
        if let Some(verifier) = verifier {
            // After a restart too, the repeated creation finds its file.
            let (accessed, modified) = Creation::verifier_times(verifier);
            (set.accessed, set.modified) = (SetTime::Client(accessed), SetTime::Client(modified));
        }
        *left = Made::of(&self.set_new(caller, dir, (&node, &stat), new, &set)?);
        self.settle(&[&node, dir])?;
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

    /// Whether a file was made with this verifier, as far as is known: from the first open of it to the
    /// last close, and until a client writes it or sets its times. Asked after the creation has
    /// ended, since the attributes that were looked at before may be older.
    fn has_verifier(&self, file: &Node, verifier: [u8; 8]) -> Result<bool> {
        if let Some(known) = self.holds.verifier(&file.handle) {
            return Ok(known == verifier);
        }
        let now = stat(file.as_fd(), AtFlags::empty())?;
        let times = (wall(&now.stx_atime), wall(&now.stx_mtime));
        Ok(now.stx_size == 0 && times == Creation::verifier_times(verifier))
    }

    /// Holds a file once more, with what is needed to read and write it.
    fn hold(&self, node: &Arc<Node>, how: &OpenHow, created: bool, dir: DirChange) -> FsResult {
        let descriptors = self
            .descriptors
            .hold(&self.root, node, how.read, how.write)?;
        let verifier = match how.create {
            Creation::Exclusive { verifier, .. } if created => Some(verifier),
            _ => None,
        };
        self.holds.hold(node, verifier);
        descriptors.keep();
        let settled = self.settle_handles();
        match settled.and_then(|()| self.attrs(node, AtFlags::empty())) {
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
