//! Limits change while the server runs: a client that has more than a lower limit keeps it and gets no
//! more, and under a higher one it goes on.

use std::time::Duration;

use nfs4_engine::{Admin, Change};
use nfs4_proto::nfs4::args::{self, ChannelAttrs};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Pace, Reply, Sim};

use super::create;

const SECOND: Duration = Duration::from_secs(1);

fn configure(sim: &mut Sim, set: impl FnOnce(&mut Change)) {
    sim.admin(Admin::Configure(Box::new(Change::default().with(set))));
}

/// CREATE_SESSION of a known client with the largest values; the session that it used stays in use.
fn another_session(sim: &mut Sim, client: &mut Client) -> Reply {
    let mut args = client.session_args();
    args.fore_chan_attrs = ChannelAttrs {
        maxresponsesize_cached: u32::MAX,
        maxoperations: u32::MAX,
        ..args.fore_chan_attrs
    };
    let reply = client.bare(sim, |c| c.create_session(args));
    if reply.status() == Status::OK {
        client.create_sequence += 1;
    }
    reply
}

fn open(sim: &mut Sim, client: &mut Client, name: &[u8]) -> (Op, Status) {
    client.call(sim, |c| create(c, b"owner", name)).last()
}

#[test]
fn the_measures_of_a_channel_are_for_new_sessions() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    configure(&mut sim, |change| {
        change.max_cached_reply = Some(1_024);
        change.max_operations = Some(9);
    });
    let reply = another_session(&mut sim, &mut client).all_ok();
    let granted = ok!(reply, CreateSession).fore_chan_attrs;
    assert_eq!(
        (granted.maxresponsesize_cached, granted.maxoperations),
        (1_024, 9)
    );
    // The session that was there may still send sixteen.
    let many = |c: &mut nfs4_proto::client::CompoundBuilder| {
        for _ in 0..15 {
            c.putrootfh();
        }
    };
    let reply = client.call(&mut sim, |c| {
        many(c);
        c
    });
    reply.all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_compound_of_minor_version_0_ends_at_the_new_number_of_operations() {
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    let sent = |sim: &mut Sim, count: usize| {
        client.call(sim, |c| {
            for _ in 0..count {
                c.putrootfh();
            }
            c
        })
    };
    sent(&mut sim, 9).all_ok();
    configure(&mut sim, |change| change.max_operations = Some(8));
    sent(&mut sim, 8).all_ok();
    assert_eq!(sent(&mut sim, 9).last(), (Op::PutRootFh, Status::RESOURCE));
    configure(&mut sim, |change| change.max_operations = Some(9));
    sent(&mut sim, 9).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_gets_no_more_sessions_than_the_new_limit() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    another_session(&mut sim, &mut client).all_ok();
    configure(&mut sim, |change| change.sessions_per_client = Some(1));
    assert_eq!(sim.tables().sessions, 2);
    let reply = another_session(&mut sim, &mut client);
    assert!(reply.is_only(Op::CreateSession, Status::NOSPC));
    client.call(&mut sim, |c| c).all_ok();
    // Another client has its own.
    Client::mounted(&mut sim, "b");
    configure(&mut sim, |change| change.sessions_per_client = Some(3));
    another_session(&mut sim, &mut client).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn all_clients_together_get_no_more_sessions_than_the_new_limit() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut second = Client::stranger(&mut sim, "b");
    second.exchange_id(&mut sim).all_ok();
    configure(&mut sim, |change| change.max_sessions = Some(1));
    let reply = second.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::NOSPC));
    client.call(&mut sim, |c| c).all_ok();
    configure(&mut sim, |change| change.max_sessions = Some(100));
    second.create_session(&mut sim).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn there_are_no_more_clients_than_the_new_limit() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = Client::mounted(&mut sim, "b");
    configure(&mut sim, |change| change.max_clients = Some(1));
    let mut third = Client::stranger(&mut sim, "c");
    let reply = third.exchange_id(&mut sim);
    assert!(reply.is_only(Op::ExchangeId, Status::SERVERFAULT));
    for client in [&mut client, &mut other] {
        client.call(&mut sim, |c| c).all_ok();
    }
    configure(&mut sim, |change| change.max_clients = Some(100));
    third.mount(&mut sim);
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_opens_no_more_files_than_the_new_limit() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for name in [b"f", b"g"] {
        assert_eq!(open(&mut sim, &mut client, name), (Op::Open, Status::OK));
    }
    configure(&mut sim, |change| change.max_opens_per_client = Some(1));
    assert_eq!(open(&mut sim, &mut client, b"h"), (Op::Open, Status::DQUOT));
    assert_eq!(sim.tables().opens, 2);
    configure(&mut sim, |change| change.max_opens_per_client = Some(3));
    assert_eq!(open(&mut sim, &mut client, b"h"), (Op::Open, Status::OK));
    assert_eq!(open(&mut sim, &mut client, b"i"), (Op::Open, Status::DQUOT));
    sim.assert_nothing_is_left();
}

#[test]
fn clients_have_no_more_state_than_the_new_limit() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for name in 0..20_u8 {
        let opened = open(&mut sim, &mut client, &[b'a' + name]);
        assert_eq!(opened, (Op::Open, Status::OK));
    }
    configure(&mut sim, |change| change.max_states = Some(16));
    assert_eq!(
        open(&mut sim, &mut client, b"new"),
        (Op::Open, Status::NOSPC)
    );
    assert_eq!(sim.tables().opens, 20);
    configure(&mut sim, |change| change.max_states = Some(1_000));
    assert_eq!(open(&mut sim, &mut client, b"new"), (Op::Open, Status::OK));
    sim.assert_nothing_is_left();
}

#[test]
fn a_connection_drains_for_as_long_as_the_setting_was_when_it_began() {
    let mut sim = Sim::new();
    let clients = ["a", "b"].map(|name| Client::mounted(&mut sim, name));
    sim.set_pace(Pace::Held);
    for client in &clients {
        let absent = args::Lookup { objname: b"absent" };
        let request = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(absent));
        request.send(&mut sim, client.conn);
        sim.run();
    }
    let [long, short] = [&clients[0], &clients[1]].map(|client| client.conn);
    let before = sim.settings().drain_deadline;
    assert!(before > 5 * SECOND);
    sim.admin(Admin::Drain { conn: long });
    configure(&mut sim, |change| change.drain_deadline = Some(2 * SECOND));
    sim.admin(Admin::Drain { conn: short });
    sim.sleep(SECOND);
    let alive = |sim: &Sim| [long, short].map(|conn| sim.network().is_alive(conn));
    assert_eq!(alive(&sim), [true, true]);
    sim.sleep(2 * SECOND);
    assert_eq!(alive(&sim), [true, false]);
    sim.sleep(before);
    assert_eq!(alive(&sim), [false, false]);
    sim.assert_nothing_is_left();
}
