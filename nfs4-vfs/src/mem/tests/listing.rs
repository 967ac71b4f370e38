use std::collections::{BTreeSet, HashSet};

use super::*;

#[test]
fn cookies_are_sane() {
    let user = root();
    let dir = user.mkdir(user.top(), "d").unwrap();
    for i in 0..300 {
        user.touch(dir, &i.to_string()).unwrap();
    }
    let (all, ended) = user.page(dir, 0, usize::MAX).unwrap();
    assert!(ended && all.len() == 300);
    assert!(all.iter().all(|(cookie, ..)| *cookie >= 3));
    for (_, name, fh, attrs) in &all {
        assert_eq!(user.lookup(dir, name), Ok(*fh));
        assert_eq!(user.attrs(*fh).as_ref(), Ok(attrs));
    }
    for cookie in [1, 2] {
        assert_eq!(user.page(dir, cookie, 1).err(), Some(FsError::BadCookie));
    }
    // A cookie whose entry has gone is as good as any.
    user.remove(dir, "7").unwrap();
    assert_eq!(user.page(dir, all[7].0, 1).unwrap().0[0].1, "8");
    assert_eq!(user.page(dir, u64::MAX, 1).unwrap(), (Page::new(), true));
    assert_eq!(user.page(dir, all[299].0, 1).unwrap(), (Page::new(), true));
    assert_eq!(user.page(dir, all[298].0, 0).unwrap(), (Page::new(), false));
    let file = user.lookup(dir, "8").unwrap();
    assert_eq!(user.page(file, 0, 1).err(), Some(FsError::NotDirectory));
}

#[test]
fn entries_that_stay_are_listed_once_while_others_come_and_go() {
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
        // Of each hundred one goes before it is seen, one after, one is renamed; and new ones come.
        for victim in [round * 100 + 150, round * 100] {
            let _ = user.remove(dir, &victim.to_string());
        }
        let _ = user.rename(
            (dir, &(round * 100 + 160).to_string()),
            (dir, &format!("r{round}")),
        );
        if round < 50 {
            user.touch(dir, &format!("n{round}")).unwrap();
        }
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

#[test]
fn a_replaced_name_keeps_its_place() {
    let user = root();
    let dir = user.mkdir(user.top(), "d").unwrap();
    for name in ["a", "b", "c"] {
        user.touch(dir, name).unwrap();
    }
    let before = user.page(dir, 0, 9).unwrap().0;
    user.rename((dir, "c"), (dir, "a")).unwrap();
    let after = user.page(dir, 0, 9).unwrap().0;
    assert_eq!(after.len(), 2);
    assert_eq!(
        (after[0].0, &after[0].1, after[0].2),
        (before[0].0, &before[0].1, before[2].2)
    );
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
