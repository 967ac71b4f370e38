//! Names: found, made and removed.

use nfs4_engine::fs::{FileKind, FsError, NewNode};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::{bytes, unchecked};

/// What is made under a name is found by it, and by no other; removed, it is not found.
pub fn what_is_made_is_found_until_it_is_removed<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(dir, "f").unwrap();
    assert_eq!(user.lookup(top, "d"), Ok(dir));
    assert_eq!(user.lookup(dir, "f"), Ok(file));
    for (dir, name) in [
        (top, "f"),
        (dir, "d"),
        (dir, "F"),
        (dir, "f "),
        (dir, "..."),
    ] {
        let insensitive = user.fs.capabilities().case_insensitive;
        if !(insensitive && name == "F") {
            assert_eq!(user.lookup(dir, name), Err(FsError::NotFound), "{name}");
        }
        assert_eq!(user.remove(top, "x"), Err(FsError::NotFound));
    }
    user.remove(dir, "f").unwrap();
    assert_eq!(user.lookup(dir, "f"), Err(FsError::NotFound));
    assert_eq!(user.remove(dir, "f"), Err(FsError::NotFound));
    // The name is free again, and what takes it is another object.
    let other = user.touch(dir, "f").unwrap();
    assert_ne!(other, file);
    assert_eq!(user.lookup(dir, "f"), Ok(other));
    user.is_gone(file);
    stage.end();
}

/// The root directory is always the same, and has no parent.
pub fn the_root_stays_and_has_no_parent<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let attrs = user.attrs(top).unwrap();
    assert_eq!((attrs.kind, attrs.mode), (FileKind::Directory, 0o777));
    assert_eq!((attrs.uid, attrs.gid), stage.traits.owner);
    assert_eq!(user.fs.root(), top);
    assert_eq!(user.fs.capabilities(), user.fs.capabilities());
    assert_eq!(user.parent(top), Err(FsError::NotFound));
    assert!(user.names(top).is_empty(), "a case begins with nothing");
    user.touch(top, "f").unwrap();
    user.remove(top, "f").unwrap();
    assert_eq!(user.fs.root(), top);
    stage.end();
}

/// The parent of a directory is that which has its name.
pub fn a_directory_knows_its_parent<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let a = user.mkdir(top, "a").unwrap();
    let b = user.mkdir(a, "b").unwrap();
    let c = user.mkdir(b, "c").unwrap();
    assert_eq!(user.parent(a), Ok(top));
    assert_eq!(user.parent(c), Ok(b));
    user.rename((b, "c"), (top, "c")).unwrap();
    assert_eq!(user.parent(c), Ok(top));
    let file = user.touch(top, "f").unwrap();
    assert_eq!(user.parent(file), Err(FsError::NotDirectory));
    user.remove(top, "c").unwrap();
    assert_eq!(user.parent(c), Err(FsError::Stale));
    stage.end();
}

/// A name is any bytes.
pub fn names_are_any_bytes<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    if !runs(stage.traits.any_names, "names are letters and digits") {
        return;
    }
    let (user, top) = (&stage.user, stage.user.top());
    let mut names = vec![
        b"\xff\xfe \n\x01".to_vec(),
        b"...".to_vec(),
        b" ".to_vec(),
        b"-rf *".to_vec(),
        b"..a".to_vec(),
        b"c:\\con".to_vec(),
        "e\u{301}".into(),
        "\u{e9}".into(),
    ];
    for name in &names {
        let made = user.mkdir(top, name).unwrap();
        assert_eq!(user.lookup(top, name), Ok(made), "{name:?}");
        user.touch(made, name).unwrap();
    }
    let mut listed: Vec<Vec<u8>> = user.list(top).into_iter().map(|one| one.name).collect();
    listed.sort();
    names.sort();
    assert_eq!(listed, names);
    user.raze(top);
    stage.end();
}

/// A name is as long as the capabilities tell.
pub fn the_longest_names_are_used<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let most = user.fs.capabilities().max_name as usize;
    assert!((1..=255).contains(&most), "{most}");
    let longest = "x".repeat(most);
    let file = user.touch(top, &longest).unwrap();
    assert_eq!(user.lookup(top, &longest), Ok(file));
    assert_eq!(user.names(top), [&*longest]);
    let dir = user.mkdir(top, "d").unwrap();
    user.rename((top, &longest), (dir, &longest)).unwrap();
    assert_eq!(user.names(dir), [&*longest]);
    stage.end();
}

/// A name that is taken is not made again, whatever has it.
pub fn a_name_is_taken_once<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let can = user.fs.capabilities();
    let file = user.touch(top, "file").unwrap();
    user.mkdir(top, "dir").unwrap();
    if can.symlinks {
        user.symlink(top, "link", "nowhere").unwrap();
    }
    let taken = user.names(top);
    for name in &taken {
        assert_eq!(user.mkdir(top, name), Err(FsError::Exists), "{name}");
        assert_eq!(user.touch(top, name), Err(FsError::Exists), "{name}");
        if can.symlinks {
            assert_eq!(user.symlink(top, name, "x"), Err(FsError::Exists), "{name}");
        }
        if can.hard_links {
            assert_eq!(user.link(file, top, name), Err(FsError::Exists), "{name}");
        }
        if stage.traits.special_files {
            let made = user.make(top, name, NewNode::Fifo);
            assert_eq!(made, Err(FsError::Exists), "{name}");
        }
    }
    assert_eq!(user.names(top), taken);
    stage.end();
}

/// Only directories have names in them; a link is told apart where a client follows it.
pub fn only_directories_have_names<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let can = user.fs.capabilities();
    let file = user.touch(top, "file").unwrap();
    let mut others = vec![file];
    if stage.traits.special_files {
        others.push(user.make(top, "fifo", NewNode::Fifo).unwrap());
    }
    let not_directory = FsError::NotDirectory;
    if can.symlinks {
        let link = user.symlink(top, "link", ".").unwrap();
        assert_eq!(user.lookup(link, "file"), Err(FsError::IsSymlink));
        assert_eq!(user.parent(link), Err(FsError::IsSymlink));
        let opened = user.open_name(link, "file", unchecked());
        assert_eq!(opened.err(), Some(FsError::IsSymlink));
        assert_eq!(user.mkdir(link, "x"), Err(not_directory));
        assert_eq!(user.remove(link, "x"), Err(not_directory));
        assert_eq!(user.page(link, 0, 4096), Err(not_directory));
    }
    for one in others {
        assert_eq!(user.lookup(one, "x"), Err(not_directory));
        assert_eq!(user.mkdir(one, "x"), Err(not_directory));
        assert_eq!(user.touch(one, "x"), Err(not_directory));
        assert_eq!(user.remove(one, "x"), Err(not_directory));
        assert_eq!(user.page(one, 0, 4096), Err(not_directory));
        assert_eq!(user.rename((one, "x"), (top, "y")), Err(not_directory));
        assert_eq!(user.rename((top, "file"), (one, "y")), Err(not_directory));
        if can.hard_links {
            assert_eq!(user.link(file, one, "y"), Err(not_directory));
        }
    }
    stage.end();
}

/// A directory is removed only when it is empty; then nothing is found or made in it.
pub fn a_directory_is_removed_only_when_it_is_empty<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(dir, "f").unwrap();
    assert_eq!(user.remove(top, "d"), Err(FsError::NotEmpty));
    assert_eq!(user.lookup(dir, "f"), Ok(file));
    user.remove(dir, "f").unwrap();
    user.remove(top, "d").unwrap();
    let stale = FsError::Stale;
    assert_eq!(user.attrs(dir), Err(stale));
    assert_eq!(user.lookup(dir, "f"), Err(stale));
    assert_eq!(user.mkdir(dir, "x"), Err(stale));
    assert_eq!(user.touch(dir, "x"), Err(stale));
    assert_eq!(user.page(dir, 0, 4096), Err(stale));
    assert_eq!(user.parent(dir), Err(stale));
    user.touch(top, "f").unwrap();
    assert_eq!(user.rename((top, "f"), (dir, "f")), Err(stale));
    assert_eq!(user.names(top), ["f"]);
    stage.end();
}

/// Links are stored and not followed: their targets are any bytes but NUL.
pub fn a_symbolic_link_keeps_its_target<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    if !runs(
        user.fs.capabilities().symlinks,
        "there are no symbolic links",
    ) {
        return;
    }
    let long = "../".repeat(333);
    for (at, target) in ["f", "/etc/passwd", "..", ".", " ", "\u{e9}\n", &long]
        .into_iter()
        .enumerate()
    {
        let name = at.to_string();
        let link = user.symlink(top, &name, target).unwrap();
        assert_eq!(user.read_link(link), Ok(bytes(target)));
        let attrs = user.attrs(link).unwrap();
        assert_eq!(attrs.kind, FileKind::Symlink);
        assert_eq!(attrs.size, target.len() as u64);
        assert_eq!(user.lookup(top, &name), Ok(link));
    }
    let file = user.touch(top, "file").unwrap();
    assert_eq!(user.read_link(file), Err(FsError::WrongType));
    assert_eq!(user.read_link(top), Err(FsError::WrongType));
    stage.end();
}
