//! How what a request has made is taken back when the request fails.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::os::fd::AsFd as _;

use nfs4_engine::fs::FileKind;
use rustix::fs::{AtFlags, RenameFlags, renameat_with, unlinkat};

use super::caller::Caller;
use super::identity::as_user;
use super::node::{Node, ObjectId};
use super::shared::{Shared, object};
use super::stat::{kind, stat_name};

impl Shared {
    /// Takes what this request has just made out of a directory, as the request fails: a client that tries again
    /// must not find it. Not if another object has the name by now, or a client has it open already.
    ///
    /// No system call removes a name only if it leads to a given object, and another program may give the name to
    /// a file of its own at any moment. So what has the name is moved to one that no program knows, and removed
    /// there if it is what was made; else it is moved back.
    pub(super) fn take_back(&self, caller: &Caller, (dir, name): (&Node, &[u8]), made: ObjectId) {
        let found = |name: &[u8]| {
            let found = stat_name(dir.as_fd(), name).ok()?;
            let is_free = object(&found) == made && self.descriptors.held(made).is_none();
            is_free.then_some(found)
        };
        if found(name).is_none() {
            return;
        }
        let moved = |from: &[u8], to: &[u8]| {
            let flags = RenameFlags::NOREPLACE;
            let moved = as_user(&caller.cred, || renameat_with(dir, from, dir, to, flags));
            matches!(moved, Ok(Ok(())))
        };
        let aside = unknown_name();
        // One that cannot be taken back stays, and the client finds it.
        if !moved(name, &aside) {
            return;
        }
        let is_gone = found(&aside).is_some_and(|found| {
            let flags = match kind(&found) {
                Ok(FileKind::Directory) => AtFlags::REMOVEDIR,
                _ => AtFlags::empty(),
            };
            let taken = as_user(&caller.cred, || unlinkat(dir, &aside[..], flags));
            matches!(taken, Ok(Ok(())))
        });
        dir.change.count();
        if !is_gone {
            // If the name is taken once more, the object keeps this one.
            moved(&aside, name);
            return;
        }
        if let Some(node) = self.nodes.of_inode(made.dev, made.ino) {
            self.unlinked(&node);
        }
    }
}

/// A name that no program can know beforehand.
fn unknown_name() -> Vec<u8> {
    let word = || RandomState::new().build_hasher().finish();
    format!(".nfs4-{:016x}{:016x}", word(), word()).into_bytes()
}
