//! Locks of byte ranges beside those of processes that are no clients.

use nfs4_engine::Admin;
use nfs4_engine::fs::{ByteLock, ByteRange, FsError, FsReply, LockKind};
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{self, ExistLockOwner, Locker};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, Stateid};
use nfs4_proto::nfs4::consts::OPEN4_RESULT_MAY_NOTIFY_LOCK;
use nfs4_proto::nfs4::res::{LockDenied, Outcome};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client40, Pace, Reply, Request, Sim, open_args};

use super::asker::faults;
use super::holder::{Holder, assert_denied, owner, stateid};

const BOTH: u32 = 3;

fn sim() -> Sim {
    Sim::with_local_locks(Sim::config())
}

fn bytes(first: u64, last: u64, kind: LockKind) -> ByteLock {
    let range = ByteRange { first, last };
    ByteLock { range, kind }
}

/// How a process finds bytes locked: a letter for each.
fn seen(sim: &Sim, fh: &[u8], first: u64, last: u64) -> String {
    let letter = |byte| match sim.fs().strength(fh, byte) {
        None => '-',
        Some(LockKind::Read) => 'r',
        Some(LockKind::Write) => 'w',
    };
    (first..=last).map(letter).collect()
}

/// Asserts that LOCK or LOCKT is denied by this lock of a process.
#[track_caller]
fn assert_denied_locally(reply: &Reply, kind: LockType, (offset, length): (u64, u64)) {
    let results = reply.results();
    let (ResOp::Lock(Outcome::Err(Status::DENIED, denied))
    | ResOp::LockT(Outcome::Err(Status::DENIED, denied))) =
        results.last().expect("there is a result")
    else {
        panic!("not denied: {:?}", reply.statuses());
    };
    let expected = LockDenied {
        offset,
        length,
        locktype: kind,
        owner: Owner {
            clientid: ClientId(0),
            owner: b"",
        },
    };
    assert_eq!(*denied, Some(expected));
}

/// LOCK of a holder on a slot of its own, which is not waited for.
fn send_lock(sim: &mut Sim, holder: &mut Holder, kind: LockType, range: (u64, u64)) -> Request {
    let lock = args::Lock {
        locktype: kind,
        reclaim: false,
        offset: range.0,
        length: range.1,
        locker: Locker::New(args::OpenToLockOwner {
            open_seqid: 0,
            open_stateid: holder.open,
            lock_seqid: 0,
            lock_owner: owner(b"x"),
        }),
    };
    let put = args::PutFh { object: &holder.fh };
    let request = holder
        .client
        .request(sim, 1, true, |c| c.putfh(put).lock(lock));
    holder.client.advance(1);
    request.send(sim, holder.client.conn);
    sim.run();
    request
}

#[test]
fn a_process_sees_the_strongest_lock_of_any_client() {
    let mut sim = sim();
    let mut one = Holder::new(&mut sim, "one", BOTH);
    let mut two = Holder::new(&mut sim, "two", BOTH);
    let fh = one.fh.clone();
    let first = stateid(one.lock(&mut sim, b"x", LockType::Read, (2, 6)));
    let second = stateid(two.lock(&mut sim, b"y", LockType::Read, (4, 4)));
    assert_eq!(seen(&sim, &fh, 0, 9), "--rrrrrr--");
    one.unlock(&mut sim, first, (3, 3)).all_ok();
    assert_eq!(seen(&sim, &fh, 0, 9), "--r-rrrr--");
    let write = two.lock(&mut sim, b"y", LockType::Write, (3, 1));
    assert_eq!(write.status(), Status::OK);
    assert_eq!(seen(&sim, &fh, 0, 9), "--rwrrrr--");
    // A downgrade of what one has.
    two.lock(&mut sim, b"y", LockType::Read, (3, 1)).all_ok();
    assert_eq!(seen(&sim, &fh, 0, 9), "--rrrrrr--");
    // All that the owner has in the file.
    let second = args::LockU {
        locktype: LockType::Read,
        seqid: 0,
        lock_stateid: Stateid { seqid: 0, ..second },
        offset: 0,
        length: u64::MAX,
    };
    let put = args::PutFh { object: &fh };
    two.client
        .call(&mut sim, |c| c.putfh(put).locku(second))
        .all_ok();
    assert_eq!(seen(&sim, &fh, 0, 9), "--r---rr--");
    one.lock(&mut sim, b"x", LockType::Write, (0, u64::MAX))
        .all_ok();
    assert_eq!(seen(&sim, &fh, 0, 9), "wwwwwwwwww");
    assert_eq!(sim.fs().strength(&fh, u64::MAX), Some(LockKind::Write));
    assert!(
        !sim.fs()
            .lock_locally(&fh, bytes(1 << 62, 1 << 62, LockKind::Read))
    );
    sim.assert_nothing_is_left();
}

#[test]
fn the_lock_of_a_process_denies_clients_that_poll_until_it_is_gone() {
    let mut sim = sim();
    let mut one = Holder::called_back(&mut sim, "one", BOTH);
    let fh = one.fh.clone();
    let open = open_args(b"another opener", b"f");
    let reply = one
        .client
        .call(&mut sim, |c| c.putrootfh().open(open))
        .all_ok();
    let flags = ok!(reply, Open).rflags;
    assert_eq!(flags & OPEN4_RESULT_MAY_NOTIFY_LOCK, 0, "it must poll");
    assert!(sim.fs().lock_locally(&fh, bytes(5, 9, LockKind::Read)));
    one.lock(&mut sim, b"x", LockType::Read, (0, 10)).all_ok();
    let reply = one.lock(&mut sim, b"x", LockType::WriteWait, (0, 7));
    assert_denied_locally(&reply, LockType::Read, (5, 5));
    assert_eq!(
        sim.tables().waiting,
        0,
        "the server does not learn when it has gone"
    );
    assert_denied_locally(&one.test(&mut sim, b"x", (0, 6)), LockType::Read, (5, 5));
    one.test(&mut sim, b"x", (0, 5)).all_ok();
    assert_eq!(seen(&sim, &fh, 0, 10), "rrrrrrrrrr-");
    sim.fs().unlock_locally(&fh);
    one.lock(&mut sim, b"x", LockType::WriteWait, (0, 7))
        .all_ok();
    assert_eq!(seen(&sim, &fh, 0, 10), "wwwwwwwrrr-");
    sim.assert_nothing_is_left();
}

#[test]
fn of_two_clients_whose_locks_a_file_system_has_counted_one_gets_it() {
    let mut sim = sim();
    let mut one = Holder::new(&mut sim, "one", BOTH);
    let mut two = Holder::new(&mut sim, "two", BOTH);
    let fh = one.fh.clone();
    sim.set_pace(Pace::Held);
    let first = send_lock(&mut sim, &mut one, LockType::Write, (0, 4));
    let second = send_lock(&mut sim, &mut two, LockType::Write, (2, 4));
    assert_eq!(sim.held().len(), 2);
    sim.execute(0);
    sim.execute(0);
    assert_eq!(seen(&sim, &fh, 0, 6), "wwwwww-");
    sim.deliver(1);
    sim.run();
    sim.deliver(0);
    sim.run();
    let won = sim.take_reply(second.xid()).expect("it is answered");
    won.all_ok();
    let lost = sim.take_reply(first.xid()).expect("it is answered");
    assert_denied(&lost, &two.client, b"x", LockType::Write, (2, 4));
    assert_eq!(seen(&sim, &fh, 0, 6), "--wwww-");
    sim.assert_nothing_is_left();
}

#[test]
fn a_lock_whose_client_goes_while_the_file_system_takes_it_is_returned() {
    for evicted in [false, true] {
        let mut sim = sim();
        let mut one = Holder::new(&mut sim, "one", BOTH);
        let fh = one.fh.clone();
        sim.set_pace(Pace::Held);
        let lock = send_lock(&mut sim, &mut one, LockType::Write, (0, 4));
        sim.execute(0);
        assert_eq!(seen(&sim, &fh, 0, 4), "wwww-");
        if evicted {
            let client = one.client.id.0;
            sim.admin(Admin::EvictClient { client });
        } else {
            let session = one.client.session;
            sim.admin(Admin::DestroySession { session });
        }
        sim.deliver(0);
        sim.run();
        let reply = sim.take_reply(lock.xid()).expect("it is answered");
        assert_ne!(reply.status(), Status::OK);
        assert_eq!(seen(&sim, &fh, 0, 4), "-----", "evicted: {evicted}");
        assert_eq!(sim.tables().locks, 0);
        sim.assert_nothing_is_left();
    }
}

#[test]
fn locks_of_a_client_whose_lease_has_expired_are_returned_when_they_give_way() {
    let mut sim = sim();
    let mut one = Holder::new(&mut sim, "one", BOTH);
    let fh = one.fh.clone();
    for at in 0..40 {
        one.lock(&mut sim, b"x", LockType::Write, (2 * at, 1))
            .all_ok();
    }
    sim.sleep(sim.settings().lease * 2);
    assert_eq!(
        seen(&sim, &fh, 0, 4),
        "w-w-w",
        "as long as no client needs it"
    );
    let mut two = Holder::new(&mut sim, "two", BOTH);
    while two.lock(&mut sim, b"y", LockType::Read, (0, 1)).status() != Status::OK {}
    assert_eq!(seen(&sim, &fh, 0, 4), "r----");
    sim.assert_nothing_is_left();
}

#[test]
fn a_close_returns_what_is_locked_under_the_open() {
    let mut sim = sim();
    let mut one = Holder::new(&mut sim, "one", BOTH);
    let fh = one.fh.clone();
    let id = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 3)));
    let more = Locker::Existing(ExistLockOwner {
        lock_stateid: id,
        lock_seqid: 0,
    });
    one.lock_as(&mut sim, more, LockType::Read, (1, 5)).all_ok();
    assert_eq!(seen(&sim, &fh, 0, 6), "wrrrrr-");
    one.close(&mut sim).all_ok();
    assert_eq!(seen(&sim, &fh, 0, 6), "-------");
    sim.assert_nothing_is_left();
}

#[test]
fn a_lock_of_4_0_is_taken_once_however_often_it_is_sent() {
    let mut sim = sim();
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    let lock = client.lock_args(b"o", &file, b"l", (0, 4));
    let put = args::PutFh { object: &file.fh };
    sim.set_pace(Pace::Held);
    let xid = sim.xid();
    let record = client.record(xid, |c| c.putfh(put).lock(lock));
    sim.send(client.conn, record.clone());
    sim.run();
    assert_eq!(sim.held().len(), 1);
    sim.send(client.conn, record.clone());
    sim.run();
    assert_eq!(sim.held().len(), 1, "it is executed already");
    sim.complete(0);
    let first = sim.take_reply(xid).expect("it is answered").all_ok();
    sim.send(client.conn, record);
    sim.run();
    let again = sim.take_reply(xid).expect("it is answered");
    assert_eq!(first.body(), again.body());
    sim.set_pace(Pace::Delayed);
    let again = client.on(&mut sim, &file.fh, |c| c.lock(lock));
    assert_eq!(first.body(), again.body(), "by the seqid of its owner");
    assert_eq!(sim.fs().requests("Lock"), 1);
    assert!(
        sim.fs()
            .lock_locally(&file.fh, bytes(8, 9, LockKind::Write))
    );
    let id = ok!(first, Lock).lock_stateid;
    for _ in 0..2 {
        let more = args::Lock {
            locktype: LockType::Write,
            reclaim: false,
            offset: 7,
            length: 5,
            locker: Locker::Existing(ExistLockOwner {
                lock_stateid: id,
                lock_seqid: 2,
            }),
        };
        let reply = client.on(&mut sim, &file.fh, |c| c.lock(more));
        assert_denied_locally(&reply, LockType::Write, (8, 2));
    }
    assert_eq!(sim.fs().requests("Lock"), 2, "the second is told again");
    assert_eq!(seen(&sim, &file.fh, 0, 8), "wwww-----");
    sim.assert_nothing_is_left();
}

#[test]
fn an_error_of_the_file_system_is_one_of_lock() {
    for (error, status) in [
        (FsError::AccessDenied, Status::ACCESS),
        (FsError::Stale, Status::STALE),
        (FsError::Busy, Status::DELAY),
        (FsError::Io, Status::SERVERFAULT),
        // 4.1 has no status for want of room.
        (FsError::NoSpace, Status::SERVERFAULT),
    ] {
        let mut sim = sim();
        let mut one = Holder::new(&mut sim, "one", BOTH);
        sim.set_pace(Pace::Held);
        let lock = send_lock(&mut sim, &mut one, LockType::Write, (0, 4));
        sim.refuse(0, error);
        let reply = sim.take_reply(lock.xid()).expect("it is answered");
        assert_eq!(reply.last(), (Op::Lock, status));
        assert_eq!(sim.tables().locks, 0);
        // What does not conflict denies nothing.
        let lock = send_lock(&mut sim, &mut one, LockType::Write, (0, 4));
        let held = Some(bytes(4, 4, LockKind::Write));
        sim.answer_as(0, |_| Ok(FsReply::Lock { held }));
        let reply = sim.take_reply(lock.xid()).expect("it is answered");
        assert_eq!(reply.last(), (Op::Lock, Status::SERVERFAULT));
        sim.assert_nothing_is_left();
    }
}

/// DELAY would have the client ask for ever.
#[test]
fn a_client_of_4_0_is_told_that_there_is_no_room_for_locks() {
    let mut sim = sim();
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    let lock = client.lock_args(b"o", &file, b"l", (0, 4));
    let put = args::PutFh { object: &file.fh };
    sim.set_pace(Pace::Held);
    let xid = sim.xid();
    let record = client.record(xid, |c| c.putfh(put).lock(lock));
    sim.take_events();
    sim.send(client.conn, record);
    sim.run();
    sim.refuse(0, FsError::NoSpace);
    let reply = sim.take_reply(xid).expect("it is answered");
    assert_eq!(reply.last(), (Op::Lock, Status::RESOURCE));
    assert_eq!(sim.tables().locks, 0);
    assert_eq!(faults(&mut sim), [], "the file system may say so");
}

#[test]
fn a_file_system_without_locks_of_processes_is_asked_for_none() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", BOTH);
    one.lock(&mut sim, b"x", LockType::Write, (0, 4)).all_ok();
    one.test(&mut sim, b"x", (0, 4)).all_ok();
    let asked = ["Lock", "TestLock"].map(|kind| sim.fs().requests(kind));
    assert_eq!(asked, [0, 0]);
    sim.assert_nothing_is_left();
}
