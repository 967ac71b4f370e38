//! How objects that are held are opened for their bytes.

use std::os::fd::{AsFd as _, OwnedFd};

use nfs4_engine::fs::{FileKind, Protection};
use rustix::fs::{AtFlags, OFlags};
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

/// Opens a file of the server's user again that a client has open, as after a restart of a server that is not the
/// superuser's: the client made the file with mode 0444, or its mode has changed since. The owner has the rights
/// that the mode denies for the moment of a system call.
///
/// # Errors
/// EACCES if the file is another user's, or lends rights, which the kernel would take away with a change of its mode.
pub(super) fn let_in(
    root: &Root,
    node: &Node,
    access: Access,
) -> rustix::io::Result<(OwnedFd, bool)> {
    let mode = || {
        let now = stat(node.as_fd(), AtFlags::empty()).map_err(|_| Errno::ACCESS)?;
        let mode = u32::from(now.stx_mode) & Protection::MODE_BITS;
        Ok::<_, Errno>((mode, now.stx_uid))
    };
    let (before, owner) = mode()?;
    let opened = match access {
        Access::Read => before | OWNER_READS,
        Access::Write => before | OWNER_READS | OWNER_WRITES,
    };
    let lends = before & (Protection::SETUID | Protection::SETGID) != 0;
    let is_own = !switches() && owner == geteuid().as_raw();
    if !is_own || lends || opened == before || node.kind != FileKind::Regular {
        return Err(Errno::ACCESS);
    }
    root.change_mode(node.as_fd(), opened)?;
    let fd = reopen(root, node, access);
    // Unless another process has given it another mode meanwhile.
    if mode().is_ok_and(|(now, _)| now == opened) {
        root.change_mode(node.as_fd(), before)?;
    }
    node.change.count();
    fd
}

const OWNER_READS: u32 = 0o400;
const OWNER_WRITES: u32 = 0o200;
