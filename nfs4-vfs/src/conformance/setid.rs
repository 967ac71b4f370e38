//! Setuid and setgid after a change of a file: each row gives the result of a Linux file system.

use nfs4_engine::fs::{FsError, FsHandle, NewNode};

use super::stage::Stage;
use super::subject::Subject;
use super::user::User;

/// Alice owns every object, and `GROUP` is its group; Alice and Bob are in other groups, and Bob may write.
const ALICE: u32 = 1000;
const BOB: u32 = 1001;
const GROUP: u32 = 100;
const OTHER: u32 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Fifo,
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Chown(u32),
    Chgrp(u32),
    Chmod,
    /// Sets owner and group, and the present mode.
    ChownAndChmod(u32),
    Write,
    WriteNothing,
    Truncate(u64),
    /// Sets the present mode.
    TruncateAndChmod,
}

use Deed::*;

impl Deed {
    fn of(self, user: &User, fh: FsHandle, mode: u32) -> Result<(), FsError> {
        let (uid, gid, size) = match self {
            Chown(uid) | ChownAndChmod(uid) => (Some(uid), None, None),
            Chgrp(gid) => (None, Some(gid), None),
            Truncate(size) => (None, None, Some(size)),
            TruncateAndChmod => (None, None, Some(0)),
            Chmod => (None, None, None),
            Write => return user.write(fh, 0, b"x"),
            WriteNothing => return user.write(fh, 0, b""),
        };
        let mode = match self {
            Chmod | ChownAndChmod(_) | TruncateAndChmod => Some(mode),
            _ => None,
        };
        let set = user.set(fh, |set| {
            set.uid = uid;
            set.gid = gid;
            set.size = size;
            set.mode = mode;
        });
        set.map(drop)
    }
}

/// The mode of an object after a user's change.
fn after(kind: Kind, mode: u32, user: &User, deed: Deed) -> u32 {
    let root = user.user(0, 0, &[]);
    let fh = match kind {
        Kind::File => root.touch(root.top(), "it"),
        Kind::Directory => root.mkdir(root.top(), "it"),
        Kind::Fifo => root.make(root.top(), "it", NewNode::Fifo),
    };
    let fh = fh.unwrap();
    let given = root.set(fh, |set| {
        set.uid = Some(ALICE);
        set.gid = Some(GROUP);
    });
    given.unwrap();
    assert_eq!(root.chmod(fh, mode).unwrap().mode, mode);
    deed.of(user, fh, mode).unwrap();
    let mode = root.attrs(fh).unwrap().mode;
    root.remove(root.top(), "it").unwrap();
    mode
}

/// Setuid and setgid are cleared as on Linux: by a new owner, by what others write, and where a user gives
/// them that is not in the group.
pub fn setuid_and_setgid_are_cleared_as_on_linux<S: Subject>(subject: &S) {
    let Some(stage) = Stage::of_users(subject) else {
        return;
    };
    let root = &stage.user;
    let fifos = stage.traits.special_files;
    let alice = root.user(ALICE, GROUP, &[OTHER]);
    let alice_outside = root.user(ALICE, 300, &[OTHER]);
    let bob = root.user(BOB, 300, &[GROUP]);
    let bob_outside = root.user(BOB, 300, &[]);
    // The modes left with and without the group's execute bit.
    let all = [0o6775, 0o6765, 0o2775, 0o2765, 0o775];
    let none = [0o775, 0o765, 0o775, 0o765, 0o775];
    let locking = [0o775, 0o2765, 0o775, 0o2765, 0o775];
    let no_setgid = [0o4775, 0o4765, 0o775, 0o765, 0o775];
    let given_away = |kind, left, left_outside| {
        [
            (kind, root, Chown(7), left),
            (kind, root, Chown(ALICE), left),
            (kind, root, Chgrp(7), left),
            (kind, root, Chgrp(GROUP), left),
            (kind, root, ChownAndChmod(7), left),
            (kind, &alice, Chown(ALICE), left),
            (kind, &alice, Chgrp(OTHER), left),
            (kind, &alice, ChownAndChmod(ALICE), left),
            (kind, &alice_outside, Chown(ALICE), left_outside),
            (kind, &alice_outside, Chgrp(OTHER), left_outside),
        ]
    };
    let mode_given = |kind| {
        [
            (kind, root, Chmod, all),
            (kind, &alice, Chmod, all),
            (kind, &alice_outside, Chmod, no_setgid),
        ]
    };
    let written = |deed| {
        [
            (Kind::File, root, deed, all),
            (Kind::File, &alice, deed, locking),
            (Kind::File, &alice_outside, deed, none),
            (Kind::File, &bob, deed, locking),
            (Kind::File, &bob_outside, deed, none),
        ]
    };
    let mut table = Vec::new();
    table.extend(given_away(Kind::File, locking, none));
    table.extend(given_away(Kind::Fifo, locking, none));
    table.extend(given_away(Kind::Directory, all, all));
    table.extend(
        [Kind::File, Kind::Fifo, Kind::Directory]
            .map(mode_given)
            .concat(),
    );
    table.extend([Write, Truncate(5), Truncate(0)].map(written).concat());
    table.push((Kind::File, &bob, WriteNothing, all));
    table.push((Kind::File, &alice, TruncateAndChmod, all));
    table.push((Kind::File, &alice_outside, TruncateAndChmod, no_setgid));
    for (kind, user, deed, left) in table {
        if kind == Kind::Fifo && !fifos {
            continue;
        }
        // Other users may write as well.
        for (mode, left) in all.into_iter().zip(left) {
            assert_eq!(
                format!("{:o}", after(kind, mode | 0o2, user, deed)),
                format!("{:o}", left | 0o2),
                "{mode:o} of a {kind:?} after {deed:?} by {:?}",
                user.cred()
            );
        }
    }
    stage.end();
}
