//! Handles: a client can keep one for long, and can send any bytes as one.

use std::collections::HashSet;

use nfs4_engine::fs::{FsError, FsHandle};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::User;

/// A handle stays that of its object, and an object has one handle.
pub fn an_object_has_one_handle<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(dir, "f").unwrap();
    assert_eq!(user.lookup(dir, "f"), Ok(file));
    assert_eq!(user.list(dir)[0].fh, file);
    assert_eq!(user.parent(dir), Ok(top));
    user.rename((dir, "f"), (top, "g")).unwrap();
    assert_eq!(user.lookup(top, "g"), Ok(file));
    let opened = user.open_name(top, "g", super::user::unchecked()).unwrap();
    assert_eq!(opened.fh, file);
    user.fs.release(file);
    stage.end();
}

/// A handle of an object that is gone is stale, also when others are made in its place.
pub fn the_handle_of_what_is_gone_is_stale<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let mut gone = HashSet::new();
    for round in 0..200 {
        let fh = if round % 2 == 0 {
            user.touch(top, "it").unwrap()
        } else {
            user.mkdir(top, "it").unwrap()
        };
        assert!(
            gone.insert(fh),
            "another object has the handle of one that is gone"
        );
        user.remove(top, "it").unwrap();
        user.is_gone(fh);
    }
    let kept: Vec<FsHandle> = (0..100)
        .map(|at| user.touch(top, at.to_string()).unwrap())
        .collect();
    assert!(kept.iter().all(|fh| !gone.contains(fh)));
    for fh in gone {
        user.is_gone(fh);
    }
    stage.end();
}

/// Bytes that the file system never made a handle of are refused: any bit of a handle counts.
pub fn a_forged_handle_is_refused<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let seals = stage.traits.seals_handles;
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(dir, "f").unwrap();
    let gone = user.touch(top, "gone").unwrap();
    user.remove(top, "gone").unwrap();
    for fh in [top, dir, file, gone] {
        let known = fh.as_bytes();
        for bit in 0..8 * known.len() {
            let mut forged = known.to_vec();
            forged[bit / 8] ^= 1 << (bit % 8);
            if seals {
                is_refused(user, &forged);
            }
        }
        for len in 0..known.len() {
            is_refused(user, &known[..len]);
        }
        for byte in [0, 1, 0xff] {
            let longer = [known, &[byte]].concat();
            is_refused(user, &longer);
            let mut longest = known.to_vec();
            longest.resize(FsHandle::MAX, byte);
            if longest != known {
                is_refused(user, &longest);
            }
        }
    }
    if !runs(seals, "handles may be guessed") {
        return;
    }
    // A client that knows many handles cannot make another of their parts.
    let known: Vec<FsHandle> = (0..32)
        .map(|at| user.touch(dir, at.to_string()).unwrap())
        .collect();
    let made: HashSet<Vec<u8>> = known.iter().map(|fh| fh.as_bytes().to_vec()).collect();
    for (one, two) in known.iter().zip(&known[1..]) {
        let (one, two) = (one.as_bytes(), two.as_bytes());
        for at in 1..one.len().min(two.len()) {
            let spliced = [&one[..at], &two[at..]].concat();
            if !made.contains(&spliced) {
                is_refused(user, &spliced);
            }
        }
    }
    for guess in [
        &[][..],
        &[0; 1],
        &[0; 8],
        &[0; 16],
        &[0xff; 20],
        &[1; 60],
        &[0; 60],
    ] {
        is_refused(user, guess);
    }
    stage.end();
}

/// A handle of another file system of the same kind is refused.
pub fn a_foreign_handle_is_refused<S: Subject>(subject: &S) {
    if !runs(subject.traits().seals_handles, "handles may be guessed") {
        return;
    }
    let (one, two) = (Stage::new(subject), Stage::new(subject));
    for (own, other) in [(&one, &two), (&two, &one)] {
        let (user, foreign) = (&own.user, &other.user);
        let dir = foreign.mkdir(foreign.top(), "d").unwrap();
        let file = foreign.touch(dir, "f").unwrap();
        for fh in [foreign.top(), dir, file] {
            is_refused(user, fh.as_bytes());
        }
    }
    one.end();
    two.end();
}

/// A handle stays that of its object over a restart, where files outlive one; that of an object removed
/// meanwhile is stale.
pub fn handles_outlive_a_restart<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.touch(dir, "f").unwrap();
    let gone = user.touch(top, "gone").unwrap();
    user.remove(top, "gone").unwrap();
    let before = [top, dir, file].map(|fh| user.attrs(fh).unwrap().fileid);
    let Some(stage) = stage.restarted() else {
        return;
    };
    let user = &stage.user;
    assert_eq!(user.top(), top, "the root is the same");
    let after = [top, dir, file].map(|fh| user.attrs(fh).map(|attrs| attrs.fileid));
    assert_eq!(after, before.map(Ok));
    assert_eq!(user.lookup(top, "d"), Ok(dir));
    assert_eq!(user.lookup(dir, "f"), Ok(file));
    user.is_gone(gone);
    stage.end();
}

/// Every request with this handle is refused.
#[track_caller]
fn is_refused(user: &User, forged: &[u8]) {
    let fh = FsHandle::new(forged).unwrap();
    let refused = |error| matches!(error, FsError::BadHandle | FsError::Stale);
    let told = user.attrs(fh);
    assert!(told.is_err_and(refused), "{forged:x?}: {told:?}");
    let found = user.lookup(fh, "f");
    assert!(found.is_err_and(refused), "{forged:x?}: {found:?}");
    let read = user.read_part(fh, 0, 1);
    assert!(read.clone().is_err_and(refused), "{forged:x?}: {read:?}");
    let made = user.mkdir(fh, "forged");
    assert!(made.is_err_and(refused), "{forged:x?}: {made:?}");
    user.fs.release(fh);
}
