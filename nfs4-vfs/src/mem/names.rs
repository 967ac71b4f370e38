//! LOOKUP, LOOKUPP, CREATE, LINK and REMOVE.

use std::sync::Arc;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    DirChange, FileKind, FsError, FsHandle, FsReply, FsResult, NewNode, Rights, SetAttrs, Want,
};

use super::attributes::{apply_times, check_size, sane_times};
use super::directory::{Directory, Entries};
use super::inode::{Body, Inode, Meta};
use super::space::{INODE_COST, entry_cost};
use super::{Caller, MAX_LINKS, MemFs, check_name, in_directory, may_unlink, note_change};

impl MemFs {
    pub(super) fn lookup(
        &self,
        caller: &Caller<'_>,
        dir: &FsHandle,
        name: &[u8],
        want: Want,
    ) -> FsResult {
        check_name(name)?;
        let dir = self.inode(dir)?;
        let directory = searched(&dir)?;
        in_directory(caller, &dir.meta(), Rights::EXECUTE)?;
        let found = directory.read()?.find(name).cloned();
        Ok(self.node(&*found.ok_or(FsError::NotFound)?, want))
    }

    pub(super) fn lookup_parent(
        &self,
        caller: &Caller<'_>,
        dir: &FsHandle,
        want: Want,
    ) -> FsResult {
        let dir = self.inode(dir)?;
        let directory = searched(&dir)?;
        in_directory(caller, &dir.meta(), Rights::EXECUTE)?;
        drop(directory.read()?);
        let parent = directory.parent();
        if parent == dir.id {
            return Err(FsError::NotFound);
        }
        Ok(self.node(&*self.table.get(parent)?, want))
    }

    pub(super) fn create(
        &self,
        caller: &Caller<'_>,
        dir: &FsHandle,
        name: &[u8],
        node: NewNode,
        set: &SetAttrs,
    ) -> FsResult {
        check_name(name)?;
        let dir = self.inode(dir)?;
        let mut entries = dir.directory()?.write()?;
        in_directory(caller, &dir.meta(), Rights::CHANGE_ENTRIES)?;
        if entries.find(name).is_some() {
            return Err(FsError::Exists);
        }
        let body = match node {
            NewNode::Directory => Body::Directory(Directory::new(dir.id)),
            // A copy: the request's bytes are a part of a large buffer.
            NewNode::Symlink(target) => Body::Symlink(copy_of_target(&target)?),
            NewNode::BlockDevice(device) => Body::BlockDevice(device),
            NewNode::CharDevice(device) => Body::CharDevice(device),
            NewNode::Socket => Body::Socket,
            NewNode::Fifo => Body::Fifo,
        };
        let (inode, change) = self.enter(caller, &dir, &mut entries, name, body, set)?;
        let attrs = inode.attrs(&inode.meta());
        Ok(FsReply::Created {
            fh: self.handle_of(&inode),
            attrs,
            dir: change,
        })
    }

    /// Makes an object under a name that is free, in a directory whose entries are locked and may
    /// be changed by the caller. Fails without effects.
    pub(super) fn enter(
        &self,
        caller: &Caller<'_>,
        dir: &Inode,
        entries: &mut Entries,
        name: &[u8],
        body: Body,
        set: &SetAttrs,
    ) -> Result<(Arc<Inode>, DirChange), FsError> {
        let above = dir.meta().clone();
        let meta = first_attributes(caller, &above, &body, set)?;
        let is_directory = matches!(body, Body::Directory(_));
        if is_directory && above.links >= MAX_LINKS {
            return Err(FsError::TooManyLinks);
        }
        let target = if let Body::Symlink(target) = &body {
            target.len() as u64
        } else {
            0
        };
        let cost = entry_cost(name);
        let charge = self.space.charge(INODE_COST + target + cost)?;
        let inode = self
            .table
            .insert(|id| Inode::new(id, self.handles.check(id), body, meta, &self.space))?;
        charge.keep();
        entries.insert(name, Arc::clone(&inode));
        let change = note_change(dir, caller.now, i32::from(is_directory), cost as i64);
        Ok((inode, change))
    }

    pub(super) fn link(
        &self,
        caller: &Caller<'_>,
        fh: &FsHandle,
        dir: &FsHandle,
        name: &[u8],
    ) -> FsResult {
        check_name(name)?;
        let inode = self.inode(fh)?;
        if inode.is_directory() {
            return Err(FsError::IsDirectory);
        }
        let dir = self.inode(dir)?;
        let mut entries = dir.directory()?.write()?;
        in_directory(caller, &dir.meta(), Rights::CHANGE_ENTRIES)?;
        if entries.find(name).is_some() {
            return Err(FsError::Exists);
        }
        let cost = entry_cost(name);
        let charge = self.space.charge(cost)?;
        {
            let mut meta = inode.meta();
            if meta.is_gone() {
                return Err(FsError::Stale);
            }
            // A file without a name gets no new one.
            if meta.links == 0 {
                return Err(FsError::NotFound);
            }
            if meta.links >= MAX_LINKS {
                return Err(FsError::TooManyLinks);
            }
            meta.links += 1;
            meta.touch(caller.now.wall);
        }
        charge.keep();
        entries.insert(name, inode);
        Ok(FsReply::Linked {
            dir: note_change(&dir, caller.now, 0, cost as i64),
        })
    }

    pub(super) fn remove(&self, caller: &Caller<'_>, dir: &FsHandle, name: &[u8]) -> FsResult {
        check_name(name)?;
        let dir = self.inode(dir)?;
        let mut entries = dir.directory()?.write()?;
        let above = dir.meta().clone();
        in_directory(caller, &above, Rights::CHANGE_ENTRIES)?;
        let child = Arc::clone(entries.find(name).ok_or(FsError::NotFound)?);
        may_unlink(caller, &above, &child.meta())?;
        if let Body::Directory(directory) = &child.body {
            let mut inner = directory.write()?;
            if !inner.is_empty() {
                return Err(FsError::NotEmpty);
            }
            inner.set_removed();
        }
        entries.remove(name);
        let cost = entry_cost(name);
        self.space.give_back(cost);
        let links = -i32::from(child.is_directory());
        let change = note_change(&dir, caller.now, links, -(cost as i64));
        take_name(&child, caller);
        drop(entries);
        drop(self.forget_if_gone(&child));
        Ok(FsReply::Removed { dir: change })
    }
}

/// Records that an object lost a name.
pub(super) fn take_name(inode: &Inode, caller: &Caller<'_>) {
    let mut meta = inode.meta();
    meta.links = if inode.is_directory() {
        0
    } else {
        meta.links.saturating_sub(1)
    };
    meta.touch(caller.now.wall);
}

/// The directory in which a name is looked up. [RFC 8881 §18.13.3, §18.16.3]
pub(super) fn searched(dir: &Inode) -> Result<&Directory, FsError> {
    match &dir.body {
        Body::Symlink(_) => Err(FsError::IsSymlink),
        _ => dir.directory(),
    }
}

fn first_attributes(
    caller: &Caller<'_>,
    dir: &Meta,
    body: &Body,
    set: &SetAttrs,
) -> Result<Meta, FsError> {
    let Caller { cred, now } = caller;
    sane_times(set)?;
    let dir = dir.protection(FileKind::Directory);
    let new = dir.of_new(cred, body.kind(), set)?;
    let size = match (body, set.size) {
        (Body::File(_), size) => size.unwrap_or(0),
        (Body::Symlink(target), None) => target.len() as u64,
        (_, None) => 0,
        (_, Some(_)) => return Err(FsError::Invalid),
    };
    check_size(size)?;
    let mut meta = Meta::new(new.mode, new.uid, new.gid, now.wall);
    let is_directory = matches!(body, Body::Directory(_));
    meta.links = if is_directory { 2 } else { 1 };
    meta.size = size;
    apply_times(&mut meta, set, now.wall);
    Ok(meta)
}

fn copy_of_target(target: &[u8]) -> Result<Bytes, FsError> {
    match target.len() {
        0 => Err(FsError::Invalid),
        1..=MAX_TARGET => Ok(Bytes::copy_from_slice(target)),
        _ => Err(FsError::NameTooLong),
    }
}

/// Maximum length of a symbolic link's target, in bytes, as of a path on most systems.
const MAX_TARGET: usize = 4096;
