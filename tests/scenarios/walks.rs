//! What a peer can make long is walked over in parts, and others have their turn between.

use std::time::Duration;

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::{LockType, Stateid};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Sim, open_args};

use super::holder::{Holder, stateid};

/// What asks for a long walk, given the open and the locks.
type Ask = for<'a> fn(&'a mut CompoundBuilder, Stateid, &[Stateid]) -> &'a mut CompoundBuilder;

fn unlock(lock_stateid: Stateid, seqid: u32) -> args::LockU {
    args::LockU {
        locktype: LockType::Write,
        seqid,
        lock_stateid,
        offset: 0,
        length: u64::MAX,
    }
}

fn close(open_stateid: Stateid, seqid: u32) -> args::Close {
    args::Close {
        seqid,
        open_stateid,
    }
}

/// So many steps are taken at once.
const AT_ONCE: usize = 128;
const RANGES: usize = 600;

#[test]
fn locked_ranges_go_in_parts_and_others_are_served_between() {
    let asks: [(usize, Ask); 3] = [
        (1, |c, _, locks| c.locku(unlock(locks[0], 0))),
        (6, |c, open, _| c.close(close(open, 0))),
        (6, |c, _, locks| {
            let unlock = |c, lock: &Stateid| CompoundBuilder::locku(c, unlock(*lock, 0));
            locks.iter().fold(c, unlock)
        }),
    ];
    for (owners, ask) in asks {
        let mut sim = Sim::new();
        let mut one = Holder::new(&mut sim, "one", 3);
        let mut two = Holder::new(&mut sim, "two", 3);
        let mut locks = vec![Stateid::ANONYMOUS; owners];
        for at in 0..RANGES {
            let owner = at % owners;
            let range = (10 * at as u64, 5);
            let name = [owner as u8];
            locks[owner] = stateid(one.lock(&mut sim, &name, LockType::Write, range));
        }
        let xid = sim.xid();
        let sequence = one.client.sequence(0, true);
        let put = args::PutFh { object: &one.fh };
        let record = one.client.record(xid, b"", |c| {
            ask(c.sequence(sequence).putfh(put), one.open, &locks)
        });
        one.client.advance(0);
        sim.jump(Duration::ZERO);
        sim.send(one.client.conn, record);
        sim.settle();
        let mut steps = 0;
        while sim.tables().yielded > 0 {
            assert!(sim.take_reply(xid).is_none(), "it is not done");
            two.test(&mut sim, b"x", (1 << 40, 1)).all_ok();
            sim.step_timers(1);
            steps += 1;
        }
        sim.settle();
        assert!(steps >= RANGES / AT_ONCE, "{steps} steps");
        sim.take_reply(xid).expect("it is done").all_ok();
        two.lock(&mut sim, b"x", LockType::Write, (0, u64::MAX))
            .all_ok();
        sim.run_timers();
        sim.assert_nothing_is_left();
    }
}

#[test]
fn what_an_owner_of_minor_version_0_has_locked_goes_in_parts_too() {
    for closes in [false, true] {
        let mut sim = Sim::new();
        let mut client = Client40::mounted(&mut sim, "a");
        let file = client.open(&mut sim, b"o", b"f");
        let lock = client.lock_args(b"o", &file, b"l", (0, 5));
        let mut last = client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
        for at in 1..300 {
            let lock = args::Lock {
                locktype: LockType::Write,
                reclaim: false,
                offset: 10 * u64::from(at),
                length: 5,
                locker: args::Locker::Existing(args::ExistLockOwner {
                    lock_stateid: ok!(last, Lock).lock_stateid,
                    lock_seqid: at + 1,
                }),
            };
            last = client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
        }
        let lock = ok!(last, Lock).lock_stateid;
        let seqid = client.seqid(b"o");
        let put = args::PutFh { object: &file.fh };
        let xid = sim.xid();
        let record = client.record(xid, |c| {
            let c = c.putfh(put);
            if closes {
                c.close(close(file.stateid, seqid))
            } else {
                c.locku(unlock(lock, 301))
            }
        });
        sim.jump(Duration::ZERO);
        sim.send(client.conn, record);
        sim.settle();
        let mut steps = 0;
        while sim.tables().yielded > 0 {
            sim.step_timers(1);
            steps += 1;
        }
        sim.settle();
        assert!(steps >= 2, "{steps} steps");
        sim.take_reply(xid).expect("it is done").all_ok();
        sim.run_timers();
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_lock_swallows_a_bounded_number_of_its_owners_ranges() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    for at in 0..=512 {
        one.lock(&mut sim, b"x", LockType::Write, (10 * at, 5))
            .all_ok();
    }
    let reply = one.lock(&mut sim, b"x", LockType::Read, (0, u64::MAX));
    assert_eq!(reply.last(), (Op::Lock, Status::SERVERFAULT));
    let mut two = Holder::new(&mut sim, "two", 3);
    let reply = two.test(&mut sim, b"x", (0, u64::MAX));
    assert_eq!(
        reply.last(),
        (Op::LockT, Status::DENIED),
        "nothing has changed"
    );
    one.lock(&mut sim, b"x", LockType::Read, (10, u64::MAX))
        .all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn what_a_replaced_client_had_goes_in_parts_without_its_asking_again() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for number in 0..RANGES {
        let name = format!("f{number}");
        let open = args::Open {
            openhow: args::OpenFlag::Create(args::CreateHow::Unchecked(
                nfs4_proto::nfs4::FattrRaw::EMPTY,
            )),
            ..open_args(b"o", name.as_bytes())
        };
        client.call(&mut sim, |c| c.putrootfh().open(open)).all_ok();
    }
    client.reboot();
    client.exchange_id(&mut sim).all_ok();
    sim.jump(Duration::ZERO);
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::DELAY));
    let mut opens = sim.tables().opens;
    assert!(
        (RANGES - AT_ONCE..RANGES).contains(&opens),
        "{opens} are left"
    );
    while opens > 0 {
        sim.step_timers(AT_ONCE);
        let left = sim.tables().opens;
        assert!(
            left < opens && opens - left <= AT_ONCE,
            "{opens} and then {left}"
        );
        opens = left;
    }
    sim.run_timers();
    client.create_session(&mut sim).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_long_list_of_stateids_is_tested_in_parts_and_every_one_is_answered() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    let unknown = Stateid {
        seqid: 1,
        other: [7; 12],
    };
    let is_known = |at: usize| at.is_multiple_of(7);
    let mut tested = Vec::new();
    for at in 0..TESTED {
        tested.push(if is_known(at) { one.open } else { unknown });
    }
    let xid = sim.xid();
    let sequence = one.client.sequence(0, false);
    let record = one.client.record(xid, b"", |c| {
        let stateids = List::new(&tested);
        c.sequence(sequence)
            .test_stateid(args::TestStateid { stateids })
    });
    one.client.advance(0);
    sim.jump(Duration::ZERO);
    sim.send(one.client.conn, record);
    sim.settle();
    let mut parts = 1;
    while sim.tables().yielded > 0 {
        assert!(sim.take_reply(xid).is_none(), "it is not done");
        two.test(&mut sim, b"x", (0, 1)).all_ok();
        sim.step_timers(1);
        parts += 1;
    }
    sim.settle();
    assert_eq!(parts, TESTED.div_ceil(8 * AT_ONCE), "parts");
    let reply = sim.take_reply(xid).expect("it is done").all_ok();
    let statuses: Vec<_> = ok!(reply, TestStateid).status_codes.iter().collect();
    assert_eq!(statuses.len(), TESTED);
    for (at, status) in statuses.into_iter().enumerate() {
        assert_eq!(status == Status::OK, is_known(at), "{at}: {status}");
    }
    sim.run_timers();
    sim.assert_nothing_is_left();
}

const TESTED: usize = 10_000;

#[test]
fn the_search_for_holders_of_what_is_waited_for_is_counted() {
    let mut sim = Sim::new();
    let mut gone = Holder::new(&mut sim, "gone", 3);
    for at in 0..AT_ONCE as u64 {
        let range = (2 * at, 1);
        gone.lock(&mut sim, b"g", LockType::Write, range).all_ok();
    }
    sim.sleep(sim.settings().lease + Duration::from_secs(1));
    // What is in the way and does not give way is found last.
    let mut holds = Holder::new(&mut sim, "holds", 3);
    let last = 2 * AT_ONCE as u64 - 3;
    let held = holds.lock(&mut sim, b"h", LockType::Write, (last, 1));
    let held = stateid(held);
    let mut waits = Holder::called_back(&mut sim, "waits", 3);
    let everything = (0, u64::MAX);
    let reply = waits.lock(&mut sim, b"w", LockType::WriteWait, everything);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    let elsewhere = args::LockU {
        offset: 1 << 40,
        length: 1,
        ..unlock(Stateid { seqid: 0, ..held }, 0)
    };
    let put = args::PutFh { object: &holds.fh };
    let unlocks = 10;
    let request = holds.client.request(&mut sim, 0, true, |c| {
        (0..unlocks).fold(c.putfh(put), |c, _| c.locku(elsewhere))
    });
    sim.jump(Duration::ZERO);
    request.send(&mut sim, holds.client.conn);
    sim.settle();
    assert_eq!(sim.tables().yielded, 1, "others have their turn");
    sim.run_timers();
    let reply = sim.take_reply(request.xid()).expect("it is done");
    reply.all_ok();
    assert!(sim.take_callbacks().is_empty());
    sim.assert_nothing_is_left();
}
