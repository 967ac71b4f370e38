use nfs4_engine::fs::{AccessMask, SetTime};

use super::*;

/// Alice, Bob of Alice's group, and Carol, in a file system of the superuser.
fn people() -> (User, User, User, User) {
    let root = root();
    let alice = root.user(1000, 100, &[]);
    let bob = root.user(1001, 200, &[100]);
    let carol = root.user(1002, 300, &[]);
    (root, alice, bob, carol)
}

fn open_rights(user: &User, fh: FsHandle) -> (bool, bool) {
    let try_open = |how| match user.open(Target::Handle(fh), how, Creation::No) {
        Ok(opened) => {
            user.fs.release(opened.fh);
            true
        }
        Err(error) => {
            assert_eq!(error, FsError::AccessDenied);
            false
        }
    };
    (try_open((true, false)), try_open((false, true)))
}

#[test]
fn the_most_specific_class_decides() {
    let (root, alice, bob, carol) = people();
    let file = alice.touch(alice.top(), "f").unwrap();
    for mode in 0..0o1000 {
        alice.chmod(file, mode).unwrap();
        for (user, shift) in [(&alice, 6), (&bob, 3), (&carol, 0)] {
            let class = mode >> shift;
            // A user that may execute the file may read it, to execute it.
            assert_eq!(
                open_rights(user, file),
                (class & 5 != 0, class & 2 != 0),
                "{mode:o}"
            );
            let mask = AccessMask(0x3f);
            let Ok(FsReply::Access { granted, .. }) = user.ask(FsOp::Access { fh: file, mask })
            else {
                panic!("no access");
            };
            let expected = (class & 4) / 4 + (class & 2) / 2 * (0x04 + 0x08) + (class & 1) * 0x20;
            assert_eq!(granted.0, expected, "{mode:o}");
        }
    }
    alice.chmod(file, 0).unwrap();
    assert_eq!(open_rights(&root, file), (true, true));
    let access = |user: &User, fh, mask| match user.ask(FsOp::Access { fh, mask }) {
        Ok(FsReply::Access { granted, .. }) => granted.0,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        access(&root, file, AccessMask(0x3f)),
        0x0d,
        "no user may execute it"
    );
    alice.chmod(file, 0o001).unwrap();
    assert_eq!(access(&root, file, AccessMask::EXECUTE), 0x20);
    assert_eq!(access(&root, root.top(), AccessMask(0x3f)), 0x1f);
}

#[test]
fn the_owner_reads_and_writes_without_an_open_in_any_mode() {
    let (_, alice, bob, _) = people();
    let fh = alice.touch(alice.top(), "f").unwrap();
    alice.chmod(fh, 0).unwrap();
    let io = |user: &User, authority| {
        let (data, stability) = (bytes("x"), Stability::File);
        let write = user.ask(FsOp::Write {
            fh,
            offset: 0,
            data,
            stability,
            authority,
        });
        let read = user.ask(FsOp::Read {
            fh,
            offset: 0,
            count: 1,
            authority,
            payload: Payload::new(),
        });
        (write.map(drop), read.map(drop))
    };
    assert_eq!(io(&alice, Authority::Credential), (Ok(()), Ok(())));
    let denied = Err(FsError::AccessDenied);
    assert_eq!(io(&bob, Authority::Credential), (denied, denied));
    assert_eq!(io(&bob, Authority::Open), (Ok(()), Ok(())));
    // A user that may execute a file may read it, to execute it.
    alice.chmod(fh, 0o010).unwrap();
    assert_eq!(io(&bob, Authority::Credential), (denied, Ok(())));
    assert_eq!(bob.truncate(fh, 0).err(), Some(FsError::AccessDenied));
    let set = SetAttrs::default().with(|set| set.size = Some(0));
    bob.ask(FsOp::SetAttrs {
        fh,
        set,
        authority: Authority::Open,
    })
    .unwrap();
    alice.chmod(fh, 0).unwrap();
    alice.truncate(fh, 5).unwrap();
}

#[test]
fn directories_need_their_rights() {
    let (_, alice, bob, _) = people();
    let dir = alice.mkdir(alice.top(), "d").unwrap();
    let file = alice.touch(dir, "f").unwrap();
    let denied = Some(FsError::AccessDenied);
    for (mode, lists, searches, changes) in [
        (0o700, false, false, false),
        (0o740, true, false, false),
        (0o710, false, true, false),
        (0o720, false, false, false),
        (0o730, false, true, true),
        (0o760, true, false, false),
    ] {
        alice.chmod(dir, mode).unwrap();
        assert_eq!(bob.page(dir, 0, 1).is_ok(), lists, "{mode:o}");
        assert_eq!(bob.lookup(dir, "f").is_ok(), searches, "{mode:o}");
        assert_eq!(bob.parent(dir).is_ok(), searches, "{mode:o}");
        if changes {
            bob.touch(dir, "g").unwrap();
            bob.link(file, dir, "l").unwrap();
            bob.rename((dir, "g"), (dir, "h")).unwrap();
            bob.remove(dir, "h").unwrap();
            bob.remove(dir, "l").unwrap();
        } else {
            assert_eq!(bob.touch(dir, "g").err(), denied);
            assert_eq!(bob.mkdir(dir, "g").err(), denied);
            assert_eq!(bob.link(file, dir, "l").err(), denied);
            assert_eq!(bob.rename((dir, "f"), (dir, "h")).err(), denied);
            assert_eq!(bob.rename((dir, "f"), (bob.top(), "h")).err(), denied);
            assert_eq!(bob.remove(dir, "f").err(), denied);
        }
    }
    // A directory that gets another parent must be writable itself.
    alice.chmod(dir, 0o750).unwrap();
    let other = bob.mkdir(bob.top(), "other").unwrap();
    assert_eq!(bob.rename((bob.top(), "d"), (other, "d")).err(), denied);
    bob.rename((bob.top(), "d"), (bob.top(), "e")).unwrap();
}

#[test]
fn only_owners_remove_entries_of_a_sticky_directory() {
    let (root, alice, bob, carol) = people();
    let tmp = carol.mkdir(root.top(), "tmp").unwrap();
    carol.chmod(tmp, 0o1777).unwrap();
    for name in ["a", "b", "c", "d"] {
        alice.touch(tmp, name).unwrap();
    }
    bob.touch(tmp, "bob").unwrap();
    let denied = Some(FsError::AccessDenied);
    assert_eq!(bob.remove(tmp, "a").err(), denied);
    assert_eq!(bob.rename((tmp, "a"), (tmp, "x")).err(), denied);
    assert_eq!(
        bob.rename((tmp, "bob"), (tmp, "a")).err(),
        denied,
        "it would replace"
    );
    alice.remove(tmp, "a").unwrap();
    carol.remove(tmp, "b").unwrap();
    root.remove(tmp, "c").unwrap();
    bob.rename((tmp, "bob"), (tmp, "a")).unwrap();
}

#[test]
fn new_entries_of_a_setgid_directory_get_its_group() {
    let (root, alice, _, carol) = people();
    let dir = alice.mkdir(root.top(), "d").unwrap();
    alice.chmod(dir, 0o2777).unwrap();
    let sub = carol.mkdir(dir, "sub").unwrap();
    let file = carol.touch(sub, "f").unwrap();
    let (sub, file) = (carol.attrs(sub).unwrap(), carol.attrs(file).unwrap());
    assert_eq!((sub.uid, sub.gid, sub.mode), (1002, 100, 0o2755));
    assert_eq!((file.uid, file.gid, file.mode), (1002, 100, 0o644));
    // A setgid program of a group that Carol is not in.
    let set = SetAttrs::default().with(|set| set.mode = Some(0o2755));
    let opened = carol
        .open_name(dir, "program", Creation::Guarded(set))
        .unwrap();
    assert_eq!(opened.attrs.mode, 0o755);
    carol.fs.release(opened.fh);
    assert_eq!(carol.chmod(opened.fh, 0o2755).unwrap().mode, 0o755);
}

#[test]
fn only_the_superuser_gives_files_away() {
    let (root, alice, bob, carol) = people();
    let file = bob.touch(root.top(), "f").unwrap();
    let uid = |uid| SetAttrs::default().with(|set| set.uid = Some(uid));
    let gid = |gid| SetAttrs::default().with(|set| set.gid = Some(gid));
    let refused = Some(FsError::NotPermitted);
    assert_eq!(bob.set(file, uid(1000)).err(), refused);
    assert_eq!(bob.set(file, gid(300)).err(), refused);
    assert_eq!(alice.set(file, gid(100)).err(), refused);
    assert_eq!(carol.chmod(file, 0o777).err(), refused);
    bob.set(file, uid(1001)).unwrap();
    assert_eq!(bob.set(file, gid(100)).unwrap().gid, 100);
    assert_eq!(root.set(file, uid(1000)).unwrap().uid, 1000);
    let set = SetAttrs::default().with(|set| set.uid = Some(7));
    let create = Creation::Guarded(set);
    assert_eq!(bob.open_name(root.top(), "g", create).err(), refused);
    assert_eq!(
        root.open_name(root.top(), "g", create).unwrap().attrs.uid,
        7
    );
}

#[test]
fn only_the_superuser_creates_devices() {
    use nfs4_engine::fs::Device;
    let (root, alice, _, carol) = people();
    let device = Device { major: 1, minor: 3 };
    let dir = alice.mkdir(root.top(), "d").unwrap();
    alice.touch(dir, "taken").unwrap();
    let makes: [fn(Device) -> NewNode; 2] = [NewNode::BlockDevice, NewNode::CharDevice];
    for (at, make) in makes.into_iter().enumerate() {
        let of = |user: &User, name: &str, device| user.make(dir, name, make(device)).err();
        for device in [device, Device::default()] {
            assert_eq!(of(&alice, "new", device), Some(FsError::NotPermitted));
        }
        // Other faults come before the refusal of devices.
        assert_eq!(of(&alice, "taken", device), Some(FsError::Exists));
        assert_eq!(of(&carol, "new", device), Some(FsError::AccessDenied));
        assert_eq!(of(&root, &format!("root {at}"), device), None);
        // Membership of group 0 does not make a superuser.
        let in_group = root.user(1000, 0, &[0]);
        assert_eq!(of(&in_group, "new", device), Some(FsError::NotPermitted));
    }
    for (name, node) in [("socket", NewNode::Socket), ("fifo", NewNode::Fifo)] {
        alice.make(dir, name, node).unwrap();
    }
    assert_eq!(alice.lookup(dir, "new"), Err(FsError::NotFound));
}

#[test]
fn writers_set_times_to_now_and_only_the_owner_to_others() {
    let (root, alice, bob, _) = people();
    let file = alice.touch(root.top(), "f").unwrap();
    let client = SetTime::Client(Wall {
        seconds: -5,
        nanos: 1,
    });
    let set = |time| {
        SetAttrs::default().with(|set| {
            set.accessed = time;
            set.modified = time;
        })
    };
    alice.chmod(file, 0o664).unwrap();
    assert_eq!(
        bob.set(file, set(client)).err(),
        Some(FsError::NotPermitted)
    );
    let attrs = bob.at(2000).set(file, set(SetTime::Server)).unwrap();
    assert_eq!(
        (attrs.accessed, attrs.modified),
        (at(2000).wall, at(2000).wall)
    );
    let attrs = alice.at(3000).set(file, set(client)).unwrap();
    assert_eq!((attrs.accessed.seconds, attrs.modified.seconds), (-5, -5));
    assert_eq!(attrs.changed, at(3000).wall);
    alice.chmod(file, 0o444).unwrap();
    assert_eq!(
        bob.set(file, set(SetTime::Server)).err(),
        Some(FsError::AccessDenied)
    );
    alice.set(file, set(SetTime::Server)).unwrap();
    let nonsense = SetTime::Client(Wall {
        seconds: 0,
        nanos: 1_000_000_000,
    });
    assert_eq!(alice.set(file, set(nonsense)).err(), Some(FsError::Invalid));
}

#[test]
fn changes_of_attributes_are_all_or_none() {
    let (_, alice, bob, _) = people();
    let file = alice.touch(alice.top(), "f").unwrap();
    alice.write(file, 0, b"hello").unwrap();
    alice.chmod(file, 0o666).unwrap();
    let before = alice.attrs(file).unwrap();
    let set = SetAttrs::default().with(|set| {
        set.size = Some(1);
        set.mode = Some(0o777);
    });
    assert_eq!(bob.set(file, set).err(), Some(FsError::NotPermitted));
    let set = SetAttrs::default().with(|set| {
        set.size = Some(1);
        set.mode = Some(0o600);
        set.uid = Some(5);
    });
    assert_eq!(alice.set(file, set).err(), Some(FsError::NotPermitted));
    assert_eq!(alice.attrs(file).unwrap(), before);
    assert_eq!(alice.read(file), "hello");
}

#[test]
fn a_new_file_is_open_whatever_its_mode() {
    let (_, alice, bob, _) = people();
    let set = SetAttrs::default().with(|set| set.mode = Some(0o444));
    let opened = alice
        .open_name(alice.top(), "f", Creation::Guarded(set))
        .unwrap();
    assert!(opened.created);
    let again = alice.open_name(alice.top(), "f", Creation::Unchecked(set));
    assert_eq!(again.err(), Some(FsError::AccessDenied));
    let target = || Target::Name {
        dir: bob.top(),
        name: bytes("f"),
    };
    assert_eq!(
        bob.open(target(), (false, true), Creation::No).err(),
        Some(FsError::AccessDenied)
    );
    bob.open(target(), (true, false), Creation::No).unwrap();
}
