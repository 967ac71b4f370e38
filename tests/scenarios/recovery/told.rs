//! What clients of minor version 0 are told of their losses, which they never acknowledge.
//! [RFC 7530 §9.6.3.3, §9.6.3.4]

use nfs4_engine::stable::StableWrite;
use nfs4_proto::nfs4::args::{self, OpenClaim};
use nfs4_proto::nfs4::basic::DelegationType;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Client, Client40, Sim, making_args};

use super::*;

fn reclaim_40(sim: &mut Sim, one: &mut Client40, fh: &[u8]) -> Status {
    reclaim_by(sim, one, b"o", fh)
}

/// The same by another open-owner.
fn reclaim_by(sim: &mut Sim, one: &mut Client40, owner: &[u8], fh: &[u8]) -> Status {
    let args = args::Open {
        openhow: args::OpenFlag::NoCreate,
        claim: OpenClaim::Previous(DelegationType::None),
        ..one.open_args(owner, b"")
    };
    let reply = one.on(sim, fh, |c| c.open(args));
    // A retransmission gets the same reply.
    assert_eq!(
        one.on(sim, fh, |c| c.open(args)).status(),
        reply.status(),
        "{reply:?}"
    );
    reply.status()
}

/// The next request of an open-owner, by which it shows that it has the last reply.
#[track_caller]
fn go_on(sim: &mut Sim, one: &mut Client40, owner: &[u8]) {
    let next = one.open_args(owner, b"A");
    let reply = one.call(sim, |c| c.putrootfh().open(next));
    assert_eq!(reply.last(), (Op::Open, Status::GRACE));
}

/// The grace period goes by, and the client keeps its lease.
#[track_caller]
fn outlive_grace(sim: &mut Sim, one: &mut Client40) {
    for _ in 0..2 {
        sim.sleep(LEASE / 2 + Duration::from_secs(1));
        one.renew(sim).all_ok();
    }
    assert!(!is_grace(sim));
}

fn restart_40(sim: &mut Sim, one: &mut Client40) {
    sim.restart();
    one.seqids.clear();
    one.conn = sim.connect();
    one.mount(sim);
}

/// A server that has started again, and a client of minor version 0 that has had this many files and lost them.
fn lost_40(files: u8) -> (Sim, Client40, Vec<Vec<u8>>) {
    let mut sim = Sim::durable(config());
    let mut one = Client40::mounted(&mut sim, "one");
    let handles: Vec<_> = (0..files)
        .map(|number| one.open(&mut sim, b"o", &[b'A' + number]).fh)
        .collect();
    // So that it keeps something.
    one.open(&mut sim, b"o", b"kept");
    sim.sleep(LEASE + Duration::from_secs(1));
    let mut two = Client::mounted(&mut sim, "two");
    for number in 0..files {
        let name = [b'A' + number];
        let denying = args::Open {
            share_deny: 2,
            share_access: 1,
            ..making_args(b"o", &name)
        };
        two.call(&mut sim, |c| c.putrootfh().open(denying)).all_ok();
    }
    restart_40(&mut sim, &mut one);
    (sim, one, handles)
}

#[test]
fn a_client_of_minor_version_0_knows_what_it_has_lost_once_it_has_the_reply() {
    let (mut sim, mut one, files) = lost_40(1);
    for _ in 0..3 {
        // The reply may be lost with the server.
        let reply = reclaim_40(&mut sim, &mut one, &files[0]);
        assert_eq!(reply, Status::RECLAIM_BAD);
        restart_40(&mut sim, &mut one);
    }
    let reply = reclaim_40(&mut sim, &mut one, &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    // Another owner's request says nothing.
    let other = one.open_args(b"other", b"A");
    let reply = one.call(&mut sim, |c| c.putrootfh().open(other));
    assert_eq!(reply.last(), (Op::Open, Status::GRACE));
    restart_40(&mut sim, &mut one);
    let reply = reclaim_40(&mut sim, &mut one, &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    // Nor does one by which the owner begins anew, as if it had no reply.
    let mut anew = one.open_args(b"o", b"A");
    anew.seqid += 10;
    for _ in 0..2 {
        let reply = one.call(&mut sim, |c| c.putrootfh().open(anew));
        assert_eq!(reply.last(), (Op::Open, Status::GRACE));
        anew.seqid += 1;
    }
    restart_40(&mut sim, &mut one);
    let reply = reclaim_40(&mut sim, &mut one, &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    go_on(&mut sim, &mut one, b"o");
    outlive_grace(&mut sim, &mut one);
    sim.take_writes();
    // Within its own request that is recorded, so that what it gets can be reclaimed.
    one.open(&mut sim, b"o", b"A");
    let writes = sim.take_writes();
    assert!(matches!(&*writes, [StableWrite::Client(record)] if record.lost.is_empty()));
    restart_40(&mut sim, &mut one);
    assert_eq!(reclaim_40(&mut sim, &mut one, &files[0]), Status::OK);
}

#[test]
fn within_the_grace_period_each_open_owner_is_told_of_a_loss() {
    let (mut sim, mut one, files) = lost_40(1);
    // The first one is told and goes on; the second one has had the file open, too.
    let reply = reclaim_by(&mut sim, &mut one, b"o", &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    go_on(&mut sim, &mut one, b"o");
    let reply = reclaim_by(&mut sim, &mut one, b"n", &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    restart_40(&mut sim, &mut one);
    let reply = reclaim_by(&mut sim, &mut one, b"n", &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    // After the grace period neither reclaims it any more.
    go_on(&mut sim, &mut one, b"n");
    outlive_grace(&mut sim, &mut one);
    one.open(&mut sim, b"o", b"A");
    restart_40(&mut sim, &mut one);
    assert_eq!(reclaim_40(&mut sim, &mut one, &files[0]), Status::OK);
}

#[test]
fn a_client_has_what_an_open_owner_was_told_that_is_silent_for_a_lease() {
    let (mut sim, mut one, files) = lost_40(1);
    let reply = reclaim_40(&mut sim, &mut one, &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    outlive_grace(&mut sim, &mut one);
    sim.sleep(LEASE / 2);
    one.renew(&mut sim).all_ok();
    one.open(&mut sim, b"next", b"A");
    restart_40(&mut sim, &mut one);
    let reply = reclaim_by(&mut sim, &mut one, b"next", &files[0]);
    assert_eq!(reply, Status::OK);
}

#[test]
fn what_is_lost_again_after_it_was_told_is_lost() {
    let (mut sim, mut one, files) = lost_40(1);
    let reply = reclaim_40(&mut sim, &mut one, &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    go_on(&mut sim, &mut one, b"o");
    outlive_grace(&mut sim, &mut one);
    for name in [b"A", b"B"] {
        one.open(&mut sim, b"o", name);
    }
    sim.sleep(LEASE + Duration::from_secs(1));
    let mut three = Client::mounted(&mut sim, "three");
    let denying = args::Open {
        share_deny: 2,
        share_access: 1,
        ..making_args(b"o", b"A")
    };
    three
        .call(&mut sim, |c| c.putrootfh().open(denying))
        .all_ok();
    restart_40(&mut sim, &mut one);
    let reply = reclaim_40(&mut sim, &mut one, &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
}

#[test]
fn an_open_of_what_was_lost_waits_until_it_can_be_reclaimed_again() {
    let (mut sim, mut one, files) = lost_40(1);
    let reply = reclaim_40(&mut sim, &mut one, &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
    outlive_grace(&mut sim, &mut one);
    sim.hold_stores(true);
    let args = one.open_args(b"o", b"A");
    let xid = sim.xid();
    let record = one.record(xid, |c| c.putrootfh().open(args));
    sim.send(one.conn, record);
    sim.run();
    assert!(sim.take_reply(xid).is_none());
    sim.store_all();
    sim.take_reply(xid).expect("it is stored").all_ok();
    sim.hold_stores(false);
    restart_40(&mut sim, &mut one);
    assert_eq!(reclaim_40(&mut sim, &mut one, &files[0]), Status::OK);
}

#[test]
fn a_client_of_minor_version_0_that_has_lost_too_much_reclaims_nothing_until_it_is_told_so() {
    let (mut sim, mut one, files) = lost_40(33);
    for asks in [false, true] {
        if asks {
            let reply = reclaim_40(&mut sim, &mut one, &files[0]);
            assert_eq!(reply, Status::NO_GRACE);
        }
        outlive_grace(&mut sim, &mut one);
        // It gets a record, and another client waits for the next grace period.
        one.open(&mut sim, b"n", b"new");
        Client::mounted(&mut sim, "other");
        restart_40(&mut sim, &mut one);
    }
    // The answer may have been lost with the server.
    for fh in &files {
        let reply = reclaim_40(&mut sim, &mut one, fh);
        assert_eq!(reply, Status::NO_GRACE);
    }
    outlive_grace(&mut sim, &mut one);
    one.open(&mut sim, b"o", b"A");
    restart_40(&mut sim, &mut one);
    assert_eq!(reclaim_40(&mut sim, &mut one, &files[0]), Status::OK);
}

#[test]
fn what_a_client_of_minor_version_0_has_lost_stays_lost_if_it_does_not_ask_for_it() {
    let (mut sim, mut one, files) = lost_40(1);
    for _ in 0..3 {
        outlive_grace(&mut sim, &mut one);
        // It gets a record.
        one.open(&mut sim, b"n", b"new");
        restart_40(&mut sim, &mut one);
    }
    let reply = reclaim_40(&mut sim, &mut one, &files[0]);
    assert_eq!(reply, Status::RECLAIM_BAD);
}
