use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;

use super::*;

#[test]
fn cookies_are_valid_and_unissued_ones_are_refused() {
    let user = root();
    let dir = user.mkdir(user.top(), "d").unwrap();
    for i in 0..300 {
        user.touch(dir, &i.to_string()).unwrap();
    }
    let (all, ended) = user.page(dir, 0, usize::MAX).unwrap();
    assert!(ended && all.len() == 300);
    // Cookies fit signed numbers.
    assert!(all.iter().all(|(cookie, ..)| (3..1 << 63).contains(cookie)));
    assert!(all.is_sorted_by_key(|(cookie, ..)| *cookie));
    for (_, name, fh, attrs) in &all {
        assert_eq!(user.lookup(dir, name), Ok(*fh));
        assert_eq!(user.attrs(*fh).as_ref(), Ok(attrs));
    }
    for cookie in [1, 2, all[0].0 - 1, all[299].0 + 1, u64::MAX] {
        assert_eq!(user.page(dir, cookie, 1).err(), Some(FsError::BadCookie));
    }
    // A cookie whose entry is removed stays valid.
    let (gone, next) = (&all[7].1, &all[8].1);
    user.remove(dir, gone).unwrap();
    assert_eq!(&user.page(dir, all[7].0, 1).unwrap().0[0].1, next);
    assert_eq!(user.page(dir, all[299].0, 1).unwrap(), (Page::new(), true));
    assert_eq!(user.page(dir, all[298].0, 0).unwrap(), (Page::new(), false));
    let file = user.lookup(dir, next).unwrap();
    assert_eq!(user.page(file, 0, 1).err(), Some(FsError::NotDirectory));
}

#[test]
fn remaining_entries_are_listed_once_while_others_change() {
    let user = root();
    let dir = user.mkdir(user.top(), "d").unwrap();
    for i in 0..20_000 {
        user.touch(dir, &i.to_string()).unwrap();
    }
    let mut seen = Vec::new();
    let (mut cookie, mut round) = (0, 0);
    loop {
        let (page, ended) = user.page(dir, cookie, 100).unwrap();
        cookie = page.last().map_or(cookie, |(cookie, ..)| *cookie);
        seen.extend(page.into_iter().map(|(_, name, ..)| name));
        if ended {
            break;
        }
        // Of each hundred entries two are removed, before or after they are listed, and one is renamed; new
        // ones are added.
        for victim in [round * 100 + 150, round * 100] {
            let _ = user.remove(dir, &victim.to_string());
        }
        let _ = user.rename(
            (dir, &(round * 100 + 160).to_string()),
            (dir, &format!("r{round}")),
        );
        user.touch(dir, &format!("n{round}")).unwrap();
        round += 1;
    }
    let unique: HashSet<_> = seen.iter().cloned().collect();
    assert_eq!(unique.len(), seen.len(), "something was listed twice");
    let stayed = (0..20_000).filter(|i| !matches!(i % 100, 0 | 50 | 60) || (*i < 100 && *i != 0));
    for name in stayed {
        assert!(unique.contains(&name.to_string()), "{name} is missing");
    }
    check_invariants(&user.fs);
}

/// A change of a directory between two pages of its listing. Names are chosen among a few, so that most
/// steps meet an existing entry.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create(u8),
    Remove(u8),
    Link(u8, u8),
    Rename(u8, u8),
    /// Move to another directory, under the same name.
    MoveOut(u8),
    /// Move back, under another name.
    MoveIn(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES;
    prop_oneof![
        name().prop_map(Step::Create),
        name().prop_map(Step::Remove),
        (name(), name()).prop_map(|(from, to)| Step::Link(from, to)),
        (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        name().prop_map(Step::MoveOut),
        (name(), name()).prop_map(|(from, to)| Step::MoveIn(from, to)),
    ]
}

/// A directory with the number of each of its entries. A renamed entry keeps its number; if the new name
/// exists, the entry of that name stays and gets the object.
struct Entered {
    user: User,
    dir: FsHandle,
    beside: FsHandle,
    entries: BTreeMap<String, u32>,
    entered: u32,
}

impl Entered {
    fn new() -> Entered {
        let user = root();
        let [dir, beside] = ["dir", "beside"].map(|name| user.mkdir(user.top(), name).unwrap());
        Entered {
            user,
            dir,
            beside,
            entries: BTreeMap::new(),
            entered: 0,
        }
    }

    fn enter(&mut self, name: &str) {
        let number = self.entered;
        self.entered += 1;
        self.entries.entry(name.to_owned()).or_insert(number);
    }

    fn play(&mut self, step: Step) {
        let (user, dir, beside) = (self.user.clone(), self.dir, self.beside);
        let name = |name: u8| name.to_string();
        match step {
            Step::Create(at) => {
                if user.touch(dir, &name(at)).is_ok() {
                    self.enter(&name(at));
                }
            }
            Step::Remove(at) => {
                let removed = user.remove(dir, &name(at)).is_ok();
                assert_eq!(removed, self.entries.remove(&name(at)).is_some());
            }
            Step::Link(from, to) => {
                if let Ok(file) = user.lookup(dir, &name(from))
                    && user.link(file, dir, &name(to)).is_ok()
                {
                    self.enter(&name(to));
                }
            }
            Step::Rename(from, to) => {
                let Ok((before, _)) = user.rename((dir, &name(from)), (dir, &name(to))) else {
                    return;
                };
                if before.before == before.after {
                    // Both names are of one file: the rename has no effect.
                    return;
                }
                let number = self.entries.remove(&name(from)).unwrap();
                self.entries.entry(name(to)).or_insert(number);
            }
            Step::MoveOut(at) => {
                let moved = user.rename((dir, &name(at)), (beside, &name(at)));
                if moved.is_ok_and(|(from, _)| from.before != from.after) {
                    self.entries.remove(&name(at)).unwrap();
                }
            }
            Step::MoveIn(from, to) => {
                let moved = user.rename((beside, &name(from)), (dir, &name(to)));
                if moved.is_ok_and(|(_, to)| to.before != to.after) {
                    self.enter(&name(to));
                }
            }
        }
    }

    /// Lists the directory page by page; the numbers of the entries, in the order of the listing.
    fn list(&mut self, page: usize, mut between: impl FnMut(&mut Entered)) -> Vec<u32> {
        let most = self.entries.len() / page + 1;
        let (mut cookie, mut seen) = (0, Vec::new());
        for _ in 0..most {
            let (entries, ended) = self.user.page(self.dir, cookie, page).unwrap();
            for (next, name, ..) in entries {
                seen.push(self.entries[&name]);
                cookie = next;
            }
            if ended {
                return seen;
            }
            between(self);
        }
        panic!("after {most} pages of {page} the listing goes on");
    }
}

const NAMES: u8 = 24;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_listing_ends_and_has_each_remaining_entry_once(
        before in prop::collection::vec(step(), 20..60),
        during in prop::collection::vec(prop::collection::vec(step(), 0..8), 30),
        page in 1..5usize,
    ) {
        let mut directory = Entered::new();
        (0..NAMES / 2).for_each(|name| directory.play(Step::Create(name)));
        before.into_iter().for_each(|step| directory.play(step));
        let mut stayed: BTreeSet<u32> = directory.entries.values().copied().collect();
        let mut during = during.into_iter();
        let seen = directory.list(page, |directory| {
            for step in during.next().into_iter().flatten() {
                directory.play(step);
                let there: BTreeSet<u32> = directory.entries.values().copied().collect();
                stayed.retain(|number| there.contains(number));
            }
        });
        let once: BTreeSet<u32> = seen.iter().copied().collect();
        prop_assert_eq!(once.len(), seen.len(), "something was listed twice");
        prop_assert!(stayed.is_subset(&once), "something was left out");
        check_invariants(&directory.user.fs);
    }
}

/// A change of a directory for a listed entry of this name; the other name is free.
type Happens = fn(&User, FsHandle, &str, &str);

#[test]
fn a_listing_ends_while_each_listed_entry_causes_new_ones() {
    // For each listed entry as many new ones are added: the listing ends only since they lie behind it.
    let replies: [(&str, Happens); 4] = [
        ("renamed", |user, dir, old, new| {
            user.rename((dir, old), (dir, new)).unwrap();
        }),
        ("created beside", |user, dir, _, new| {
            user.touch(dir, new).unwrap();
        }),
        ("created anew", |user, dir, old, _| {
            user.remove(dir, old).unwrap();
            user.touch(dir, old).unwrap();
        }),
        ("moved away and back", |user, dir, old, new| {
            user.rename((dir, old), (user.top(), new)).unwrap();
            user.rename((user.top(), new), (dir, old)).unwrap();
        }),
    ];
    for (what, happens) in replies {
        let user = root();
        let dir = user.mkdir(user.top(), "d").unwrap();
        for name in ["a", "b", "c"] {
            user.touch(dir, name).unwrap();
        }
        let (mut cookie, mut seen) = (0, BTreeSet::new());
        for round in 0.. {
            assert!(round < 4, "{what}: the listing goes on");
            let (page, ended) = user.page(dir, cookie, 1).unwrap();
            for (next, name, ..) in page {
                happens(&user, dir, &name, &format!("new {round}"));
                assert!(seen.insert(name), "{what}: twice");
                cookie = next;
            }
            if ended {
                break;
            }
        }
        let all: BTreeSet<String> = ["a", "b", "c"].map(String::from).into();
        assert_eq!(seen, all, "{what}");
    }
}

#[test]
fn a_replaced_name_keeps_its_cookie() {
    let user = root();
    let dir = user.mkdir(user.top(), "d").unwrap();
    for name in ["a", "b", "c"] {
        user.touch(dir, name).unwrap();
    }
    let before = user.page(dir, 0, 9).unwrap().0;
    let place = |page: &Page, name: &str| {
        let found = page.iter().find(|(_, found, ..)| found == name).unwrap();
        (found.0, found.2)
    };
    // Within the directory, and from another one.
    user.rename((dir, "c"), (dir, "a")).unwrap();
    let after = user.page(dir, 0, 9).unwrap().0;
    assert_eq!(after.len(), 2);
    assert_eq!(
        place(&after, "a"),
        (place(&before, "a").0, place(&before, "c").1)
    );
    let other = user.touch(user.top(), "other").unwrap();
    user.rename((user.top(), "other"), (dir, "a")).unwrap();
    let after = user.page(dir, 0, 9).unwrap().0;
    assert_eq!(place(&after, "a"), (place(&before, "a").0, other));
}

#[test]
fn listing_goes_on_while_threads_change_the_directory() {
    let user = root();
    let dir = user.mkdir(user.top(), "d").unwrap();
    let stay: BTreeSet<String> = (0..2_000).map(|i| format!("s{i}")).collect();
    for name in &stay {
        user.touch(dir, name).unwrap();
    }
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let user = user.clone();
            scope.spawn(move || {
                for i in 0..2_000 {
                    let name = format!("t{thread}-{i}");
                    user.touch(dir, &name).unwrap();
                    user.remove(dir, &name).unwrap();
                }
            });
        }
        for _ in 0..10 {
            let (mut cookie, mut seen) = (0, Vec::new());
            loop {
                let (page, ended) = user.page(dir, cookie, 333).unwrap();
                cookie = page.last().map_or(cookie, |(cookie, ..)| *cookie);
                seen.extend(
                    page.into_iter()
                        .map(|(_, name, ..)| name)
                        .filter(|n| n.starts_with('s')),
                );
                if ended {
                    break;
                }
            }
            assert!(seen.len() == stay.len() && seen.into_iter().collect::<BTreeSet<_>>() == stay);
        }
    });
}
