//! Names that are moved.

use nfs4_engine::fs::{FsError, FsHandle};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::User;

/// An object keeps its handle and what is in it, wherever it is moved.
pub fn an_object_stays_itself_when_it_is_moved<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let (a, b) = (user.mkdir(top, "a").unwrap(), user.mkdir(top, "b").unwrap());
    let file = user.touch(a, "f").unwrap();
    user.write(file, 0, b"bytes").unwrap();
    let before = user.attrs(file).unwrap();
    user.rename((a, "f"), (a, "g")).unwrap();
    assert_eq!(
        (user.lookup(a, "g"), user.lookup(a, "f")),
        (Ok(file), Err(FsError::NotFound))
    );
    user.rename((a, "g"), (b, "h")).unwrap();
    assert_eq!((user.lookup(b, "h"), user.names(a)), (Ok(file), vec![]));
    user.rename((top, "b"), (a, "b")).unwrap();
    assert_eq!((user.lookup(a, "b"), user.parent(b)), (Ok(b), Ok(a)));
    assert_eq!(user.lookup(b, "h"), Ok(file));
    let after = user.attrs(file).unwrap();
    assert_eq!(
        (after.fileid, after.links, after.size),
        (before.fileid, 1, 5)
    );
    assert_eq!(user.read(file), "bytes");
    assert_eq!(user.rename((top, "x"), (a, "y")), Err(FsError::NotFound));
    stage.end();
}

/// A directory replaces an empty directory, and another object one that is no directory.
pub fn what_is_compatible_is_replaced<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let (a, b) = (user.mkdir(top, "a").unwrap(), user.mkdir(top, "b").unwrap());
    let (f, g) = (user.touch(a, "f").unwrap(), user.touch(b, "g").unwrap());
    for (from, to) in [((a, "f"), (top, "b")), ((top, "b"), (a, "f"))] {
        assert_eq!(user.rename(from, to), Err(FsError::Exists), "other types");
    }
    let full = user.rename((top, "a"), (top, "b"));
    assert!(is_full(full.map(drop)), "a directory that is not empty");
    assert_eq!(user.rename((top, "x"), (top, "b")), Err(FsError::NotFound));
    assert_eq!(
        user.rename((f, "x"), (top, "b")),
        Err(FsError::NotDirectory)
    );
    user.rename((a, "f"), (b, "g")).unwrap();
    assert_eq!(user.lookup(b, "g"), Ok(f));
    user.is_gone(g);
    // An empty directory is replaced, also across directories.
    user.rename((top, "b"), (top, "a")).unwrap();
    assert_eq!(user.lookup(top, "a"), Ok(b));
    user.is_gone(a);
    let sub = user.mkdir(b, "sub").unwrap();
    let other = user.mkdir(top, "other").unwrap();
    user.rename((top, "other"), (b, "sub")).unwrap();
    assert_eq!(user.parent(other), Ok(b));
    user.is_gone(sub);
    if user.fs.capabilities().symlinks {
        let link = user.symlink(top, "link", "nowhere").unwrap();
        user.rename((top, "link"), (b, "g")).unwrap();
        assert_eq!(
            (user.lookup(b, "g"), user.attrs(f)),
            (Ok(link), Err(FsError::Stale))
        );
    }
    stage.end();
}

/// Between two names of one object nothing is done.
pub fn between_names_of_one_object_nothing_is_done<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(top, "f").unwrap();
    let all = |user: &User| [top, dir, file].map(|fh| user.attrs(fh).unwrap());
    let before = all(user);
    user.rename((top, "f"), (top, "f")).unwrap();
    user.rename((top, "d"), (top, "d")).unwrap();
    assert_eq!(all(user), before);
    if runs(user.fs.capabilities().hard_links, "there are no hard links") {
        user.link(file, top, "g").unwrap();
        user.link(file, dir, "h").unwrap();
        let before = all(user);
        user.rename((top, "f"), (top, "g")).unwrap();
        let (from, to) = user.rename((top, "f"), (dir, "h")).unwrap();
        assert!(from.before == from.after && to.before == to.after);
        assert_eq!(all(user), before);
        assert_eq!(before[2].links, 3);
    }
    stage.end();
}

/// A directory is never moved into itself.
pub fn a_directory_is_never_moved_below_itself<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let a = user.mkdir(top, "a").unwrap();
    let b = user.mkdir(a, "b").unwrap();
    let c = user.mkdir(b, "c").unwrap();
    for to in [a, b, c] {
        assert_eq!(user.rename((top, "a"), (to, "x")), Err(FsError::Invalid));
    }
    // Onto its own ancestors: they are not empty.
    for to in [(top, "a"), (a, "b")] {
        assert!(is_full(user.rename((b, "c"), to).map(drop)));
    }
    user.rename((a, "b"), (top, "b")).unwrap();
    user.rename((top, "a"), (c, "a")).unwrap();
    assert_eq!(user.parent(a), Ok(c));
    stage.end();
}

/// An open file that another takes the name of is there until it is released.
pub fn an_open_file_outlives_its_replacement<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let old = user.hold(top, "old").unwrap();
    user.write(old, 0, b"old").unwrap();
    let new = user.touch(top, "new").unwrap();
    user.rename((top, "new"), (top, "old")).unwrap();
    assert_eq!(user.lookup(top, "old"), Ok(new));
    assert_eq!(user.read(old), "old");
    user.write(old, 3, b"er").unwrap();
    assert_eq!(user.read(old), "older");
    assert_eq!(user.attrs(old).unwrap().links, 0);
    user.fs.release(old);
    user.is_gone(old);
    stage.end();
}

/// Times, and the change attributes of both directories and of the object, move with a rename.
pub fn a_rename_is_a_change_of_its_directories<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let (a, b) = (user.mkdir(top, "a").unwrap(), user.mkdir(top, "b").unwrap());
    user.touch(a, "f").unwrap();
    let changes = |dirs: [FsHandle; 2]| dirs.map(|dir| user.change(dir));
    let before = changes([a, b]);
    let (from, to) = user.at(2000).rename((a, "f"), (b, "f")).unwrap();
    let after = changes([a, b]);
    assert!(before[0] < after[0] && before[1] < after[1]);
    user.is_unchanged(a, from.after);
    user.is_unchanged(b, to.after);
    if from.atomic && to.atomic {
        assert_eq!([from.before, to.before], before);
    }
    for dir in [a, b] {
        user.is_stamped(user.attrs(dir).unwrap().modified, 2000);
    }
    let (from, to) = user.rename((b, "f"), (b, "g")).unwrap();
    assert_eq!(from, to, "it is one directory");
    user.is_unchanged(b, from.after);
    stage.end();
}

/// Whether a rename onto a directory that is not empty was refused. [RFC 8881 §18.26.3]
fn is_full(renamed: Result<(), FsError>) -> bool {
    matches!(renamed, Err(FsError::Exists | FsError::NotEmpty))
}
