//! The model: what a request does, and which errors it may have.

use std::collections::BTreeMap;

use nfs4_engine::fs::{FsError, FsHandle};

use super::step::Make;
use super::thing::{Id, Thing, What};

/// What a request does: it succeeds, or fails with any of these errors. Where several things are wrong, no
/// order of checks is asked for.
pub(super) type Expected<T = ()> = Result<T, Vec<FsError>>;

/// The expected file system; removed objects stay, as `gone`.
pub(super) struct Tree {
    pub(super) things: Vec<Thing>,
}

impl Tree {
    pub(super) fn new(root: FsHandle) -> Tree {
        let what = What::Directory(BTreeMap::new());
        Tree {
            things: vec![Thing { what, fh: root }],
        }
    }

    /// All directories that are there, with their entries.
    fn directories(&self) -> impl Iterator<Item = (Id, &BTreeMap<String, Id>)> {
        let all = self.things.iter().enumerate();
        all.filter_map(|(id, thing)| match &thing.what {
            What::Directory(entries) => Some((id, entries)),
            What::File { .. } | What::Symlink => None,
        })
    }

    /// Number of names of an object. A removed directory is empty, so it names nothing.
    pub(super) fn names(&self, id: Id) -> u32 {
        let named =
            |entries: &BTreeMap<String, Id>| entries.values().filter(|to| **to == id).count();
        self.directories()
            .map(|(_, entries)| named(entries) as u32)
            .sum()
    }

    pub(super) fn is_gone(&self, id: Id) -> bool {
        let held = matches!(self.things[id].what, What::File { holds: 1.., .. });
        id != 0 && !held && self.names(id) == 0
    }

    fn is_directory(&self, id: Id) -> bool {
        matches!(self.things[id].what, What::Directory(_))
    }

    /// The directory that has a name for this one.
    pub(super) fn parent(&self, id: Id) -> Expected<Id> {
        if self.is_gone(id) {
            return Err(vec![FsError::Stale]);
        }
        match self.things[id].what {
            What::Directory(_) => {}
            What::Symlink => return Err(vec![FsError::IsSymlink]),
            What::File { .. } => return Err(vec![FsError::NotDirectory]),
        }
        let mut above = self
            .directories()
            .filter(|(_, entries)| entries.values().any(|to| *to == id));
        above
            .next()
            .map(|(id, _)| id)
            .ok_or(vec![FsError::NotFound])
    }

    pub(super) fn entries(&self, id: Id) -> Expected<&BTreeMap<String, Id>> {
        if self.is_gone(id) {
            return Err(vec![FsError::Stale]);
        }
        match &self.things[id].what {
            What::Directory(entries) => Ok(entries),
            What::File { .. } | What::Symlink => Err(vec![FsError::NotDirectory]),
        }
    }

    fn entries_mut(&mut self, id: Id) -> &mut BTreeMap<String, Id> {
        match &mut self.things[id].what {
            What::Directory(entries) => entries,
            What::File { .. } | What::Symlink => panic!("it was checked to be a directory"),
        }
    }

    pub(super) fn file(&mut self, id: Id) -> Expected<&mut Vec<u8>> {
        if self.is_gone(id) {
            return Err(vec![FsError::Stale]);
        }
        match &mut self.things[id].what {
            What::Directory(_) => Err(vec![FsError::IsDirectory]),
            What::Symlink => Err(vec![FsError::IsSymlink]),
            What::File { data, .. } => Ok(data),
        }
    }

    /// Notes that a file was read or written.
    pub(super) fn used(&mut self, id: Id) {
        if let What::File { used, .. } = &mut self.things[id].what {
            *used = true;
        }
    }

    fn is_above(&self, above: Id, below: Id) -> bool {
        let within = |entries: &BTreeMap<String, Id>| {
            entries.values().any(|child| self.is_above(*child, below))
        };
        above == below || matches!(&self.things[above].what, What::Directory(e) if within(e))
    }

    /// Adds an object under a name.
    pub(super) fn add(&mut self, dir: Id, name: String, what: What, fh: FsHandle) -> Id {
        let id = self.things.len();
        self.things.push(Thing { what, fh });
        self.entries_mut(dir).insert(name, id);
        id
    }

    /// Whether a name is free for a new object.
    pub(super) fn is_free(&self, dir: Id, name: &str) -> Expected {
        match self.entries(dir)?.contains_key(name) {
            true => Err(vec![FsError::Exists]),
            false => Ok(()),
        }
    }

    /// The file that an open finds, or none if it makes one.
    pub(super) fn open(&mut self, dir: Id, name: &str, make: Make) -> Expected<Option<Id>> {
        if matches!(self.things[dir].what, What::Symlink) && !self.is_gone(dir) {
            return Err(vec![FsError::IsSymlink]);
        }
        let found = self.entries(dir)?.get(name).copied();
        let Some(id) = found else {
            return match make {
                Make::No => Err(vec![FsError::NotFound]),
                Make::Unchecked | Make::Guarded | Make::Exclusive(_) => Ok(None),
            };
        };
        match make {
            Make::Guarded => Err(vec![FsError::Exists]),
            Make::Exclusive(wanted) => match self.things[id].what {
                What::File { verifier, .. } if verifier == Some(wanted) => Ok(found),
                _ => Err(vec![FsError::Exists]),
            },
            Make::No | Make::Unchecked => self.file(id).map(|_| found),
        }
    }

    pub(super) fn link(&mut self, object: Id, dir: Id, name: String) -> Expected {
        let mut wrong = Vec::new();
        if self.is_gone(object) {
            wrong.push(FsError::Stale);
        } else if self.is_directory(object) {
            wrong.push(FsError::IsDirectory);
        } else if self.names(object) == 0 {
            wrong.push(FsError::NotFound);
        }
        wrong.extend(self.is_free(dir, &name).err().into_iter().flatten());
        if matches!(self.things[dir].what, What::Symlink) {
            wrong.push(FsError::IsSymlink);
        }
        if wrong.is_empty() {
            self.entries_mut(dir).insert(name, object);
            Ok(())
        } else {
            Err(wrong)
        }
    }

    /// Removes a name; returns its object.
    pub(super) fn remove(&mut self, dir: Id, name: &str) -> Expected<Id> {
        let found = self.entries(dir)?.get(name);
        let id = *found.ok_or(vec![FsError::NotFound])?;
        if self.is_full(id) {
            return Err(vec![FsError::NotEmpty]);
        }
        self.entries_mut(dir).remove(name);
        Ok(id)
    }

    fn is_full(&self, id: Id) -> bool {
        matches!(&self.things[id].what, What::Directory(entries) if !entries.is_empty())
    }

    /// Moves a name; returns its object, and that which had the new name. None if both are one.
    pub(super) fn rename(
        &mut self,
        (from, old): (Id, &str),
        (to, new): (Id, &str),
    ) -> Expected<Option<(Id, Option<Id>)>> {
        let ends = [self.entries(from).err(), self.entries(to).err()];
        let mut wrong: Vec<FsError> = ends.into_iter().flatten().flatten().collect();
        let found = |dir, name| {
            self.entries(dir)
                .ok()
                .and_then(|entries| entries.get(name))
                .copied()
        };
        let (source, target) = (found(from, old), found(to, new));
        let Some(source) = source else {
            wrong.push(FsError::NotFound);
            return Err(wrong);
        };
        if !wrong.is_empty() {
            return Err(wrong);
        }
        if target == Some(source) {
            return Ok(None);
        }
        if self.is_directory(source) && self.is_above(source, to) {
            wrong.push(FsError::Invalid);
        }
        if let Some(target) = target {
            if self.is_directory(target) != self.is_directory(source) {
                wrong.push(FsError::Exists);
            }
            if self.is_full(target) {
                wrong.extend([FsError::Exists, FsError::NotEmpty]);
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        self.entries_mut(from).remove(old);
        self.entries_mut(to).insert(new.to_owned(), source);
        Ok(Some((source, target)))
    }
}
