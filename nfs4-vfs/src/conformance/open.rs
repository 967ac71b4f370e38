//! Files that are opened, and held until they are released.

use nfs4_engine::fs::{Creation, FsError, NewNode, SetAttrs, Target};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::{bytes, guarded, unchecked};

/// An open finds a file, makes one, or is refused, as it says.
pub fn an_open_finds_or_makes_a_file<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let set = SetAttrs::default().with(|set| set.mode = Some(0o640));
    let none = user.open_name(top, "f", Creation::No);
    assert_eq!(none.err(), Some(FsError::NotFound));
    let made = user.open_name(top, "f", Creation::Unchecked(set)).unwrap();
    assert!(made.created && made.attrs.mode == 0o640 && made.dir.before < made.dir.after);
    assert_eq!(user.lookup(top, "f"), Ok(made.fh));
    user.write(made.fh, 0, b"bytes").unwrap();
    let found = user.open_name(top, "f", unchecked()).unwrap();
    assert!(!found.created && found.fh == made.fh);
    assert_eq!(
        (found.attrs.mode, found.attrs.size),
        (0o640, 5),
        "it is as it was"
    );
    let found = user.open_name(top, "f", Creation::No).unwrap();
    assert!(!found.created && found.fh == made.fh);
    let taken = user.open_name(top, "f", Creation::Guarded(set));
    assert_eq!(taken.err(), Some(FsError::Exists));
    let new = user.open_name(top, "g", Creation::Guarded(set)).unwrap();
    assert!(new.created && new.fh != made.fh);
    (0..3).for_each(|_| user.fs.release(made.fh));
    user.fs.release(new.fh);
    stage.end();
}

/// An open makes a file with a length and times as well.
pub fn an_open_makes_a_file_with_attributes<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let time = nfs4_engine::Wall {
        seconds: 99,
        nanos: 5,
    };
    let set = SetAttrs::default().with(|set| {
        set.size = Some(1_000);
        set.modified = nfs4_engine::fs::SetTime::Client(time);
    });
    let made = user.open_name(top, "f", Creation::Unchecked(set)).unwrap();
    assert_eq!((made.attrs.size, made.attrs.modified), (1_000, time));
    assert_eq!(user.attrs(made.fh), Ok(made.attrs));
    let found = user.open_name(
        top,
        "f",
        Creation::Unchecked(SetAttrs::default().with(|set| {
            set.mode = Some(0o777);
            set.size = Some(7);
        })),
    );
    assert_eq!(
        found.map(|found| found.attrs),
        Ok(made.attrs),
        "it is taken as it is"
    );
    assert_eq!(user.read(made.fh), [0; 1_000][..]);
    (0..2).for_each(|_| user.fs.release(made.fh));
    stage.end();
}

/// What is no file is not opened, by name or by handle, and nothing waits for the other end of a pipe.
pub fn only_files_are_opened<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let mut others = vec![("d", user.mkdir(top, "d").unwrap(), FsError::IsDirectory)];
    if user.fs.capabilities().symlinks {
        user.touch(top, "target").unwrap();
        others.push((
            "l",
            user.symlink(top, "l", "target").unwrap(),
            FsError::IsSymlink,
        ));
        others.push((
            "m",
            user.symlink(top, "m", "nowhere").unwrap(),
            FsError::IsSymlink,
        ));
    }
    if stage.traits.special_files {
        for (name, node) in [("p", NewNode::Fifo), ("s", NewNode::Socket)] {
            others.push((
                name,
                user.make(top, name, node).unwrap(),
                FsError::WrongType,
            ));
        }
    }
    let names = user.names(top);
    for (name, fh, error) in others {
        for create in [Creation::No, unchecked()] {
            for rights in [(true, false), (false, true), (true, true)] {
                let target = Target::Name {
                    dir: top,
                    name: bytes(name),
                };
                let opened = user.open(target, rights, create);
                assert_eq!(opened.err(), Some(error), "{name}");
            }
        }
        let opened = user.open(Target::Handle(fh), (true, false), Creation::No);
        assert_eq!(opened.err(), Some(error), "{name}");
        let made = user.open_name(top, name, guarded());
        assert_eq!(made.err(), Some(FsError::Exists), "{name}");
    }
    assert_eq!(user.names(top), names, "nothing is made behind a link");
    stage.end();
}

/// A file is opened by its handle, wherever it is by now.
pub fn a_file_is_opened_by_its_handle<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    user.rename((top, "f"), (top, "g")).unwrap();
    let opened = user
        .open(Target::Handle(file), (true, true), Creation::No)
        .unwrap();
    assert_eq!((opened.fh, opened.created), (file, false));
    user.write(file, 0, b"x").unwrap();
    user.remove(top, "g").unwrap();
    let again = user
        .open(Target::Handle(file), (true, false), Creation::No)
        .unwrap();
    assert_eq!(again.attrs.links, 0);
    (0..2).for_each(|_| user.fs.release(file));
    user.is_gone(file);
    let gone = user.open(Target::Handle(file), (true, true), Creation::No);
    assert_eq!(gone.err(), Some(FsError::Stale));
    stage.end();
}

/// A file without a name is read, written, changed and cut until it was released as often as opened.
pub fn a_removed_file_lives_until_its_last_release<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.hold(top, "f").unwrap();
    assert_eq!(
        user.open_name(top, "f", unchecked())
            .map(|opened| opened.fh),
        Ok(file)
    );
    user.write(file, 0, &[7; 100_000]).unwrap();
    user.remove(top, "f").unwrap();
    let attrs = user.attrs(file).unwrap();
    assert_eq!((attrs.links, attrs.size), (0, 100_000));
    user.write(file, 100_000, b"more").unwrap();
    assert!(user.change(file) > attrs.change);
    user.truncate(file, 50_000).unwrap();
    assert_eq!(user.chmod(file, 0o600).map(|attrs| attrs.mode), Ok(0o600));
    user.commit(file, 0, 0).unwrap();
    user.open(Target::Handle(file), (true, true), Creation::No)
        .unwrap();
    // Another file of this name is another file.
    let other = user.touch(top, "f").unwrap();
    assert_ne!(other, file);
    for _ in 0..2 {
        user.fs.release(file);
        assert_eq!(user.read(file), [7; 50_000][..]);
    }
    user.fs.release(file);
    user.is_gone(file);
    assert_eq!(user.read_part(file, 0, 1), Err(FsError::Stale));
    assert_eq!(user.write(file, 0, b"x"), Err(FsError::Stale));
    assert_eq!(user.attrs(other).map(|attrs| attrs.size), Ok(0));
    stage.end();
}

/// A file that is released keeps its name and bytes.
pub fn a_released_file_stays<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.hold(top, "f").unwrap();
    user.write(file, 0, b"bytes").unwrap();
    user.fs.release(file);
    assert_eq!(user.lookup(top, "f"), Ok(file));
    assert_eq!(user.read(file), "bytes");
    user.write(file, 5, b" and more").unwrap();
    assert_eq!(user.read(file), "bytes and more");
    stage.end();
}

/// Many files are held at once, more than are used at once.
pub fn many_files_are_held<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let files: Vec<_> = (0..500)
        .map(|at: u32| {
            let file = user.hold(top, at.to_string()).unwrap();
            user.write(file, 0, &at.to_be_bytes()).unwrap();
            file
        })
        .collect();
    for at in (0..500).step_by(2) {
        user.remove(top, at.to_string()).unwrap();
    }
    for (at, file) in (0..).zip(&files) {
        let at: u32 = at;
        assert_eq!(user.read(*file), at.to_be_bytes()[..]);
    }
    files.iter().for_each(|file| user.fs.release(*file));
    for (at, file) in (0..).zip(&files) {
        let at: u32 = at;
        if at.is_multiple_of(2) {
            user.is_gone(*file);
        } else {
            assert_eq!(user.read(*file), at.to_be_bytes()[..]);
        }
    }
    stage.end();
}

/// What a handle that was not held is released for does no harm.
pub fn a_release_of_what_is_gone_does_no_harm<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.hold(top, "f").unwrap();
    let other = user.hold(top, "g").unwrap();
    user.remove(top, "f").unwrap();
    user.fs.release(file);
    user.is_gone(file);
    user.fs.release(file);
    if runs(user.fs.capabilities().hard_links, "there are no hard links") {
        user.link(other, top, "h").unwrap();
        user.remove(top, "g").unwrap();
        user.fs.release(other);
        assert_eq!(user.attrs(other).map(|attrs| attrs.links), Ok(1));
    }
    stage.end();
}
