//! The edge conditions: what a client has lost, it does not find again after a restart.
//! [RFC 8881 §8.4.3]

use std::time::Duration;

use nfs4_engine::fs::{ByteLock, ByteRange, LockKind};
use nfs4_engine::stable::{StableError, StableWrite};
use nfs4_engine::{Admin, ClientGone, Event};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Sim, open_args};

use super::{
    File, LEASE, answered, ask_to_enter, ask_to_open, assert_last, come_back, complete, config,
    is_grace, lock, make, open_anew, reclaim, strict,
};

/// A server on which one client denies all others its file, and another client wants that.
fn contended() -> (Sim, Client, Client, Vec<u8>) {
    let mut sim = Sim::durable(strict());
    let mut one = Client::mounted(&mut sim, "one");
    let two = Client::mounted(&mut sim, "two");
    let denying = nfs4_proto::nfs4::args::Open {
        share_deny: 3,
        ..nfs4_tests::sim::making_args(b"o", b"f")
    };
    let reply = one
        .call(&mut sim, |c| c.putrootfh().open(denying).getfh())
        .all_ok();
    let fh = nfs4_tests::ok!(reply, GetFh).object.to_vec();
    sim.take_writes();
    (sim, one, two, fh)
}

/// The first client is silent for longer than its lease, and the second one is not.
fn silence(sim: &mut Sim, two: &mut Client) {
    for _ in 0..3 {
        sim.sleep(LEASE / 2);
        two.call(sim, |c| c.putrootfh()).all_ok();
    }
}

#[test]
fn a_client_whose_lease_has_expired_reclaims_nothing_after_a_restart() {
    let (mut sim, mut one, mut two, fh) = contended();
    silence(&mut sim, &mut two);
    assert_eq!(open_anew(&mut sim, &mut two, b"f"), Status::OK);
    assert!(matches!(&*sim.take_writes(), [StableWrite::Forget { .. }]));
    sim.restart();
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
}

#[test]
fn state_is_for_others_once_its_client_is_forgotten_for_good() {
    let (mut sim, mut one, mut two, fh) = contended();
    sim.hold_stores(true);
    silence(&mut sim, &mut two);
    assert!(matches!(
        &*sim.waiting_stores(),
        [StableWrite::Forget { .. }]
    ));
    // The first client would find its record after a restart.
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    assert!(sim.take_reply(asked).is_none());
    assert_eq!(sim.tables().clients, 2);
    sim.store_next(Err(StableError::ReadOnly));
    assert_eq!(answered(&mut sim, asked), Status::DELAY);
    let failed = |event: &Event| {
        matches!(
            event,
            Event::StableFailed {
                error: StableError::ReadOnly,
                failures: 1
            }
        )
    };
    assert_eq!(sim.take_events().iter().filter(|e| failed(e)).count(), 1);
    assert_eq!(sim.waiting_stores(), []);
    sim.sleep(Duration::from_secs(1));
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    sim.store_next(Ok(()));
    assert_eq!(answered(&mut sim, asked), Status::OK);
    assert_eq!(sim.tables().clients, 1);
    sim.hold_stores(false);
    sim.restart();
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
}

#[test]
fn a_client_that_is_not_forgotten_yet_finds_its_state_after_a_restart() {
    let (mut sim, mut one, mut two, fh) = contended();
    sim.hold_stores(true);
    silence(&mut sim, &mut two);
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    sim.restart();
    assert!(sim.take_reply(asked).is_none());
    sim.hold_stores(false);
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &fh).all_ok();
}

#[test]
fn an_evicted_client_reclaims_nothing_after_a_restart() {
    let (mut sim, mut one, mut two, fh) = contended();
    sim.hold_stores(true);
    let client = one.id.0;
    sim.admin(Admin::EvictClient { client });
    assert_eq!(sim.tables().sessions, 1, "its session ends at once");
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    assert!(sim.take_reply(asked).is_none());
    sim.store_all();
    sim.run();
    assert_eq!(answered(&mut sim, asked), Status::OK);
    let reason = ClientGone::Evicted;
    let gone = Event::ClientGone { client, reason };
    assert!(sim.take_events().contains(&gone));
    sim.hold_stores(false);
    sim.restart();
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
}

#[test]
fn a_new_incarnation_takes_over_once_the_old_one_is_forgotten() {
    let (mut sim, one, mut two, fh) = contended();
    let mut new = one.clone();
    new.reboot();
    new.exchange_id(&mut sim).all_ok();
    sim.hold_stores(true);
    let xid = ask_to_enter(&mut sim, &new);
    assert!(sim.take_reply(xid).is_none(), "it waits");
    assert_eq!(sim.tables().storing, 1);
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    assert!(sim.take_reply(asked).is_none());
    sim.store_next(Ok(()));
    sim.take_reply(xid).expect("it is stored").all_ok();
    assert_eq!(answered(&mut sim, asked), Status::OK);
    // The old one, which was not dead after all, reclaims nothing.
    sim.hold_stores(false);
    sim.restart();
    let mut old = one;
    come_back(&mut sim, &mut old);
    let reply = reclaim(&mut sim, &mut old, &fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
}

#[test]
fn two_clients_cannot_reclaim_what_conflicts() {
    let (mut sim, mut one, mut two, fh) = contended();
    let other = make(&mut sim, &mut two, b"g");
    lock(&mut sim, &mut two, &other, false).all_ok();
    sim.restart();
    come_back(&mut sim, &mut one);
    come_back(&mut sim, &mut two);
    let denying = nfs4_proto::nfs4::args::Open {
        share_deny: 3,
        ..super::reclaim_args(nfs4_proto::nfs4::basic::DelegationType::None)
    };
    super::reclaim_with(&mut sim, &mut one, &fh, denying).all_ok();
    let reply = reclaim(&mut sim, &mut two, &fh);
    assert_last(&reply, Op::Open, Status::RECLAIM_CONFLICT);
    // A lock that both claim.
    let reply = reclaim(&mut sim, &mut two, &other.fh).all_ok();
    let held = File {
        stateid: nfs4_tests::ok!(reply, Open).stateid,
        ..other.clone()
    };
    lock(&mut sim, &mut two, &held, true).all_ok();
    let reply = reclaim(&mut sim, &mut one, &other.fh).all_ok();
    let claimed = File {
        stateid: nfs4_tests::ok!(reply, Open).stateid,
        ..other
    };
    let reply = lock(&mut sim, &mut one, &claimed, true);
    assert_last(&reply, Op::Lock, Status::RECLAIM_CONFLICT);
    // Neither gets a new lock now.
    let reply = lock(&mut sim, &mut one, &claimed, false);
    assert_last(&reply, Op::Lock, Status::GRACE);
    for client in [&mut one, &mut two] {
        complete(&mut sim, client).all_ok();
    }
    assert!(!is_grace(&sim));
    let reply = two.call(&mut sim, |c| c.putrootfh().open(open_args(b"o", b"f")));
    assert_last(&reply, Op::Open, Status::SHARE_DENIED);
}

#[test]
fn a_lock_that_a_process_has_taken_meanwhile_is_not_reclaimed() {
    let mut sim = Sim::with_local_locks(config()).recovering(&[]);
    let mut one = Client::mounted(&mut sim, "one");
    let f = make(&mut sim, &mut one, b"f");
    lock(&mut sim, &mut one, &f, false).all_ok();
    let first = sim.fs().strength(&f.fh, 0);
    assert_eq!(first, Some(LockKind::Write));
    sim.restart();
    assert_eq!(sim.fs().strength(&f.fh, 0), None, "the kernel frees it");
    let range = ByteRange { first: 0, last: 0 };
    let kind = LockKind::Read;
    assert!(sim.fs().lock_locally(&f.fh, ByteLock { range, kind }));
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &f.fh).all_ok();
    let f = File {
        stateid: ok!(reply, Open).stateid,
        ..f
    };
    let reply = lock(&mut sim, &mut one, &f, true);
    assert_last(&reply, Op::Lock, Status::RECLAIM_CONFLICT);
    sim.fs().unlock_locally(&f.fh);
    lock(&mut sim, &mut one, &f, true).all_ok();
    assert_eq!(sim.fs().strength(&f.fh, 0), Some(LockKind::Write));
}
