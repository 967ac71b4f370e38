//! Attributes: told, changed and refused.

use std::collections::HashSet;

use nfs4_engine::Wall;
use nfs4_engine::fs::{Device, FileKind, FsError, NewNode, SetTime};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::{bytes, unchecked};

/// Every type of object has its type, its owner, the mode that was asked for, and a number of its own.
pub fn a_new_object_has_the_attributes_of_its_creation<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let device = Device {
        major: 7,
        minor: 300,
    };
    let mut nodes = vec![(NewNode::Directory, FileKind::Directory, 0o755)];
    if user.fs.capabilities().symlinks {
        nodes.push((NewNode::Symlink(bytes("target")), FileKind::Symlink, 0));
    }
    if stage.traits.special_files {
        nodes.push((NewNode::Fifo, FileKind::Fifo, 0o644));
        nodes.push((NewNode::Socket, FileKind::Socket, 0o644));
    }
    if stage.traits.devices {
        nodes.push((NewNode::CharDevice(device), FileKind::CharDevice, 0o644));
        nodes.push((NewNode::BlockDevice(device), FileKind::BlockDevice, 0o644));
    }
    let mut numbers = HashSet::from([user.attrs(top).unwrap().fileid]);
    let own = |attrs: &nfs4_engine::fs::Attrs| (attrs.uid, attrs.gid) == stage.traits.owner;
    for (at, (node, kind, mode)) in nodes.into_iter().enumerate() {
        let name = at.to_string();
        let (fh, attrs, _) = user.make_with(top, &name, node, |_| ()).unwrap();
        assert_eq!(attrs.kind, kind);
        assert!(kind == FileKind::Symlink || attrs.mode == mode, "{attrs:?}");
        assert!(own(&attrs), "{attrs:?}");
        assert!(
            numbers.insert(attrs.fileid),
            "{kind:?} has a number of its own"
        );
        let is_device = matches!(kind, FileKind::CharDevice | FileKind::BlockDevice);
        assert_eq!(
            attrs.device,
            if is_device { device } else { Device::default() }
        );
        assert!(kind == FileKind::Directory || attrs.links == 1, "{attrs:?}");
        user.still_has(fh, &attrs);
        assert_eq!(user.find(top, &name), Ok((fh, attrs)));
        for time in [attrs.accessed, attrs.modified, attrs.changed, attrs.created] {
            user.is_stamped(time, 1000);
        }
    }
    let opened = user.open_name(top, "file", unchecked()).unwrap();
    let attrs = opened.attrs;
    assert_eq!(
        (attrs.kind, attrs.mode, attrs.links, attrs.size),
        (FileKind::Regular, 0o644, 1, 0)
    );
    assert!(own(&attrs) && numbers.insert(attrs.fileid));
    assert_eq!(user.find(top, "file"), Ok((opened.fh, attrs)));
    user.fs.release(opened.fh);
    stage.end();
}

/// A creation sets the attributes that come with it.
pub fn a_creation_sets_attributes<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let early = Wall {
        seconds: 77,
        nanos: 5,
    };
    for mode in [0, 0o1, 0o600, 0o444, 0o777, 0o1777] {
        let name = format!("{mode:o}");
        let made = user.make_with(top, &name, NewNode::Directory, |set| {
            set.mode = Some(mode);
            set.modified = SetTime::Client(early);
        });
        let (fh, attrs, _) = made.unwrap();
        assert_eq!((attrs.mode, attrs.modified), (mode, early));
        user.still_has(fh, &attrs);
    }
    stage.end();
}

/// Attributes become what they are set to, and no others change but the time of the change.
pub fn attributes_become_what_they_are_set_to<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(top, "f").unwrap();
    let later = Wall {
        seconds: 5_000_000_000,
        nanos: 999_999_999,
    };
    let granularity = user.fs.capabilities().time_granularity;
    assert!((1..=1_000_000_000).contains(&granularity));
    for fh in [dir, file] {
        let mut expected = user.attrs(fh).unwrap();
        for mode in [0o7777, 0o640, 0, 0o755] {
            let attrs = user.at(2000).chmod(fh, mode).unwrap();
            assert!(attrs.change > expected.change, "a mode is an attribute");
            user.is_stamped(attrs.changed, 2000);
            expected.mode = mode;
            (expected.change, expected.changed) = (attrs.change, attrs.changed);
            assert_eq!(attrs, expected);
            assert_eq!(user.attrs(fh), Ok(expected));
        }
        for time in [
            later,
            Wall {
                seconds: 0,
                nanos: 0,
            },
            Wall {
                seconds: -5,
                nanos: 1,
            },
        ] {
            let set = user.set(fh, |set| {
                set.accessed = SetTime::Client(time);
                set.modified = SetTime::Client(time);
            });
            let attrs = set.unwrap();
            assert!(attrs.change > expected.change);
            let near = |told: Wall| {
                let step = i64::from(granularity);
                let nanos = |wall: Wall| i128::from(wall.seconds) * SECOND + i128::from(wall.nanos);
                (nanos(time) - nanos(told)).abs() < i128::from(step)
            };
            assert!(
                near(attrs.accessed) && near(attrs.modified),
                "{time:?}: {attrs:?}"
            );
            expected = attrs;
        }
        let attrs = user.at(3000).set(fh, |set| {
            set.accessed = SetTime::Server;
            set.modified = SetTime::Server;
        });
        let attrs = attrs.unwrap();
        for time in [attrs.accessed, attrs.modified, attrs.changed] {
            user.is_stamped(time, 3000);
            assert!(time.seconds > 0, "it is the server's time");
        }
        assert_eq!((attrs.mode, attrs.size), (expected.mode, expected.size));
    }
    stage.end();
}

/// A change of nothing changes nothing, and is not refused.
pub fn a_change_of_nothing_changes_nothing<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    for fh in [top, user.touch(top, "f").unwrap()] {
        user.settle();
        let before = user.attrs(fh).unwrap();
        assert_eq!(user.at(2000).set(fh, |_| ()), Ok(before));
        assert_eq!(user.attrs(fh), Ok(before));
    }
    stage.end();
}

/// A time of creation is set where the file system has it.
pub fn a_time_of_creation_is_set<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    if !runs(stage.traits.sets_created, "the time of creation is not set") {
        return;
    }
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let early = Wall {
        seconds: 33,
        nanos: 44,
    };
    let attrs = user.set(file, |set| set.created = Some(early)).unwrap();
    assert_eq!(attrs.created, early);
    stage.end();
}

/// Only files are cut or made longer.
pub fn only_files_have_a_length_to_set<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    assert_eq!(user.truncate(top, 0), Err(FsError::IsDirectory));
    let mut others = Vec::new();
    if user.fs.capabilities().symlinks {
        others.push(user.symlink(top, "link", "file").unwrap());
    }
    if stage.traits.special_files {
        others.push(user.make(top, "fifo", NewNode::Fifo).unwrap());
    }
    for fh in others {
        let before = user.attrs(fh).unwrap();
        let refused = user.truncate(fh, 0);
        let expected = [FsError::Invalid, FsError::IsSymlink, FsError::WrongType];
        assert!(
            refused.is_err_and(|error| expected.contains(&error)),
            "{refused:?}"
        );
        assert_eq!(user.attrs(fh), Ok(before));
    }
    stage.end();
}

/// A write and a cut change the time of data, and a change of attributes alone does not.
pub fn times_follow_changes<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let made = user.attrs(file).unwrap();
    user.at(1010).write(file, 0, b"x").unwrap();
    let written = user.attrs(file).unwrap();
    user.is_stamped(written.modified, 1010);
    user.is_stamped(written.changed, 1010);
    assert_eq!(written.created, made.created);
    let cut = user.at(1020).truncate(file, 0).unwrap();
    user.is_stamped(cut.modified, 1020);
    let changed = user.at(1030).chmod(file, 0o600).unwrap();
    assert_eq!(changed.modified, cut.modified);
    user.is_stamped(changed.changed, 1030);
    let dir = user.mkdir(top, "d").unwrap();
    user.at(1040).touch(dir, "f").unwrap();
    user.is_stamped(user.attrs(dir).unwrap().modified, 1040);
    user.at(1050).remove(dir, "f").unwrap();
    let removed = user.attrs(dir).unwrap();
    user.is_stamped(removed.modified, 1050);
    user.is_stamped(removed.changed, 1050);
    stage.end();
}

const SECOND: i128 = 1_000_000_000;
