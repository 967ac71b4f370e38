//! LOOKUP, LOOKUPP, CREATE, LINK and REMOVE.

use std::os::fd::AsFd as _;

use nfs4_engine::fs::{FileKind, FsError, FsHandle, FsReply, FsResult, Rights, Want};
use rustix::fs::ResolveFlags;

use super::error::fs_error;
use super::node::Node;
use super::shared::Shared;
use super::{Caller, Result};

impl Shared {
    pub(super) fn lookup(
        &self,
        caller: &Caller,
        dir: &FsHandle,
        name: &[u8],
        want: Want,
    ) -> FsResult {
        let dir = self.node(dir)?;
        searched(&dir)?;
        self.require(caller, &dir, Rights::EXECUTE)?;
        let found = self.root.find(dir.as_fd(), name, ResolveFlags::empty());
        let (node, stat) = self.adopt(found.map_err(fs_error)?)?;
        Ok(FsReply::Node {
            fh: node.handle,
            attrs: self.attrs_of(&node, &stat)?,
            stat: self.space(&node, want)?,
        })
    }
}

/// Checks that names can be looked up in this object. [RFC 8881 §18.13.3, §18.16.3]
pub(super) fn searched(dir: &Node) -> Result<()> {
    match dir.kind {
        FileKind::Directory => Ok(()),
        FileKind::Symlink => Err(FsError::IsSymlink),
        _ => Err(FsError::NotDirectory),
    }
}
