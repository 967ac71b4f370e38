//! Locks of byte ranges, where processes that are no clients see them. No such process runs meanwhile.

use nfs4_engine::fs::{ByteLock, ByteRange, FsError, FsHandle, FsOp, FsReply, LockKind};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::User;

/// All clients are one owner: what they lock conflicts with nothing that they have.
pub fn locks_of_clients_do_not_conflict<S: Subject>(subject: &S) {
    let Some((stage, file)) = begin(subject) else {
        return;
    };
    let user = &stage.user;
    let held = [
        bytes(0, 9, LockKind::Write),
        bytes(5, 14, LockKind::Write),
        bytes(0, u64::MAX, LockKind::Read),
        bytes(7, 7, LockKind::Write),
    ];
    for lock in held {
        assert_eq!(user.lock(file, lock), Ok(None), "{lock:?}");
        assert_eq!(
            user.test(file, bytes(0, u64::MAX, LockKind::Write)),
            Ok(None)
        );
    }
    user.fs.unlock(file, &held);
    end(stage, file);
}

/// A lock is counted as often as it was asked for, and returned in any parts.
pub fn a_lock_is_returned_in_parts<S: Subject>(subject: &S) {
    let Some((stage, file)) = begin(subject) else {
        return;
    };
    let user = &stage.user;
    for round in 0..3 {
        let lock = bytes(10, 29, LockKind::Write);
        assert_eq!(user.lock(file, lock), Ok(None), "{round}");
        assert_eq!(user.lock(file, lock), Ok(None), "{round}");
        user.fs.unlock(file, &[lock]);
        for part in [
            bytes(20, 20, LockKind::Write),
            bytes(21, 29, LockKind::Write),
            bytes(10, 19, LockKind::Write),
        ] {
            user.fs.unlock(file, &[part]);
            assert_eq!(user.test(file, lock), Ok(None), "{round}");
        }
    }
    end(stage, file);
}

/// A lock reaches to the last offset that NFS has.
pub fn any_bytes_are_locked<S: Subject>(subject: &S) {
    let Some((stage, file)) = begin(subject) else {
        return;
    };
    let user = &stage.user;
    for (first, last) in [
        (0, 0),
        (0, u64::MAX),
        (i64::MAX as u64, i64::MAX as u64),
        (i64::MAX as u64 + 1, u64::MAX),
        (u64::MAX, u64::MAX),
    ] {
        for kind in [LockKind::Read, LockKind::Write] {
            let lock = bytes(first, last, kind);
            assert_eq!(user.test(file, lock), Ok(None), "{lock:?}");
            assert_eq!(user.lock(file, lock), Ok(None), "{lock:?}");
            user.fs.unlock(file, &[lock]);
        }
    }
    end(stage, file);
}

/// Locks are no change of the file; of one that is gone, none are found.
pub fn locks_change_nothing<S: Subject>(subject: &S) {
    let Some((stage, file)) = begin(subject) else {
        return;
    };
    let user = &stage.user;
    user.settle();
    let before = user.attrs(file).unwrap();
    let lock = bytes(3, 5, LockKind::Write);
    assert_eq!(user.lock(file, lock), Ok(None));
    assert_eq!(user.test(file, lock), Ok(None));
    user.fs.unlock(file, &[lock]);
    user.still_has(file, &before);
    user.remove(user.top(), "f").unwrap();
    user.fs.release(file);
    user.is_gone(file);
    assert_eq!(user.test(file, lock), Err(FsError::Stale));
    stage.end();
}

/// A file that is held, where there are such locks.
fn begin<S: Subject>(subject: &S) -> Option<(Stage<S::Files>, FsHandle)> {
    let stage = Stage::new(subject);
    let sees = stage.user.fs.capabilities().local_locks;
    runs(sees, "processes do not see the locks of clients").then(|| {
        let file = stage.user.hold(stage.user.top(), "f").unwrap();
        (stage, file)
    })
}

fn end<F: super::Files>(stage: Stage<F>, file: FsHandle) {
    stage.user.fs.release(file);
    stage.end();
}

fn bytes(first: u64, last: u64, kind: LockKind) -> ByteLock {
    let range = ByteRange { first, last };
    ByteLock { range, kind }
}

impl User {
    /// Locks; a lock that conflicts is returned.
    #[track_caller]
    fn lock(&self, fh: FsHandle, lock: ByteLock) -> Result<Option<ByteLock>, FsError> {
        self.conflict(FsOp::Lock { fh, lock })
    }

    #[track_caller]
    fn test(&self, fh: FsHandle, lock: ByteLock) -> Result<Option<ByteLock>, FsError> {
        self.conflict(FsOp::TestLock { fh, lock })
    }

    #[track_caller]
    fn conflict(&self, op: FsOp) -> Result<Option<ByteLock>, FsError> {
        match self.ask(op)? {
            FsReply::Lock { held } => Ok(held),
            other => panic!("{other:?}"),
        }
    }
}
