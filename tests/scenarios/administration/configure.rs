//! Settings change while the server runs.

use std::time::Duration;

use nfs4_engine::{Admin, AdminFault, BindingPolicy, Change, ConnId, Event};
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient, GetAttr};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Pace, Reply, Sim};

use super::create;

const SECOND: Duration = Duration::from_secs(1);

fn configure(sim: &mut Sim, change: Change) {
    sim.admin(Admin::Configure(Box::new(change)));
}

fn versions(min: u32, max: u32) -> Change {
    Change::default().with(|change| {
        change.min_minor_version = Some(min);
        change.max_minor_version = Some(max);
    })
}

fn limit(connections: u32) -> Change {
    Change::default().with(|change| change.max_connections_per_session = Some(connections))
}

fn bind(sim: &mut Sim, client: &Client, conn: ConnId, dir: ChannelDirFromClient) -> Reply {
    let args = args::BindConnToSession {
        sessid: client.session,
        dir,
        use_conn_in_rdma_mode: false,
    };
    let record = client.record(sim.xid(), b"", |c| c.bind_conn_to_session(args));
    sim.exchange(conn, record)
}

fn fore(sim: &mut Sim, client: &Client, conn: ConnId) -> Status {
    bind(sim, client, conn, ChannelDirFromClient::Fore).status()
}

#[test]
fn all_that_is_out_of_range_is_named_and_nothing_changes() {
    let mut sim = Sim::new();
    let wrong = versions(2, 1).with(|change| {
        change.lease = Some(Duration::ZERO);
        change.fore_slots = Some(2_000);
        change.max_connections_per_session = Some(5);
        change.blocked_operations = Some(vec![Op::Create]);
    });
    let fault = sim.refused(Admin::Configure(Box::new(wrong)));
    let AdminFault::Settings(faults) = fault else {
        panic!("{fault}")
    };
    let named: Vec<_> = faults.0.iter().map(|fault| fault.setting).collect();
    assert_eq!(
        named,
        ["lease (seconds)", "max_minor_version", "fore_slots"]
    );
    // A range is held against what is set already.
    configure(&mut sim, versions(1, 1));
    let alone = Change::default().with(|change| change.min_minor_version = Some(2));
    sim.refused(Admin::Configure(Box::new(alone)));
}

#[test]
fn what_is_not_named_stays_as_it_is() {
    let mut sim = Sim::new();
    let before = sim.settings().clone();
    configure(&mut sim, Change::default());
    assert_eq!(*sim.settings(), before);
    let all = versions(1, 1).with(|change| {
        change.lease = Some(7 * SECOND);
        change.grace = Some(8 * SECOND);
        change.fore_slots = Some(9);
        change.max_connections_per_session = Some(10);
        change.binding_policy = Some(BindingPolicy::Shared);
        change.blocked_operations = Some(vec![Op::Create]);
    });
    configure(&mut sim, all);
    let expected = before.with(|config| {
        config.lease = 7 * SECOND;
        config.grace = 8 * SECOND;
        config.min_minor_version = 1;
        config.max_minor_version = 1;
        config.fore_slots = 9;
        config.max_connections_per_session = 10;
        config.binding_policy = BindingPolicy::Shared;
        config.blocked_operations = vec![Op::Create];
    });
    assert_eq!(*sim.settings(), expected);
}

#[test]
fn another_range_of_versions_counts_from_the_next_compound_on() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let old = Client40::mounted(&mut sim, "b");
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 1, true, |c| create(c, b"owner", b"f").getfh());
    begun.send(&mut sim, client.conn);
    sim.run();
    configure(&mut sim, versions(2, 2));
    // What has begun is seen through.
    sim.complete_all();
    sim.set_pace(Pace::Delayed);
    let reply = sim.take_reply(begun.xid()).expect("it is answered");
    reply.all_ok();
    let next = client.request(&mut sim, 0, true, |c| c.putrootfh());
    let refused = next.exchange(&mut sim, client.conn);
    for reply in [refused, old.renew(&mut sim)] {
        assert_eq!(reply.status(), Status::MINOR_VERS_MISMATCH);
        assert_eq!(reply.statuses(), []);
    }
    // Back again in time, nothing is lost, and the request that was refused is new.
    sim.sleep(sim.settings().lease / 2);
    configure(&mut sim, versions(0, 2));
    let again = next.again(&mut sim).exchange(&mut sim, client.conn);
    again.all_ok();
    old.renew(&mut sim).all_ok();
    assert_eq!(sim.tables().opens, 1);
    sim.assert_nothing_is_left();
}

#[test]
fn clients_of_versions_that_are_not_served_any_more_lose_their_state_with_their_leases() {
    let mut sim = Sim::without_courtesy();
    let mut client = Client::mounted(&mut sim, "a");
    let mut newer = Client::stranger(&mut sim, "b");
    newer.minor = 2;
    newer.mount(&mut sim);
    client
        .call(&mut sim, |c| create(c, b"owner", b"f"))
        .all_ok();
    configure(&mut sim, versions(2, 2));
    for _ in 0..3 {
        sim.sleep(sim.settings().lease / 2);
        let refused = client.call(&mut sim, |c| c);
        assert_eq!(refused.status(), Status::MINOR_VERS_MISMATCH, "no renewal");
        newer.call(&mut sim, |c| c).all_ok();
    }
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.sessions, tables.opens), (1, 1, 0));
    sim.assert_nothing_is_left();
}

#[test]
fn operations_are_blocked_and_freed_at_once() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let blocked =
        |ops: Vec<Op>| Change::default().with(|change| change.blocked_operations = Some(ops));
    client.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
    configure(&mut sim, blocked(vec![Op::GetFh]));
    let reply = client.call(&mut sim, |c| c.putrootfh().getfh());
    assert_eq!(reply.last(), (Op::GetFh, Status::NOTSUPP));
    configure(&mut sim, blocked(Vec::new()));
    client.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
}

#[test]
fn a_session_with_more_connections_than_it_may_have_keeps_them_and_gets_no_other() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let conns = [sim.connect(), sim.connect(), sim.connect()];
    for conn in conns {
        assert_eq!(fore(&mut sim, &client, conn), Status::OK);
    }
    sim.take_events();
    configure(&mut sim, limit(2));
    assert_eq!(sim.bindings().len(), 4);
    let changed = Event::SettingsChanged {
        settings: vec!["max_connections_per_session".to_owned()],
    };
    assert_eq!(sim.take_events(), [changed], "no connection is unbound");
    let late = sim.connect();
    assert_eq!(fore(&mut sim, &client, late), Status::RESOURCE);
    // A bound connection may change its direction.
    let both = ChannelDirFromClient::BackOrBoth;
    let reply = bind(&mut sim, &client, conns[0], both);
    assert_eq!(reply.status(), Status::OK);
    // By SEQUENCE it is served, unbound.
    let before = sim.metrics().unbound_requests;
    let request = client.request(&mut sim, 0, true, |c| c.putrootfh());
    request.exchange(&mut sim, late).all_ok();
    client.advance(0);
    assert_eq!(sim.metrics().unbound_requests, before + 1);
    assert_eq!(sim.bindings().len(), 4);
    // With fewer than it may have it gets others again.
    for conn in &conns[..2] {
        sim.kill(*conn);
        sim.run();
        assert_eq!(fore(&mut sim, &client, late), Status::RESOURCE);
    }
    sim.kill(conns[2]);
    sim.run();
    assert_eq!(fore(&mut sim, &client, late), Status::OK);
    configure(&mut sim, limit(3));
    let one_more = sim.connect();
    assert_eq!(fore(&mut sim, &client, one_more), Status::OK);
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn of_too_many_connections_those_that_are_silent_give_way() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let silent = [sim.connect(), sim.connect(), sim.connect()];
    for conn in silent {
        assert_eq!(fore(&mut sim, &client, conn), Status::OK);
    }
    let half = sim.settings().lease / 2;
    for _ in 0..3 {
        sim.sleep(half);
        client.call(&mut sim, |c| c).all_ok();
    }
    configure(&mut sim, limit(2));
    let new = sim.connect();
    assert_eq!(fore(&mut sim, &client, new), Status::OK);
    let mut bound: Vec<ConnId> = sim.bindings().iter().map(|bound| bound.1).collect();
    bound.sort();
    assert_eq!(bound, [client.conn, new]);
    sim.assert_nothing_is_left();
}

#[test]
fn silent_ones_that_make_no_room_leave_one_that_brings_requests() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = Client::mounted(&mut sim, "a second session of it");
    other.id = client.id;
    other.create_sequence = client.create_sequence;
    other.slots.clear();
    other.create_session(&mut sim).all_ok();
    // All that brings requests is silent, and two for callbacks are not.
    sim.sleep(sim.settings().lease / 2);
    let back = [sim.connect(), sim.connect()];
    for conn in back {
        let reply = bind(&mut sim, &client, conn, ChannelDirFromClient::Back);
        assert_eq!(reply.status(), Status::OK);
    }
    other.call(&mut sim, |c| c).all_ok();
    sim.sleep(sim.settings().lease / 2 + SECOND);
    configure(&mut sim, limit(1));
    let new = sim.connect();
    assert_eq!(fore(&mut sim, &client, new), Status::RESOURCE);
    let is_fore = |bound: &(_, ConnId, nfs4_engine::Direction)| bound.1 == client.conn;
    assert!(sim.bindings().iter().any(is_fore), "the last of its kind");
    client.call(&mut sim, |c| c).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn under_another_policy_what_is_bound_stays_and_the_next_bind_is_treated_by_it() {
    let mut sim = Sim::new();
    let policy = |policy| Change::default().with(|change| change.binding_policy = Some(policy));
    let a = Client::mounted(&mut sim, "a");
    let b = Client::mounted(&mut sim, "b");
    let conn = sim.connect();
    let holders = |sim: &Sim| {
        let bound = sim.bindings().into_iter();
        bound.filter(|bound| bound.1 == conn).count()
    };
    configure(&mut sim, policy(BindingPolicy::Shared));
    for client in [&a, &b] {
        assert_eq!(fore(&mut sim, client, conn), Status::OK);
    }
    configure(&mut sim, policy(BindingPolicy::Exclusive));
    assert_eq!(holders(&sim), 2);
    // Also where it is bound already.
    assert_eq!(fore(&mut sim, &b, conn), Status::OK);
    assert_eq!(holders(&sim), 1);
    sim.assert_nothing_is_left();
}

#[test]
fn another_number_of_slots_is_for_new_sessions() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let fewer = Change::default().with(|change| change.fore_slots = Some(2));
    configure(&mut sim, fewer);
    let highest = client.request(&mut sim, 7, true, |c| c.putrootfh());
    highest.exchange(&mut sim, client.conn).all_ok();
    let reply = client.create_session(&mut sim).all_ok();
    let granted = ok!(reply, CreateSession).fore_chan_attrs.maxrequests;
    assert_eq!(granted, 2);
    let beyond = client.request(&mut sim, 2, true, |c| c.putrootfh());
    let reply = beyond.exchange(&mut sim, client.conn);
    assert!(reply.is_only(Op::Sequence, Status::BADSLOT));
    sim.assert_nothing_is_left();
}

fn lease(seconds: u64) -> Change {
    Change::default().with(|change| change.lease = Some(Duration::from_secs(seconds)))
}

#[test]
fn a_connection_is_silent_by_the_lease_that_its_client_was_told() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let quiet = sim.connect();
    assert_eq!(fore(&mut sim, &client, quiet), Status::OK);
    let change = lease(10).with(|change| change.max_connections_per_session = Some(2));
    configure(&mut sim, change);
    let new = sim.connect();
    for (seconds, status) in [(80, Status::RESOURCE), (11, Status::OK)] {
        sim.sleep(Duration::from_secs(seconds));
        client.call(&mut sim, |c| c).all_ok();
        assert_eq!(fore(&mut sim, &client, new), status, "{seconds} s later");
    }
    sim.sleep(91 * SECOND);
    sim.assert_nothing_is_left();
}

fn told(sim: &mut Sim, client: &mut Client) -> u32 {
    let attr_request = Bitmap::of(&[num::LEASE_TIME]);
    let look = GetAttr { attr_request };
    let reply = client.call(sim, |c| c.putrootfh().getattr(look)).all_ok();
    let values = ok!(reply, GetAttr).obj_attributes.values;
    u32::from_be_bytes(values.try_into().expect("a word"))
}

#[test]
fn a_shorter_lease_applies_to_new_clients_only() {
    let mut sim = Sim::without_courtesy();
    let mut client = Client::mounted(&mut sim, "a");
    client
        .call(&mut sim, |c| create(c, b"owner", b"f"))
        .all_ok();
    configure(&mut sim, lease(10));
    let mut new = Client::mounted(&mut sim, "b");
    assert_eq!(told(&mut sim, &mut new), 10);
    sim.sleep(11 * SECOND);
    let reply = new.call(&mut sim, |c| c);
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    sim.sleep(78 * SECOND);
    client.call(&mut sim, |c| c).all_ok();
    assert_eq!(sim.tables().opens, 1);
    sim.sleep(91 * SECOND);
    assert_eq!((sim.tables().clients, sim.tables().opens), (0, 0));
    // Come again, it has the short one, too.
    client.reboot();
    client.mount(&mut sim);
    sim.sleep(11 * SECOND);
    assert_eq!(sim.tables().clients, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn a_longer_lease_is_for_all_at_once() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut old = Client40::mounted(&mut sim, "b");
    let mut silent = Client::mounted(&mut sim, "c");
    assert_eq!(told(&mut sim, &mut client), 90);
    configure(&mut sim, lease(200));
    sim.sleep(199 * SECOND);
    silent.call(&mut sim, |c| c).all_ok();
    old.open(&mut sim, b"o", b"f");
    assert_eq!(told(&mut sim, &mut client), 200);
    // And shorter again: it keeps the longest that it was told of.
    configure(&mut sim, lease(10));
    sim.sleep(199 * SECOND);
    old.renew(&mut sim).all_ok();
    for client in [&mut client, &mut silent] {
        client.call(&mut sim, |c| c).all_ok();
    }
    sim.sleep(401 * SECOND);
    sim.assert_nothing_is_left();
}

#[test]
fn grace_counts_from_the_start_and_does_not_begin_again() {
    let grace = |seconds| {
        Change::default().with(|change| change.grace = Some(Duration::from_secs(seconds)))
    };
    let mut sim = Sim::with(Sim::config().with(|config| config.grace = 60 * SECOND));
    let mut client = Client::mounted(&mut sim, "a");
    let mut open = |sim: &mut Sim| {
        let reply = client.call(sim, |c| create(c, b"owner", b"f"));
        reply.status()
    };
    sim.sleep(50 * SECOND);
    configure(&mut sim, grace(80));
    sim.sleep(20 * SECOND);
    assert_eq!(open(&mut sim), Status::GRACE);
    // The administrator ends the grace period.
    configure(&mut sim, grace(0));
    assert_eq!(open(&mut sim), Status::OK);
    configure(&mut sim, grace(600));
    assert_eq!(open(&mut sim), Status::OK);
    sim.assert_nothing_is_left();
}

#[test]
fn a_longer_lease_does_not_restore_a_partly_removed_client() {
    let mut sim = Sim::without_courtesy();
    let mut client = Client::mounted(&mut sim, "a");
    for owner in 0..20_u8 {
        client
            .call(&mut sim, |c| create(c, &[owner], b"f"))
            .all_ok();
    }
    let lease = sim.settings().lease;
    sim.jump(lease + SECOND);
    assert!(sim.step_timers(8), "the rest is for the next time");
    let opens = sim.tables().opens;
    assert!((1..20).contains(&opens), "{opens}");
    let longer = Change::default().with(|change| change.lease = Some(2 * lease));
    configure(&mut sim, longer);
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    sim.run_timers();
    assert_eq!((sim.tables().clients, sim.tables().opens), (0, 0));
    sim.assert_nothing_is_left();
}
