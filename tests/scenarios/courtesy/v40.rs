//! Clients of minor version 0. [RFC 7530 §9.6.3.1]

use super::*;
use nfs4_tests::sim::{Client40, Dialling, Opened};

fn write(sim: &mut Sim, client: &Client40, opened: &Opened) -> Status {
    let args = args::Write {
        stateid: opened.stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    client.on(sim, &opened.fh, |c| c.write(args)).status()
}

#[test]
fn a_client_keeps_what_no_other_wants_and_to_use_it_renews_the_lease() {
    let mut sim = Sim::new();
    let mut one = Client40::mounted(&mut sim, "one");
    let (f, g) = (
        one.open(&mut sim, b"o", b"f"),
        one.open(&mut sim, b"o", b"g"),
    );
    sim.sleep(DAY);
    let mut two = Client::mounted(&mut sim, "two");
    opened(&mut sim, &mut two, (1, 2), b"f");
    assert_eq!(write(&mut sim, &one, &f), Status::EXPIRED);
    assert_eq!(sim.tables().courteous_clients, 1);
    assert_eq!(write(&mut sim, &one, &g), Status::OK);
    assert_eq!(sim.tables().courteous_clients, 0);
    one.renew(&mut sim).all_ok();
    assert_eq!(sim.tables().lost_states, 0, "it has no FREE_STATEID");
    assert_eq!(write(&mut sim, &one, &f), Status::EXPIRED);
    // The owner goes on with its seqid.
    let close = one.close_args(b"o", &g);
    one.on(&mut sim, &g.fh, |c| c.close(close)).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_has_lost_all_starts_anew() {
    let mut sim = Sim::new();
    let mut one = Client40::mounted(&mut sim, "one");
    let f = one.open(&mut sim, b"o", b"f");
    expire(&mut sim);
    let mut two = Client::mounted(&mut sim, "two");
    opened(&mut sim, &mut two, (1, 2), b"f");
    sim.run_timers();
    assert_eq!(sim.tables().clients, 1);
    assert_eq!(write(&mut sim, &one, &f), Status::EXPIRED);
    assert_eq!(one.renew(&mut sim).last(), (Op::Renew, Status::EXPIRED));
    one.mount(&mut sim);
    one.renew(&mut sim).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_lost_lock_is_expired_and_the_rest_is_not() {
    let mut sim = Sim::new();
    let mut one = Client40::mounted(&mut sim, "one");
    let f = one.open(&mut sim, b"o", b"f");
    let lock = one.lock_args(b"o", &f, b"l", (0, 10));
    let reply = one.on(&mut sim, &f.fh, |c| c.lock(lock)).all_ok();
    let held = ok!(reply, Lock).lock_stateid;
    expire(&mut sim);
    let mut two = Holder::new(&mut sim, "two", 3);
    two.lock(&mut sim, b"y", LockType::Write, (0, 1)).all_ok();
    let unlock = args::LockU {
        locktype: LockType::Write,
        seqid: 2,
        lock_stateid: held,
        offset: 0,
        length: 10,
    };
    let reply = one.on(&mut sim, &f.fh, |c| c.locku(unlock));
    assert_eq!(reply.last(), (Op::LockU, Status::EXPIRED));
    assert_eq!(write(&mut sim, &one, &f), Status::OK);
    let lock = one.lock_args(b"o", &f, b"other", (20, 10));
    one.on(&mut sim, &f.fh, |c| c.lock(lock)).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn the_connection_for_callbacks_ends_with_the_lease_and_is_made_again() {
    let mut sim = Sim::new();
    sim.set_dialling(Dialling::Succeeds);
    let mut one = Client40::mounted(&mut sim, "one");
    let f = one.open(&mut sim, b"o", b"f");
    sim.settle();
    let alive = sim.network().alive().len();
    expire(&mut sim);
    sim.settle();
    assert_eq!(sim.network().alive().len(), alive - 1);
    assert_eq!(write(&mut sim, &one, &f), Status::OK);
    sim.settle();
    assert_eq!(sim.network().alive().len(), alive);
    sim.assert_nothing_is_left();
}

#[test]
fn the_next_incarnation_finds_an_expired_client_and_the_same_one_its_own() {
    let mut sim = Sim::new();
    let mut one = Client40::mounted(&mut sim, "one");
    let f = one.open(&mut sim, b"o", b"f");
    expire(&mut sim);
    one.mount(&mut sim);
    assert_eq!(write(&mut sim, &one, &f), Status::OK);
    expire(&mut sim);
    one.reboot();
    one.introduce(&mut sim).all_ok();
    assert_eq!(sim.tables().opens, 0);
    one.confirm(&mut sim).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn of_another_principal_it_is_expired() {
    let mut sim = Sim::new();
    let mut one = Client40::mounted(&mut sim, "one");
    one.open(&mut sim, b"o", b"f");
    let mut other = one.clone();
    other.uid += 1;
    let reply = other.introduce(&mut sim);
    assert_eq!(reply.last(), (Op::SetClientId, Status::CLID_INUSE));
    expire(&mut sim);
    other.mount(&mut sim);
    assert_eq!(sim.tables().opens, 0);
    assert_eq!(
        one.renew(&mut sim).last(),
        (Op::Renew, Status::STALE_CLIENTID)
    );
    sim.assert_nothing_is_left();
}
