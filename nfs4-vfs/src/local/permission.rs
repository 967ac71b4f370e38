//! Rights of users to objects: the mode, and the POSIX ACL where there is one.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::Arc;

use nfs4_engine::fs::{Credential, FileKind, FsError, Protection, Rights};
use rustix::fs::{AtFlags, Statx, getxattr};
use rustix::io::Errno;

use crate::sync::lock;

use super::acl::{Acl, KnownAcl};
use super::caller::Caller;
use super::change::{Grain, is_final};
use super::error::{Result, fs_error};
use super::node::Node;
use super::shared::Shared;
use super::stat::{nanos, stat};

impl Shared {
    /// The attributes of a directory in which the user has these rights.
    ///
    /// # Errors
    /// AccessDenied without the rights, Stale if the directory was removed.
    pub(super) fn require(&self, caller: &Caller, dir: &Node, needed: Rights) -> Result<Statx> {
        let stat = self.live(dir)?;
        self.effective(&caller.cred, dir, &stat)?
            .require(&caller.cred, needed)?;
        Ok(stat)
    }

    /// The attributes of an object that has a name, or that a client has open.
    ///
    /// # Errors
    /// Stale if it has neither.
    pub(super) fn live(&self, node: &Node) -> Result<Statx> {
        let stat = stat(node.as_fd(), AtFlags::empty())?;
        if stat.stx_nlink == 0 && !self.holds(node) {
            return Err(FsError::Stale);
        }
        Ok(stat)
    }

    /// Checks that an object is a directory.
    ///
    /// # Errors
    /// Stale if it is gone, else those of [`Node::directory`].
    pub(super) fn directory<'a>(&self, node: &'a Node) -> Result<&'a Node> {
        self.unless_gone(node, node.directory())
    }

    /// The same for a directory in which names are looked up.
    ///
    /// # Errors
    /// Stale if it is gone, else those of [`Node::searched`].
    pub(super) fn searched<'a>(&self, node: &'a Node) -> Result<&'a Node> {
        self.unless_gone(node, node.searched())
    }

    /// Checks that an object is a regular file.
    ///
    /// # Errors
    /// Stale if it is gone, else those of [`Node::file`].
    pub(super) fn file<'a>(&self, node: &'a Node) -> Result<&'a Node> {
        self.unless_gone(node, node.file())
    }

    /// What is gone may be kept for a moment more; it is stale whatever its type was.
    fn unless_gone<'a>(&self, node: &Node, checked: Result<&'a Node>) -> Result<&'a Node> {
        checked.or_else(|error| self.live(node).and(Err(error)))
    }

    /// What decides on the rights of this user to an object: its protection, with the permission
    /// bits that an ACL gives the user.
    pub(super) fn effective(
        &self,
        cred: &Credential,
        node: &Node,
        stat: &Statx,
    ) -> Result<Protection> {
        let plain = protection(node, stat);
        if decides_alone(cred, node, &plain) {
            return Ok(plain);
        }
        let acl = match known(node, stat) {
            Some(acl) => acl,
            None => read(node, stat)?,
        };
        Ok(with_acl(cred, plain, acl.as_deref()))
    }

    /// The same if that needs no system call.
    pub(super) fn effective_at_once(
        &self,
        cred: &Credential,
        node: &Node,
        stat: &Statx,
    ) -> Option<Protection> {
        let plain = protection(node, stat);
        if decides_alone(cred, node, &plain) {
            return Some(plain);
        }
        Some(with_acl(cred, plain, known(node, stat)?.as_deref()))
    }
}

/// What decides on the rights to an object that has no ACL.
pub(super) fn protection(node: &Node, stat: &Statx) -> Protection {
    Protection {
        kind: node.kind,
        mode: u32::from(stat.stx_mode) & Protection::MODE_BITS,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
    }
}

/// Whether new objects of a directory get an ACL from it, which replaces the process's umask.
pub(super) fn has_default_acl(dir: &Node) -> bool {
    extended_attribute(dir, Acl::DEFAULT).is_ok_and(|value| value.is_some())
}

/// Whether no ACL changes the user's rights.
fn decides_alone(cred: &Credential, node: &Node, plain: &Protection) -> bool {
    cred.is_root() || cred.uid == plain.uid || node.kind == FileKind::Symlink
}

fn with_acl(cred: &Credential, plain: Protection, acl: Option<&Acl>) -> Protection {
    let Some(acl) = acl else {
        return plain;
    };
    let own = acl.permissions(cred, plain.gid);
    Protection {
        mode: plain.mode & !0o077 | own << 3 | own,
        ..plain
    }
}

/// The ACL if it is known; any change of it changes the ctime.
fn known(node: &Node, stat: &Statx) -> Option<Option<Arc<Acl>>> {
    let known = lock(&node.acl);
    (known.ctime == nanos(&stat.stx_ctime)).then(|| known.acl.clone())
}

fn read(node: &Node, stat: &Statx) -> Result<Option<Arc<Acl>>> {
    let acl = match extended_attribute(node, Acl::NAME)? {
        // What cannot be understood grants nothing.
        Some(value) => Some(Arc::new(Acl::parse(&value).ok_or(FsError::AccessDenied)?)),
        None => None,
    };
    // It may be of a later ctime; then that is another one than `stat` has.
    let ctime = nanos(&stat.stx_ctime);
    if node.fs_type.grain == Grain::Fine || is_final(ctime) {
        *lock(&node.acl) = KnownAcl {
            ctime,
            acl: acl.clone(),
        };
    }
    Ok(acl)
}

fn extended_attribute(node: &Node, name: &str) -> Result<Option<Vec<u8>>> {
    // No call reads it of a descriptor with O_PATH; this path leads to that object and no other.
    let object = format!("/proc/self/fd/{}", node.as_fd().as_raw_fd());
    let mut value = vec![0; MAX_ACL];
    match getxattr(object, name, &mut value) {
        Ok(len) => {
            value.truncate(len);
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(Errno::RANGE) => Err(FsError::AccessDenied),
        Err(error) => Err(fs_error(error)),
    }
}

/// Maximum length of an ACL, in bytes, that is understood: some 500 entries, the limit of most file
/// systems.
const MAX_ACL: usize = 4096;
