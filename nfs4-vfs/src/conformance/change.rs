//! The change attribute, by which clients know that what they have cached is old.

use nfs4_engine::fs::{DirChange, FsError, FsHandle, NewNode, SetTime};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::{User, unchecked};

/// The change attribute of a file grows with every change of it, also with many in one moment.
pub fn every_change_of_a_file_moves_it<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let mut before = user.change(file);
    let mut moved = |what: &str| {
        let now = user.change(file);
        assert!(now > before, "{what}: {before} to {now}");
        before = now;
    };
    for round in 0..200 {
        user.write(file, 0, b"same").unwrap();
        moved("the same bytes are written");
        user.chmod(file, 0o644).unwrap();
        moved("the same mode is set");
        user.truncate(file, 4).unwrap();
        moved("the same length is set");
        user.set(file, |set| set.modified = SetTime::Server)
            .unwrap();
        moved("a time is set");
        if round % 16 == 0 {
            user.rename((top, "f"), (top, "g")).unwrap();
            moved("it is renamed");
            user.rename((top, "g"), (top, "f")).unwrap();
            moved("it is renamed back");
        }
    }
    if user.fs.capabilities().hard_links {
        user.link(file, top, "l").unwrap();
        moved("it gets a name");
        user.remove(top, "l").unwrap();
        moved("it loses a name");
    }
    stage.end();
}

/// The change attribute of a directory grows with every name that comes or goes.
pub fn every_change_of_a_directory_moves_it<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let can = user.fs.capabilities();
    let mut before = user.change(dir);
    let mut moved = |what: &str| {
        let now = user.change(dir);
        assert!(now > before, "{what}: {before} to {now}");
        before = now;
    };
    for _ in 0..50 {
        let file = user.touch(dir, "f").unwrap();
        moved("a file is made");
        user.mkdir(dir, "d").unwrap();
        moved("a directory is made");
        if can.symlinks {
            user.symlink(dir, "s", "nowhere").unwrap();
            moved("a symbolic link is made");
            user.remove(dir, "s").unwrap();
            moved("it is removed");
        }
        if can.hard_links {
            user.link(file, dir, "l").unwrap();
            moved("a link is made");
            user.remove(dir, "l").unwrap();
            moved("it is removed");
        }
        user.rename((dir, "f"), (dir, "g")).unwrap();
        moved("a name is changed");
        user.rename((dir, "g"), (top, "g")).unwrap();
        moved("a name goes");
        user.rename((top, "g"), (dir, "g")).unwrap();
        moved("a name comes");
        user.remove(dir, "g").unwrap();
        moved("a file is removed");
        user.remove(dir, "d").unwrap();
        moved("a directory is removed");
        user.chmod(dir, 0o755).unwrap();
        moved("its mode is set");
    }
    stage.end();
}

/// What is refused, and what only reads, is no change.
pub fn what_changes_nothing_leaves_it<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(dir, "f").unwrap();
    user.write(file, 0, b"bytes").unwrap();
    let changes = |user: &User| [dir, file].map(|fh| user.change(fh));
    user.settle();
    let before = changes(user);
    assert_eq!(user.mkdir(dir, "f"), Err(FsError::Exists));
    assert_eq!(user.remove(dir, "x"), Err(FsError::NotFound));
    assert_eq!(user.rename((dir, "x"), (dir, "y")), Err(FsError::NotFound));
    assert_eq!(user.truncate(dir, 0), Err(FsError::IsDirectory));
    assert_eq!(user.remove(top, "d"), Err(FsError::NotEmpty));
    user.lookup(dir, "f").unwrap();
    user.write(file, 3, b"").unwrap();
    user.commit(file, 0, 0).unwrap();
    let opened = user.open_name(dir, "f", unchecked()).unwrap();
    assert_eq!(opened.dir.before, opened.dir.after, "it was there");
    user.fs.release(opened.fh);
    assert_eq!(changes(user), before);
    if runs(
        stage.traits.reads_are_no_change,
        "a read may change the change attribute",
    ) {
        user.at(90_000).read(file);
        user.at(90_000).list(dir);
        user.at(90_000).read(file);
        assert_eq!(changes(user), before);
    }
    stage.end();
}

/// The change attributes before and after an operation are those of the directory: what is said to be
/// atomic follows on what was before.
pub fn operations_tell_the_change_of_their_directory<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let mut before = user.change(dir);
    let mut follows = |change: DirChange| {
        let now = user.change(dir);
        assert!(change.before < change.after, "{change:?}");
        user.is_unchanged(dir, change.after);
        if change.atomic {
            assert_eq!(change.before, before);
        }
        before = now;
    };
    for _ in 0..20 {
        let made = user.make_with(dir, "d", NewNode::Directory, |_| ());
        follows(made.unwrap().2);
        let opened = user.open_name(dir, "f", unchecked()).unwrap();
        follows(opened.dir);
        user.fs.release(opened.fh);
        if user.fs.capabilities().hard_links {
            follows(user.link(opened.fh, dir, "l").unwrap());
            follows(user.remove(dir, "l").unwrap());
        }
        let (from, to) = user.rename((dir, "f"), (dir, "g")).unwrap();
        assert_eq!(from, to);
        follows(from);
        follows(user.rename((dir, "g"), (top, "g")).unwrap().0);
        follows(user.rename((top, "g"), (dir, "g")).unwrap().1);
        follows(user.remove(dir, "g").unwrap());
        follows(user.remove(dir, "d").unwrap());
    }
    stage.end();
}

/// The change attribute does not go back, and does not stand still over a change, in another run.
pub fn it_does_not_go_back_with_a_restart<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    // Many changes in one moment: a counter that a run adds to a clock would be ahead of it.
    for _ in 0..5_000 {
        user.chmod(file, 0o600).unwrap();
    }
    let before = [top, file].map(|fh| user.change(fh));
    let Some(stage) = stage.restarted() else {
        return;
    };
    let user = &stage.user;
    let fh = |name| user.lookup(user.top(), name).unwrap();
    let now = |fhs: [FsHandle; 2]| fhs.map(|fh| user.change(fh));
    let objects = [user.top(), fh("f")];
    let after = now(objects);
    assert!(
        after[0] >= before[0] && after[1] >= before[1],
        "{before:?} to {after:?}"
    );
    user.chmod(objects[1], 0o600).unwrap();
    user.touch(objects[0], "g").unwrap();
    let changed = now(objects);
    assert!(
        changed[0] > before[0] && changed[1] > before[1],
        "{before:?} to {changed:?}"
    );
    stage.end();
}
