//! A request, made of the file system and of the model.

use std::collections::BTreeMap;
use std::fmt::Debug;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{Creation, FsError, FsHandle, NewNode, Opened, SetAttrs, Target};

use super::super::subject::Traits;
use super::super::user::{User, bytes, guarded, unchecked};
use super::step::{Make, Step};
use super::thing::{Id, What};
use super::tree::{Expected, Tree};

/// A file system, and what the model expects of it.
pub(super) struct World<'a> {
    user: &'a User,
    traits: &'a Traits,
    tree: Tree,
    held: Vec<Id>,
}

/// The objects that a request changes, if it succeeds.
type Changed = Vec<Id>;

impl<'a> World<'a> {
    pub(super) fn new(user: &'a User, traits: &'a Traits) -> World<'a> {
        World {
            user,
            traits,
            tree: Tree::new(user.top()),
            held: Vec::new(),
        }
    }

    fn fh(&self, id: Id) -> FsHandle {
        self.tree.things[id].fh
    }

    /// Makes a request, which must be answered as the model says; what it changes must have another change
    /// attribute then, and all else the same.
    pub(super) fn run(&mut self, step: &Step) {
        let involved = self.involved(step);
        let before: Vec<_> = self.changes(&involved);
        let changed = self.do_step(step);
        let after = self.changes(&involved);
        let reads = matches!(step, Step::Read { .. });
        if reads && !self.traits.reads_are_no_change {
            return;
        }
        for ((id, before), after) in involved.iter().zip(before).zip(after) {
            let (Some(before), Some(after)) = (before, after) else {
                continue;
            };
            if changed.contains(id) {
                assert!(before < after, "{step:?} is no change of {id}: {before}");
            } else {
                let is_same = before == after || !self.traits.steady_change && before < after;
                assert!(is_same, "{step:?} is a change of {id}: {before} to {after}");
            }
        }
    }

    fn pick(&self, at: usize) -> Id {
        at % self.tree.things.len()
    }

    fn involved(&self, step: &Step) -> Vec<Id> {
        let mut all = match *step {
            Step::Mkdir { dir, .. }
            | Step::Symlink { dir, .. }
            | Step::Open { dir, .. }
            | Step::Remove { dir, .. } => vec![dir],
            Step::Link { object, dir, .. } => vec![object, dir],
            Step::Rename { from, to, .. } => vec![from, to],
            Step::Reopen { object }
            | Step::Write { object, .. }
            | Step::Truncate { object, .. }
            | Step::Read { object, .. }
            | Step::Chmod { object, .. }
            | Step::Parent { object } => vec![object],
            Step::Release { .. } => vec![],
        };
        all.iter_mut().for_each(|at| *at = self.pick(*at));
        let named = |dir: usize, name: u8| {
            let entries = self.tree.entries(self.pick(dir)).ok();
            entries.and_then(|entries| entries.get(&name.to_string()).copied())
        };
        match *step {
            Step::Remove { dir, name } | Step::Open { dir, name, .. } => {
                all.extend(named(dir, name));
            }
            Step::Rename { from, old, to, new } => {
                all.extend(named(from, old));
                all.extend(named(to, new));
            }
            _ => {}
        }
        all
    }

    /// The change attributes of objects that are there.
    fn changes(&self, ids: &[Id]) -> Vec<Option<u64>> {
        let change = |id: &Id| match self.user.attrs(self.fh(*id)) {
            Ok(attrs) => Some(attrs.change),
            Err(error) => {
                assert_eq!(error, FsError::Stale);
                None
            }
        };
        ids.iter().map(change).collect()
    }

    fn do_step(&mut self, step: &Step) -> Changed {
        let user = self.user;
        match *step {
            Step::Mkdir { dir, name } => {
                let what = What::Directory(BTreeMap::new());
                self.make(step, dir, name, what, NewNode::Directory)
            }
            Step::Symlink { dir, name } => {
                let node = NewNode::Symlink(bytes("target"));
                self.make(step, dir, name, What::Symlink, node)
            }
            Step::Open { dir, name, make } => self.open(step, dir, name, make),
            Step::Reopen { object } => self.reopen(step, object),
            Step::Release { at } => {
                if !self.held.is_empty() {
                    let id = self.held.swap_remove(at % self.held.len());
                    self.release(id);
                }
                vec![]
            }
            Step::Link { object, dir, name } => {
                let (object, dir) = (self.pick(object), self.pick(dir));
                let name = name.to_string();
                let made = user.link(self.fh(object), self.fh(dir), &name);
                let expected = self.tree.link(object, dir, name);
                agree(step, made.map(drop), expected).map_or(vec![], |()| vec![object, dir])
            }
            Step::Remove { dir, name } => {
                let (dir, name) = (self.pick(dir), name.to_string());
                let removed = user.remove(self.fh(dir), &name);
                let expected = self.tree.remove(dir, &name);
                let id = expected.clone().unwrap_or(dir);
                let done = agree(step, removed.map(drop), expected.map(drop));
                done.map_or(vec![], |()| vec![dir, id])
            }
            Step::Rename { from, old, to, new } => {
                let (from, to) = (self.pick(from), self.pick(to));
                let (old, new) = (old.to_string(), new.to_string());
                let renamed = user.rename((self.fh(from), &old), (self.fh(to), &new));
                let expected = self.tree.rename((from, &old), (to, &new));
                let moved = expected.clone().ok().flatten();
                agree(step, renamed.map(drop), expected.map(drop));
                moved.map_or(vec![], |(source, target)| {
                    [from, to, source].into_iter().chain(target).collect()
                })
            }
            Step::Parent { object } => {
                let object = self.pick(object);
                let told = user.parent(self.fh(object));
                let expected = self.tree.parent(object).map(|id| self.fh(id));
                agree(step, told, expected);
                vec![]
            }
            Step::Write { .. } | Step::Truncate { .. } | Step::Read { .. } | Step::Chmod { .. } => {
                self.do_io(step)
            }
        }
    }

    /// A request for the bytes or the mode of one object.
    fn do_io(&mut self, step: &Step) -> Changed {
        let user = self.user;
        match *step {
            Step::Write {
                object,
                offset,
                len,
                byte,
            } => {
                let object = self.pick(object);
                let written = vec![byte; len as usize];
                let done = user.write(self.fh(object), offset.into(), &written);
                self.tree.used(object);
                let expected = self.tree.file(object).map(|data| {
                    let (start, end) = (offset as usize, (offset + len) as usize);
                    data.resize(data.len().max(end), 0);
                    data[start..end].fill(byte);
                });
                agree(step, done, expected).map_or(vec![], |()| vec![object])
            }
            Step::Truncate { object, size } => {
                let object = self.pick(object);
                let cut = user.truncate(self.fh(object), size.into()).map(drop);
                self.tree.used(object);
                let expected = self
                    .tree
                    .file(object)
                    .map(|data| data.resize(size as usize, 0));
                // A symbolic link has no such operation.
                let expected = expected.map_err(|mut errors| {
                    if errors.contains(&FsError::IsSymlink) {
                        errors.extend([FsError::Invalid, FsError::WrongType]);
                    }
                    errors
                });
                agree(step, cut, expected).map_or(vec![], |()| vec![object])
            }
            Step::Read {
                object,
                offset,
                len,
            } => {
                let object = self.pick(object);
                let read = user.read_part(self.fh(object), offset.into(), len);
                self.tree.used(object);
                let expected = self.tree.file(object).map(|data| {
                    let start = data.len().min(offset as usize);
                    let end = data.len().min((offset + len) as usize);
                    let eof = (offset + len) as usize >= data.len();
                    (Bytes::copy_from_slice(&data[start..end]), eof)
                });
                agree(step, read, expected);
                vec![]
            }
            Step::Chmod { object, mode } => {
                let object = self.pick(object);
                if matches!(self.tree.things[object].what, What::Symlink) {
                    return vec![];
                }
                let set = user.chmod(self.fh(object), mode).map(|attrs| attrs.mode);
                let expected = match self.tree.is_gone(object) {
                    true => Err(vec![FsError::Stale]),
                    false => Ok(mode),
                };
                agree(step, set, expected).map_or(vec![], |_| vec![object])
            }
            _ => unreachable!("a request for names"),
        }
    }

    fn make(&mut self, step: &Step, dir: usize, name: u8, what: What, node: NewNode) -> Changed {
        let (dir, name) = (self.pick(dir), name.to_string());
        let made = self.user.make(self.fh(dir), &name, node);
        agree(step, made.map(drop), self.tree.is_free(dir, &name));
        made.map_or(vec![], |fh| {
            self.tree.add(dir, name, what, fh);
            vec![dir]
        })
    }

    fn open(&mut self, step: &Step, dir: usize, name: u8, make: Make) -> Changed {
        let (dir, name) = (self.pick(dir), name.to_string());
        let set = SetAttrs::default();
        let (create, verifier) = match make {
            Make::No => (Creation::No, None),
            Make::Unchecked => (unchecked(), None),
            Make::Guarded => (guarded(), None),
            Make::Exclusive(number) => {
                let verifier = [number; 8];
                (Creation::Exclusive { verifier, set }, Some(number))
            }
        };
        let opened = self.user.open_name(self.fh(dir), &name, create);
        let mut expected = self.tree.open(dir, &name, make);
        if let (Err(FsError::Exists), Ok(Some(id)), Make::Exclusive(_)) = (&opened, &expected, make)
            && self.may_lose_verifier(*id)
        {
            expected = Err(vec![FsError::Exists]);
        }
        let found = expected.clone().ok().flatten();
        let Some(()) = agree(step, opened.map(drop), expected.map(drop)) else {
            return vec![];
        };
        let Ok(Opened { fh, created, .. }) = opened else {
            return vec![];
        };
        let repeats = matches!(make, Make::Exclusive(_));
        assert_eq!(created, found.is_none() || repeats, "{step:?}");
        let id = found.unwrap_or_else(|| {
            let file = What::File {
                data: Vec::new(),
                holds: 0,
                verifier,
                used: false,
            };
            self.tree.add(dir, name, file, fh)
        });
        assert_eq!(self.fh(id), fh, "{step:?}");
        self.hold(id);
        if found.is_none() { vec![dir] } else { vec![] }
    }

    fn may_lose_verifier(&self, id: Id) -> bool {
        !self.traits.keeps_verifiers
            && matches!(self.tree.things[id].what, What::File { used: true, .. })
    }

    fn reopen(&mut self, step: &Step, object: usize) -> Changed {
        let id = self.pick(object);
        let target = Target::Handle(self.fh(id));
        let opened = self.user.open(target, (true, true), Creation::No);
        let expected = self.tree.file(id).map(drop);
        if agree(step, opened.map(drop), expected).is_some() {
            self.hold(id);
        }
        vec![]
    }

    fn hold(&mut self, id: Id) {
        if let What::File { holds, .. } = &mut self.tree.things[id].what {
            *holds += 1;
            self.held.push(id);
        }
    }

    fn release(&mut self, id: Id) {
        self.user.fs.release(self.fh(id));
        if let What::File { holds, .. } = &mut self.tree.things[id].what {
            *holds -= 1;
        }
        if self.tree.is_gone(id) {
            self.user.is_gone(self.fh(id));
        }
    }

    /// Releases every file that is held.
    pub(super) fn release_all(&mut self) {
        for id in std::mem::take(&mut self.held) {
            self.release(id);
        }
    }

    /// Checks every object that ever existed against the model.
    pub(super) fn check(&self) {
        let user = self.user;
        for (id, thing) in self.tree.things.iter().enumerate() {
            let fh = thing.fh;
            if self.tree.is_gone(id) {
                assert_eq!(user.attrs(fh), Err(FsError::Stale));
                continue;
            }
            let (names, attrs) = (self.tree.names(id), user.attrs(fh).unwrap());
            match &thing.what {
                What::Directory(entries) => {
                    assert!(user.names(fh).iter().eq(entries.keys()));
                    for (name, child) in entries {
                        assert_eq!(user.lookup(fh, name), Ok(self.fh(*child)));
                    }
                }
                What::File { data, .. } => {
                    assert_eq!(attrs.links, names);
                    assert!(user.read(fh) == data, "the bytes of {id}");
                }
                What::Symlink => assert_eq!((attrs.links, attrs.size), (names, 6)),
            }
        }
    }
}

/// Checks an answer: the success that is expected, or one of the errors. Returns the success.
#[track_caller]
fn agree<T: Debug + PartialEq>(
    step: &Step,
    told: Result<T, FsError>,
    expected: Expected<T>,
) -> Option<T> {
    match (told, expected) {
        (Ok(told), Ok(expected)) => {
            assert!(told == expected, "{step:?}: another result than expected");
            Some(told)
        }
        (Err(told), Err(expected)) if expected.contains(&told) => None,
        (told, expected) => {
            let told = told.map(|_| "done");
            let expected = expected.map(|_| "done");
            panic!("{step:?}: {told:?}, where {expected:?} is expected")
        }
    }
}
