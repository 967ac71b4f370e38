//! Descriptors with which files are read and written.
//!
//! Those of files that clients have open are held. Others are kept for the next request, and closed
//! when there are more than the export's part of the process's limit, or when they were not used for a
//! while. One with bytes that are not durable is not closed before they are: the kernel reports a
//! failure to write them back to descriptions that were open before it.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use nfs4_engine::DelegationKind;
use nfs4_engine::fs::{FsError, LeaseWatch};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::error::{Result, fs_error};
use super::file::{Access, File, Pair};
use super::leases::Leases;
use super::node::{Node, ObjectId};
use super::opening::{is_own, let_in, reopen};
use super::root::Root;
use super::wait::{Attempt, Stop, Wait, waited};
use crate::sync::{lock, read, try_read, write};

/// The descriptors of an export.
pub(super) struct Descriptors {
    /// By object, as long as a node or the ring has the file: bytes that are not durable are found again.
    files: Mutex<Files>,
    ring: Mutex<Ring>,
    /// Number of descriptors that are open.
    open: AtomicUsize,
    /// Those of them that are held.
    held: AtomicUsize,
    pub(super) leases: Leases,
    /// The setting of the export; 0 takes its part of the process's limit.
    configured: usize,
}

#[derive(Default)]
struct Files {
    by_object: HashMap<ObjectId, Known>,
    /// Number of entries at which those of files that are gone are looked for.
    full: usize,
}

/// What is known of an object.
struct Known {
    file: Weak<File>,
    /// The object by the handle that clients have it open with.
    node: Weak<Node>,
}

/// Files with descriptors, in the order in which the search for one to close comes by.
#[derive(Default)]
struct Ring {
    files: Vec<Arc<File>>,
    hand: usize,
}

/// A hold on a file's descriptors, which ends when it is dropped.
pub(super) struct Hold<'a> {
    descriptors: &'a Descriptors,
    file: Option<Arc<File>>,
}

impl Descriptors {
    /// So many descriptors, or a part of the process's limit if it is 0.
    pub(super) fn new(configured: usize) -> Descriptors {
        EXPORTS.fetch_add(1, Ordering::SeqCst);
        Descriptors {
            files: Mutex::default(),
            ring: Mutex::default(),
            open: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            leases: Leases::default(),
            configured,
        }
    }

    /// Maximum number of objects that the export keeps by a descriptor of their own, beside those here.
    pub(super) fn most_objects(&self) -> usize {
        self.room()
    }

    /// The descriptors of an object, which need not be open.
    pub(super) fn file<'a>(&self, node: &'a Node) -> &'a Arc<File> {
        node.descriptors.get_or_init(|| {
            let mut files = lock(&self.files);
            let known = files
                .by_object
                .get(&node.id)
                .and_then(|known| known.file.upgrade());
            known.unwrap_or_else(|| files.insert(node.id))
        })
    }

    /// The object, if clients have it open or delegated. It has one handle as long, also where another mount
    /// leads to it: by two, shares, locks and leases of one file would not know of each other.
    pub(super) fn held(&self, id: ObjectId) -> Option<Arc<Node>> {
        let files = lock(&self.files);
        let known = files.by_object.get(&id)?;
        let is_pinned = known.file.upgrade()?.is_pinned();
        known.node.upgrade().filter(|_| is_pinned)
    }

    /// A descriptor of the object, if one is open.
    pub(super) fn kept(&self, node: &Node, access: Access) -> Option<Arc<OwnedFd>> {
        self.file(node).get(access)
    }

    /// A descriptor of the object, opened with the rights of this thread if none is open.
    ///
    /// # Errors
    /// [`FsError::Busy`] if too many are open; the errors of opening.
    pub(super) fn get(&self, root: &Root, node: &Node, access: Access) -> Result<Arc<OwnedFd>> {
        waited(self.attempt(root, node, access, Wait::Yes))
    }

    /// The same; a thread that may not wait opens none where another thread or process may be in the way.
    ///
    /// # Errors
    /// Those of [`Descriptors::get`].
    pub(super) fn attempt(
        &self,
        root: &Root,
        node: &Node,
        access: Access,
        wait: Wait,
    ) -> Attempt<Arc<OwnedFd>> {
        let file = self.file(node);
        match file.get(access) {
            Some(kept) => Ok(kept),
            None => self.open(root, node, file, access, wait),
        }
    }

    /// Takes a descriptor that was opened by making the file, which may have rights that the mode does not
    /// give.
    pub(super) fn adopt(&self, node: &Node, fd: OwnedFd, access: Access) {
        self.keep(
            self.file(node),
            Arc::new(fd),
            access,
            access == Access::Write,
        );
    }

    /// Whether one more file may be held.
    ///
    /// # Errors
    /// [`FsError::Busy`] if not.
    pub(super) fn may_hold(&self) -> Result<()> {
        if self.held.load(Ordering::Relaxed) >= self.room() {
            return Err(FsError::Busy);
        }
        Ok(())
    }

    /// Opens descriptors for a client's open, and holds them until the hold ends.
    ///
    /// # Errors
    /// [`FsError::Busy`] if too many are held or open; the errors of opening.
    pub(super) fn hold<'a>(
        &'a self,
        root: &Root,
        node: &Arc<Node>,
        read: bool,
        write: bool,
    ) -> Result<Hold<'a>> {
        self.may_hold()?;
        let file = Arc::clone(self.file(node));
        if file.holds.fetch_add(1, Ordering::SeqCst) == 0 {
            if let Some(known) = lock(&self.files).by_object.get_mut(&node.id) {
                known.node = Arc::downgrade(node);
            }
            self.held.fetch_add(1, Ordering::SeqCst);
        }
        let hold = Hold {
            descriptors: self,
            file: Some(file),
        };
        if write {
            self.get(root, node, Access::Write)?;
        }
        if read {
            self.get(root, node, Access::Read)?;
        }
        Ok(hold)
    }

    /// Leases a file that is held.
    ///
    /// # Errors
    /// [`FsError::Busy`] if it is in use, or too many are leased; the errors of opening.
    pub(super) fn lease(
        &self,
        root: &Root,
        node: &Arc<Node>,
        kind: DelegationKind,
        watch: &LeaseWatch,
        wait: Wait,
    ) -> Attempt<()> {
        if let Some(joined) = self.leases.join(&node.handle, kind) {
            return Ok(joined?);
        }
        let file = self.file(node);
        let access = match kind {
            DelegationKind::Read => Access::Read,
            DelegationKind::Write => Access::Write,
        };
        if !lock(&file.descriptors).is_alone(access) {
            if wait == Wait::No {
                return Err(Stop::Waits);
            }
            self.part_with(file, kind)?;
        }
        let fd = match file.get(access) {
            Some(fd) => fd,
            None if wait == Wait::No => return Err(Stop::Waits),
            None => self.open(root, node, file, access, wait)?,
        };
        if kind == DelegationKind::Write && !lock(&file.descriptors).both {
            // Its holder could not read with it.
            return Err(FsError::Busy.into());
        }
        let (watch, most) = (watch.clone(), self.room() / LEASED);
        Ok(self.leases.take((node, file), fd, kind, watch, most)?)
    }

    /// Closes the descriptor that keeps a file from being leased.
    ///
    /// # Errors
    /// [`FsError::Busy`] while it has bytes that are not durable.
    fn part_with(&self, file: &File, kind: DelegationKind) -> Result<()> {
        if kind == DelegationKind::Read && file.durability.is_dirty() {
            return Err(FsError::Busy);
        }
        let mut pair = lock(&file.descriptors);
        let was_open = pair.count();
        let closed = match kind {
            DelegationKind::Read => pair.writer.take(),
            DelegationKind::Write => pair.reader.take(),
        };
        self.open
            .fetch_sub(was_open - pair.count(), Ordering::Relaxed);
        drop(pair);
        // Closing may take long.
        drop(closed);
        Ok(())
    }

    /// Ends a hold that was kept.
    pub(super) fn release(&self, node: &Node) {
        if let Some(file) = node.descriptors.get() {
            self.unhold(file);
        }
    }

    /// Closes the descriptors of an object that is gone, so that its space is free.
    pub(super) fn close(&self, node: &Node) {
        if let Some(file) = node.descriptors.get()
            && !file.is_pinned()
        {
            let closed = self.take(&mut lock(&file.descriptors));
            drop(closed);
        }
    }

    /// Closes what was not used since the last but one call, and returns the files that have bytes
    /// which must be durable before they are closed.
    pub(super) fn sweep(&self) -> Vec<Arc<File>> {
        let all = lock(&self.ring).files.len();
        self.shed(all, IDLE_SWEEPS)
    }

    /// Number of descriptors that are open.
    pub(super) fn len(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn unhold(&self, file: &File) {
        if file.holds.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.held.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn open(
        &self,
        root: &Root,
        node: &Node,
        file: &Arc<File>,
        access: Access,
        wait: Wait,
    ) -> Attempt<Arc<OwnedFd>> {
        if access == Access::Write && file.leased() == Some(DelegationKind::Read) {
            if wait == Wait::No {
                return Err(Stop::Waits);
            }
            if let Some(fd) = self.upgrade(root, node, file)? {
                return Ok(fd);
            }
        }
        let opening = match wait {
            Wait::Yes => read(&file.opening),
            Wait::No => try_read(&file.opening).ok_or(Stop::Waits)?,
        };
        let opened = self.open_shared(root, node, file, access)?;
        drop(opening);
        match opened {
            Some(fd) => Ok(fd),
            None if wait == Wait::No => Err(Stop::Waits),
            None => Ok(self.open_alone(root, node, file, access)?),
        }
    }

    /// Opens a file beside other threads that do; none if its mode has to be changed for that.
    fn open_shared(
        &self,
        root: &Root,
        node: &Node,
        file: &Arc<File>,
        access: Access,
    ) -> Result<Option<Arc<OwnedFd>>> {
        if let Some(kept) = self.unless_forbidden(node, file, access)? {
            return Ok(Some(kept));
        }
        // First one that was not used lately, else any. Those with bytes to make durable are closed by a
        // sweep.
        for idle in [1, 0] {
            if self.len() >= self.room() {
                self.shed(LOOKS, idle);
            }
        }
        let opened = match reopen(root, node, access) {
            Err(Errno::MFILE | Errno::NFILE) => {
                self.shed(usize::MAX, 0);
                reopen(root, node, access)
            }
            opened => opened,
        };
        match opened {
            Err(Errno::ACCESS) if file.is_held() && is_own(node) => Ok(None),
            opened => {
                let (fd, both) = opened.map_err(fs_error)?;
                Ok(Some(self.keep(file, Arc::new(fd), access, both)))
            }
        }
    }

    /// Opens a file whose mode denies that to its owner, while no other thread opens it or sets its mode.
    fn open_alone(
        &self,
        root: &Root,
        node: &Node,
        file: &Arc<File>,
        access: Access,
    ) -> Result<Arc<OwnedFd>> {
        let _alone = write(&file.opening);
        if let Some(kept) = self.unless_forbidden(node, file, access)? {
            return Ok(kept);
        }
        let (fd, both) = let_in(root, node, access).map_err(fs_error)?;
        Ok(self.keep(file, Arc::new(fd), access, both))
    }

    /// The descriptor that another thread has opened or exchanged meanwhile.
    ///
    /// # Errors
    /// [`FsError::Busy`] if there is none, and the lease of the file forbids another one.
    fn unless_forbidden(
        &self,
        node: &Node,
        file: &File,
        access: Access,
    ) -> Result<Option<Arc<OwnedFd>>> {
        if let Some(kept) = file.get(access) {
            return Ok(Some(kept));
        }
        if let Some(touch) = file.forbidden(access) {
            // The kernel would break the lease, and let others wait for a limited time only.
            self.leases.want(&node.handle, touch);
            return Err(FsError::Busy);
        }
        Ok(None)
    }

    /// Keeps a descriptor, unless another thread was faster, and returns the one that is kept.
    pub(super) fn keep(
        &self,
        file: &Arc<File>,
        fd: Arc<OwnedFd>,
        access: Access,
        both: bool,
    ) -> Arc<OwnedFd> {
        let mut pair = lock(&file.descriptors);
        if let Some(kept) = pair.get(access) {
            return kept;
        }
        let was_open = pair.count();
        let replaced = match access {
            Access::Read => pair.reader.replace(Arc::clone(&fd)),
            Access::Write => {
                pair.both = both;
                pair.writer = Some(Arc::clone(&fd));
                if both { pair.reader.take() } else { None }
            }
        };
        let is_open = pair.count();
        let listed = std::mem::replace(&mut pair.listed, true);
        self.open.fetch_add(is_open, Ordering::Relaxed);
        self.open.fetch_sub(was_open, Ordering::Relaxed);
        drop(pair);
        // Closing may take long.
        drop(replaced);
        if !listed {
            lock(&self.ring).files.push(Arc::clone(file));
        }
        fd
    }

    /// Takes the descriptor to read.
    pub(super) fn take_reader(&self, file: &File) -> Option<Arc<OwnedFd>> {
        let reader = lock(&file.descriptors).reader.take();
        self.open
            .fetch_sub(usize::from(reader.is_some()), Ordering::Relaxed);
        reader
    }

    /// Closes descriptors of files that were idle for so many looks, after `looks` of them; returns
    /// those that are idle, but dirty.
    fn shed(&self, looks: usize, idle: u32) -> Vec<Arc<File>> {
        let (mut closed, mut dirty) = (Vec::new(), Vec::new());
        let mut ring = lock(&self.ring);
        for _ in 0..looks.min(ring.files.len()) {
            let hand = ring.hand % ring.files.len().max(1);
            ring.hand = hand + 1;
            let Some(file) = ring.files.get(hand) else {
                break;
            };
            if file.is_pinned() || file.age() <= idle {
                continue;
            }
            if file.durability.is_dirty() {
                dirty.push(Arc::clone(file));
                continue;
            }
            let mut pair = lock(&file.descriptors);
            closed.push(self.take(&mut pair));
            pair.listed = false;
            drop(pair);
            ring.files.swap_remove(hand);
            ring.hand = hand;
        }
        drop(ring);
        drop(closed);
        dirty
    }

    /// Takes the descriptors, to be closed without a lock.
    fn take(&self, pair: &mut Pair) -> Pair {
        self.open.fetch_sub(pair.count(), Ordering::Relaxed);
        Pair {
            reader: pair.reader.take(),
            writer: pair.writer.take(),
            ..Pair::default()
        }
    }

    /// Maximum number of descriptors here, and of objects that are held by one.
    fn room(&self) -> usize {
        let all = match self.configured {
            0 => process_limit() / EXPORTS.load(Ordering::Relaxed).max(1),
            configured => configured,
        };
        (all / 2).max(LEAST)
    }
}

impl Files {
    fn insert(&mut self, id: ObjectId) -> Arc<File> {
        if self.by_object.len() >= self.full {
            self.by_object
                .retain(|_, known| known.file.strong_count() > 0);
            self.full = 2 * self.by_object.len() + LEAST;
        }
        let file = Arc::new(File::default());
        let known = Known {
            file: Arc::downgrade(&file),
            node: Weak::new(),
        };
        self.by_object.insert(id, known);
        file
    }
}

impl Hold<'_> {
    /// Keeps the hold, until [`Descriptors::release`].
    pub(super) fn keep(mut self) {
        self.file = None;
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            self.descriptors.unhold(&file);
        }
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        EXPORTS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Number of descriptors of this process that exports may have, the other half is for connections.
fn process_limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(MOST);
    usize::try_from(limit / 2).unwrap_or(usize::MAX)
}

/// Number of exports in this process.
static EXPORTS: AtomicUsize = AtomicUsize::new(0);

/// Descriptors that an export has however low the limit is.
const LEAST: usize = 16;
/// What counts as a limit where there is none.
const MOST: u64 = 1 << 20;
/// The part of its descriptors that an export may have for files that are only leased.
const LEASED: usize = 4;
/// Number of files that are looked at for one to close.
const LOOKS: usize = 8;
/// Number of sweeps without a use after which a file is closed.
const IDLE_SWEEPS: u32 = 2;
#[cfg(test)]
mod tests;
