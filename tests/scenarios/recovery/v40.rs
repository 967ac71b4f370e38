//! Clients of minor version 0, which never say that they have reclaimed everything.
//! [RFC 7530 §9.6]

use nfs4_engine::GraceEnd;
use nfs4_engine::stable::{StableError, StableWrite};
use nfs4_proto::nfs4::args::{self, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::basic::DelegationType;
use nfs4_proto::nfs4::consts::OPEN4_RESULT_CONFIRM;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Opened, Reply, Sim};

use super::{LEASE, come_back, complete, config, ends, is_grace, open_anew};

fn come_back_40(sim: &mut Sim, client: &mut Client40) {
    client.conn = sim.connect();
    client.mount(sim);
}

fn reclaim_40(sim: &mut Sim, client: &mut Client40, fh: &[u8]) -> Reply {
    let args = args::Open {
        openhow: OpenFlag::NoCreate,
        claim: OpenClaim::Previous(DelegationType::None),
        ..client.open_args(b"o", b"")
    };
    client.on(sim, fh, |c| c.open(args))
}

#[test]
fn the_first_open_waits_until_the_client_is_recorded() {
    let mut sim = Sim::durable(config());
    let mut client = Client40::mounted(&mut sim, "a");
    assert_eq!(sim.records(), [], "it has nothing to reclaim");
    sim.hold_stores(true);
    let args = client.open_args(b"o", b"f");
    let xid = sim.xid();
    let record = client.record(xid, |c| c.putrootfh().open(args).getfh());
    sim.send(client.conn, record.clone());
    sim.run();
    assert!(sim.take_reply(xid).is_none());
    // A retransmission waits for the same reply.
    sim.send(client.conn, record);
    sim.run();
    assert_eq!((sim.tables().stores, sim.tables().storing), (1, 1));
    assert_eq!(sim.tables().opens, 0);
    sim.store_next(Ok(()));
    sim.take_reply(xid).expect("it is stored").all_ok();
    assert_eq!(sim.records().len(), 1);
    assert!(sim.records()[0].key.v40);
    sim.take_writes();
    client.open(&mut sim, b"p", b"g");
    assert_eq!(sim.take_writes(), [], "once is enough");
}

#[test]
fn an_open_without_a_record_is_tried_again() {
    let mut sim = Sim::durable(config());
    let mut client = Client40::mounted(&mut sim, "a");
    sim.hold_stores(true);
    let args = client.open_args(b"o", b"f");
    let xid = sim.xid();
    let record = client.record(xid, |c| c.putrootfh().open(args));
    sim.send(client.conn, record);
    sim.run();
    sim.store_next(Err(StableError::Failed));
    let reply = sim.take_reply(xid).expect("it has failed");
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    assert_eq!(sim.tables().opens, 0);
    sim.hold_stores(false);
    client.open(&mut sim, b"o", b"f");
}

#[test]
fn it_reclaims_opens_and_locks_without_a_confirmation() {
    let mut sim = Sim::durable(config());
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    let locking = client.lock_args(b"o", &file, b"l", (0, 10));
    client.on(&mut sim, &file.fh, |c| c.lock(locking)).all_ok();
    sim.restart();
    client.seqids.clear();
    come_back_40(&mut sim, &mut client);
    let new = client.open_args(b"o", b"f");
    let reply = client.call(&mut sim, |c| c.putrootfh().open(new));
    assert_eq!(reply.last(), (Op::Open, Status::GRACE));
    let reply = reclaim_40(&mut sim, &mut client, &file.fh).all_ok();
    let ok = ok!(reply, Open);
    assert_eq!(ok.rflags & OPEN4_RESULT_CONFIRM, 0);
    let file = Opened {
        stateid: ok.stateid,
        ..file
    };
    let locking = args::Lock {
        reclaim: true,
        ..client.lock_args(b"o", &file, b"l", (0, 10))
    };
    client.on(&mut sim, &file.fh, |c| c.lock(locking)).all_ok();
    assert_eq!(sim.tables().locks, 1);
    let close = client.close_args(b"o", &file);
    client.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
}

#[test]
fn the_grace_period_lasts_while_such_a_client_may_come() {
    let mut sim = Sim::durable(config());
    let mut old = Client40::mounted(&mut sim, "old");
    let mut new = Client::mounted(&mut sim, "new");
    let file = old.open(&mut sim, b"o", b"f");
    sim.restart();
    come_back(&mut sim, &mut new);
    complete(&mut sim, &mut new).all_ok();
    old.seqids.clear();
    come_back_40(&mut sim, &mut old);
    reclaim_40(&mut sim, &mut old, &file.fh).all_ok();
    assert!(is_grace(&sim), "it may reclaim more");
    for _ in 0..2 {
        sim.sleep(LEASE / 2);
        old.renew(&mut sim).all_ok();
        new.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    assert_eq!(ends(&mut sim), [GraceEnd::Over]);
    let reply = reclaim_40(&mut sim, &mut old, &file.fh);
    assert_eq!(reply.last(), (Op::Open, Status::NO_GRACE));
    // What it has reclaimed it can reclaim again.
    sim.restart();
    old.seqids.clear();
    come_back_40(&mut sim, &mut old);
    reclaim_40(&mut sim, &mut old, &file.fh).all_ok();
}

#[test]
fn one_that_has_restarted_is_not_waited_for_and_reclaims_nothing() {
    let mut sim = Sim::durable(config());
    let mut old = Client40::mounted(&mut sim, "old");
    let mut new = Client::mounted(&mut sim, "new");
    let file = old.open(&mut sim, b"o", b"f");
    sim.restart();
    come_back(&mut sim, &mut new);
    complete(&mut sim, &mut new).all_ok();
    assert!(is_grace(&sim));
    old.reboot();
    come_back_40(&mut sim, &mut old);
    assert_eq!(ends(&mut sim), [GraceEnd::Reclaimed]);
    let reply = reclaim_40(&mut sim, &mut old, &file.fh);
    assert_eq!(reply.last(), (Op::Open, Status::NO_GRACE));
    assert_eq!(open_anew(&mut sim, &mut new, b"f"), Status::OK);
}

#[test]
fn a_second_restart_within_the_grace_period_loses_nothing() {
    let mut sim = Sim::durable(config());
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    for _ in 0..3 {
        sim.restart();
        client.seqids.clear();
        come_back_40(&mut sim, &mut client);
        reclaim_40(&mut sim, &mut client, &file.fh).all_ok();
    }
}

#[test]
fn one_that_falls_silent_is_forgotten() {
    let mut sim = Sim::durable(super::strict());
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    sim.take_writes();
    sim.sleep(LEASE * 2);
    assert!(matches!(&*sim.take_writes(), [StableWrite::Forget { .. }]));
    assert_eq!(sim.tables().clients, 0);
    sim.restart();
    assert!(!is_grace(&sim));
    client.seqids.clear();
    come_back_40(&mut sim, &mut client);
    let reply = reclaim_40(&mut sim, &mut client, &file.fh);
    assert_eq!(reply.last(), (Op::Open, Status::NO_GRACE));
}

#[test]
fn the_client_of_minor_version_0_is_another_than_that_of_1() {
    let mut sim = Sim::durable(config());
    let mut old = Client40::mounted(&mut sim, "same");
    let file = old.open(&mut sim, b"o", b"f");
    sim.restart();
    let mut new = Client::stranger(&mut sim, "same");
    come_back(&mut sim, &mut new);
    let reply = super::reclaim(&mut sim, &mut new, &file.fh);
    assert_eq!(reply.last(), (Op::Open, Status::NO_GRACE));
}

#[test]
fn another_principal_does_not_take_the_place_of_a_client_that_may_reclaim() {
    let mut sim = Sim::durable(config());
    let mut client = Client40::mounted(&mut sim, "a");
    let first = client.open(&mut sim, b"o", b"f");
    let second = client.open(&mut sim, b"o", b"g");
    sim.restart();
    client.seqids.clear();
    come_back_40(&mut sim, &mut client);
    // It is recorded, and has no state now.
    let reply = reclaim_40(&mut sim, &mut client, &first.fh).all_ok();
    let first = Opened {
        stateid: ok!(reply, Open).stateid,
        ..first
    };
    let close = client.close_args(b"o", &first);
    client.on(&mut sim, &first.fh, |c| c.close(close)).all_ok();
    let mut other = Client40::stranger(&mut sim, "a");
    other.uid += 1;
    let reply = other.introduce(&mut sim);
    assert_eq!(reply.last(), (Op::SetClientId, Status::CLID_INUSE));
    reclaim_40(&mut sim, &mut client, &second.fh).all_ok();
}

/// A client of which the lease has expired, with a file that it denies to others; and another client.
fn away() -> (Sim, Client40, Client40, Opened) {
    let mut sim = Sim::durable(config());
    let mut one = Client40::mounted(&mut sim, "one");
    let args = args::Open {
        share_deny: 3,
        ..one.open_args(b"o", b"f")
    };
    let reply = one.call(&mut sim, |c| c.putrootfh().open(args).getfh());
    let reply = reply.all_ok();
    let mut file = Opened {
        fh: ok!(reply, GetFh).object.to_vec(),
        stateid: ok!(reply, Open).stateid,
    };
    let confirm = one.confirm_args(b"o", &file);
    let reply = one.on(&mut sim, &file.fh, |c| c.open_confirm(confirm));
    file.stateid = ok!(reply.all_ok(), OpenConfirm).open_stateid;
    sim.sleep(LEASE * 2);
    let mut two = Client40::mounted(&mut sim, "two");
    // So that it has a record.
    two.open(&mut sim, b"o", b"g");
    (sim, one, two, file)
}

#[test]
fn an_open_waits_until_a_loss_is_durable_and_its_owner_goes_on() {
    for owner in [b"o", b"n"] {
        let (mut sim, one, mut two, file) = away();
        sim.hold_stores(true);
        let args = two.open_args(owner, b"f");
        let xid = sim.xid();
        let record = two.record(xid, |c| c.putrootfh().open(args).getfh());
        sim.send(two.conn, record.clone());
        sim.run();
        assert!(sim.take_reply(xid).is_none());
        // A retransmission waits for the same reply, and another request of the owner for none.
        sim.send(two.conn, record);
        sim.run();
        let early = two.open_args(owner, b"h");
        let reply = two.call(&mut sim, |c| c.putrootfh().open(early));
        assert_eq!(reply.last(), (Op::Open, Status::RESOURCE));
        // All that the first client had is taken.
        assert_eq!(one.renew(&mut sim).last(), (Op::Renew, Status::EXPIRED));
        sim.store_all();
        let reply = sim.take_reply(xid).expect("it is stored").all_ok();
        let mut opened = Opened {
            fh: file.fh.clone(),
            stateid: ok!(reply, Open).stateid,
        };
        if ok!(reply, Open).rflags & OPEN4_RESULT_CONFIRM != 0 {
            let confirm = args::OpenConfirm {
                open_stateid: opened.stateid,
                seqid: args.seqid + 1,
            };
            let reply = two.on(&mut sim, &file.fh, |c| c.open_confirm(confirm));
            opened.stateid = ok!(reply.all_ok(), OpenConfirm).open_stateid;
        }
        let close = args::Close {
            seqid: args.seqid + 1 + u32::from(owner == b"n"),
            open_stateid: opened.stateid,
        };
        two.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
        sim.hold_stores(false);
        sim.run_timers();
        assert_eq!(one.renew(&mut sim).last(), (Op::Renew, Status::EXPIRED));
    }
}

#[test]
fn a_lock_waits_until_a_loss_is_durable_and_its_owners_go_on() {
    let mut sim = Sim::durable(config());
    let mut one = Client40::mounted(&mut sim, "one");
    let file = one.open(&mut sim, b"o", b"f");
    let locking = one.lock_args(b"o", &file, b"l", (0, 10));
    one.on(&mut sim, &file.fh, |c| c.lock(locking)).all_ok();
    sim.sleep(LEASE * 2);
    let mut two = Client40::mounted(&mut sim, "two");
    let opened = two.open(&mut sim, b"o", b"f");
    sim.hold_stores(true);
    let locking = two.lock_args(b"o", &opened, b"l", (5, 10));
    let put = args::PutFh { object: &opened.fh };
    let xid = sim.xid();
    let record = two.record(xid, |c| c.putfh(put).lock(locking));
    sim.send(two.conn, record);
    sim.run();
    assert!(sim.take_reply(xid).is_none());
    sim.store_next(Ok(()));
    let reply = sim.take_reply(xid).expect("it is stored").all_ok();
    let unlock = args::LockU {
        locktype: nfs4_proto::nfs4::basic::LockType::Write,
        seqid: 2,
        lock_stateid: ok!(reply, Lock).lock_stateid,
        offset: 0,
        length: 100,
    };
    two.on(&mut sim, &opened.fh, |c| c.locku(unlock)).all_ok();
    let close = two.close_args(b"o", &opened);
    two.on(&mut sim, &opened.fh, |c| c.close(close)).all_ok();
    // The first client has its open, and knows that its lock is lost.
    one.renew(&mut sim).all_ok();
}

#[test]
fn an_open_whose_wait_is_in_vain_is_sent_again() {
    let (mut sim, _, mut two, _) = away();
    sim.hold_stores(true);
    let args = two.open_args(b"n", b"f");
    let xid = sim.xid();
    let record = two.record(xid, |c| c.putrootfh().open(args));
    sim.send(two.conn, record);
    sim.run();
    sim.store_next(Err(StableError::NoSpace));
    let reply = sim.take_reply(xid).expect("it has failed");
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    sim.hold_stores(false);
    // DELAY counts: the next request has the next seqid.
    two.open(&mut sim, b"n", b"f");
}
