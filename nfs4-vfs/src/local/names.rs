//! LOOKUP, LOOKUPP, READLINK, LINK and REMOVE.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    DirChange, FileKind, FsError, FsHandle, FsOp, FsReply, FsResult, Rights, Want,
};
use rustix::fs::{AtFlags, ResolveFlags, Statx, readlinkat, unlinkat};
use rustix::io::Errno;

use super::caller::Caller;
use super::error::{Result, fs_error, of_names};
use super::identity::as_user;
use super::node::Node;
use super::permission::protection;
use super::shared::Shared;
use super::stat::{nanos, stat};

impl Shared {
    pub(super) fn lookup(
        &self,
        caller: &Caller,
        dir: &FsHandle,
        name: &[u8],
        want: Want,
    ) -> FsResult {
        check_name(name)?;
        let dir = self.node(dir)?;
        self.require(caller, self.searched(&dir)?, Rights::EXECUTE)?;
        let found = self.adopt(self.find(&dir, name)?, Some((&dir, name)))?;
        self.settle_handles()?;
        self.found(&found, want)
    }

    pub(super) fn lookup_parent(&self, caller: &Caller, dir: &FsHandle, want: Want) -> FsResult {
        let dir = self.node(dir)?;
        self.require(caller, self.searched(&dir)?, Rights::EXECUTE)?;
        if dir.handle == self.root_handle {
            return Err(FsError::NotFound);
        }
        let found = self.adopt(self.root.parent(dir.as_fd())?, None)?;
        self.settle_handles()?;
        self.found(&found, want)
    }

    pub(super) fn read_link(&self, fh: &FsHandle) -> FsResult {
        let link = self.node(fh)?;
        self.live(&link)?;
        if link.kind != FileKind::Symlink {
            return Err(FsError::WrongType);
        }
        let target = readlinkat(&*link, c"", Vec::new()).map_err(fs_error)?;
        let target = target.into_bytes();
        if !(1..=FsOp::MAX_TARGET).contains(&target.len()) {
            return Err(FsError::Io);
        }
        Ok(FsReply::Link(Bytes::from(target)))
    }

    pub(super) fn link(
        &self,
        caller: &Caller,
        fh: &FsHandle,
        dir: &FsHandle,
        name: &[u8],
    ) -> FsResult {
        check_name(name)?;
        let node = self.node(fh)?;
        let stat = self.live(&node)?;
        if node.kind == FileKind::Directory {
            return Err(FsError::IsDirectory);
        }
        if stat.stx_nlink == 0 {
            return Err(FsError::NotFound);
        }
        let dir = self.node(dir)?;
        let before = self.require(caller, self.directory(&dir)?, Rights::CHANGE_ENTRIES)?;
        // As the process: the rule of the kernel that a user links only own files is one for
        // directories that strangers share, and NFS has no such rule.
        self.root
            .link(node.as_fd(), dir.as_fd(), name)
            .map_err(of_names)?;
        node.change.count();
        self.settle(&[&dir])?;
        Ok(FsReply::Linked {
            dir: self.changed(&dir, &before)?,
        })
    }

    pub(super) fn remove(&self, caller: &Caller, dir: &FsHandle, name: &[u8]) -> FsResult {
        check_name(name)?;
        let dir = self.node(dir)?;
        let before = self.require(caller, self.directory(&dir)?, Rights::CHANGE_ENTRIES)?;
        for _ in 0..ATTEMPTS {
            let (entry, stat) = self.entry(&dir, name)?.ok_or(FsError::NotFound)?;
            may_unlink(caller, &dir, &before, (&entry, &stat))?;
            let flags = match entry.kind {
                FileKind::Directory => AtFlags::REMOVEDIR,
                _ => AtFlags::empty(),
            };
            match as_user(&caller.cred, || unlinkat(&*dir, name, flags))? {
                Ok(()) => {
                    self.unlinked(&entry);
                    self.settle(&[&dir])?;
                    return Ok(FsReply::Removed {
                        dir: self.changed(&dir, &before)?,
                    });
                }
                // Another object got the name meanwhile.
                Err(Errno::ISDIR | Errno::NOTDIR) => {}
                // The errors of a directory that is not empty.
                Err(Errno::NOTEMPTY | Errno::EXIST) => return Err(FsError::NotEmpty),
                Err(error) => return Err(of_names(error)),
            }
        }
        Err(FsError::Busy)
    }

    /// The object of a name, held.
    pub(super) fn find(&self, dir: &Node, name: &[u8]) -> Result<OwnedFd> {
        self.root
            .find(dir.as_fd(), name, ResolveFlags::empty())
            .map_err(of_lookup)
    }

    /// The object of a name, if there is one.
    pub(super) fn entry(&self, dir: &Node, name: &[u8]) -> Result<Option<(Arc<Node>, Statx)>> {
        match self.find(dir, name) {
            Ok(fd) => self.adopt(fd, Some((dir, name))).map(Some),
            Err(FsError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn found(&self, (node, stat): &(Arc<Node>, Statx), want: Want) -> FsResult {
        Ok(FsReply::Node {
            fh: node.handle,
            attrs: self.attrs_of(node, stat)?,
            stat: self.space(node, want)?,
        })
    }

    /// Notes that an object lost a name: one that has no other, and that no client has open, is let go,
    /// which frees its room.
    pub(super) fn unlinked(&self, node: &Arc<Node>) {
        node.change.count();
        self.let_go(node);
    }

    /// Keeps an object no longer if it has no name, and no client has it open.
    pub(super) fn let_go(&self, node: &Arc<Node>) {
        let stat = stat(node.as_fd(), AtFlags::empty());
        let is_gone = stat.is_ok_and(|stat| stat.stx_nlink == 0);
        if is_gone && !self.holds(node) && !self.descriptors.file(node).is_pinned() {
            self.descriptors.close(node);
            self.nodes.remove(node);
            self.forget(node);
        }
    }

    /// The change of a directory whose entries this server changed since `before`. Local processes
    /// may have changed it too, so it is never said to be atomic.
    pub(super) fn changed(&self, dir: &Node, before: &Statx) -> Result<DirChange> {
        let value = |stat: &Statx| dir.change.value(nanos(&stat.stx_ctime), dir.fs_type.grain);
        let before = value(before);
        dir.change.count();
        let after = stat(dir.as_fd(), AtFlags::empty())?;
        Ok(DirChange {
            atomic: false,
            before,
            after: value(&after),
        })
    }

    /// The change of a directory in which nothing changed.
    pub(super) fn unchanged(&self, dir: &Node, stat: &Statx) -> DirChange {
        let value = dir.change.value(nanos(&stat.stx_ctime), dir.fs_type.grain);
        DirChange {
            atomic: false,
            before: value,
            after: value,
        }
    }
}

/// Checks that this is a single name.
pub(super) fn check_name(name: &[u8]) -> Result<()> {
    match name {
        b"" | b"." | b".." => Err(FsError::Invalid),
        _ if name.len() > 255 => Err(FsError::NameTooLong),
        _ if name.iter().any(|byte| matches!(byte, b'/' | 0)) => Err(FsError::BadName),
        _ => Ok(()),
    }
}

/// Checks that the user may take this entry out of a directory in which the user may change
/// entries.
pub(super) fn may_unlink(
    caller: &Caller,
    dir: &Node,
    above: &Statx,
    (entry, stat): (&Node, &Statx),
) -> Result<()> {
    protection(dir, above).may_unlink(&caller.cred, &protection(entry, stat))
}

/// The error of looking a name up. A file system that is mounted on it is not shown.
pub(super) fn of_lookup(error: Errno) -> FsError {
    match error {
        Errno::XDEV => FsError::NotFound,
        // Names with characters that the file system does not store.
        Errno::ILSEQ => FsError::BadName,
        error => of_names(error),
    }
}

/// Number of attempts while other processes give the same name to other objects.
pub(super) const ATTEMPTS: u32 = 8;
