//! LOCK, LOCKT and LOCKU. [RFC 8881 §18.10 to 18.12, §18.38]

use nfs4_proto::nfs4::args::{ExistLockOwner, Locker};
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::Sim;

use super::holder::{Holder, assert_denied, stateid};

#[test]
fn a_lock_denies_other_owners_and_names_its_own() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    let id = stateid(one.lock(&mut sim, b"x", LockType::Write, (10, 10)));
    assert_eq!(id.seqid, 1);
    for reply in [
        two.lock(&mut sim, b"x", LockType::Read, (19, 1)),
        two.lock(&mut sim, b"y", LockType::WriteWait, (0, u64::MAX)),
        two.test(&mut sim, b"x", (0, 11)),
        one.test(&mut sim, b"another of the same client", (15, 1)),
    ] {
        assert_denied(&reply, &one.client, b"x", LockType::Write, (10, 10));
    }
    one.test(&mut sim, b"x", (10, 10)).all_ok();
    two.test(&mut sim, b"x", (20, u64::MAX)).all_ok();
    two.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn readers_share_and_a_lock_to_the_end_has_all_ones_for_its_length() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    one.lock(&mut sim, b"x", LockType::Read, (5, u64::MAX))
        .all_ok();
    two.lock(&mut sim, b"x", LockType::Read, (5, u64::MAX))
        .all_ok();
    let reply = two.lock(&mut sim, b"x", LockType::Write, (1 << 40, 1));
    assert_denied(&reply, &one.client, b"x", LockType::Read, (5, u64::MAX));
}

#[test]
fn each_change_raises_the_seqid_and_the_stateid_stays() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let first = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 10)));
    let locker = Locker::Existing(ExistLockOwner {
        lock_stateid: first,
        lock_seqid: 0,
    });
    let second = stateid(one.lock_as(&mut sim, locker, LockType::Write, (20, 10)));
    assert_eq!((second.seqid, second.other), (2, first.other));
    let reply = one.unlock(&mut sim, first, (0, 10));
    assert_eq!(reply.last(), (Op::LockU, Status::OLD_STATEID));
    let reply = one.unlock(&mut sim, second, (2, 3)).all_ok();
    assert_eq!(ok!(reply, LockU).lock_stateid.seqid, 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    two.lock(&mut sim, b"x", LockType::Write, (2, 3)).all_ok();
    let reply = two.lock(&mut sim, b"x", LockType::Write, (2, 4));
    assert_denied(&reply, &one.client, b"x", LockType::Write, (5, 5));
    assert_eq!(sim.tables().locks, 2);
}

#[test]
fn ranges_that_cannot_be_are_invalid() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    for range in [(0, 0), (1, u64::MAX), (2, u64::MAX - 1)] {
        let valid = range.1 == u64::MAX;
        let status = if valid { Status::OK } else { Status::INVAL };
        assert_eq!(
            one.lock(&mut sim, b"x", LockType::Read, range).status(),
            status
        );
        assert_eq!(one.test(&mut sim, b"x", range).status(), status);
    }
}

#[test]
fn a_lock_needs_an_open_of_its_kind() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 1);
    let reply = one.lock(&mut sim, b"x", LockType::Write, (0, 1));
    assert_eq!(reply.last(), (Op::Lock, Status::OPENMODE));
    one.lock(&mut sim, b"x", LockType::Read, (0, 1)).all_ok();
}

#[test]
fn a_stateid_is_freed_when_nothing_is_locked_under_it() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let id = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 10)));
    assert_eq!(
        one.free(&mut sim, id).last(),
        (Op::FreeStateid, Status::LOCKS_HELD)
    );
    let reply = one.unlock(&mut sim, id, (0, u64::MAX)).all_ok();
    let id = ok!(reply, LockU).lock_stateid;
    assert_eq!(sim.tables().locks, 1, "the stateid outlives its last range");
    one.free(&mut sim, id).all_ok();
    assert_eq!(sim.tables().locks, 0);
    assert_eq!(
        one.free(&mut sim, id).last(),
        (Op::FreeStateid, Status::BAD_STATEID)
    );
}

#[test]
fn what_is_locked_goes_with_its_open_or_is_held_against_the_close() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    one.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    let reply = one.close(&mut sim);
    match reply.status() {
        Status::OK => {
            assert_eq!(sim.tables().locks, 0);
            two.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
        }
        Status::LOCKS_HELD => assert_eq!(sim.tables().locks, 1),
        other => panic!("{other}"),
    }
    sim.assert_nothing_is_left();
}

#[test]
fn locks_of_an_expired_client_are_free() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    one.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    sim.sleep(sim.settings().lease / 2);
    let mut two = Holder::new(&mut sim, "two", 3);
    let reply = two.lock(&mut sim, b"x", LockType::Write, (0, 10));
    assert_eq!(reply.status(), Status::DENIED);
    sim.sleep(sim.settings().lease * 3 / 4);
    two.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    sim.assert_nothing_is_left();
}
