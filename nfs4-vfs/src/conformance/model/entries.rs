//! The entries of one directory, of which each has a number: what a listing has to tell once.

use std::collections::{BTreeMap, BTreeSet};

use nfs4_engine::fs::FsHandle;
use proptest::prelude::*;

use super::super::user::{User, room};

/// A change of a directory between two pages of its listing. Names are chosen among a few, so that most
/// changes meet an existing entry.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Create(u8),
    Remove(u8),
    Link(u8, u8),
    Rename(u8, u8),
    /// Move to another directory, under the same name.
    MoveOut(u8),
    /// Move back, under another name.
    MoveIn(u8, u8),
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    let name = || 0..NAMES;
    prop_oneof![
        name().prop_map(Change::Create),
        name().prop_map(Change::Remove),
        (name(), name()).prop_map(|(from, to)| Change::Link(from, to)),
        (name(), name()).prop_map(|(from, to)| Change::Rename(from, to)),
        name().prop_map(Change::MoveOut),
        (name(), name()).prop_map(|(from, to)| Change::MoveIn(from, to)),
    ]
}

/// A directory with the number of each of its entries. A renamed entry keeps its number; if the new name
/// exists, the entry of that name stays and gets the object.
pub(super) struct Entered<'a> {
    user: &'a User,
    dir: FsHandle,
    beside: FsHandle,
    entries: BTreeMap<String, u32>,
    entered: u32,
}

impl<'a> Entered<'a> {
    pub(super) fn new(user: &'a User) -> Entered<'a> {
        let [dir, beside] = ["dir", "beside"].map(|name| user.mkdir(user.top(), name).unwrap());
        Entered {
            user,
            dir,
            beside,
            entries: BTreeMap::new(),
            entered: 0,
        }
    }

    /// The numbers of the entries that are there.
    pub(super) fn numbers(&self) -> BTreeSet<u32> {
        self.entries.values().copied().collect()
    }

    fn enter(&mut self, name: &str) {
        let number = self.entered;
        self.entered += 1;
        self.entries.entry(name.to_owned()).or_insert(number);
    }

    pub(super) fn play(&mut self, change: Change) {
        let (user, dir, beside) = (self.user, self.dir, self.beside);
        let name = |name: u8| name.to_string();
        match change {
            Change::Create(at) => {
                if user.touch(dir, name(at)).is_ok() {
                    self.enter(&name(at));
                }
            }
            Change::Remove(at) => {
                let removed = user.remove(dir, name(at)).is_ok();
                assert_eq!(removed, self.entries.remove(&name(at)).is_some());
            }
            Change::Link(from, to) => {
                if let Ok(file) = user.lookup(dir, name(from))
                    && user.link(file, dir, name(to)).is_ok()
                {
                    self.enter(&name(to));
                }
            }
            Change::Rename(from, to) => {
                let Ok((before, _)) = user.rename((dir, name(from)), (dir, name(to))) else {
                    return;
                };
                if before.before == before.after {
                    // Both names are of one file: the rename has no effect.
                    return;
                }
                let number = self.entries.remove(&name(from)).unwrap();
                self.entries.entry(name(to)).or_insert(number);
            }
            Change::MoveOut(at) => {
                let moved = user.rename((dir, name(at)), (beside, name(at)));
                if moved.is_ok_and(|(from, _)| from.before != from.after) {
                    self.entries.remove(&name(at)).unwrap();
                }
            }
            Change::MoveIn(from, to) => {
                let moved = user.rename((beside, name(from)), (dir, name(to)));
                if moved.is_ok_and(|(_, to)| to.before != to.after) {
                    self.enter(&name(to));
                }
            }
        }
    }

    /// Lists the directory page by page; the numbers of the entries, in the order of the listing.
    pub(super) fn list(
        &mut self,
        page: usize,
        mut between: impl FnMut(&mut Entered<'a>),
    ) -> Vec<u32> {
        let most = self.entries.len() / page + 1;
        let (mut cookie, mut seen) = (0, Vec::new());
        for _ in 0..most {
            let page = self.user.page(self.dir, cookie, room(page)).unwrap();
            for entry in page.entries {
                let name = String::from_utf8(entry.name).unwrap();
                seen.push(self.entries[&name]);
                cookie = entry.cookie;
            }
            if page.ended {
                return seen;
            }
            between(self);
        }
        panic!("after {most} pages of {page} the listing goes on");
    }
}

pub(super) const NAMES: u8 = 24;
