//! Byte-range locks.

use super::super::holder::{assert_denied, owner};
use super::*;
use nfs4_proto::nfs4::any::CbArgOp;
use nfs4_proto::nfs4::args::Locker;

#[test]
fn a_lock_gives_way_and_its_open_and_other_locks_stay() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let first = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 10)));
    let second = stateid(one.lock(&mut sim, b"y", LockType::Write, (20, 10)));
    expire(&mut sim);
    let mut two = Holder::new(&mut sim, "two", 3);
    two.lock(&mut sim, b"z", LockType::Write, (5, 10)).all_ok();
    let client = &mut one.client;
    let answers = tested(&mut sim, client, &[one.open, first, second]);
    assert_eq!(answers, [Status::OK, Status::EXPIRED, Status::OK]);
    assert_eq!(flags(&mut sim, client), SOME);
    let reply = one.unlock(&mut sim, first, (0, 10));
    assert_eq!(reply.last(), (Op::LockU, Status::EXPIRED));
    one.free(&mut sim, first).all_ok();
    assert_eq!(flags(&mut sim, &mut one.client), 0);
    one.lock(&mut sim, b"x", LockType::Write, (0, 5)).all_ok();
    let reply = two.lock(&mut sim, b"z", LockType::Write, (25, 1));
    assert_denied(&reply, &one.client, b"y", LockType::Write, (20, 10));
    sim.assert_nothing_is_left();
}

#[test]
fn to_test_for_a_lock_takes_none() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let held = stateid(one.lock(&mut sim, b"x", LockType::Read, (0, 10)));
    let mut three = Holder::new(&mut sim, "three", 3);
    sim.sleep(sim.settings().lease / 2);
    three.lock(&mut sim, b"z", LockType::Read, (8, 10)).all_ok();
    sim.sleep(sim.settings().lease / 2 + SECOND);
    let mut two = Holder::new(&mut sim, "two", 3);
    two.test(&mut sim, b"y", (0, 8)).all_ok();
    // The first in the way is that of an expired client, the next is not.
    let reply = two.test(&mut sim, b"y", (0, 100));
    assert_denied(&reply, &three.client, b"z", LockType::Read, (8, 10));
    let reply = two.lock(&mut sim, b"y", LockType::Write, (0, 100));
    assert_denied(&reply, &three.client, b"z", LockType::Read, (8, 10));
    let client = &mut one.client;
    assert_eq!(tested(&mut sim, client, &[held]), [Status::OK]);
    assert_eq!(flags(&mut sim, client), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn the_locks_under_an_open_go_with_it() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "one");
    let mut one = Holder::of(&mut sim, client, b"f", 3);
    let lock = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 10)));
    expire(&mut sim);
    let mut two = Client::mounted(&mut sim, "two");
    opened(&mut sim, &mut two, (1, 2), b"f");
    assert_eq!(sim.tables().lost_states, 2);
    let both = [one.open, lock];
    let answers = tested(&mut sim, &mut one.client, &both);
    assert_eq!(answers, [Status::EXPIRED; 2]);
    assert_eq!(flags(&mut sim, &mut one.client), ALL);
    for stateid in both {
        assert_ne!(flags(&mut sim, &mut one.client), 0);
        one.free(&mut sim, stateid).all_ok();
    }
    assert_eq!(flags(&mut sim, &mut one.client), 0);
    sim.assert_nothing_is_left();
}

/// Locks every second byte.
fn locks_much(sim: &mut Sim, one: &mut Holder, ranges: u64) -> Stateid {
    let mut held = stateid(one.lock(sim, b"x", LockType::Write, (0, 1)));
    for at in 1..ranges {
        let locker = Locker::Existing(args::ExistLockOwner {
            lock_stateid: held,
            lock_seqid: 0,
        });
        held = stateid(one.lock_as(sim, locker, LockType::Write, (2 * at, 1)));
    }
    held
}

#[test]
fn a_lock_of_many_ranges_is_of_no_use_from_the_first_moment_on_and_goes_in_parts() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let held = locks_much(&mut sim, &mut one, 1_000);
    expire(&mut sim);
    let mut two = Holder::new(&mut sim, "two", 3);
    sim.jump(Duration::ZERO);
    let reply = two.lock(&mut sim, b"y", LockType::Write, (0, u64::MAX));
    assert_eq!(reply.last(), (Op::Lock, Status::DELAY));
    // The holder comes back while it is being taken.
    assert!(sim.tables().states > 500, "most ranges are there");
    assert_eq!(flags(&mut sim, &mut one.client), SOME);
    assert_eq!(
        tested(&mut sim, &mut one.client, &[held]),
        [Status::EXPIRED]
    );
    let reply = one.unlock(&mut sim, held, (0, 10));
    assert_eq!(reply.last(), (Op::LockU, Status::EXPIRED));
    let locker = Locker::New(args::OpenToLockOwner {
        open_seqid: 0,
        open_stateid: one.open,
        lock_seqid: 0,
        lock_owner: owner(b"x"),
    });
    let reply = one.lock_as(&mut sim, locker, LockType::Write, (7, 1));
    assert_eq!(reply.last(), (Op::Lock, Status::DELAY));
    one.free(&mut sim, held).all_ok();
    assert_eq!(flags(&mut sim, &mut one.client), 0);
    sim.run_timers();
    two.lock(&mut sim, b"y", LockType::Write, (0, u64::MAX))
        .all_ok();
    let reply = one.lock(&mut sim, b"x", LockType::Write, (7, 1));
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_with_many_locks_denies_none_while_these_go() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let held = locks_much(&mut sim, &mut one, 1_000);
    expire(&mut sim);
    let two = Client::mounted(&mut sim, "two");
    sim.jump(Duration::ZERO);
    let args = opening((1, 2), b"f");
    let request = two.request(&mut sim, 0, true, |c| c.putrootfh().open(args));
    request.send(&mut sim, two.conn);
    sim.settle();
    // The rest of the request waits for its turn, and so do most of the locks.
    let reply = std::iter::repeat_with(|| {
        sim.step_timers(1);
        sim.settle();
        sim.take_reply(request.xid())
    });
    reply
        .take(50)
        .flatten()
        .next()
        .expect("it is answered")
        .all_ok();
    assert!(sim.tables().states > 500, "most ranges are there");
    let both = [one.open, held];
    let answers = tested(&mut sim, &mut one.client, &both);
    assert_eq!(answers, [Status::EXPIRED; 2]);
    let reply = open(&mut sim, &mut one.client, (1, 0), b"f");
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    sim.run_timers();
    opened(&mut sim, &mut one.client, (1, 0), b"f");
    assert_eq!(sim.tables().lost_states, 2);
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_whose_lease_has_expired_gets_no_notice_of_a_free_lock_and_keeps_none_from_others() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let mut waits = Holder::called_back(&mut sim, "waits", 3);
    let held = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 10)));
    let reply = waits.lock(&mut sim, b"y", LockType::WriteWait, (0, 10));
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    for _ in 0..3 {
        sim.sleep(sim.settings().lease / 2);
        one.client.call(&mut sim, |c| c).all_ok();
    }
    assert_eq!(sim.tables().courteous_clients, 1);
    one.unlock(&mut sim, held, (0, 10)).all_ok();
    sim.settle();
    assert_eq!(sim.take_callbacks().len(), 0);
    let mut two = Holder::new(&mut sim, "two", 3);
    two.lock(&mut sim, b"z", LockType::Write, (0, 10)).all_ok();
    sim.assert_nothing_is_left();
}

/// Whether a client is told by a callback that it may lock.
#[track_caller]
fn is_notified(sim: &mut Sim, waiter: &Holder) -> bool {
    let callbacks = sim.take_callbacks();
    let Some(callback) = callbacks.first() else {
        return false;
    };
    assert_eq!(callbacks.len(), 1);
    let ops = callback.ops();
    assert!(
        matches!(&ops[1], CbArgOp::NotifyLock(notice) if notice.fh == waiter.fh),
        "{ops:?}"
    );
    let answer = callback.ok();
    sim.send(waiter.client.conn, answer);
    sim.run();
    true
}

#[test]
fn a_waiter_is_notified_when_the_lease_of_the_client_expires_that_holds_the_lock() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    one.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    let lease = sim.settings().lease;
    let mut two = Holder::called_back(&mut sim, "two", 3);
    let reply = two.lock(&mut sim, b"y", LockType::WriteWait, (0, 10));
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    // The lease of the holder is renewed once.
    for holder_is_there in [true, false, false] {
        sim.sleep(lease / 2);
        two.client.call(&mut sim, |c| c).all_ok();
        if holder_is_there {
            one.client.call(&mut sim, |c| c).all_ok();
        }
        assert!(!is_notified(&mut sim, &two));
    }
    sim.sleep(SECOND);
    assert!(
        is_notified(&mut sim, &two),
        "the lock gives way from now on"
    );
    two.lock(&mut sim, b"y", LockType::WriteWait, (0, 10))
        .all_ok();
    assert_eq!(sim.tables().waiting, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn a_waiter_is_not_notified_as_long_as_another_lock_is_in_its_way() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    one.lock(&mut sim, b"x", LockType::Read, (0, 10)).all_ok();
    let mut three = Holder::new(&mut sim, "three", 3);
    three.lock(&mut sim, b"z", LockType::Read, (5, 10)).all_ok();
    let lease = sim.settings().lease;
    let mut two = Holder::called_back(&mut sim, "two", 3);
    let reply = two.lock(&mut sim, b"y", LockType::WriteWait, (0, 10));
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    for _ in 0..6 {
        sim.sleep(lease / 2);
        two.client.call(&mut sim, |c| c).all_ok();
        three.client.call(&mut sim, |c| c).all_ok();
        assert!(!is_notified(&mut sim, &two));
    }
    for _ in 0..2 {
        sim.sleep(lease / 2);
        two.client.call(&mut sim, |c| c).all_ok();
    }
    sim.sleep(SECOND);
    assert!(is_notified(&mut sim, &two));
    two.lock(&mut sim, b"y", LockType::WriteWait, (0, 10))
        .all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_waiter_is_notified_when_many_ranges_of_a_client_give_way() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    locks_much(&mut sim, &mut one, 300);
    let lease = sim.settings().lease;
    let mut two = Holder::called_back(&mut sim, "two", 3);
    let everything = (0, u64::MAX);
    let reply = two.lock(&mut sim, b"y", LockType::WriteWait, everything);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    sim.sleep(lease / 2);
    two.client.call(&mut sim, |c| c).all_ok();
    sim.jump(lease / 2 + SECOND);
    let steps = (0..1_000).take_while(|_| sim.step_timers(1)).count();
    assert!(steps < 1_000, "the timers come to an end");
    sim.run();
    assert!(is_notified(&mut sim, &two));
    let replies = std::iter::repeat_with(|| {
        sim.run_timers();
        two.lock(&mut sim, b"y", LockType::WriteWait, everything)
            .status()
    });
    let denied: Vec<_> = replies
        .take(10)
        .take_while(|status| *status != Status::OK)
        .collect();
    assert!(denied.len() < 10, "{denied:?}");
    assert!(denied.iter().all(|status| *status == Status::DELAY));
    sim.assert_nothing_is_left();
}

/// A client waits for a lock; it is denied, and others have what it wants.
#[track_caller]
fn waits(sim: &mut Sim, waiter: &mut Holder, range: (u64, u64)) {
    let reply = waiter.lock(sim, b"w", LockType::WriteWait, range);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
}

#[test]
fn a_waiter_is_notified_in_time_if_another_one_waits_for_a_lease_that_ends_later() {
    let mut sim = Sim::new();
    let lease = sim.settings().lease;
    let mut early = Holder::new(&mut sim, "early", 3);
    early
        .lock(&mut sim, b"x", LockType::Write, (0, 10))
        .all_ok();
    sim.sleep(lease / 2);
    let mut late = Holder::new(&mut sim, "late", 3);
    late.lock(&mut sim, b"x", LockType::Write, (20, 10))
        .all_ok();
    let mut one = Holder::called_back(&mut sim, "one", 3);
    let mut two = Holder::called_back(&mut sim, "two", 3);
    waits(&mut sim, &mut one, (20, 10));
    waits(&mut sim, &mut two, (0, 10));
    sim.sleep(lease / 2 + SECOND);
    assert!(is_notified(&mut sim, &two), "its lock gives way");
    one.client.call(&mut sim, |c| c).all_ok();
    sim.sleep(lease / 2);
    assert!(is_notified(&mut sim, &one), "and so does the other one");
    sim.assert_nothing_is_left();
}
