//! Random requests against a naive model, whose directories are maps and whose files are vectors.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// One request; directories and objects are chosen among all that ever existed.
#[derive(Clone, Debug)]
enum Step {
    Mkdir {
        dir: usize,
        name: u8,
    },
    Symlink {
        dir: usize,
        name: u8,
    },
    Open {
        dir: usize,
        name: u8,
        guarded: bool,
    },
    Release {
        at: usize,
    },
    Link {
        object: usize,
        dir: usize,
        name: u8,
    },
    Remove {
        dir: usize,
        name: u8,
    },
    Rename {
        from: usize,
        old: u8,
        to: usize,
        new: u8,
    },
    Write {
        object: usize,
        offset: u32,
        len: u32,
        byte: u8,
    },
    Truncate {
        object: usize,
        size: u32,
    },
    Read {
        object: usize,
        offset: u32,
        len: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (at, name) = (0..usize::MAX, 0..4u8);
    // Offsets around the boundaries of blocks and chunks.
    let place = prop_oneof![
        0..200_000u32,
        65_000..66_000u32,
        131_000..131_100u32,
        0..1100u32
    ];
    prop_oneof![
        3 => (at.clone(), name.clone()).prop_map(|(dir, name)| Step::Mkdir { dir, name }),
        1 => (at.clone(), name.clone()).prop_map(|(dir, name)| Step::Symlink { dir, name }),
        4 => (at.clone(), name.clone(), any::<bool>())
            .prop_map(|(dir, name, guarded)| Step::Open { dir, name, guarded }),
        2 => at.clone().prop_map(|at| Step::Release { at }),
        2 => (at.clone(), at.clone(), name.clone())
            .prop_map(|(object, dir, name)| Step::Link { object, dir, name }),
        4 => (at.clone(), name.clone()).prop_map(|(dir, name)| Step::Remove { dir, name }),
        6 => (at.clone(), name.clone(), at.clone(), name)
            .prop_map(|(from, old, to, new)| Step::Rename { from, old, to, new }),
        4 => (at.clone(), place.clone(), 1..140_000u32, 1..255u8)
            .prop_map(|(object, offset, len, byte)| Step::Write { object, offset, len, byte }),
        2 => (at.clone(), place.clone()).prop_map(|(object, size)| Step::Truncate { object, size }),
        2 => (at, place.clone(), place)
            .prop_map(|(object, offset, len)| Step::Read { object, offset, len }),
    ]
}

type Id = usize;

enum Thing {
    Directory(BTreeMap<String, Id>),
    File { data: Vec<u8>, holds: u32 },
    Symlink,
}

/// The expected file system; removed objects stay, as `gone`.
struct Model {
    things: Vec<(Thing, FsHandle)>,
    held: Vec<Id>,
}

impl Model {
    fn names(&self, id: Id) -> u32 {
        let directories = self
            .things
            .iter()
            .enumerate()
            .filter(|(id, _)| !self.is_gone(*id));
        directories
            .filter_map(|(_, (thing, _))| match thing {
                Thing::Directory(entries) => Some(entries.values().filter(|to| **to == id).count()),
                _ => None,
            })
            .sum::<usize>() as u32
    }

    fn is_gone(&self, id: Id) -> bool {
        let named = |(thing, _): &(Thing, _)| match thing {
            Thing::Directory(entries) => entries.values().any(|to| *to == id),
            _ => false,
        };
        let held = matches!(self.things[id].0, Thing::File { holds: 1.., .. });
        // A removed directory is empty, so it names nothing.
        id != 0 && !held && !self.things.iter().any(named)
    }

    fn is_directory(&self, id: Id) -> bool {
        matches!(self.things[id].0, Thing::Directory(_))
    }

    fn entries(&mut self, id: Id) -> Result<&mut BTreeMap<String, Id>, FsError> {
        if self.is_gone(id) {
            return Err(FsError::Stale);
        }
        match &mut self.things[id].0 {
            Thing::Directory(entries) => Ok(entries),
            _ => Err(FsError::NotDirectory),
        }
    }

    fn file(&mut self, id: Id) -> Result<&mut Vec<u8>, FsError> {
        if self.is_gone(id) {
            return Err(FsError::Stale);
        }
        match &mut self.things[id].0 {
            Thing::Directory(_) => Err(FsError::IsDirectory),
            Thing::Symlink => Err(FsError::IsSymlink),
            Thing::File { data, .. } => Ok(data),
        }
    }

    fn is_above(&self, above: Id, below: Id) -> bool {
        above == below
            || match &self.things[above].0 {
                Thing::Directory(entries) => {
                    entries.values().any(|child| self.is_above(*child, below))
                }
                _ => false,
            }
    }

    fn add(&mut self, dir: Id, name: String, thing: Thing, fh: FsHandle) -> Id {
        let id = self.things.len();
        self.things.push((thing, fh));
        self.entries(dir).unwrap().insert(name, id);
        id
    }

    fn rename(&mut self, from: Id, old: &str, to: Id, new: &str) -> Result<(), FsError> {
        // The file system looks up both handles first.
        for dir in [from, to] {
            if self.is_gone(dir) {
                return Err(FsError::Stale);
            }
        }
        let source = self.entries(from)?.get(old).copied();
        let target = self.entries(to)?.get(new).copied();
        let source = source.ok_or(FsError::NotFound)?;
        if target == Some(source) {
            return Ok(());
        }
        if self.is_directory(source) && self.is_above(source, to) {
            return Err(FsError::Invalid);
        }
        if let Some(target) = target {
            let full = |thing: &Thing| matches!(thing, Thing::Directory(e) if !e.is_empty());
            if self.is_directory(target) != self.is_directory(source)
                || full(&self.things[target].0)
            {
                return Err(FsError::Exists);
            }
        }
        self.entries(from)?.remove(old);
        self.entries(to)?.insert(new.to_owned(), source);
        Ok(())
    }

    fn run(&mut self, user: &User, step: &Step) {
        let pick = |at: usize| at % self.things.len();
        match *step {
            Step::Mkdir { dir, name } => {
                let (dir, name) = (pick(dir), name.to_string());
                let made = user.mkdir(self.things[dir].1, &name);
                self.check_new(dir, name, Thing::Directory(BTreeMap::new()), made);
            }
            Step::Symlink { dir, name } => {
                let (dir, name) = (pick(dir), name.to_string());
                let node = NewNode::Symlink(bytes("target"));
                let made = user.make(self.things[dir].1, &name, node);
                self.check_new(dir, name, Thing::Symlink, made);
            }
            Step::Open { dir, name, guarded } => {
                self.open(user, pick(dir), name.to_string(), guarded);
            }
            Step::Release { at } => {
                if !self.held.is_empty() {
                    let id = self.held.swap_remove(at % self.held.len());
                    user.fs.release(self.things[id].1);
                    let Thing::File { holds, .. } = &mut self.things[id].0 else {
                        panic!()
                    };
                    *holds -= 1;
                }
            }
            Step::Link { object, dir, name } => {
                let (object, dir, name) = (pick(object), pick(dir), name.to_string());
                let made = user.link(self.things[object].1, self.things[dir].1, &name);
                let expected = self.link(object, dir, name);
                assert_eq!(made.map(drop), expected);
            }
            Step::Remove { dir, name } => {
                let (dir, name) = (pick(dir), name.to_string());
                let removed = user.remove(self.things[dir].1, &name);
                assert_eq!(removed.map(drop), self.remove(dir, &name));
            }
            Step::Rename { from, old, to, new } => {
                let (from, to) = (pick(from), pick(to));
                let (old, new) = (old.to_string(), new.to_string());
                let ends = ((self.things[from].1, &*old), (self.things[to].1, &*new));
                let renamed = user.rename(ends.0, ends.1);
                assert_eq!(renamed.map(drop), self.rename(from, &old, to, &new));
            }
            Step::Write {
                object,
                offset,
                len,
                byte,
            } => {
                let object = pick(object);
                let written = user.write(
                    self.things[object].1,
                    offset.into(),
                    &vec![byte; len as usize],
                );
                let expected = self.file(object).map(|data| {
                    let (start, end) = (offset as usize, (offset + len) as usize);
                    data.resize(data.len().max(end), 0);
                    data[start..end].fill(byte);
                });
                assert_eq!(written, expected);
            }
            Step::Truncate { object, size } => {
                let object = pick(object);
                let cut = user.truncate(self.things[object].1, size.into()).map(drop);
                let expected = self.file(object).map(|data| data.resize(size as usize, 0));
                // A symbolic link has no such operation.
                let expected = expected.map_err(|error| match error {
                    FsError::IsSymlink => FsError::Invalid,
                    other => other,
                });
                assert_eq!(cut, expected);
            }
            Step::Read {
                object,
                offset,
                len,
            } => {
                let object = pick(object);
                let read = user.read_part(self.things[object].1, offset.into(), len);
                let expected = self.file(object).map(|data| {
                    let start = data.len().min(offset as usize);
                    let end = data.len().min((offset + len) as usize);
                    let eof = (offset + len) as usize >= data.len();
                    (Bytes::copy_from_slice(&data[start..end]), eof)
                });
                assert_eq!(read, expected);
            }
        }
    }

    fn check_new(&mut self, dir: Id, name: String, thing: Thing, made: Result<FsHandle, FsError>) {
        let expected = self.entries(dir).and_then(|entries| {
            if entries.contains_key(&name) {
                Err(FsError::Exists)
            } else {
                Ok(())
            }
        });
        assert_eq!(made.map(drop), expected);
        if let Ok(fh) = made {
            self.add(dir, name, thing, fh);
        }
    }

    fn open(&mut self, user: &User, dir: Id, name: String, guarded: bool) {
        let set = SetAttrs::default();
        let create = if guarded {
            Creation::Guarded(set)
        } else {
            Creation::Unchecked(set)
        };
        let opened = user.open_name(self.things[dir].1, &name, create);
        if matches!(self.things[dir].0, Thing::Symlink) && !self.is_gone(dir) {
            assert_eq!(opened.err(), Some(FsError::IsSymlink));
            return;
        }
        let found = self.entries(dir).map(|entries| entries.get(&name).copied());
        let expected = match found {
            Err(error) => Err(error),
            Ok(Some(_)) if guarded => Err(FsError::Exists),
            Ok(Some(id)) => self.file(id).map(|_| Some(id)),
            Ok(None) => Ok(None),
        };
        assert_eq!(opened.map(drop), expected.map(drop));
        if let Ok(opened) = opened {
            assert_eq!(opened.created, expected == Ok(None));
            let file = Thing::File {
                data: Vec::new(),
                holds: 0,
            };
            let id = expected
                .ok()
                .flatten()
                .unwrap_or_else(|| self.add(dir, name, file, opened.fh));
            assert_eq!(self.things[id].1, opened.fh);
            let Thing::File { holds, .. } = &mut self.things[id].0 else {
                panic!()
            };
            *holds += 1;
            self.held.push(id);
        }
    }

    fn link(&mut self, object: Id, dir: Id, name: String) -> Result<(), FsError> {
        if self.is_gone(object) {
            return Err(FsError::Stale);
        }
        if self.is_directory(object) {
            return Err(FsError::IsDirectory);
        }
        let unnamed = self.names(object) == 0;
        let entries = self.entries(dir)?;
        if entries.contains_key(&name) {
            return Err(FsError::Exists);
        }
        if unnamed {
            return Err(FsError::NotFound);
        }
        entries.insert(name, object);
        Ok(())
    }

    fn remove(&mut self, dir: Id, name: &str) -> Result<(), FsError> {
        let id = *self.entries(dir)?.get(name).ok_or(FsError::NotFound)?;
        if matches!(&self.things[id].0, Thing::Directory(entries) if !entries.is_empty()) {
            return Err(FsError::NotEmpty);
        }
        self.entries(dir)?.remove(name);
        Ok(())
    }

    /// Checks every object that ever existed against the model.
    fn check(&mut self, user: &User) {
        for id in 0..self.things.len() {
            let fh = self.things[id].1;
            if self.is_gone(id) {
                assert_eq!(user.attrs(fh), Err(FsError::Stale));
                continue;
            }
            let (names, attrs) = (self.names(id), user.attrs(fh).unwrap());
            match &self.things[id].0 {
                Thing::Directory(entries) => {
                    let mut listed = user.names(fh);
                    listed.sort();
                    assert!(listed.iter().eq(entries.keys()));
                    for (name, child) in entries {
                        assert_eq!(user.lookup(fh, name), Ok(self.things[*child].1));
                    }
                }
                Thing::File { data, .. } => {
                    assert_eq!(attrs.links, names);
                    assert_eq!(user.read(fh), data);
                }
                Thing::Symlink => assert_eq!((attrs.links, attrs.size), (names, 6)),
            }
        }
        check_invariants(&user.fs);
    }
}

fn run_all(steps: &[Step]) {
    let user = root();
    let before = user.used();
    let mut model = Model {
        things: vec![(Thing::Directory(BTreeMap::new()), user.top())],
        held: Vec::new(),
    };
    for step in steps {
        model.run(&user, step);
    }
    model.check(&user);
    for id in std::mem::take(&mut model.held) {
        user.fs.release(model.things[id].1);
    }
    user.raze(user.top());
    assert_eq!(user.used(), before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn random_requests_do_what_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        run_all(&steps);
    }
}
