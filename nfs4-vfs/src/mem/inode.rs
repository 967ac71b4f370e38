//! An object: its attributes and its contents.

use std::sync::{Arc, Mutex, MutexGuard};

use nfs4_engine::Wall;
use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{Attrs, Device, FileKind, FsError, Protection};

use super::content::Content;
use super::directory::Directory;
use super::handle::InodeId;
use super::space::{BLOCK, INODE_COST, Space};
use crate::sync::lock;

/// An object; when the last reference goes, all its room is freed.
pub(super) struct Inode {
    pub(super) id: InodeId,
    /// The check word of its handle.
    pub(super) check: u64,
    pub(super) body: Body,
    meta: Mutex<Meta>,
    space: Arc<Space>,
}

/// The type of an object, and its contents.
pub(super) enum Body {
    File(Content),
    Directory(Directory),
    Symlink(Bytes),
    BlockDevice(Device),
    CharDevice(Device),
    Socket,
    Fifo,
}

/// The attributes of every kind of object.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Names; of a directory also its own "." and the ".." of each directory in it.
    pub(super) links: u32,
    /// Opens that were not released.
    pub(super) holds: u64,
    pub(super) change: u64,
    /// Length of a file or of a link's target; of a directory, what its entries cost.
    pub(super) size: u64,
    pub(super) accessed: Wall,
    pub(super) modified: Wall,
    pub(super) changed: Wall,
    pub(super) created: Wall,
    /// The verifier that an exclusive creation made it with.
    pub(super) verifier: Option<[u8; 8]>,
}

impl Inode {
    /// An object whose [`INODE_COST`] and contents are charged and kept.
    pub(super) fn new(
        id: InodeId,
        check: u64,
        body: Body,
        meta: Meta,
        space: &Arc<Space>,
    ) -> Inode {
        Inode {
            id,
            check,
            body,
            meta: Mutex::new(meta),
            space: Arc::clone(space),
        }
    }

    /// Locks the attributes: the last lock but those of contents, held briefly.
    pub(super) fn meta(&self) -> MutexGuard<'_, Meta> {
        lock(&self.meta)
    }

    pub(super) fn kind(&self) -> FileKind {
        self.body.kind()
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    pub(super) fn directory(&self) -> Result<&Directory, FsError> {
        match &self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(FsError::NotDirectory),
        }
    }

    /// The bytes of a regular file. [RFC 8881 §18.22.3, §18.32.3]
    pub(super) fn content(&self) -> Result<&Content, FsError> {
        match self.body {
            Body::File(ref content) => Ok(content),
            Body::Directory(_) => Err(FsError::IsDirectory),
            Body::Symlink(_) => Err(FsError::IsSymlink),
            Body::BlockDevice(_) | Body::CharDevice(_) | Body::Socket | Body::Fifo => {
                Err(FsError::WrongType)
            }
        }
    }

    pub(super) fn attrs(&self, meta: &Meta) -> Attrs {
        let (space_used, device) = match self.body {
            Body::File(ref content) => (content.held(), Device::default()),
            Body::BlockDevice(device) | Body::CharDevice(device) => (0, device),
            Body::Directory(_) => (meta.size.next_multiple_of(BLOCK), Device::default()),
            // The target of a link lies beside its inode; the others have no contents.
            Body::Symlink(_) | Body::Socket | Body::Fifo => (0, Device::default()),
        };
        Attrs {
            kind: self.kind(),
            mode: meta.mode,
            links: meta.links,
            uid: meta.uid,
            gid: meta.gid,
            device,
            fileid: self.id.fileid(),
            change: meta.change,
            size: meta.size,
            space_used,
            accessed: meta.accessed,
            modified: meta.modified,
            changed: meta.changed,
            created: meta.created,
            fs: 0,
            mounted_on: 0,
        }
    }
}

impl Body {
    pub(super) fn kind(&self) -> FileKind {
        match self {
            Body::File(_) => FileKind::Regular,
            Body::Directory(_) => FileKind::Directory,
            Body::Symlink(_) => FileKind::Symlink,
            Body::BlockDevice(_) => FileKind::BlockDevice,
            Body::CharDevice(_) => FileKind::CharDevice,
            Body::Socket => FileKind::Socket,
            Body::Fifo => FileKind::Fifo,
        }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let target = match &self.body {
            Body::Symlink(target) => target.len() as u64,
            // Contents free their own; a directory that is dropped is empty, or the whole
            // file system goes.
            _ => 0,
        };
        self.space.give_back(INODE_COST + target);
    }
}

impl Meta {
    /// What decides on the rights to an object of this type.
    pub(super) fn protection(&self, kind: FileKind) -> Protection {
        Protection {
            kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
        }
    }

    /// The attributes of something made now.
    pub(super) fn new(mode: u32, uid: u32, gid: u32, now: Wall) -> Meta {
        Meta {
            mode,
            uid,
            gid,
            links: 1,
            holds: 0,
            change: 1,
            size: 0,
            accessed: now,
            modified: now,
            changed: now,
            created: now,
            verifier: None,
        }
    }

    /// Whether it has neither a name nor an open: its handle is stale.
    pub(super) fn is_gone(&self) -> bool {
        self.links == 0 && self.holds == 0
    }

    /// Records a change of attributes.
    pub(super) fn touch(&mut self, now: Wall) {
        self.change += 1;
        self.changed = now;
    }

    /// Records a change of data.
    pub(super) fn touch_data(&mut self, now: Wall) {
        self.touch(now);
        self.modified = now;
    }

    /// Records a read. As in most systems, the time is updated only by the first read after a
    /// change, and once a day. It does not count as a change.
    pub(super) fn note_read(&mut self, now: Wall) {
        let yesterday = Wall {
            seconds: now.seconds.saturating_sub(86_400),
            ..now
        };
        if self.accessed <= self.modified
            || self.accessed <= self.changed
            || self.accessed <= yesterday
        {
            self.accessed = now;
        }
    }
}
