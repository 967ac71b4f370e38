//! An object that is held by a descriptor.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use nfs4_engine::fs::{FileKind, FsError, FsHandle};

use super::acl::KnownAcl;
use super::change::{Change, Grain};
use super::file::File;
use super::fs_type::FsType;

/// Which object: no two have the same while either is held by a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ObjectId {
    /// The device of its file system.
    pub(super) dev: u64,
    /// The number of its inode.
    pub(super) ino: u64,
    /// Its time of birth in nanoseconds, which tells apart objects that had the number one after
    /// the other; 0 where the file system has none.
    pub(super) generation: u64,
}

/// An object, held by a descriptor with `O_PATH`: its number is not reused meanwhile, and nothing
/// that happens to names changes which object it is.
#[derive(Debug)]
pub(super) struct Node {
    fd: OwnedFd,
    pub(super) id: ObjectId,
    pub(super) handle: FsHandle,
    pub(super) kind: FileKind,
    /// Its file system: 0 for that of the export's root, the name of a mount, or the device of a part of the root's
    /// mount that has inodes of its own.
    pub(super) fs: u64,
    /// Fileid of the directory that this root of a file system covers, else 0.
    pub(super) mounted_on: u64,
    pub(super) fs_type: FsType,
    pub(super) change: Change,
    pub(super) acl: Mutex<KnownAcl>,
    /// Its descriptors for bytes, once one was needed.
    pub(super) descriptors: OnceLock<Arc<File>>,
    /// Sweeps since the last use.
    idle: AtomicU8,
}

impl Node {
    /// An object that was found.
    pub(super) fn new(
        fd: OwnedFd,
        id: ObjectId,
        handle: FsHandle,
        kind: FileKind,
        fs_type: FsType,
    ) -> Node {
        let mut fs_type = fs_type;
        if kind == FileKind::Directory && fs_type.is_volatile {
            // A directory of tmpfs gets no new time for each change.
            fs_type.grain = Grain::Coarse;
        }
        Node {
            fd,
            id,
            handle,
            kind,
            fs: 0,
            mounted_on: 0,
            fs_type,
            change: Change::default(),
            acl: Mutex::default(),
            descriptors: OnceLock::new(),
            idle: AtomicU8::new(0),
        }
    }

    /// Checks that it is a directory.
    ///
    /// # Errors
    /// NotDirectory if not.
    pub(super) fn directory(&self) -> Result<&Node, FsError> {
        match self.kind {
            FileKind::Directory => Ok(self),
            _ => Err(FsError::NotDirectory),
        }
    }

    /// Checks that it is a directory in which names are looked up. [RFC 8881 §18.13.3, §18.16.3]
    ///
    /// # Errors
    /// NotDirectory, or IsSymlink for a link.
    pub(super) fn searched(&self) -> Result<&Node, FsError> {
        match self.kind {
            FileKind::Symlink => Err(FsError::IsSymlink),
            _ => self.directory(),
        }
    }

    /// Checks that it is a regular file. [RFC 8881 §18.22.3, §18.32.3]
    ///
    /// # Errors
    /// IsDirectory, IsSymlink or WrongType.
    pub(super) fn file(&self) -> Result<&Node, FsError> {
        match self.kind {
            FileKind::Regular => Ok(self),
            FileKind::Directory => Err(FsError::IsDirectory),
            FileKind::Symlink => Err(FsError::IsSymlink),
            FileKind::BlockDevice | FileKind::CharDevice | FileKind::Socket | FileKind::Fifo => {
                Err(FsError::WrongType)
            }
        }
    }

    /// Notes a use.
    pub(super) fn touch(&self) {
        if self.idle.load(Ordering::Relaxed) != 0 {
            self.idle.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that a sweep came by, and returns how many have since the last use.
    pub(super) fn age(&self) -> u8 {
        let idle = self.idle.load(Ordering::Relaxed).saturating_add(1);
        self.idle.store(idle, Ordering::Relaxed);
        idle
    }
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
