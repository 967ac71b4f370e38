//! Delegations that do not come back. [RFC 8881 §10.4.5, §10.4.6]

use std::time::Duration;

use nfs4_engine::Event;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::consts::SEQ4_STATUS_RECALLABLE_STATE_REVOKED;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn opens_for_writing(sim: &mut Sim, client: &mut Client) -> Reply {
    let args = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    open(sim, client, args)
}

/// The status flags that a client sees.
fn flags(sim: &mut Sim, client: &mut Client) -> u32 {
    let reply = client.call(sim, |c| c).all_ok();
    ok!(reply, Sequence).status_flags
}

fn test(sim: &mut Sim, client: &mut Client, stateid: Stateid) -> Status {
    let stateids = [stateid];
    let args = args::TestStateid {
        stateids: nfs4_proto::xdr::List::new(&stateids),
    };
    let reply = client.call(sim, |c| c.test_stateid(args)).all_ok();
    let statuses: Vec<Status> = ok!(reply, TestStateid).status_codes.iter().collect();
    statuses[0]
}

fn free(sim: &mut Sim, client: &mut Client, stateid: Stateid) -> Reply {
    let args = args::FreeStateid { stateid };
    client.call(sim, |c| c.free_stateid(args))
}

/// Time goes on while both clients renew their leases.
fn wait(sim: &mut Sim, clients: [&mut Client; 2], span: Duration) {
    let step = span / 4;
    let [one, two] = clients;
    for _ in 0..4 {
        sim.sleep(step);
        for client in [&mut *one, &mut *two] {
            client.call(sim, |c| c).all_ok();
        }
    }
}

/// The holder cannot use its revoked delegation, and can use its open as before.
#[track_caller]
fn assert_revoked(sim: &mut Sim, one: &mut Client, held: &Held) {
    let args = args::Read {
        stateid: held.delegation,
        offset: 0,
        count: 1,
    };
    let reply = one.call(sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).read(args)
    });
    assert_last(&reply, Op::Read, Status::DELEG_REVOKED);
    let reply = give_back(sim, one, held);
    assert_last(&reply, Op::DelegReturn, Status::DELEG_REVOKED);
    let claim = args::Open {
        claim: args::OpenClaim::DelegCurFh(held.delegation),
        ..opening(1, b"")
    };
    let reply = one.call(sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).open(claim)
    });
    assert_last(&reply, Op::Open, Status::DELEG_REVOKED);
    let args = args::Read {
        stateid: held.open,
        offset: 0,
        count: 1,
    };
    one.call(sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).read(args)
    })
    .all_ok();
}

#[test]
fn a_delegation_is_revoked_after_a_lease_and_its_holder_told_until_free_stateid() {
    let (mut sim, mut one, mut two) = two();
    let lease = sim.settings().lease;
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let other = {
        make(&mut sim, &mut one, b"g");
        delegated(&mut sim, &mut one, 1, b"g", READ)
    };
    assert_last(
        &opens_for_writing(&mut sim, &mut two),
        Op::Open,
        Status::DELAY,
    );
    // CB_RECALL is answered, and nothing else happens.
    let callback = called(&mut sim);
    assert_eq!(recall(&callback).stateid, held.delegation);
    sim.send(callback.conn, callback.ok());
    wait(&mut sim, [&mut one, &mut two], lease - SECOND);
    assert_last(
        &opens_for_writing(&mut sim, &mut two),
        Op::Open,
        Status::DELAY,
    );
    assert_eq!(flags(&mut sim, &mut one), 0);
    assert_eq!(test(&mut sim, &mut one, held.delegation), Status::OK);
    sim.take_events();
    sim.sleep(2 * SECOND);
    let told = Event::DelegationRevoked {
        client: one.id.0,
        kind: WRITE,
    };
    assert_eq!(sim.take_events(), [told]);
    assert_eq!(counts(&sim), (1, 0, 1));
    opens_for_writing(&mut sim, &mut two).all_ok();
    assert!(sim.take_callbacks().is_empty());

    let revoked = SEQ4_STATUS_RECALLABLE_STATE_REVOKED;
    assert_eq!(flags(&mut sim, &mut one), revoked);
    assert_eq!(flags(&mut sim, &mut two), 0);
    assert_eq!(
        test(&mut sim, &mut one, held.delegation),
        Status::DELEG_REVOKED
    );
    assert_eq!(test(&mut sim, &mut one, other.delegation), Status::OK);
    assert_revoked(&mut sim, &mut one, &held);
    // The stateid is unknown to another client.
    assert_eq!(
        test(&mut sim, &mut two, held.delegation),
        Status::BAD_STATEID
    );

    free(&mut sim, &mut one, held.delegation).all_ok();
    assert_eq!(flags(&mut sim, &mut one), 0);
    assert_eq!(
        test(&mut sim, &mut one, held.delegation),
        Status::BAD_STATEID
    );
    let reply = free(&mut sim, &mut one, held.delegation);
    assert_last(&reply, Op::FreeStateid, Status::BAD_STATEID);
    assert_eq!(counts(&sim), (1, 0, 0));
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_knows_of_none_is_asked_twice_and_then_it_is_revoked() {
    for status in [Status::BADHANDLE, Status::BAD_STATEID, Status::SERVERFAULT] {
        let (mut sim, mut one, mut two) = two();
        let held = delegated(&mut sim, &mut one, 1, b"f", READ);
        assert_last(
            &opens_for_writing(&mut sim, &mut two),
            Op::Open,
            Status::DELAY,
        );
        // It may be that the reply to the OPEN was slower than the callback.
        let callback = called(&mut sim);
        sim.send(callback.conn, callback.with(status));
        sim.settle();
        assert_eq!(counts(&sim), (1, 0, 0));
        assert_last(
            &opens_for_writing(&mut sim, &mut two),
            Op::Open,
            Status::DELAY,
        );
        assert!(
            sim.take_callbacks().is_empty(),
            "at once it is not tried again"
        );
        sim.sleep(3 * SECOND);
        let callback = called(&mut sim);
        assert_eq!(recall(&callback).stateid, held.delegation);
        sim.send(callback.conn, callback.with(status));
        sim.settle();
        assert_eq!(counts(&sim), (0, 0, 1));
        opens_for_writing(&mut sim, &mut two).all_ok();
        let revoked = SEQ4_STATUS_RECALLABLE_STATE_REVOKED;
        assert_eq!(
            flags(&mut sim, &mut one),
            revoked,
            "it may have it after all"
        );
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_client_that_is_busy_is_asked_again() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    assert_last(
        &opens_for_writing(&mut sim, &mut two),
        Op::Open,
        Status::DELAY,
    );
    for seqid in 1..=3 {
        let callback = called(&mut sim);
        assert_eq!(callback.sequence().sequenceid, seqid);
        sim.send(callback.conn, callback.with(Status::DELAY));
        sim.settle();
        sim.sleep(SECOND);
    }
    comes_back(&mut sim, &mut one, &held);
    opens_for_writing(&mut sim, &mut two).all_ok();
}

#[test]
fn a_client_that_cannot_be_reached_any_more_loses_it() {
    let (mut sim, mut one, mut two) = two();
    let lease = sim.settings().lease;
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    // It goes on by a connection that the server may not call it by.
    let back = one.conn;
    one.conn = sim.connect();
    one.call(&mut sim, |c| c).all_ok();
    sim.kill(back);
    sim.settle();
    assert_last(
        &opens_for_writing(&mut sim, &mut two),
        Op::Open,
        Status::DELAY,
    );
    wait(&mut sim, [&mut one, &mut two], lease - SECOND);
    assert_last(
        &opens_for_writing(&mut sim, &mut two),
        Op::Open,
        Status::DELAY,
    );
    sim.sleep(2 * SECOND);
    opens_for_writing(&mut sim, &mut two).all_ok();
    assert_eq!(
        test(&mut sim, &mut one, held.delegation),
        Status::DELEG_REVOKED
    );
    sim.assert_nothing_is_left();
}

#[test]
fn whatever_the_timers_do_the_clock_decides_when_a_recall_has_had_its_time() {
    let (mut sim, mut one, mut two) = two();
    let lease = sim.settings().lease;
    delegated(&mut sim, &mut one, 1, b"f", READ);
    assert_last(
        &opens_for_writing(&mut sim, &mut two),
        Op::Open,
        Status::DELAY,
    );
    sim.jump(lease / 2);
    two.call(&mut sim, |c| c).all_ok();
    sim.jump(lease / 2);
    opens_for_writing(&mut sim, &mut two).all_ok();
}

#[test]
fn what_an_expired_client_had_is_free_at_once() {
    let config = Sim::config().with(|config| config.courtesy = Duration::ZERO);
    let (mut sim, mut one, mut two) = two_with(config);
    let lease = sim.settings().lease;
    delegated(&mut sim, &mut one, 3, b"f", WRITE);
    wait(&mut sim, [&mut two, &mut one.clone()], Duration::ZERO);
    sim.sleep(lease / 2);
    two.call(&mut sim, |c| c).all_ok();
    assert_last(
        &opens_for_writing(&mut sim, &mut two),
        Op::Open,
        Status::DELAY,
    );
    sim.sleep(lease / 2 + SECOND);
    // The recall has half of its time left.
    assert_eq!(counts(&sim), (0, 0, 0));
    opens_for_writing(&mut sim, &mut two).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_starts_anew_has_none() {
    let (mut sim, mut one, mut two) = two();
    delegated(&mut sim, &mut one, 3, b"f", WRITE);
    one.reboot();
    one.exchange_id(&mut sim).all_ok();
    assert_eq!(counts(&sim), (0, 1, 0));
    one.create_session(&mut sim).all_ok();
    assert_eq!(counts(&sim), (0, 0, 0));
    opens_for_writing(&mut sim, &mut two).all_ok();
}

#[test]
fn a_client_with_a_delegation_is_not_destroyed() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    close(&mut sim, &mut one, &held.fh, held.open);
    let sessionid = one.session;
    one.call(&mut sim, |c| {
        c.destroy_session(args::DestroySession { sessionid })
    })
    .all_ok();
    let args = args::DestroyClientId { clientid: one.id };
    let reply = one.bare(&mut sim, |c| c.destroy_clientid(args));
    assert_last(&reply, Op::DestroyClientId, Status::CLIENTID_BUSY);
    assert_eq!(counts(&sim), (1, 0, 0));
}

#[test]
fn the_stateid_of_a_revoked_one_is_none_of_an_open_or_a_lock() {
    use nfs4_proto::nfs4::args::{ExistLockOwner, Locker, OpenToLockOwner};
    use nfs4_proto::nfs4::basic::{LockType, Owner};
    let (mut sim, mut one, mut two) = two();
    let lease = sim.settings().lease;
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let reply = opens_for_writing(&mut sim, &mut two);
    assert_last(&reply, Op::Open, Status::DELAY);
    wait(&mut sim, [&mut one, &mut two], lease + SECOND);
    let status = test(&mut sim, &mut one, held.delegation);
    assert_eq!(status, Status::DELEG_REVOKED);
    let stateid = held.delegation;
    let lock = |locker| args::Lock {
        locktype: LockType::Write,
        reclaim: false,
        offset: 0,
        length: 1,
        locker,
    };
    let new = Locker::New(OpenToLockOwner {
        open_seqid: 0,
        open_stateid: stateid,
        lock_seqid: 0,
        lock_owner: Owner {
            clientid: one.id,
            owner: b"locker",
        },
    });
    let existing = Locker::Existing(ExistLockOwner {
        lock_stateid: stateid,
        lock_seqid: 0,
    });
    let close = args::Close {
        seqid: 0,
        open_stateid: stateid,
    };
    let narrow = args::OpenDowngrade {
        open_stateid: stateid,
        seqid: 0,
        share_access: 1,
        share_deny: 0,
    };
    let unlock = args::LockU {
        locktype: LockType::Write,
        seqid: 0,
        lock_stateid: stateid,
        offset: 0,
        length: 1,
    };
    type Ask<'a> = &'a dyn Fn(&mut CompoundBuilder) -> &mut CompoundBuilder;
    let asks: [(Op, Ask<'_>); 5] = [
        (Op::Close, &|c| c.close(close)),
        (Op::OpenDowngrade, &|c| c.open_downgrade(narrow)),
        (Op::Lock, &|c| c.lock(lock(new))),
        (Op::Lock, &|c| c.lock(lock(existing))),
        (Op::LockU, &|c| c.locku(unlock)),
    ];
    for (op, ask) in asks {
        let reply = one.call(&mut sim, |c| ask(c.putfh(args::PutFh { object: &held.fh })));
        assert_last(&reply, op, Status::BAD_STATEID);
    }
}
