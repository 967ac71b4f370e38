//! RENAME. [RFC 8881 §18.26]

use std::sync::Arc;

use nfs4_engine::fs::{DirChange, FsError, FsHandle, FsReply, FsResult, Rights};

use super::directory::Entries;
use super::handle::InodeId;
use super::inode::{Body, Inode, Meta};
use super::names::take_name;
use super::space::entry_cost;
use super::{
    Caller, MAX_LINKS, MemFs, check_name, in_directory, may_unlink, no_change, note_change,
};
use crate::sync::lock;

/// A name in a directory whose entries are locked.
struct End<'a> {
    dir: &'a Inode,
    entries: &'a mut Entries,
    name: &'a [u8],
}

/// The result of a rename, when its locks are to be dropped.
struct Moved {
    from: DirChange,
    to: DirChange,
    /// The object that had the new name.
    replaced: Option<Arc<Inode>>,
}

impl MemFs {
    pub(super) fn rename(
        &self,
        caller: &Caller<'_>,
        (from_dir, from): (&FsHandle, &[u8]),
        (to_dir, to): (&FsHandle, &[u8]),
    ) -> FsResult {
        check_name(from)?;
        check_name(to)?;
        let from_dir = self.inode(from_dir)?;
        let to_dir = self.inode(to_dir)?;
        let moved = if from_dir.id == to_dir.id {
            self.rename_within(caller, &from_dir, from, to)?
        } else {
            self.rename_across(caller, (&from_dir, from), (&to_dir, to))?
        };
        if let Some(replaced) = moved.replaced {
            drop(self.forget_if_gone(&replaced));
        }
        Ok(FsReply::Renamed {
            from: moved.from,
            to: moved.to,
        })
    }

    fn rename_within(
        &self,
        caller: &Caller<'_>,
        dir: &Inode,
        from: &[u8],
        to: &[u8],
    ) -> Result<Moved, FsError> {
        let mut entries = dir.directory()?.write()?;
        let above = dir.meta().clone();
        in_directory(caller, &above, Rights::CHANGE_ENTRIES)?;
        let source = Arc::clone(entries.find(from).ok_or(FsError::NotFound)?);
        let target = entries.find(to).cloned();
        if is_same(&source, target.as_ref()) {
            let none = no_change(dir);
            return Ok(Moved {
                from: none,
                to: none,
                replaced: None,
            });
        }
        may_unlink(caller, &above, &source.meta())?;
        self.make_way(caller, &above, &source, target.as_ref(), to)?;
        if target.is_some() {
            // The name that stays keeps its place; the other one is gone.
            entries.remove(from);
            entries.replace(to, Arc::clone(&source));
        } else {
            entries.rename(from, to);
        }
        self.space.give_back(entry_cost(from));
        let links = -i32::from(target.as_ref().is_some_and(|target| target.is_directory()));
        let bytes = entered(to, target.is_some()) - entry_cost(from) as i64;
        let change = note_change(dir, caller.now, links, bytes);
        source.meta().touch(caller.now.wall);
        Ok(Moved {
            from: change,
            to: change,
            replaced: target,
        })
    }

    fn rename_across(
        &self,
        caller: &Caller<'_>,
        (from_dir, from): (&Inode, &[u8]),
        (to_dir, to): (&Inode, &[u8]),
    ) -> Result<Moved, FsError> {
        let (source, target) = (from_dir.directory()?, to_dir.directory()?);
        // Checks that do not depend on the ancestors come first.
        in_directory(caller, &from_dir.meta(), Rights::CHANGE_ENTRIES)?;
        in_directory(caller, &to_dir.meta(), Rights::CHANGE_ENTRIES)?;
        source.read()?.find(from).ok_or(FsError::NotFound)?;
        // From here on no other rename changes a directory's parent.
        let _renames = lock(&self.renames);
        let from_first = self.is_above(from_dir.id, to_dir.id)?
            || !self.is_above(to_dir.id, from_dir.id)? && from_dir.id < to_dir.id;
        let (mut from_entries, mut to_entries);
        if from_first {
            from_entries = source.write()?;
            to_entries = target.write()?;
        } else {
            to_entries = target.write()?;
            from_entries = source.write()?;
        }
        let mut from = End {
            dir: from_dir,
            entries: &mut from_entries,
            name: from,
        };
        let mut to = End {
            dir: to_dir,
            entries: &mut to_entries,
            name: to,
        };
        self.move_across(caller, &mut from, &mut to)
    }

    fn move_across(
        &self,
        caller: &Caller<'_>,
        from: &mut End<'_>,
        to: &mut End<'_>,
    ) -> Result<Moved, FsError> {
        let (above_from, above_to) = (from.dir.meta().clone(), to.dir.meta().clone());
        in_directory(caller, &above_from, Rights::CHANGE_ENTRIES)?;
        in_directory(caller, &above_to, Rights::CHANGE_ENTRIES)?;
        let source = Arc::clone(from.entries.find(from.name).ok_or(FsError::NotFound)?);
        let target = to.entries.find(to.name).cloned();
        if is_same(&source, target.as_ref()) {
            return Ok(Moved {
                from: no_change(from.dir),
                to: no_change(to.dir),
                replaced: None,
            });
        }
        may_unlink(caller, &above_from, &source.meta())?;
        if let Body::Directory(_) = source.body {
            if self.is_above(source.id, to.dir.id)? {
                return Err(FsError::Invalid);
            }
            // Its ".." changes.
            in_directory(caller, &source.meta(), Rights::WRITE)?;
            if target.is_none() && above_to.links >= MAX_LINKS {
                return Err(FsError::TooManyLinks);
            }
        }
        // It is the directory of the moved object; and its lock comes before one that is held.
        if let Some(target) = &target
            && target.is_directory()
            && self.is_above(target.id, from.dir.id)?
        {
            return Err(FsError::Exists);
        }
        self.make_way(caller, &above_to, &source, target.as_ref(), to.name)?;
        from.entries.remove(from.name);
        if target.is_some() {
            to.entries.replace(to.name, Arc::clone(&source));
        } else {
            to.entries.insert(to.name, Arc::clone(&source));
        }
        self.space.give_back(entry_cost(from.name));
        let came = i32::from(source.is_directory());
        let went = i32::from(target.as_ref().is_some_and(|target| target.is_directory()));
        if let Body::Directory(directory) = &source.body {
            directory.set_parent(to.dir.id);
        }
        let bytes = entered(to.name, target.is_some());
        let from_change = note_change(from.dir, caller.now, -came, -(entry_cost(from.name) as i64));
        let to_change = note_change(to.dir, caller.now, came - went, bytes);
        source.meta().touch(caller.now.wall);
        Ok(Moved {
            from: from_change,
            to: to_change,
            replaced: target,
        })
    }

    /// Checks that `source` may take the place of `target`, and takes the target's name; or
    /// charges the new name. The last step that can fail.
    fn make_way(
        &self,
        caller: &Caller<'_>,
        above: &Meta,
        source: &Inode,
        target: Option<&Arc<Inode>>,
        name: &[u8],
    ) -> Result<(), FsError> {
        let Some(target) = target else {
            self.space.charge(entry_cost(name))?.keep();
            return Ok(());
        };
        may_unlink(caller, above, &target.meta())?;
        if source.is_directory() != target.is_directory() {
            return Err(FsError::Exists);
        }
        if let Body::Directory(directory) = &target.body {
            let mut inner = directory.write()?;
            if !inner.is_empty() {
                return Err(FsError::Exists);
            }
            inner.set_removed();
        }
        take_name(target, caller);
        Ok(())
    }

    /// Whether `above` is `below` or one of its ancestors; exact while the rename lock is held.
    ///
    /// # Errors
    /// NameTooLong if `below` lies deeper than the walk goes: others wait for the lock meanwhile.
    fn is_above(&self, above: InodeId, below: InodeId) -> Result<bool, FsError> {
        let mut id = below;
        for _ in 0..=DEEPEST {
            if id == above {
                return Ok(true);
            }
            // A removed directory has no place in the tree.
            let Ok(inode) = self.table.get(id) else {
                return Ok(false);
            };
            let Body::Directory(directory) = &inode.body else {
                return Ok(false);
            };
            if directory.parent() == id {
                return Ok(false);
            }
            id = directory.parent();
        }
        Err(FsError::NameTooLong)
    }
}

fn is_same(source: &Arc<Inode>, target: Option<&Arc<Inode>>) -> bool {
    target.is_some_and(|target| Arc::ptr_eq(source, target))
}

/// What a directory grows by when a name is put into it.
fn entered(name: &[u8], replace: bool) -> i64 {
    if replace { 0 } else { entry_cost(name) as i64 }
}

/// Maximum depth of directories between which names are moved; the longest path of Linux, 4 096
/// bytes, is no deeper.
const DEEPEST: u32 = 2_048;
