//! Exclusive creation: a client that repeats it finds the file that it made. [RFC 8881 §18.16.3]

use nfs4_engine::fs::{Creation, FsError, SetAttrs};

use super::stage::Stage;
use super::subject::Subject;
use super::user::unchecked;

fn exclusive(verifier: u8) -> Creation {
    Creation::Exclusive {
        verifier: [verifier; 8],
        set: SetAttrs::default().with(|set| set.mode = Some(0o644)),
    }
}

/// The same creation is done once, however often it comes; another one is refused.
pub fn a_creation_is_repeated_by_its_verifier<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let first = user.open_name(top, "x", exclusive(1)).unwrap();
    assert!(first.created && first.dir.before < first.dir.after);
    let again = user.open_name(top, "x", exclusive(1)).unwrap();
    assert!(again.created && first.fh == again.fh);
    assert_eq!(again.dir.before, again.dir.after, "it was there");
    let other = user.open_name(top, "x", exclusive(2));
    assert_eq!(other.err(), Some(FsError::Exists));
    let made = user.open_name(top, "f", unchecked()).unwrap();
    for verifier in [0, 1] {
        let taken = user.open_name(top, "f", exclusive(verifier));
        assert_eq!(taken.err(), Some(FsError::Exists));
    }
    for fh in [first.fh, again.fh, made.fh] {
        user.fs.release(fh);
    }
    stage.end();
}

/// As long as a client has the file open, the creation is repeated, whatever was done with the file.
pub fn a_creation_is_repeated_while_the_file_is_used<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let first = user.open_name(top, "x", exclusive(1)).unwrap();
    user.write(first.fh, 0, b"bytes").unwrap();
    user.read_part(first.fh, 0, 5).unwrap();
    let set = user.set(first.fh, |set| {
        set.accessed = nfs4_engine::fs::SetTime::Server;
        set.modified = nfs4_engine::fs::SetTime::Server;
    });
    set.unwrap();
    let again = user.open_name(top, "x", exclusive(1)).unwrap();
    assert!(again.created && first.fh == again.fh);
    user.fs.release(first.fh);
    let third = user.open_name(top, "x", exclusive(1)).unwrap();
    assert!(third.created && third.fh == again.fh);
    let other = user.open_name(top, "x", exclusive(2));
    assert_eq!(other.err(), Some(FsError::Exists));
    for fh in [again.fh, third.fh] {
        user.fs.release(fh);
    }
    stage.end();
}

/// The verifier belongs to the file, and not to its name.
pub fn a_verifier_goes_with_its_file<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let first = user.open_name(top, "x", exclusive(1)).unwrap();
    user.fs.release(first.fh);
    user.remove(top, "x").unwrap();
    let second = user.open_name(top, "x", exclusive(1)).unwrap();
    assert!(second.created && second.fh != first.fh);
    user.fs.release(second.fh);
    user.touch(top, "y").unwrap();
    user.rename((top, "y"), (top, "x")).unwrap();
    let taken = user.open_name(top, "x", exclusive(1));
    assert_eq!(taken.err(), Some(FsError::Exists));
    stage.end();
}

/// Attributes that a client sets afterwards are those of the file: a verifier kept in them is gone by then.
pub fn an_exclusive_file_has_the_attributes_that_are_set<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let opened = user.open_name(top, "x", exclusive(0xff)).unwrap();
    assert_eq!((opened.attrs.mode, opened.attrs.size), (0o644, 0));
    let time = nfs4_engine::Wall {
        seconds: 4711,
        nanos: 0,
    };
    let set = user.set(opened.fh, |set| {
        set.accessed = nfs4_engine::fs::SetTime::Client(time);
        set.modified = nfs4_engine::fs::SetTime::Client(time);
        set.mode = Some(0o600);
    });
    let attrs = set.unwrap();
    assert_eq!(
        (attrs.accessed, attrs.modified, attrs.mode),
        (time, time, 0o600)
    );
    user.fs.release(opened.fh);
    assert_eq!(user.attrs(opened.fh), Ok(attrs));
    stage.end();
}

/// A verifier is no secret: with that of another user a file is found only as its mode allows.
pub fn a_verifier_is_no_right<S: Subject>(subject: &S) {
    let Some(stage) = Stage::of_users(subject) else {
        return;
    };
    let (root, top) = (&stage.user, stage.user.top());
    let alice = root.user(1000, 1000, &[]);
    let set = SetAttrs::default().with(|set| set.mode = Some(0));
    let exclusive = Creation::Exclusive {
        verifier: [1; 8],
        set,
    };
    let first = alice.open_name(top, "x", exclusive).unwrap();
    let again = alice.open_name(top, "x", exclusive).unwrap();
    assert!(again.created, "the creator's mode is not checked");
    let stranger = root.user(4711, 4711, &[]);
    let refused = stranger.open_name(top, "x", exclusive);
    assert!(
        matches!(refused, Err(FsError::AccessDenied | FsError::Exists)),
        "{refused:?}"
    );
    for fh in [first.fh, again.fh] {
        alice.fs.release(fh);
    }
    stage.end();
}

/// After a restart of the server the client repeats its creation, too, where files outlive one.
pub fn a_creation_is_repeated_after_a_restart<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let first = user.open_name(top, "x", exclusive(1)).unwrap();
    let Some(stage) = stage.restarted() else {
        return;
    };
    let user = &stage.user;
    let again = user.open_name(user.top(), "x", exclusive(1)).unwrap();
    assert!(again.created && again.attrs.fileid == first.attrs.fileid);
    let other = user.open_name(user.top(), "x", exclusive(2));
    assert_eq!(other.err(), Some(FsError::Exists));
    user.fs.release(again.fh);
    stage.end();
}
