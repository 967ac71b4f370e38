//! How objects that are held are opened for their bytes.

use std::os::fd::{AsFd as _, OwnedFd};

use nfs4_engine::fs::{FileKind, Protection};
use rustix::fs::{AtFlags, OFlags, Statx};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::file::Access;
use super::identity::switches;
use super::node::Node;
use super::root::Root;
use super::stat::stat;

/// Opens the object of a node, and says whether the descriptor reads and writes.
///
/// It does not wait for a local process that has a lease on the file: that is EAGAIN.
pub(super) fn reopen(
    root: &Root,
    node: &Node,
    access: Access,
) -> rustix::io::Result<(OwnedFd, bool)> {
    let flags = match node.kind {
        FileKind::Directory => OFlags::DIRECTORY,
        _ => OFlags::NONBLOCK,
    };
    if access == Access::Read {
        return Ok((root.reopen(node.as_fd(), OFlags::RDONLY | flags)?, false));
    }
    match root.reopen(node.as_fd(), OFlags::RDWR | flags) {
        // The mode may allow to write, and not to read.
        Err(Errno::ACCESS) => Ok((root.reopen(node.as_fd(), OFlags::WRONLY | flags)?, false)),
        opened => Ok((opened?, true)),
    }
}

/// Whether this is a file of the server's user, and that is not the superuser: [`let_in`] may open it whatever its
/// mode is.
pub(super) fn is_own(node: &Node) -> bool {
    node.kind == FileKind::Regular
        && !switches()
        && stat(node.as_fd(), AtFlags::empty())
            .is_ok_and(|now| now.stx_uid == geteuid().as_raw() && !lends(&now))
}

/// Opens a file of the server's user again that a client has open, as after a restart of a server that is not the
/// superuser's: the client made the file with mode 0444, or its mode has changed since. The owner has the rights
/// that the mode denies between two system calls, while no other thread opens the file or sets its mode.
///
/// # Errors
/// EACCES if the file is another user's, or lends rights, which the kernel would take away with a change of its mode.
pub(super) fn let_in(
    root: &Root,
    node: &Node,
    access: Access,
) -> rustix::io::Result<(OwnedFd, bool)> {
    // Another thread may have set the mode meanwhile.
    match reopen(root, node, access) {
        Err(Errno::ACCESS) if is_own(node) => {}
        opened => return opened,
    }
    let mode = || stat(node.as_fd(), AtFlags::empty()).map(|now| mode_of(&now));
    let before = mode().map_err(|_| Errno::ACCESS)?;
    let opened = match access {
        Access::Read => before | OWNER_READS,
        Access::Write => before | OWNER_READS | OWNER_WRITES,
    };
    if opened == before {
        return Err(Errno::ACCESS);
    }
    root.change_mode(node.as_fd(), opened)?;
    let fd = reopen(root, node, access);
    // Unless another process has given it another mode meanwhile.
    if mode().is_ok_and(|now| now == opened) {
        root.change_mode(node.as_fd(), before)?;
    }
    node.change.count();
    fd
}

fn mode_of(now: &Statx) -> u32 {
    u32::from(now.stx_mode) & Protection::MODE_BITS
}

fn lends(now: &Statx) -> bool {
    mode_of(now) & (Protection::SETUID | Protection::SETGID) != 0
}

const OWNER_READS: u32 = 0o400;
const OWNER_WRITES: u32 = 0o200;
