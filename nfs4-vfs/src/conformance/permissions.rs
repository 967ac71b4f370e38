//! The rights of users, by mode, owner and group.

use nfs4_engine::Wall;
use nfs4_engine::fs::{
    AccessMask, Authority, Creation, Device, FsError, FsHandle, NewNode, SetAttrs, SetTime, Target,
};

use super::stage::Stage;
use super::subject::Subject;
use super::user::{User, at, bytes};

/// The superuser's file system, and Alice, Bob of Alice's group, and Carol.
fn people<S: Subject>(subject: &S) -> Option<(Stage<S::Files>, [User; 3])> {
    let stage = Stage::of_users(subject)?;
    let alice = stage.user.user(1000, 100, &[]);
    let bob = stage.user.user(1001, 200, &[100]);
    let carol = stage.user.user(1002, 300, &[]);
    Some((stage, [alice, bob, carol]))
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

const DENIED: Option<FsError> = Some(FsError::AccessDenied);
const ALL: AccessMask = AccessMask(0x3f);

/// The owner, the group or the others: the first class that a user is in decides.
pub fn the_most_specific_class_decides<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, carol])) = people(subject) else {
        return;
    };
    let root = &stage.user;
    let file = alice.touch(alice.top(), "f").unwrap();
    for mode in 0..0o1000 {
        alice.chmod(file, mode).unwrap();
        for (user, shift) in [(&alice, 6), (&bob, 3), (&carol, 0)] {
            let class = mode >> shift;
            // A user that may execute the file may read it, to execute it.
            let rights = (class & 5 != 0, class & 2 != 0);
            assert_eq!(open_rights(user, file), rights, "{mode:o}");
            let granted = user.access(file, ALL).unwrap();
            let expected = (class & 4) / 4 + (class & 2) / 2 * (0x04 + 0x08) + (class & 1) * 0x20;
            assert_eq!(granted.0, expected, "{mode:o}");
        }
    }
    alice.chmod(file, 0).unwrap();
    assert_eq!(open_rights(root, file), (true, true));
    assert_eq!(
        root.access(file, ALL).unwrap().0,
        0x0d,
        "no user may execute it"
    );
    alice.chmod(file, 0o001).unwrap();
    assert_eq!(root.access(file, AccessMask::EXECUTE).unwrap().0, 0x20);
    assert_eq!(root.access(root.top(), ALL).unwrap().0, 0x1f);
    stage.end();
}

/// The owner of a file that is open reads and writes it whatever its mode, as a local process does.
pub fn the_owner_reads_and_writes_without_an_open_in_any_mode<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, _])) = people(subject) else {
        return;
    };
    let fh = alice.touch(alice.top(), "f").unwrap();
    alice.chmod(fh, 0).unwrap();
    let io = |user: &User, authority| {
        let write = user.write_by(fh, 0, b"x", authority);
        let read = user.read_by(fh, 0, 1, authority);
        (write, read.map(drop))
    };
    let denied = Err(FsError::AccessDenied);
    assert_eq!(io(&alice, Authority::Credential), (Ok(()), Ok(())));
    assert_eq!(io(&bob, Authority::Credential), (denied, denied));
    assert_eq!(io(&bob, Authority::Open), (Ok(()), Ok(())));
    // A user that may execute a file may read it, to execute it.
    alice.chmod(fh, 0o010).unwrap();
    assert_eq!(io(&bob, Authority::Credential), (denied, Ok(())));
    assert_eq!(bob.truncate(fh, 0).err(), DENIED);
    bob.set_by(fh, Authority::Open, |set| set.size = Some(0))
        .unwrap();
    alice.chmod(fh, 0).unwrap();
    alice.truncate(fh, 5).unwrap();
    stage.end();
}

/// A directory is listed, searched and changed by its own rights.
pub fn directories_need_their_rights<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, _])) = people(subject) else {
        return;
    };
    let dir = alice.mkdir(alice.top(), "d").unwrap();
    let file = alice.touch(dir, "f").unwrap();
    // Any user may link it.
    alice.chmod(file, 0o666).unwrap();
    let links = bob.fs.capabilities().hard_links;
    for (mode, lists, searches, changes) in [
        (0o700, false, false, false),
        (0o740, true, false, false),
        (0o710, false, true, false),
        (0o720, false, false, false),
        (0o730, false, true, true),
        (0o760, true, false, false),
    ] {
        alice.chmod(dir, mode).unwrap();
        let page = bob.page(dir, 0, 4096);
        assert_eq!(page.is_ok(), lists, "{mode:o}");
        if let Ok(page) = page {
            assert!(page.concealed, "{mode:o}: it may not be searched");
            assert_eq!(page.entries.len(), 1);
        }
        assert_eq!(bob.lookup(dir, "f").is_ok(), searches, "{mode:o}");
        assert_eq!(bob.parent(dir).is_ok(), searches, "{mode:o}");
        if changes {
            bob.touch(dir, "g").unwrap();
            bob.rename((dir, "g"), (dir, "h")).unwrap();
            bob.remove(dir, "h").unwrap();
            if links {
                bob.link(file, dir, "l").unwrap();
                bob.remove(dir, "l").unwrap();
            }
        } else {
            assert_eq!(bob.touch(dir, "g").err(), DENIED, "{mode:o}");
            assert_eq!(bob.mkdir(dir, "g").err(), DENIED, "{mode:o}");
            assert_eq!(bob.rename((dir, "f"), (dir, "h")).err(), DENIED, "{mode:o}");
            assert_eq!(bob.rename((dir, "f"), (bob.top(), "h")).err(), DENIED);
            assert_eq!(bob.remove(dir, "f").err(), DENIED, "{mode:o}");
            if links {
                assert_eq!(bob.link(file, dir, "l").err(), DENIED, "{mode:o}");
            }
        }
    }
    assert!(!alice.page(dir, 0, 4096).unwrap().concealed);
    // A directory that gets another parent must be writable itself.
    alice.chmod(dir, 0o750).unwrap();
    let other = bob.mkdir(bob.top(), "other").unwrap();
    assert_eq!(bob.rename((bob.top(), "d"), (other, "d")).err(), DENIED);
    bob.rename((bob.top(), "d"), (bob.top(), "e")).unwrap();
    stage.end();
}

/// A handle is no right: what the directories above deny, it reaches, and its own mode decides.
pub fn the_mode_of_an_object_decides_whatever_the_way_to_it<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, carol])) = people(subject) else {
        return;
    };
    let dir = alice.mkdir(alice.top(), "d").unwrap();
    let [open, closed] = ["open", "closed"].map(|name| alice.touch(dir, name).unwrap());
    alice.chmod(open, 0o644).unwrap();
    alice.chmod(closed, 0o640).unwrap();
    alice.chmod(dir, 0).unwrap();
    assert_eq!(open_rights(&carol, open), (true, false));
    assert_eq!(open_rights(&carol, closed), (false, false));
    assert_eq!(open_rights(&bob, closed), (true, false));
    assert!(carol.attrs(closed).is_ok(), "attributes need no right");
    assert_eq!(carol.lookup(dir, "open").err(), DENIED);
    assert_eq!(alice.lookup(dir, "open").err(), DENIED);
    stage.end();
}

/// From a sticky directory only owners remove names: of the entry, or of the directory.
pub fn only_owners_remove_entries_of_a_sticky_directory<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, carol])) = people(subject) else {
        return;
    };
    let root = &stage.user;
    let tmp = carol.mkdir(root.top(), "tmp").unwrap();
    carol.chmod(tmp, 0o1777).unwrap();
    for name in ["a", "b", "c", "d"] {
        alice.touch(tmp, name).unwrap();
    }
    bob.touch(tmp, "bob").unwrap();
    assert_eq!(bob.remove(tmp, "a").err(), DENIED);
    assert_eq!(bob.rename((tmp, "a"), (tmp, "x")).err(), DENIED);
    let replaces = bob.rename((tmp, "bob"), (tmp, "a"));
    assert_eq!(replaces.err(), DENIED, "it would replace");
    alice.remove(tmp, "a").unwrap();
    carol.remove(tmp, "b").unwrap();
    root.remove(tmp, "c").unwrap();
    bob.rename((tmp, "bob"), (tmp, "a")).unwrap();
    stage.end();
}

/// What is made in a directory with setgid has its group, and a directory has setgid as well.
pub fn new_entries_of_a_setgid_directory_get_its_group<S: Subject>(subject: &S) {
    let Some((stage, [alice, _, carol])) = people(subject) else {
        return;
    };
    let dir = alice.mkdir(alice.top(), "d").unwrap();
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
    stage.end();
}

/// Only the superuser gives a file to another user, and an owner only to an own group.
pub fn only_the_superuser_gives_files_away<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, carol])) = people(subject) else {
        return;
    };
    let root = &stage.user;
    let file = bob.touch(root.top(), "f").unwrap();
    let uid = |user: &User, uid| user.set(file, |set| set.uid = Some(uid));
    let gid = |user: &User, gid| user.set(file, |set| set.gid = Some(gid));
    let refused = Some(FsError::NotPermitted);
    assert_eq!(uid(&bob, 1000).err(), refused);
    assert_eq!(gid(&bob, 300).err(), refused);
    assert_eq!(gid(&alice, 100).err(), refused);
    assert_eq!(carol.chmod(file, 0o777).err(), refused);
    uid(&bob, 1001).unwrap();
    assert_eq!(gid(&bob, 100).unwrap().gid, 100);
    assert_eq!(uid(root, 1000).unwrap().uid, 1000);
    let create = Creation::Guarded(SetAttrs::default().with(|set| set.uid = Some(7)));
    assert_eq!(bob.open_name(root.top(), "g", create).err(), refused);
    assert_eq!(root.lookup(root.top(), "g"), Err(FsError::NotFound));
    let made = root.open_name(root.top(), "g", create).unwrap();
    assert_eq!(made.attrs.uid, 7);
    root.fs.release(made.fh);
    stage.end();
}

/// Only the superuser makes devices.
pub fn only_the_superuser_creates_devices<S: Subject>(subject: &S) {
    let Some((stage, [alice, _, carol])) = people(subject) else {
        return;
    };
    let root = &stage.user;
    let device = Device { major: 1, minor: 3 };
    let dir = alice.mkdir(root.top(), "d").unwrap();
    alice.touch(dir, "taken").unwrap();
    let makes: [fn(Device) -> NewNode; 2] = [NewNode::BlockDevice, NewNode::CharDevice];
    for (at, make) in makes.into_iter().enumerate() {
        let of = |user: &User, name: &str, device| user.make(dir, name, make(device)).err();
        for device in [device, Device::default()] {
            assert_eq!(of(&alice, "new", device), Some(FsError::NotPermitted));
        }
        // Two things are wrong.
        let taken = of(&alice, "taken", device);
        assert!(matches!(
            taken,
            Some(FsError::Exists | FsError::NotPermitted)
        ));
        let denied = of(&carol, "new", device);
        assert!(matches!(
            denied,
            Some(FsError::AccessDenied | FsError::NotPermitted)
        ));
        // Membership of group 0 does not make a superuser.
        let in_group = root.user(1000, 0, &[0]);
        assert_eq!(of(&in_group, "new", device), Some(FsError::NotPermitted));
        if stage.traits.devices {
            assert_eq!(of(root, &format!("root {at}"), device), None);
        }
    }
    if stage.traits.special_files {
        for (name, node) in [("socket", NewNode::Socket), ("fifo", NewNode::Fifo)] {
            alice.make(dir, name, node).unwrap();
        }
    }
    assert_eq!(alice.lookup(dir, "new"), Err(FsError::NotFound));
    stage.end();
}

/// A user that may write a file sets its times to now; only the owner sets others.
pub fn writers_set_times_to_now_and_only_the_owner_to_others<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, carol])) = people(subject) else {
        return;
    };
    let root = &stage.user;
    let file = alice.touch(root.top(), "f").unwrap();
    let times = |user: &User, time| {
        user.set(file, |set| {
            set.accessed = time;
            set.modified = time;
        })
    };
    let client = SetTime::Client(Wall {
        seconds: 5,
        nanos: 0,
    });
    alice.chmod(file, 0o664).unwrap();
    assert_eq!(times(&bob, client).err(), Some(FsError::NotPermitted));
    let attrs = times(&bob.at(2000), SetTime::Server).unwrap();
    root.is_stamped(attrs.accessed, 2000);
    root.is_stamped(attrs.modified, 2000);
    let attrs = times(&alice.at(3000), client).unwrap();
    assert_eq!((attrs.accessed.seconds, attrs.modified.seconds), (5, 5));
    root.is_stamped(attrs.changed, 3000);
    alice.chmod(file, 0o444).unwrap();
    assert_eq!(times(&bob, SetTime::Server).err(), DENIED);
    assert_eq!(times(&carol, SetTime::Server).err(), DENIED);
    times(&alice, SetTime::Server).unwrap();
    let attrs = times(root, client).unwrap();
    assert_eq!(
        attrs.accessed,
        Wall {
            nanos: 0,
            ..at(5).wall
        }
    );
    stage.end();
}

/// Of several changes in one request all are made, or none.
pub fn changes_of_attributes_are_all_or_none<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, _])) = people(subject) else {
        return;
    };
    let file = alice.touch(alice.top(), "f").unwrap();
    alice.write(file, 0, b"hello").unwrap();
    alice.chmod(file, 0o666).unwrap();
    let before = alice.attrs(file).unwrap();
    let set = bob.set(file, |set| {
        set.size = Some(1);
        set.mode = Some(0o777);
    });
    assert_eq!(set.err(), Some(FsError::NotPermitted));
    let set = alice.set(file, |set| {
        set.size = Some(1);
        set.mode = Some(0o600);
        set.uid = Some(5);
    });
    assert_eq!(set.err(), Some(FsError::NotPermitted));
    assert_eq!(alice.attrs(file), Ok(before));
    assert_eq!(alice.read(file), "hello");
    stage.end();
}

/// A user opens a new file whatever its mode; one that exists only as its mode allows.
pub fn a_new_file_is_open_whatever_its_mode<S: Subject>(subject: &S) {
    let Some((stage, [alice, bob, _])) = people(subject) else {
        return;
    };
    let set = SetAttrs::default().with(|set| set.mode = Some(0o444));
    let opened = alice
        .open_name(alice.top(), "f", Creation::Guarded(set))
        .unwrap();
    assert!(opened.created);
    alice.write(opened.fh, 0, b"x").unwrap();
    let again = alice.open_name(alice.top(), "f", Creation::Unchecked(set));
    assert_eq!(again.err(), DENIED);
    let open = |how| {
        let (dir, name) = (bob.top(), bytes("f"));
        bob.open(Target::Name { dir, name }, how, Creation::No)
    };
    assert_eq!(open((false, true)).err(), DENIED);
    open((true, false)).unwrap();
    (0..2).for_each(|_| alice.fs.release(opened.fh));
    stage.end();
}

/// What a user makes belongs to the user, and to the primary group.
pub fn what_a_user_makes_is_the_users<S: Subject>(subject: &S) {
    let Some((stage, [_, bob, _])) = people(subject) else {
        return;
    };
    let top = bob.top();
    let file = bob.touch(top, "f").unwrap();
    let dir = bob.mkdir(top, "d").unwrap();
    let mut made = vec![file, dir];
    if bob.fs.capabilities().symlinks {
        made.push(bob.symlink(top, "s", "f").unwrap());
    }
    if stage.traits.special_files {
        made.push(bob.make(top, "p", NewNode::Fifo).unwrap());
    }
    for fh in made {
        let attrs = bob.attrs(fh).unwrap();
        assert_eq!((attrs.uid, attrs.gid), (1001, 200), "{attrs:?}");
    }
    stage.end();
}
