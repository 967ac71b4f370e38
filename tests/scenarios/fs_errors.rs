//! Errors of a file system, those among them that an operation may not answer.
//! [RFC 7530 §13.2, RFC 8881 §15.2]

use std::time::Duration;

use nfs4_engine::fs::FsError;
use nfs4_engine::fs::driver::{FsCall, FsFault};
use nfs4_proto::nfs4::{Op, Status, errors};
use nfs4_tests::sim::Sim;

use crate::asker::{Asker, WAYS, faults, is_allowed};

#[test]
fn no_error_of_a_file_system_gets_a_status_that_the_operation_may_not_answer() {
    for minor in 0..=2 {
        for (op, call, since) in WAYS {
            if since > minor {
                continue;
            }
            let mut sim = Sim::new();
            let mut asker = Asker::new(&mut sim, minor);
            sim.take_events();
            for error in FsError::ALL.iter().copied() {
                let reply = asker.refused(&mut sim, op, call, error);
                let what = format!("{op} in 4.{minor} by {call:?} {error:?}: {reply:?}");
                let (last, status) = reply.last();
                assert_eq!(last, op, "{what}");
                assert!(
                    status != Status::OK && is_allowed(op, minor, status),
                    "{what}"
                );
                assert_eq!(status, reply.status(), "{what}");
                let nearest = match error {
                    FsError::NotFound => Some((Status::NOENT, Status::STALE)),
                    FsError::NotPermitted => Some((Status::PERM, Status::ACCESS)),
                    FsError::BadCookie => Some((Status::BAD_COOKIE, Status::IO)),
                    FsError::NotEmpty => Some((Status::NOTEMPTY, Status::IO)),
                    _ => None,
                };
                let nearest = nearest.map(|(own, near)| {
                    let mut listed = [own, near, Status::IO].into_iter();
                    let found = listed.find(|status| errors::allowed(op, minor, *status));
                    found.unwrap_or(Status::SERVERFAULT)
                });
                assert!(nearest.is_none_or(|nearest| nearest == status), "{what}");
                let told = faults(&mut sim);
                if call.may_answer(error) {
                    assert_eq!(told, [], "{what}");
                } else {
                    assert_eq!(told, [(call, FsFault::Error(error), 0)], "{what}");
                }
            }
            // The server goes on.
            assert_eq!(sim.tables().parked, 0);
            assert_eq!(sim.fs().held(), 0);
        }
    }
}

#[test]
fn what_an_error_is_called_depends_on_the_operation() {
    let expected = [
        (
            Op::Create,
            FsCall::Create,
            FsError::NotSupported,
            Status::BADTYPE,
        ),
        (
            Op::SetAttr,
            FsCall::SetAttrs,
            FsError::IsDirectory,
            Status::WRONG_TYPE,
        ),
        (
            Op::SecInfo,
            FsCall::Lookup,
            FsError::IsSymlink,
            Status::NOTDIR,
        ),
        (
            Op::SecInfo,
            FsCall::Lookup,
            FsError::Io,
            Status::SERVERFAULT,
        ),
        (
            Op::PutFh,
            FsCall::GetAttrs,
            FsError::BadHandle,
            Status::BADHANDLE,
        ),
        (
            Op::GetAttr,
            FsCall::GetAttrs,
            FsError::BadHandle,
            Status::STALE,
        ),
        (
            Op::Link,
            FsCall::Link,
            FsError::NotSupported,
            Status::NOTSUPP,
        ),
        (Op::Commit, FsCall::Commit, FsError::NoSpace, Status::IO),
    ];
    let mut sim = Sim::new();
    let mut asker = Asker::new(&mut sim, 1);
    for (op, call, error, status) in expected {
        let reply = asker.refused(&mut sim, op, call, error);
        assert_eq!(reply.last(), (op, status), "{call:?} {error:?}");
    }
}

#[test]
fn a_fault_of_a_kind_is_told_once_a_minute_and_how_often_it_was() {
    let mut sim = Sim::new();
    let mut asker = Asker::new(&mut sim, 1);
    let wrong = FsFault::Error(FsError::NotEmpty);
    let mut read = |sim: &mut Sim, error| {
        asker.refused(sim, Op::Read, FsCall::Read, error);
        faults(sim)
    };
    sim.take_events();
    assert_eq!(
        read(&mut sim, FsError::NotEmpty),
        [(FsCall::Read, wrong, 0)]
    );
    for _ in 0..3 {
        sim.sleep(Duration::from_secs(19));
        assert_eq!(read(&mut sim, FsError::NotEmpty), []);
    }
    let other = FsFault::Error(FsError::Exists);
    let told = read(&mut sim, FsError::Exists);
    assert_eq!(told, [(FsCall::Read, other, 0)], "another kind");
    sim.sleep(Duration::from_secs(3));
    assert_eq!(
        read(&mut sim, FsError::NotEmpty),
        [(FsCall::Read, wrong, 3)]
    );
    sim.sleep(Duration::from_secs(60));
    assert_eq!(
        read(&mut sim, FsError::NotEmpty),
        [(FsCall::Read, wrong, 0)]
    );
}
