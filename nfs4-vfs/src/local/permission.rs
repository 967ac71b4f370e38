//! Rights of users to objects.

use std::os::fd::AsFd as _;

use nfs4_engine::fs::{Protection, Rights};
use rustix::fs::{AtFlags, Statx};

use super::node::Node;
use super::root::stat;
use super::shared::Shared;
use super::{Caller, Result};

impl Shared {
    /// Checks that the user has these rights.
    pub(super) fn require(&self, caller: &Caller, node: &Node, needed: Rights) -> Result<()> {
        let stat = stat(node.as_fd(), AtFlags::empty())?;
        protection(node, &stat).require(&caller.cred, needed)
    }
}

/// What decides on the rights to an object.
pub(super) fn protection(node: &Node, stat: &Statx) -> Protection {
    Protection {
        kind: node.kind,
        mode: u32::from(stat.stx_mode) & Protection::MODE_BITS,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
    }
}
