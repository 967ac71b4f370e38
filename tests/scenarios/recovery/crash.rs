//! Servers that die once more, and clients that do.

use std::time::Duration;

use nfs4_engine::stable::StableWrite;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Sim};

use super::{
    File, LEASE, assert_last, come_back, complete, config, is_grace, lock, make, open_anew, reclaim,
};

#[test]
fn a_second_restart_within_the_grace_period_loses_nothing() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let (f, g) = (
        make(&mut sim, &mut one, b"f"),
        make(&mut sim, &mut two, b"g"),
    );
    sim.restart();
    // One has reclaimed everything, the other one a part.
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
    complete(&mut sim, &mut one).all_ok();
    come_back(&mut sim, &mut two);
    reclaim(&mut sim, &mut two, &g.fh).all_ok();
    sim.restart();
    assert_eq!(sim.engine().grace(sim.clock()).known, 2);
    for (client, file) in [(&mut one, &f), (&mut two, &g)] {
        come_back(&mut sim, client);
        reclaim(&mut sim, client, &file.fh).all_ok();
        complete(&mut sim, client).all_ok();
    }
    assert!(!is_grace(&sim));
}

#[test]
fn a_restart_before_the_end_of_the_grace_period_is_durable_loses_nothing() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let f = make(&mut sim, &mut one, b"f");
    sim.restart();
    sim.hold_stores(true);
    sim.sleep(LEASE);
    assert_eq!(sim.waiting_stores(), [StableWrite::GraceOver]);
    sim.restart();
    sim.hold_stores(false);
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
}

#[test]
fn a_client_that_restarts_in_the_grace_period_reclaims_nothing() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let f = make(&mut sim, &mut one, b"f");
    sim.restart();
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
    one.reboot();
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &f.fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
    // The server waits for it no more, even if it says nothing.
    come_back(&mut sim, &mut two);
    complete(&mut sim, &mut two).all_ok();
    assert!(!is_grace(&sim));
    complete(&mut sim, &mut one).all_ok();
    let own = make(&mut sim, &mut one, b"own");
    sim.restart();
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &own.fh).all_ok();
}

#[test]
fn a_client_that_has_restarted_while_the_server_was_away_reclaims_nothing() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let f = make(&mut sim, &mut one, b"f");
    sim.restart();
    one.reboot();
    come_back(&mut sim, &mut one);
    assert!(!is_grace(&sim), "it was the only one");
    let reply = reclaim(&mut sim, &mut one, &f.fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
    complete(&mut sim, &mut one).all_ok();
    assert_eq!(open_anew(&mut sim, &mut one, b"f"), Status::OK);
}

#[test]
fn a_client_that_is_silent_in_the_grace_period_may_come_back_in_it() {
    let long = super::strict().with(|config| config.grace = LEASE * 3);
    let mut sim = Sim::durable(long);
    let mut one = Client::mounted(&mut sim, "one");
    let f = make(&mut sim, &mut one, b"f");
    sim.restart();
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
    sim.sleep(LEASE + Duration::from_secs(1));
    assert_eq!(sim.tables().clients, 0, "its lease has expired");
    assert!(is_grace(&sim));
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
    complete(&mut sim, &mut one).all_ok();
    assert!(!is_grace(&sim));
}

#[test]
fn what_was_reclaimed_is_reclaimed_again_after_another_start() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let mut file = make(&mut sim, &mut one, b"f");
    lock(&mut sim, &mut one, &file, false).all_ok();
    for _ in 0..5 {
        sim.restart();
        come_back(&mut sim, &mut one);
        let reply = reclaim(&mut sim, &mut one, &file.fh).all_ok();
        file = File {
            stateid: ok!(reply, Open).stateid,
            ..file
        };
        lock(&mut sim, &mut one, &file, true).all_ok();
        complete(&mut sim, &mut one).all_ok();
        assert!(!is_grace(&sim));
        let more = make(&mut sim, &mut one, b"g");
        assert_ne!(more.fh, file.fh);
    }
}

#[test]
fn a_client_that_has_not_completed_its_reclaims_cannot_reclaim_from_the_next_server() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let (f, g) = (
        make(&mut sim, &mut one, b"f"),
        make(&mut sim, &mut one, b"g"),
    );
    sim.restart();
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
    come_back(&mut sim, &mut two);
    sim.sleep(LEASE / 2);
    for client in [&mut one, &mut two] {
        client.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    sim.sleep(LEASE / 2);
    assert!(!is_grace(&sim));
    complete(&mut sim, &mut two).all_ok();
    assert_eq!(open_anew(&mut sim, &mut two, b"g"), Status::OK);
    // The server cannot tell what the first client has not reclaimed in time.
    sim.restart();
    come_back(&mut sim, &mut one);
    for file in [&f, &g] {
        let reply = reclaim(&mut sim, &mut one, &file.fh);
        assert_last(&reply, Op::Open, Status::NO_GRACE);
    }
}
