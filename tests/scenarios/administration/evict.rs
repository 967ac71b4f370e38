//! A client is thrown out, with all that it has.

use std::time::Duration;

use nfs4_engine::{Admin, AdminFault, ClientGone, Event, SessionGone, Unbound};
use nfs4_proto::nfs4::basic::{LockType, Stateid};
use nfs4_proto::nfs4::{Op, Status, args};
use nfs4_tests::sim::{Client, Client40, Pace, Sim};

use super::create;
use crate::holder::{Holder, assert_denied, stateid};

fn evict(sim: &mut Sim, client: u64) {
    sim.admin(Admin::EvictClient { client });
}

#[test]
fn all_that_it_has_goes_at_once_and_others_stay() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "out");
    let mut other = Client::mounted(&mut sim, "other");
    let second = client.session;
    client.create_session(&mut sim).all_ok();
    for name in [b"f", b"g"] {
        client
            .call(&mut sim, |c| create(c, b"owner", name))
            .all_ok();
    }
    other.call(&mut sim, |c| create(c, b"owner", b"f")).all_ok();
    assert_eq!(sim.fs().held(), 3);
    sim.take_events();
    evict(&mut sim, client.id.0);
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.sessions), (1, 1));
    assert_eq!((tables.opens, tables.owners, tables.files), (1, 1, 1));
    assert_eq!(sim.fs().held(), 1);
    assert_eq!(sim.bindings().len(), 1);
    let mut told = sim.take_events();
    let unbound = |session| Event::Unbound {
        conn: client.conn,
        session,
        reason: Unbound::SessionDestroyed,
    };
    let destroyed = |session| Event::SessionDestroyed {
        session,
        reason: SessionGone::Evicted,
    };
    let mut expected = vec![
        unbound(client.session),
        destroyed(client.session),
        unbound(second),
        destroyed(second),
        Event::ClientGone {
            client: client.id.0,
            reason: ClientGone::Evicted,
        },
    ];
    let by_text = |event: &Event| format!("{event:?}");
    told.sort_by_key(by_text);
    expected.sort_by_key(by_text);
    assert_eq!(told, expected);

    // It hears of it by what it sends next, and may come again as a new client.
    let reply = client.call(&mut sim, |c| c.putrootfh());
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    let old = client.id;
    client.slots.clear();
    client.mount(&mut sim);
    assert_ne!(client.id, old);
    client
        .call(&mut sim, |c| create(c, b"owner", b"f"))
        .all_ok();
    other.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_does_not_exist_cannot_be_evicted() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "out").id.0;
    evict(&mut sim, client);
    for client in [client, 0, u64::MAX] {
        let fault = sim.refused(Admin::EvictClient { client });
        assert_eq!(fault, AdminFault::NoClient(client));
    }
    sim.assert_nothing_is_left();
}

#[test]
fn an_unconfirmed_client_is_evicted_too() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "out");
    client.exchange_id(&mut sim).all_ok();
    sim.take_events();
    evict(&mut sim, client.id.0);
    assert_eq!(sim.tables().clients, 0);
    assert_eq!(sim.take_events(), [], "nobody knew of it");
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    sim.assert_nothing_is_left();
}

#[test]
fn a_request_that_runs_is_answered_and_what_it_opened_let_go() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "out");
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 0, true, |c| create(c, b"owner", b"f"));
    begun.send(&mut sim, client.conn);
    sim.run();
    assert_eq!(sim.tables().parked, 1);
    evict(&mut sim, client.id.0);
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.sessions), (0, 0));
    sim.complete_all();
    let reply = sim.take_reply(begun.xid()).expect("it is answered");
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    assert_eq!((sim.tables().opens, sim.fs().held()), (0, 0));
    let again = begun.again(&mut sim).exchange(&mut sim, client.conn);
    assert!(again.is_only(Op::Sequence, Status::BADSESSION));
    sim.assert_nothing_is_left();
}

#[test]
fn the_locks_of_an_evicted_client_are_free_for_a_waiter() {
    let mut sim = Sim::new();
    let mut gone = Holder::new(&mut sim, "out", 3);
    let mut here = Holder::called_back(&mut sim, "here", 3);
    let bytes = (0, 10);
    stateid(gone.lock(&mut sim, b"g", LockType::Write, bytes));
    let reply = here.lock(&mut sim, b"h", LockType::WriteWait, bytes);
    assert_denied(&reply, &gone.client, b"g", LockType::Write, bytes);
    evict(&mut sim, gone.client.id.0);
    sim.settle();
    let told = sim.take_callbacks();
    assert_eq!(told.len(), 1, "CB_NOTIFY_LOCK");
    assert_eq!(told[0].conn, here.client.conn);
    sim.send(told[0].conn, told[0].ok());
    stateid(here.lock(&mut sim, b"h", LockType::WriteWait, bytes));
    sim.assert_nothing_is_left();
}

#[test]
fn an_evicted_lock_waiter_waits_no_more() {
    let mut sim = Sim::new();
    let mut gone = Holder::new(&mut sim, "out", 3);
    let mut here = Holder::new(&mut sim, "here", 3);
    let bytes = (0, 10);
    stateid(here.lock(&mut sim, b"h", LockType::Write, bytes));
    let reply = gone.lock(&mut sim, b"g", LockType::WriteWait, bytes);
    assert_denied(&reply, &here.client, b"h", LockType::Write, bytes);
    assert_eq!(sim.tables().waiting, 1);
    evict(&mut sim, gone.client.id.0);
    assert_eq!(sim.tables().waiting, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_of_minor_version_0_is_told_that_its_state_has_expired() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "out");
    let file = client.open(&mut sim, b"o", b"f");
    let lock = client.lock_args(b"o", &file, b"l", (0, 10));
    client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
    sim.set_pace(Pace::Held);
    // A request of it is with the file system.
    let read = args::Read {
        stateid: file.stateid,
        offset: 0,
        count: 9,
    };
    let put = args::PutFh { object: &file.fh };
    let record = client.record(77, |c| c.putfh(put).read(read));
    sim.send(client.conn, record);
    sim.run();
    assert_eq!(sim.tables().parked, 1);
    evict(&mut sim, client.id.0);
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.owners), (0, 0));
    assert_eq!((tables.opens, tables.locks, tables.files), (0, 0, 0));
    assert_eq!(sim.fs().held(), 0);
    sim.complete_all();
    sim.take_reply(77).expect("it is answered");
    sim.set_pace(Pace::Delayed);
    let reply = client.renew(&mut sim);
    assert!(reply.is_only(Op::Renew, Status::EXPIRED));
    let close = client.close_args(b"o", &file);
    let reply = client.on(&mut sim, &file.fh, |c| c.close(close));
    assert_eq!(reply.last(), (Op::Close, Status::EXPIRED));
    client.mount(&mut sim);
    client.open(&mut sim, b"p", b"f");
    sim.assert_nothing_is_left();
}

/// Many more than are removed at once.
const MANY: u32 = 1_500;

#[test]
fn of_a_large_one_the_rest_goes_in_slices_and_counts_as_gone_meanwhile() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "out");
    let mut other = Client::mounted(&mut sim, "other");
    let owner = |number: u32| number.to_be_bytes();
    for number in 0..MANY {
        client
            .call(&mut sim, |c| create(c, &owner(number), b"f"))
            .all_ok();
    }
    sim.take_events();
    evict(&mut sim, client.id.0);
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.sessions), (2, 1));
    assert!((1..MANY as usize).contains(&tables.opens), "{tables:?}");
    let gone = |sim: &mut Sim| {
        let told = sim.take_events();
        let gone = |event: &&Event| matches!(event, Event::ClientGone { .. });
        told.iter().filter(gone).cloned().collect::<Vec<_>>()
    };
    assert_eq!(gone(&mut sim), []);
    let reply = client.call(&mut sim, |c| c);
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    sim.run_timers();
    assert_eq!((sim.tables().clients, sim.tables().opens), (1, 0));
    let told = Event::ClientGone {
        client: client.id.0,
        reason: ClientGone::Evicted,
    };
    assert_eq!(gone(&mut sim), [told]);
    other.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_returns_during_its_eviction_finds_no_state() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "out");
    for number in 0..MANY {
        let owner = number.to_be_bytes();
        client.call(&mut sim, |c| create(c, &owner, b"f")).all_ok();
    }
    sim.take_events();
    evict(&mut sim, client.id.0);
    let old = client.id;
    client.slots.clear();
    client.mount(&mut sim);
    assert_ne!(client.id, old);
    let told = sim.take_events();
    let reasons: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::ClientGone { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [ClientGone::Evicted], "and not for its lease");
    assert_eq!((sim.tables().clients, sim.tables().opens), (1, 0));
    // What was set for the old record does nothing to the new one.
    sim.sleep(Duration::from_secs(1));
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn what_it_writes_afterwards_by_a_stateid_of_its_own_is_refused() {
    let mut sim = Sim::new();
    let mut gone = Holder::new(&mut sim, "out", 3);
    let stateid: Stateid = gone.open;
    let owner = gone.client.id.0;
    evict(&mut sim, owner);
    gone.client.slots.clear();
    gone.client.mount(&mut sim);
    let write = args::Write {
        stateid,
        offset: 0,
        stable: nfs4_proto::nfs4::StableHow::FileSync,
        data: b"late",
    };
    let put = args::PutFh { object: &gone.fh };
    let reply = gone.client.call(&mut sim, |c| c.putfh(put).write(write));
    let (op, status) = reply.last();
    assert_eq!(op, Op::Write);
    assert!(
        [Status::EXPIRED, Status::BAD_STATEID].contains(&status),
        "{status}"
    );
    assert_eq!(sim.fs().requests("Write"), 0);
    sim.assert_nothing_is_left();
}
