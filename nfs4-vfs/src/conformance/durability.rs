//! Bytes that are to survive the server.

use nfs4_engine::fs::{Authority, FsError, FsOp, FsReply, Stability};

use super::stage::Stage;
use super::subject::Subject;
use super::user::bytes;

/// A write is at least as durable as it is asked to be.
pub fn a_write_is_as_durable_as_asked<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    for (at, stability) in [Stability::Unstable, Stability::Data, Stability::File]
        .into_iter()
        .enumerate()
    {
        let op = FsOp::Write {
            fh: file,
            offset: 4 * at as u64,
            data: bytes("data"),
            stability,
            authority: Authority::Open,
        };
        // The rules of the answer are checked where it comes.
        let reply = user.ask(op);
        assert!(matches!(reply, Ok(FsReply::Written { .. })), "{reply:?}");
    }
    assert_eq!(user.read(file), "datadatadata");
    stage.end();
}

/// Any part of a file is made durable: beyond its end there is nothing to do.
pub fn any_part_is_committed<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    user.commit(file, 0, 0).unwrap();
    user.write(file, 0, &[7; 100_000]).unwrap();
    for (offset, count) in [(0, 0), (0, 100_000), (5, 1), (99_999, 500), (200_000, 0)] {
        assert_eq!(
            user.commit(file, offset, count),
            Ok(()),
            "{count} from {offset}"
        );
    }
    for (offset, count) in [(u64::MAX, u32::MAX), (i64::MAX as u64, 7), (u64::MAX, 0)] {
        // The engine refuses a range that is none.
        let _ = user.commit(file, offset, count);
    }
    assert_eq!(user.read(file), [7; 100_000][..]);
    user.remove(top, "f").unwrap();
    user.is_gone(file);
    assert_eq!(user.commit(file, 0, 0), Err(FsError::Stale));
    stage.end();
}

/// What was committed, or made under a name, is there in another run, where files outlive one.
pub fn what_was_committed_is_there_after_a_restart<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let dir = user.mkdir(top, "d").unwrap();
    let file = user.hold(dir, "f").unwrap();
    user.write(file, 0, b"bytes").unwrap();
    user.commit(file, 0, 0).unwrap();
    let fileid = user.attrs(file).unwrap().fileid;
    let Some(stage) = stage.restarted() else {
        return;
    };
    let later = &stage.user;
    let dir = later.lookup(later.top(), "d").unwrap();
    let (fh, attrs) = later.find(dir, "f").unwrap();
    assert_eq!((attrs.fileid, attrs.size), (fileid, 5));
    assert_eq!(later.read(fh), "bytes");
    stage.end();
}
