//! What all requests share: from handles to objects and back.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nfs4_engine::fs::{FsError, FsHandle, FsStat, Want};
use rustix::fs::{AtFlags, ResolveFlags, Statx, fstatvfs};
use rustix::io::Errno;

use super::config::LocalFsConfig;
use super::creations::Creations;
use super::descriptors::Descriptors;
use super::durability::Losses;
use super::error::{LocalFsError, Result, fs_error};
use super::handle::{Handles, Name};
use super::handle_row::Key;
use super::handle_table::HandleTable;
use super::holds::Holds;
use super::locks::Locks;
use super::mounts::{Mount, Mounts, Point, points_below};
use super::node::{Node, ObjectId};
use super::nodes::Nodes;
use super::read_buffers::Buffers;
use super::root::Root;
use super::stat::{birth, device, kind, stat};
use super::wait::{Attempt, Stop, Wait};
use super::{identity, system};

/// One export.
pub(super) struct Shared {
    pub(super) config: LocalFsConfig,
    pub(super) root: Root,
    pub(super) root_handle: FsHandle,
    pub(super) nodes: Nodes,
    pub(super) descriptors: Descriptors,
    pub(super) buffers: Buffers,
    pub(super) losses: Losses,
    pub(super) holds: Holds,
    pub(super) creations: Creations,
    pub(super) locks: Locks,
    pub(super) handles: Handles,
    /// None where the kernel's handles are permitted.
    pub(super) table: Option<HandleTable>,
    pub(super) mounts: Mounts,
    /// The root's device and inode.
    root_object: ObjectId,
}

/// By which name in which directory an object was found.
pub(super) type Place<'a> = Option<(&'a Node, &'a [u8])>;

impl Shared {
    pub(super) fn open(config: LocalFsConfig) -> std::result::Result<Shared, LocalFsError> {
        let root = Root::open(&config)?;
        let path = config.root.clone();
        let failed = |error: FsError| LocalFsError::Attributes(path.clone(), error);
        let identity = root.identity().map_err(failed)?;
        let handles = Handles::new(
            &config.secret,
            &identity,
            config.root.as_os_str().as_bytes(),
        );
        let table = if root.has_kernel_handles() {
            None
        } else {
            let file = config.state.as_ref().map(|folder| {
                let number = handles.number_of_export();
                folder.join(format!("handles-{number:016x}.redb"))
            });
            let table = HandleTable::open(file.as_deref());
            Some(table.map_err(|error| LocalFsError::Table(file.unwrap_or_default(), error))?)
        };
        let found = root.stat().map_err(failed)?;
        let descriptors = Descriptors::new(config.descriptors);
        let mut shared = Shared {
            nodes: Nodes::new(descriptors.most_objects().min(MAX_NODES)),
            descriptors,
            buffers: Buffers::new(),
            losses: Losses::default(),
            root_handle: FsHandle::from_number(0),
            root_object: object(&found),
            root,
            handles,
            table,
            mounts: Mounts::default(),
            holds: Holds::default(),
            creations: Creations::default(),
            locks: Locks::default(),
            config,
        };
        shared.root_handle = shared.root_node().map_err(failed)?.handle;
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
            Name::Kernel { fs, handle } if self.table.is_none() => {
                let opened = match fs {
                    0 => patiently(|| self.root.open_by_handle(&handle)),
                    fs => {
                        let mount = self.mounted(fs)?;
                        patiently(|| mount.open_by_handle(&handle))
                    }
                };
                Ok(self.adopt(opened.map_err(stale)?, None)?.0)
            }
            Name::Number(number) if self.table.is_some() => self.numbered(number),
            // Of a server with other rights.
            Name::Kernel { .. } | Name::Number(_) => Err(FsError::Stale),
        }
    }

    /// The object of a handle, if it may wait or need not.
    pub(super) fn node_or(&self, fh: &FsHandle, wait: Wait) -> Attempt<Arc<Node>> {
        match self.kept(fh) {
            Some(node) => Ok(node),
            None if wait == Wait::Yes => Ok(self.node(fh)?),
            None => Err(Stop::Waits),
        }
    }

    /// The object of a handle of which bytes or locks are asked for, if the request may wait, or if its attributes and
    /// locks are in memory: of another file system, each call may wait for another machine or a program.
    pub(super) fn ready(&self, fh: &FsHandle, wait: Wait) -> Attempt<Arc<Node>> {
        let node = self.node_or(fh, wait)?;
        if wait == Wait::No && !node.fs_type.is_resident {
            return Err(Stop::Waits);
        }
        Ok(node)
    }

    /// The object of a handle, if that is known without a system call.
    pub(super) fn kept(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        self.nodes.get(fh).or_else(|| self.holds.get(fh))
    }

    /// The root directory.
    pub(super) fn root_node(&self) -> Result<Arc<Node>> {
        if let Some(root) = self.kept(&self.root_handle) {
            return Ok(root);
        }
        let fd = self.root.as_fd().try_clone_to_owned();
        Ok(self.adopt(fd.map_err(|_| FsError::Busy)?, None)?.0)
    }

    /// Whether a client has this object open.
    pub(super) fn holds(&self, node: &Node) -> bool {
        self.holds.get(&node.handle).is_some()
    }

    /// Lets an object go that an OPEN held; returns it if no client has it open any more.
    pub(super) fn release(&self, fh: &FsHandle) -> Option<Arc<Node>> {
        if let Some(node) = self.holds.get(fh) {
            self.descriptors.release(&node);
        }
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
        let path = self.config.root.display();
        let mut notes = Vec::new();
        if !identity::switches() {
            notes.push(format!(
                "{path}: this server is not the superuser's: it reads and writes with its own \
                 rights, checks modes and POSIX ACLs for its clients itself, and what clients make \
                 belongs to the user of the server"
            ));
        }
        if identity::switches() && identity::may_exceed_quotas() {
            notes.push(format!(
                "{path}: this server has the right to exceed quotas: those of users do not bind what \
                 they write"
            ));
        }
        match (&self.table, &self.config.state) {
            (None, _) => {}
            (Some(_), Some(state)) => notes.push(format!(
                "{path}: the system does not permit open_by_handle_at: filehandles are kept in {}; \
                 what a local process moves to another directory while no client uses it is stale \
                 to clients",
                state.display()
            )),
            (Some(_), None) => notes.push(format!(
                "{path}: the system does not permit open_by_handle_at, and there is no state \
                 directory: filehandles do not survive a restart of the server"
            )),
        }
        if !self.config.cross_mounts && !self.root.is_alone {
            notes.push(format!(
                "{path}: directories on which file systems are mounted are not shown"
            ));
        }
        notes
    }

    /// The object behind a descriptor with `O_PATH`, and its attributes.
    pub(super) fn adopt(&self, fd: OwnedFd, place: Place<'_>) -> Result<(Arc<Node>, Statx)> {
        let stat = stat(fd.as_fd(), AtFlags::empty())?;
        let id = object(&stat);
        let kept = self.nodes.of_inode(id.dev, id.ino);
        if let Some(node) = kept.or_else(|| self.descriptors.held(id)) {
            return Ok((node, stat));
        }
        let mount = self.mount_of(&fd, &stat, place)?;
        let fs = mount.as_ref().map_or(0, |mount| mount.fs);
        let handle = match &self.table {
            None => {
                // A mounted file system whose objects have no handles cannot be shown.
                let handle = system::name_to_handle(fd.as_fd());
                let handle = handle.map_err(|_| FsError::AccessDenied)?;
                self.handles.make(&Name::Kernel { fs, handle })
            }
            Some(_) => {
                let number = self.number_of(&fd, &stat, fs, place)?;
                self.handles.make(&Name::Number(number))
            }
        };
        if let Some(node) = self.kept(&handle) {
            return Ok((node, stat));
        }
        let fs_type = match &mount {
            Some(mount) => mount.fs_type,
            None => self.root.fs_type,
        };
        let mut node = Node::new(fd, id, handle, kind(&stat)?, fs_type);
        node.fs = match mount {
            Some(_) => fs,
            // A part of the same mount with inodes of its own, as of btrfs.
            None if id.dev != self.root_object.dev => id.dev,
            None => 0,
        };
        let covers = mount.filter(|mount| mount.is_root(&stat));
        node.mounted_on = covers.map_or(0, |mount| mount.mounted_on);
        Ok((self.nodes.insert(node), stat))
    }

    /// The same if the object has a handle already, or gets one without waiting for a device.
    pub(super) fn adopt_known(&self, fd: OwnedFd) -> Option<Result<(Arc<Node>, Statx)>> {
        if self.table.is_none() && !self.root.cross_mounts {
            return Some(self.adopt(fd, None));
        }
        let stat = match stat(fd.as_fd(), AtFlags::STATX_DONT_SYNC) {
            Ok(stat) => stat,
            Err(error) => return Some(Err(error)),
        };
        let node = self.nodes.of_inode(device(&stat), stat.stx_ino)?;
        Some(Ok((node, stat)))
    }

    /// The number of an object in the table.
    fn number_of(&self, fd: &OwnedFd, stat: &Statx, fs: u64, place: Place<'_>) -> Result<u64> {
        if object(stat) == self.root_object {
            return Ok(0);
        }
        let Some(table) = &self.table else {
            return Err(FsError::Stale);
        };
        let (ino, born) = (stat.stx_ino, birth(stat));
        let key = Key { fs, ino, born };
        let place = match place {
            Some((dir, name)) => Some((self.number(dir)?, name)),
            None => None,
        };
        match (table.number(key, place), place) {
            (Err(FsError::Stale), None) => {
                // A directory that was found from below.
                let parent = self.adopt(self.root.parent(fd.as_fd())?, None)?.0;
                let (_, name) = self.search(&parent, key)?.ok_or(FsError::Stale)?;
                table.number(key, Some((self.number(&parent)?, &name)))
            }
            (number, _) => number,
        }
    }

    /// The number of an object that is held.
    pub(super) fn number(&self, node: &Node) -> Result<u64> {
        match self.handles.read(&node.handle)? {
            Name::Number(number) => Ok(number),
            Name::Kernel { .. } => Err(FsError::Stale),
        }
    }

    /// Notes that an object has another place now.
    pub(super) fn moved(&self, node: &Node, dir: &Node, name: &[u8]) {
        if let (Some(table), Ok(number), Ok(parent)) =
            (&self.table, self.number(node), self.number(dir))
        {
            // Without it, the object is searched for in its former directory, and is stale.
            let _ = table.moved(number, parent, name);
        }
    }

    /// Notes that an object is gone.
    pub(super) fn forget(&self, node: &Node) {
        if let (Some(table), Ok(number)) = (&self.table, self.number(node)) {
            // Without it, the row stays; the object is not found, and so is stale.
            let _ = table.removed(number);
        }
    }

    /// The object of a number, from the nearest directory that is held.
    fn numbered(&self, number: u64) -> Result<Arc<Node>> {
        let table = self.table.as_ref().ok_or(FsError::Stale)?;
        let mut below = Vec::new();
        let mut number = number;
        let mut node = loop {
            if number == 0 {
                break self.root_node()?;
            }
            if let Some(node) = self.kept(&self.handles.make(&Name::Number(number))) {
                break node;
            }
            let row = table.row(number)?;
            let parent = row.parent;
            below.push((number, row));
            if below.len() > DEEPEST {
                return Err(FsError::Stale);
            }
            number = parent;
        };
        while let Some((number, row)) = below.pop() {
            let found = self
                .root
                .find(node.as_fd(), &row.name, ResolveFlags::empty());
            let found = found.ok().filter(|found| self.is(found, row.key));
            let (fd, name) = match found {
                Some(found) => (found, row.name),
                None => {
                    let (fd, name) = self.search(&node, row.key)?.ok_or(FsError::Stale)?;
                    table.moved(number, self.number(&node)?, &name)?;
                    (fd, name)
                }
            };
            node = self.adopt(fd, Some((&node, &name)))?.0;
        }
        Ok(node)
    }

    /// Whether this is the object of a row.
    pub(super) fn is(&self, fd: &OwnedFd, key: Key) -> bool {
        stat(fd.as_fd(), AtFlags::empty())
            .is_ok_and(|stat| (stat.stx_ino, birth(&stat)) == (key.ino, key.born))
    }

    /// The mount that an object was reached through; none for the root's.
    fn mount_of(&self, fd: &OwnedFd, stat: &Statx, place: Place<'_>) -> Result<Option<Arc<Mount>>> {
        if !self.root.cross_mounts || stat.stx_mnt_id == self.root.mount {
            return Ok(None);
        }
        if let Some(mount) = self.mounts.of(stat) {
            return Ok(Some(mount));
        }
        let Some((dir, name)) = place else {
            // It was found from below, and has the name that it gets from above.
            self.meet_all()?;
            return self.mounts.of(stat).map(Some).ok_or(FsError::NotFound);
        };
        let above = super::stat::stat(dir.as_fd(), AtFlags::empty())?;
        let at = Point {
            within: self.mounts.of(&above).map_or(0, |mount| mount.fs),
            dir: system::name_to_handle(dir.as_fd()).ok(),
            covered: self.covered(dir, name)?,
        };
        self.mounts.meet(fd, stat, &at).map(Some)
    }

    /// Meets all mounts that are shown.
    fn meet_all(&self) -> Result<()> {
        for point in points_below(&self.root)? {
            // Where a part is not there any more, or may not be seen, is no mount that is shown.
            let _ = self.walk(&point);
        }
        Ok(())
    }

    /// The mount of a file system that a handle names.
    fn mounted(&self, fs: u64) -> Result<Arc<Mount>> {
        if let Some(mount) = self.mounts.named(fs) {
            return Ok(mount);
        }
        if self.root.cross_mounts {
            // After a restart no request has met it yet.
            self.meet_all()?;
        }
        self.mounts.named(fs).ok_or(FsError::Stale)
    }

    fn walk(&self, names: &[Vec<u8>]) -> Result<Arc<Node>> {
        let mut node = self.root_node()?;
        for name in names {
            let found = self.root.find(node.as_fd(), name, ResolveFlags::empty());
            let place = Some((&*node, &name[..]));
            node = self.adopt(found.map_err(fs_error)?, place)?.0;
        }
        Ok(node)
    }
}

pub(super) fn object(stat: &Statx) -> ObjectId {
    ObjectId {
        dev: device(stat),
        ino: stat.stx_ino,
        generation: birth(stat),
    }
}

/// Opens a handle. While its inode is being made anew, the kernel says ENOMEM; the object that it meant is
/// gone then, which the kernel says a moment later.
fn patiently<T>(mut open: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    let mut pause = Duration::from_micros(10);
    loop {
        match open() {
            Err(Errno::NOMEM) if pause < LONGEST_PAUSE => thread::sleep(pause),
            opened => return opened,
        }
        pause *= 2;
    }
}

/// The error of opening a handle whose tag is right.
fn stale(error: Errno) -> FsError {
    match fs_error(error) {
        FsError::Busy => FsError::Busy,
        FsError::Io => FsError::Io,
        _ => FsError::Stale,
    }
}

/// The sum of all pauses for a handle is as long.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// Maximum number of objects that are kept for the next request.
const MAX_NODES: usize = 16_384;
/// Maximum depth at which an object is found by its number.
const DEEPEST: usize = 2048;
