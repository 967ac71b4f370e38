//! A file system in memory.
//!
//! # Locks
//!
//! Requests run on many threads at once. Locks are taken in this order and no other:
//!
//! 1. the rename lock, by renames between two directories only. While it is held no directory
//!    changes its parent, so that "is an ancestor of" stays true;
//! 2. the entries of directories: of an ancestor before those of a descendant. A rename locks two
//!    unrelated directories in the order of their numbers, and no directory above its source;
//! 3. the shape of one file: shared to read and write it, alone to cut it;
//! 4. the attributes of one object, never of two at once;
//! 5. a file's map of chunks;
//! 6. one chunk, the only lock under which bytes are copied alone;
//! 7. a shard of the table of objects, beside any of the above and with nothing under it.
//!
//! Whatever an object held is freed when its last reference is dropped; references that may
//! be the last are dropped after the locks of their directory.

mod attributes;
mod content;
mod data;
mod directory;
mod handle;
mod inode;
mod listing;
mod names;
mod open;
mod rename;
mod space;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use nfs4_engine::fs::{
    Backend, Capabilities, Credential, DirChange, FileKind, FsError, FsHandle, FsOp, FsReply,
    FsRequest, FsResult, Pending, Protection, Rights, Want,
};
use nfs4_engine::{Now, Wall};

use directory::Directory;
use handle::Handles;
use inode::{Body, Inode, Meta};
use space::{INODE_COST, Space};
use table::Table;

use crate::buffers::BufferPool;

/// The settings of a [`MemFs`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemFsConfig {
    /// A number of this run of the server; handles of another run are stale.
    pub epoch: u32,
    /// Random bytes that no client knows and no other file system has, so that no handle can be
    /// guessed.
    pub entropy: [u8; 16],
    /// Maximum size in bytes, names and attributes included.
    pub capacity: u64,
    /// Permission bits of the root directory.
    pub root_mode: u32,
    /// Owner of the root directory.
    pub root_uid: u32,
    /// Group of the root directory.
    pub root_gid: u32,
    /// The times of the root directory until it is changed.
    pub created: Wall,
}

/// Without the entropy, which no client may know.
impl fmt::Debug for MemFsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemFsConfig")
            .field("epoch", &self.epoch)
            .field("capacity", &self.capacity)
            .field("root_mode", &self.root_mode)
            .field("root_uid", &self.root_uid)
            .field("root_gid", &self.root_gid)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

impl MemFsConfig {
    /// These settings, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut MemFsConfig)) -> MemFsConfig {
        set(&mut self);
        self
    }

    /// `capacity` bytes, and a root directory of the superuser's with mode 0755. The entropy is the
    /// operating system's.
    pub fn new(epoch: u32, capacity: u64) -> MemFsConfig {
        MemFsConfig {
            epoch,
            entropy: entropy(),
            capacity,
            root_mode: 0o755,
            root_uid: 0,
            root_gid: 0,
            created: Wall::default(),
        }
    }
}

/// A complete POSIX file system in memory, which answers every request at once.
///
/// Files are sparse, in chunks of 64 KiB; a READ that lies in one chunk shares its memory, and
/// never sees a later WRITE. What is stored is bounded by [`MemFsConfig::capacity`]; the memory
/// of answers on their way comes on top.
pub struct MemFs {
    handles: Handles,
    root: FsHandle,
    table: Table,
    space: Arc<Space>,
    renames: Mutex<()>,
    /// For READs that are copied.
    buffers: Arc<BufferPool>,
}

impl MemFs {
    /// An empty file system. A capacity too small for the root directory is raised to that.
    pub fn new(config: MemFsConfig) -> MemFs {
        let space = Space::new(config.capacity.max(INODE_COST));
        let table = Table::new();
        let handles = Handles::new(config.epoch, &config.entropy);
        let mode = config.root_mode & Protection::MODE_BITS;
        let meta = Meta {
            links: 2,
            ..Meta::new(mode, config.root_uid, config.root_gid, config.created)
        };
        space
            .charge(INODE_COST)
            .expect("the capacity is at least that")
            .keep();
        let root = table
            .insert(|id| {
                let body = Body::Directory(Directory::new(id));
                Inode::new(id, handles.check(id), body, meta, &space)
            })
            .expect("the table is empty");
        MemFs {
            root: handles.make(root.id, root.check),
            handles,
            table,
            space,
            buffers: content::buffers(),
            renames: Mutex::new(()),
        }
    }

    /// Carries out one request: [`Backend::submit`] without a completion, since nothing here waits.
    ///
    /// # Errors
    /// As described at [`FsOp`].
    pub fn answer(&self, request: FsRequest) -> FsResult {
        let FsRequest { cred, now, op, .. } = request;
        let caller = Caller { cred: &cred, now };
        match op {
            FsOp::GetAttrs { fh, want } => self.get_attrs(&fh, want),
            FsOp::SetAttrs { fh, set, authority } => self.set_attrs(&caller, &fh, &set, authority),
            FsOp::Access { fh, mask } => self.access(&caller, &fh, mask),
            FsOp::Lookup { dir, name, want } => self.lookup(&caller, &dir, &name, want),
            FsOp::LookupParent { dir, want } => self.lookup_parent(&caller, &dir, want),
            FsOp::ReadDir {
                dir,
                cookie,
                entries,
            } => self.read_dir(&caller, &dir, cookie, entries),
            FsOp::ReadLink { fh } => self.read_link(&caller, &fh),
            FsOp::Read {
                fh,
                offset,
                count,
                authority,
                payload,
            } => self.read(&caller, &fh, offset, count, authority, payload),
            FsOp::Write {
                fh,
                offset,
                data,
                stability: _,
                authority,
            } => self.write(&caller, &fh, offset, &data, authority),
            FsOp::Commit {
                fh,
                offset: _,
                count: _,
            } => self.commit(&fh),
            FsOp::Create {
                dir,
                name,
                node,
                set,
            } => self.create(&caller, &dir, &name, node, &set),
            FsOp::Open { target, how } => self.open(&caller, target, &how),
            FsOp::Link { fh, dir, name } => self.link(&caller, &fh, &dir, &name),
            FsOp::Remove { dir, name } => self.remove(&caller, &dir, &name),
            FsOp::Rename {
                from_dir,
                from,
                to_dir,
                to,
            } => self.rename(&caller, (&from_dir, &from), (&to_dir, &to)),
            // No process but this server has its files.
            FsOp::Lock { .. } | FsOp::TestLock { .. } | FsOp::Lease { .. } => {
                Err(FsError::NotSupported)
            }
            // Of a later engine.
            _ => Err(FsError::NotSupported),
        }
    }

    /// The object of a handle. A handle of another run or of a removed object is stale, and one
    /// that was never issued is bad. [RFC 8881 §15.1.2.1, §15.1.2.7]
    fn inode(&self, fh: &FsHandle) -> Result<Arc<Inode>, FsError> {
        let (id, check) = self.handles.read(fh)?;
        match self.table.get(id) {
            Ok(inode) if inode.check == check => Ok(inode),
            Err(gone) if self.handles.check(id) == check => Err(gone),
            Ok(_) | Err(_) => Err(FsError::BadHandle),
        }
    }

    #[inline]
    fn handle_of(&self, inode: &Inode) -> FsHandle {
        self.handles.make(inode.id, inode.check)
    }

    fn node(&self, inode: &Inode, want: Want) -> FsReply {
        let attrs = inode.attrs(&inode.meta());
        FsReply::Node {
            fh: self.handle_of(inode),
            attrs,
            stat: self.stat(want),
        }
    }

    fn stat(&self, want: Want) -> Option<nfs4_engine::fs::FsStat> {
        want.stat.then(|| self.space.stat())
    }

    /// Removes an object that has neither a name nor an open. The returned value may be its last
    /// reference, to be dropped outside all locks.
    fn forget_if_gone(&self, inode: &Inode) -> Option<Arc<Inode>> {
        let gone = inode.meta().is_gone();
        if gone {
            self.table.remove(inode.id)
        } else {
            None
        }
    }
}

impl Backend for MemFs {
    fn root(&self) -> FsHandle {
        self.root
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with(|can| {
            can.hard_links = true;
            can.symlinks = true;
            can.max_name = MAX_NAME as u32;
            can.max_links = MAX_LINKS;
            can.max_file_size = MAX_FILE_SIZE;
        })
    }

    fn submit(&self, request: FsRequest, _pending: &mut Pending<'_>) -> Poll<FsResult> {
        Poll::Ready(self.answer(request))
    }

    fn release(&self, fh: FsHandle) {
        self.release_hold(&fh);
    }
}

impl Drop for MemFs {
    fn drop(&mut self) {
        // While the table holds every object, so that no chain of directories is dropped through
        // as many stack frames.
        self.table.for_each(|inode| {
            if let Body::Directory(directory) = &inode.body {
                drop(directory.take_all());
            }
        });
    }
}

impl fmt::Debug for MemFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemFs")
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}

/// The user, and the time of the request.
struct Caller<'a> {
    cred: &'a Credential,
    now: Now,
}

/// Whether the user may do this to a directory.
fn in_directory(caller: &Caller<'_>, dir: &Meta, needed: Rights) -> Result<(), FsError> {
    dir.protection(FileKind::Directory)
        .require(caller.cred, needed)
}

/// Whether the user may remove this entry from this directory, beside the right to write there.
fn may_unlink(caller: &Caller<'_>, dir: &Meta, entry: &Meta) -> Result<(), FsError> {
    // The type of the entry makes no difference.
    let entry = entry.protection(FileKind::Regular);
    dir.protection(FileKind::Directory)
        .may_unlink(caller.cred, &entry)
}

/// What the standard library keys its maps with, which is the operating system's randomness.
fn entropy() -> [u8; 16] {
    let state = RandomState::new();
    let [low, high] = [0, 1].map(|half: u64| u128::from(state.hash_one(half)));
    (high << 64 | low).to_be_bytes()
}

/// Checks that a name is legal.
fn check_name(name: &[u8]) -> Result<(), FsError> {
    match name.len() {
        0 => Err(FsError::Invalid),
        1..=MAX_NAME => Ok(()),
        _ => Err(FsError::NameTooLong),
    }
}

/// Records that entries of a directory were added or removed, under the lock on its entries.
fn note_change(dir: &Inode, now: Now, links: i32, bytes: i64) -> DirChange {
    let mut meta = dir.meta();
    let before = meta.change;
    meta.touch_data(now.wall);
    meta.links = meta.links.saturating_add_signed(links);
    meta.size = meta.size.saturating_add_signed(bytes);
    DirChange {
        atomic: true,
        before,
        after: meta.change,
    }
}

/// A directory in which nothing changed, under the lock on its entries.
fn no_change(dir: &Inode) -> DirChange {
    let change = dir.meta().change;
    DirChange {
        atomic: true,
        before: change,
        after: change,
    }
}

const MAX_NAME: usize = 255;
/// A directory has one for each directory in it.
const MAX_LINKS: u32 = 1 << 20;
/// Offsets of most clients are signed.
const MAX_FILE_SIZE: u64 = i64::MAX as u64;
