//! How what a request has made is taken back when the request fails.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::os::fd::AsFd as _;

use nfs4_engine::fs::FileKind;
use rustix::fs::{AtFlags, RenameFlags, Statx, renameat_with, unlinkat};
use rustix::io::Errno;

use super::caller::Caller;
use super::identity::as_user;
use super::node::{Node, ObjectId};
use super::shared::{Shared, object};
use super::stat::{kind, nanos, stat_name};

/// What a request has made, as it has left it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) id: ObjectId,
    size: u64,
    /// Blocks of its bytes: a write moves the time only once within a tick of the clock.
    blocks: u64,
    modified: u64,
}

impl Made {
    /// What has these attributes.
    pub(super) fn of(stat: &Statx) -> Made {
        Made {
            id: object(stat),
            size: stat.stx_size,
            blocks: stat.stx_blocks,
            modified: nanos(&stat.stx_mtime),
        }
    }

    /// Whether this is the object, and no other party has done anything with it that would be gone with its name. A
    /// directory with something in it is not removed anyway.
    fn is_untouched(&self, found: &Statx) -> bool {
        let now = Made::of(found);
        let is_as_left = match kind(found) {
            Ok(FileKind::Directory) => true,
            Ok(FileKind::Regular) => {
                let bytes = |made: &Made| (made.size, made.blocks, made.modified);
                found.stx_nlink == 1 && bytes(&now) == bytes(self)
            }
            _ => found.stx_nlink == 1,
        };
        now.id == self.id && is_as_left
    }
}

impl Shared {
    /// Takes what this request has just made out of a directory, as the request fails: a client that tries again
    /// must not find it. Not if another object has the name by now, or a client or another program has used it
    /// already: what they were told is done would be gone.
    ///
    /// No system call removes a name only if it leads to a given object, and another program may give the name to
    /// a file of its own at any moment. So what has the name is moved to one that no program knows, and removed
    /// there if it is what was made, as it was made; else it is moved back. A file system that cannot move it only to
    /// a name that is free, as NFS, removes the name at once.
    pub(super) fn take_back(&self, caller: &Caller, (dir, name): (&Node, &[u8]), made: &Made) {
        self.take_back_by((dir, name), made, caller, |from, to| {
            let flags = RenameFlags::NOREPLACE;
            let moved = as_user(&caller.cred, || renameat_with(dir, from, dir, to, flags));
            moved.unwrap_or(Err(Errno::ACCESS))
        });
    }

    /// The same by this way to give an object a name that is free.
    pub(super) fn take_back_by(
        &self,
        (dir, name): (&Node, &[u8]),
        made: &Made,
        caller: &Caller,
        move_free: impl Fn(&[u8], &[u8]) -> rustix::io::Result<()>,
    ) {
        let id = made.id;
        let found = |name: &[u8]| {
            // First, as a client that has closed it may have written it.
            let is_free = self.descriptors.held(id).is_none();
            let found = stat_name(dir.as_fd(), name).ok()?;
            (is_free && made.is_untouched(&found)).then_some(found)
        };
        if found(name).is_none() {
            return;
        }
        let aside = unknown_name();
        let last = match move_free(name, &aside) {
            Ok(()) => &aside[..],
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => name,
            // One that cannot be taken back stays, and the client finds it.
            Err(_) => return,
        };
        let is_gone = found(last).is_some_and(|found| {
            let flags = match kind(&found) {
                Ok(FileKind::Directory) => AtFlags::REMOVEDIR,
                _ => AtFlags::empty(),
            };
            let taken = as_user(&caller.cred, || unlinkat(dir, last, flags));
            matches!(taken, Ok(Ok(())))
        });
        dir.change.count();
        if !is_gone {
            // If the name is taken once more, the object keeps this one.
            if last != name {
                let _ = move_free(last, name);
            }
            return;
        }
        if let Some(node) = self.nodes.of_inode(id.dev, id.ino) {
            self.unlinked(&node);
        }
    }
}

/// A name that no program can know beforehand.
fn unknown_name() -> Vec<u8> {
    let word = || RandomState::new().build_hasher().finish();
    format!(".nfs4-{:016x}{:016x}", word(), word()).into_bytes()
}
