//! What all requests share: from handles to objects and back.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use nfs4_engine::fs::{FsError, FsHandle, FsStat, Want};
use rustix::fs::{AtFlags, Statx, fstatvfs};

use super::config::LocalFsConfig;
use super::error::fs_error;
use super::handle::{Handles, Name};
use super::holds::Holds;
use super::node::{Node, ObjectId};
use super::nodes::Nodes;
use super::root::Root;
use super::stat::{birth, device, kind, stat};
use super::{LocalFsError, Result, system};

/// One export.
pub(super) struct Shared {
    pub(super) config: LocalFsConfig,
    pub(super) root: Root,
    pub(super) root_handle: FsHandle,
    pub(super) nodes: Nodes,
    handles: Handles,
    pub(super) holds: Holds,
}

impl Shared {
    pub(super) fn open(config: LocalFsConfig) -> std::result::Result<Shared, LocalFsError> {
        let root = Root::open(&config)?;
        let failed = |error: FsError| LocalFsError::Attributes(config.root.clone(), error);
        let handles = Handles::new(&config.secret, &root.identity().map_err(failed)?);
        let mut shared = Shared {
            nodes: Nodes::new(MAX_NODES),
            root_handle: FsHandle::from_number(0),
            root,
            handles,
            holds: Holds::default(),
            config,
        };
        let fd = shared.root.as_fd().try_clone_to_owned();
        let failed = |error: FsError| LocalFsError::Attributes(shared.config.root.clone(), error);
        let fd = fd.map_err(|_| failed(FsError::Busy))?;
        let found = shared.adopt(fd).map_err(failed)?.0.handle;
        shared.root_handle = found;
        Ok(shared)
    }

    /// The object of a handle.
    ///
    /// # Errors
    /// BadHandle if this export never made it, Stale if the object is gone.
    pub(super) fn node(&self, fh: &FsHandle) -> Result<Arc<Node>> {
        if let Some(node) = self.kept(fh) {
            return Ok(node);
        }
        match self.handles.read(fh)? {
            Name::Kernel { fs: 0, handle } => {
                let fd = self.root.open_by_handle(&handle).map_err(stale)?;
                Ok(self.adopt(fd)?.0)
            }
            Name::Kernel { .. } | Name::Number(_) => Err(FsError::Stale),
        }
    }

    /// The object of a handle, if that is known without a system call.
    pub(super) fn kept(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        self.nodes.get(fh).or_else(|| self.holds.get(fh))
    }

    /// Whether a client has this object open.
    pub(super) fn holds(&self, node: &Node) -> bool {
        self.holds.get(&node.handle).is_some()
    }

    /// Lets an object go that an OPEN held; returns it if no client has it open any more.
    pub(super) fn release(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        self.holds.release(fh)
    }

    /// The space of the object's file system, if it is wanted.
    pub(super) fn space(&self, node: &Node, want: Want) -> Result<Option<FsStat>> {
        if !want.stat {
            return Ok(None);
        }
        let space = fstatvfs(node).map_err(fs_error)?;
        Ok(Some(FsStat {
            space_total: space.f_blocks.saturating_mul(space.f_frsize),
            space_free: space.f_bfree.saturating_mul(space.f_frsize),
            space_avail: space.f_bavail.saturating_mul(space.f_frsize),
            files_total: space.f_files,
            files_free: space.f_ffree,
            files_avail: space.f_favail,
        }))
    }

    /// What the administrator must know.
    pub(super) fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The object behind a descriptor with `O_PATH`, and its attributes.
    pub(super) fn adopt(&self, fd: OwnedFd) -> Result<(Arc<Node>, Statx)> {
        let stat = stat(fd.as_fd(), AtFlags::empty())?;
        let (dev, ino) = (device(&stat), stat.stx_ino);
        if let Some(node) = self.nodes.of_inode(dev, ino) {
            return Ok((node, stat));
        }
        let handle = system::name_to_handle(fd.as_fd()).map_err(fs_error)?;
        let handle = self.handles.make(&Name::Kernel { fs: 0, handle });
        if let Some(node) = self.kept(&handle) {
            return Ok((node, stat));
        }
        let generation = birth(&stat);
        let id = ObjectId {
            dev,
            ino,
            generation,
        };
        let kind = kind(&stat)?;
        let node = Node::new(fd, id, handle, kind, self.root.grain);
        Ok((self.nodes.insert(node), stat))
    }
}

/// The error of opening a handle whose tag is right.
fn stale(error: rustix::io::Errno) -> FsError {
    match fs_error(error) {
        FsError::Busy => FsError::Busy,
        FsError::Io => FsError::Io,
        _ => FsError::Stale,
    }
}

/// Maximum number of objects that are kept for the next request.
const MAX_NODES: usize = 16_384;
