//! Listings of directories, in parts.

use std::collections::{BTreeSet, HashSet};

use nfs4_engine::fs::{FsError, FsHandle};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::{User, room};

/// The entries of a listing are those that look-ups find, each once, with attributes of its object.
pub fn a_listing_has_what_is_there<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let user = &stage.user;
    let dir = user.mkdir(user.top(), "d").unwrap();
    assert!(user.list(dir).is_empty());
    let count = 300;
    for at in 0..count {
        let name = at.to_string();
        if at % 3 == 0 {
            user.mkdir(dir, name).unwrap();
        } else {
            user.touch(dir, name).unwrap();
        }
    }
    user.settle();
    let all = user.list(dir);
    assert_eq!(all.len(), count);
    // Clients keep cookies in signed numbers, too.
    let cookies = all.iter().map(|entry| entry.cookie);
    assert!(cookies.clone().all(|cookie| (3..1 << 63).contains(&cookie)));
    assert_eq!(cookies.collect::<BTreeSet<_>>().len(), all.len());
    let names: HashSet<&[u8]> = all.iter().map(|entry| &*entry.name).collect();
    assert_eq!(names.len(), count);
    for entry in &all {
        assert_eq!(user.find(dir, &entry.name), Ok((entry.fh, entry.attrs)));
    }
    stage.end();
}

/// A listing goes on after each cookie, on pages of any size, and ends.
pub fn a_listing_goes_on_after_each_cookie<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let user = &stage.user;
    let dir = user.mkdir(user.top(), "d").unwrap();
    for at in 0..100 {
        user.touch(dir, at.to_string()).unwrap();
    }
    let all = user.list(dir);
    for entries in [1, 2, 3, 7, 99, 100, 101] {
        let (mut cookie, mut seen) = (0, Vec::new());
        loop {
            let page = user.page(dir, cookie, room(entries)).unwrap();
            assert!(page.entries.len() <= entries);
            assert!(
                page.ended || page.entries.len() == entries,
                "it is full, or all"
            );
            cookie = page.entries.last().map_or(cookie, |entry| entry.cookie);
            seen.extend(page.entries);
            if page.ended {
                break;
            }
        }
        assert_eq!(seen, all, "pages of {entries}");
    }
    for pair in all.windows(2).rev() {
        let page = user.page(dir, pair[0].cookie, room(1)).unwrap();
        assert_eq!(page.entries, pair[1..]);
    }
    let last = user.page(dir, all[99].cookie, room(1)).unwrap();
    assert!(last.entries.is_empty() && last.ended);
    stage.end();
}

/// A cookie stays good when its entry is gone, and when others come and go.
pub fn a_cookie_stays_good<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let user = &stage.user;
    let dir = user.mkdir(user.top(), "d").unwrap();
    for at in 0..60 {
        user.touch(dir, at.to_string()).unwrap();
    }
    let all = user.list(dir);
    user.remove(dir, &all[7].name).unwrap();
    let next = user.page(dir, all[7].cookie, room(1)).unwrap();
    assert_eq!(next.entries[0].name, all[8].name);
    for entry in &all[..30] {
        let _ = user.remove(dir, &entry.name);
    }
    let rest = user.page(dir, all[29].cookie, room(60)).unwrap();
    assert_eq!(rest.entries, all[30..]);
    for entry in &all[30..] {
        user.remove(dir, &entry.name).unwrap();
    }
    let none = user.page(dir, all[59].cookie, room(1)).unwrap();
    assert!(none.entries.is_empty() && none.ended);
    let none = user.page(dir, all[3].cookie, room(1)).unwrap();
    assert!(none.entries.is_empty() && none.ended);
    stage.end();
}

/// Where the file system knows its cookies, those that it never returned are refused.
pub fn a_cookie_that_was_never_returned_is_refused<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let user = &stage.user;
    let dir = user.mkdir(user.top(), "d").unwrap();
    for at in 0..300 {
        user.touch(dir, at.to_string()).unwrap();
    }
    let all = user.list(dir);
    let forged = [1, 2, all[0].cookie - 1, all[299].cookie + 1, u64::MAX];
    for cookie in forged {
        let page = user.page(dir, cookie, room(1));
        match page {
            Err(error) => assert!(matches!(error, FsError::BadCookie | FsError::Invalid)),
            // It lists what it takes for the rest.
            Ok(page) => assert!(!stage.traits.knows_cookies, "{cookie}: {page:?}"),
        }
    }
    stage.end();
}

/// Of a large directory that changes meanwhile, what stays is listed once.
pub fn what_stays_is_listed_once_while_others_change<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let user = &stage.user;
    let dir = user.mkdir(user.top(), "d").unwrap();
    let count = 5_000;
    for at in 0..count {
        user.touch(dir, at.to_string()).unwrap();
    }
    let (mut cookie, mut round, mut seen) = (0, 0, Vec::new());
    loop {
        let page = user.page(dir, cookie, room(100)).unwrap();
        cookie = page.entries.last().map_or(cookie, |entry| entry.cookie);
        seen.extend(page.entries.into_iter().map(|entry| entry.name));
        if page.ended {
            break;
        }
        // Of each hundred entries two are removed, before or after they are listed; new ones are added.
        for victim in [round * 100 + 150, round * 100] {
            let _ = user.remove(dir, victim.to_string());
        }
        if stage.traits.stable_listings {
            let old = (round * 100 + 160).to_string();
            let _ = user.rename((dir, old), (dir, format!("r{round}")));
        }
        user.touch(dir, format!("n{round}")).unwrap();
        round += 1;
        assert!(round < count, "the listing does not end");
    }
    let unique: HashSet<_> = seen.iter().cloned().collect();
    assert_eq!(unique.len(), seen.len(), "something was listed twice");
    let stayed =
        (0..count).filter(|at| !matches!(at % 100, 0 | 50 | 60) || (*at < 100 && *at != 0));
    for name in stayed {
        let is_there = unique.contains(name.to_string().as_bytes());
        assert!(is_there, "{name} is missing");
    }
    stage.end();
}

/// A change of a directory for a listed entry of this name; the other name is free.
type Happens = fn(&User, FsHandle, &str, &str);

/// A listing ends, also if each entry that is listed causes a new one.
pub fn a_listing_ends_while_each_entry_causes_new_ones<S: Subject>(subject: &S) {
    let ways: [(&str, Happens); 4] = [
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
    if !runs(
        subject.traits().stable_listings,
        "new entries may be listed as well",
    ) {
        return;
    }
    for (what, happens) in ways {
        let stage = Stage::new(subject);
        let user = &stage.user;
        let dir = user.mkdir(user.top(), "d").unwrap();
        for name in ["a", "b", "c"] {
            user.touch(dir, name).unwrap();
        }
        let (mut cookie, mut seen) = (0, BTreeSet::new());
        for round in 0.. {
            assert!(round < 4, "{what}: the listing goes on");
            // Room for one entry of a short name.
            let page = user.page(dir, cookie, room(1)).unwrap();
            for entry in page.entries {
                let name = String::from_utf8(entry.name).unwrap();
                happens(user, dir, &name, &format!("new {round}"));
                assert!(seen.insert(name), "{what}: twice");
                cookie = entry.cookie;
            }
            if page.ended {
                break;
            }
        }
        let all: BTreeSet<String> = ["a", "b", "c"].map(String::from).into();
        assert_eq!(seen, all, "{what}");
        stage.end();
    }
}

/// A listing tells names, and does not wait for what they mean: pipes, links to nothing, loops.
pub fn a_listing_follows_nothing<S: Subject>(subject: &S) {
    use nfs4_engine::fs::{FileKind, NewNode};
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let mut expected = vec![("file".to_owned(), FileKind::Regular)];
    user.touch(top, "file").unwrap();
    if user.fs.capabilities().symlinks {
        for (name, target) in [
            ("loop", "loop"),
            ("nowhere", "/nowhere"),
            ("up", ".."),
            ("self", "."),
        ] {
            user.symlink(top, name, target).unwrap();
            expected.push((name.to_owned(), FileKind::Symlink));
        }
    }
    if stage.traits.special_files {
        user.make(top, "pipe", NewNode::Fifo).unwrap();
        user.make(top, "socket", NewNode::Socket).unwrap();
        expected.push(("pipe".to_owned(), FileKind::Fifo));
        expected.push(("socket".to_owned(), FileKind::Socket));
    }
    expected.sort_by(|one, two| one.0.cmp(&two.0));
    let listed = user.list(top).into_iter();
    let mut listed: Vec<(String, FileKind)> = listed
        .map(|entry| (String::from_utf8(entry.name).unwrap(), entry.attrs.kind))
        .collect();
    listed.sort_by(|one, two| one.0.cmp(&two.0));
    assert_eq!(listed, expected);
    stage.end();
}
