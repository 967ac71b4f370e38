//! Connections and the sessions they are bound to. [RFC 8881 §2.10.3.1, §18.34]

use std::time::Duration;

use nfs4_engine::{BindingPolicy, Config, ConnId, Direction, Event, Unbound};
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_proto::nfs4::res::{ChannelDirFromServer, Outcome};
use nfs4_proto::nfs4::{Op, SessionId, Status};
use nfs4_tests::sim::{Client, Reply, Sim};

use ChannelDirFromClient::{Back, BackOrBoth, Fore, ForeOrBoth};

fn bind(client: &Client, sim: &mut Sim, conn: ConnId, dir: ChannelDirFromClient) -> Reply {
    bind_to(client, sim, conn, client.session, dir)
}

fn bind_to(
    client: &Client,
    sim: &mut Sim,
    conn: ConnId,
    sessid: SessionId,
    dir: ChannelDirFromClient,
) -> Reply {
    let bind = args::BindConnToSession {
        sessid,
        dir,
        use_conn_in_rdma_mode: true,
    };
    let xid = sim.xid();
    let record = client.record(xid, b"", |c| c.bind_conn_to_session(bind));
    sim.exchange(conn, record)
}

fn direction(reply: &Reply) -> ChannelDirFromServer {
    let ResOp::BindConnToSession(Outcome::Ok(ok)) = reply.result(Op::BindConnToSession) else {
        panic!("not bound: {:?}", reply.statuses())
    };
    assert!(!ok.use_conn_in_rdma_mode, "RDMA is always refused");
    ok.dir
}

/// The events of bindings: the connection, and its direction or why it was unbound.
fn bindings(sim: &mut Sim) -> Vec<(ConnId, Result<Direction, Unbound>)> {
    let told = sim.take_events().into_iter();
    told.filter_map(|event| match event {
        Event::Bound {
            conn, direction, ..
        } => Some((conn, Ok(direction))),
        Event::Unbound { conn, reason, .. } => Some((conn, Err(reason))),
        _ => None,
    })
    .collect()
}

fn limited(max_connections_per_session: u32) -> Config {
    Sim::config().with(|config| config.max_connections_per_session = max_connections_per_session)
}

#[test]
fn two_connections_on_different_slots_both_succeed_and_both_end_up_bound() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let second = sim.connect();
    sim.take_events();
    client
        .request(&mut sim, 0, true, |c| c.putrootfh())
        .exchange(&mut sim, client.conn)
        .all_ok();
    client
        .request(&mut sim, 1, true, |c| c.putrootfh())
        .exchange(&mut sim, second)
        .all_ok();
    assert_eq!(bindings(&mut sim), [(second, Ok(Direction::Fore))]);
    let session = client.session;
    let both = [client.conn, second].map(|conn| (session, conn, Direction::Fore));
    assert_eq!(sim.bindings(), both);
}

#[test]
fn create_session_binds_its_connection_fore_and_both_with_the_back_channel_flag() {
    for (flags, direction) in [
        (0, Direction::Fore),
        (CREATE_SESSION4_FLAG_CONN_BACK_CHAN, Direction::Both),
    ] {
        let mut sim = Sim::new();
        let mut client = Client::stranger(&mut sim, "a");
        client.exchange_id(&mut sim);
        let args = args::CreateSession {
            flags,
            ..client.session_args()
        };
        let reply = client.create_session_with(&mut sim, args);
        let ResOp::CreateSession(Outcome::Ok(ok)) = reply.result(Op::CreateSession) else {
            panic!("no session")
        };
        assert_eq!(ok.flags, flags, "the flags say what the tables hold");
        assert_eq!(bindings(&mut sim), [(client.conn, Ok(direction))]);
    }
}

#[test]
fn bind_works_without_sequence_and_grants_what_was_asked_generously() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    for (asked, granted) in [
        (Fore, ChannelDirFromServer::Fore),
        (Back, ChannelDirFromServer::Back),
        (ForeOrBoth, ChannelDirFromServer::Both),
        (BackOrBoth, ChannelDirFromServer::Both),
    ] {
        let conn = sim.connect();
        assert_eq!(direction(&bind(&client, &mut sim, conn, asked)), granted);
        let session = client.session;
        let told = Event::RdmaRefused { conn, session };
        assert!(sim.take_events().contains(&told));
    }
}

#[test]
fn bind_stands_alone_even_after_sequence() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: Fore,
        use_conn_in_rdma_mode: false,
    };
    let reply = client.call(&mut sim, |c| c.bind_conn_to_session(bind));
    assert_eq!(reply.last(), (Op::BindConnToSession, Status::NOT_ONLY_OP));
    let reply = client.bare(&mut sim, |c| c.bind_conn_to_session(bind).putrootfh());
    assert!(reply.is_only(Op::BindConnToSession, Status::NOT_ONLY_OP));
}

#[test]
fn rebinding_fore_then_back_or_both_ends_in_both() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let conn = sim.connect();
    bind(&client, &mut sim, conn, Fore);
    let reply = bind(&client, &mut sim, conn, BackOrBoth);
    assert_eq!(direction(&reply), ChannelDirFromServer::Both);
    // And one that SEQUENCE has bound.
    let reply = bind(&client, &mut sim, client.conn, ForeOrBoth);
    assert_eq!(direction(&reply), ChannelDirFromServer::Both);
}

#[test]
fn a_session_that_is_not_ours_is_badsession() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let reply = bind_to(&client, &mut sim, client.conn, SessionId([7; 16]), Fore);
    assert!(reply.is_only(Op::BindConnToSession, Status::BADSESSION));
}

#[test]
fn beyond_the_limit_bind_is_refused_and_sequence_is_served_unbound() {
    let mut sim = Sim::with(limited(2));
    let client = Client::mounted(&mut sim, "a");
    let (second, third) = (sim.connect(), sim.connect());
    direction(&bind(&client, &mut sim, second, Fore));
    let reply = bind(&client, &mut sim, third, Fore);
    assert!(reply.is_only(Op::BindConnToSession, Status::RESOURCE));
    sim.take_events();
    client
        .request(&mut sim, 0, true, |c| c.putrootfh())
        .exchange(&mut sim, third)
        .all_ok();
    assert_eq!(bindings(&mut sim), []);
    assert_eq!(sim.bindings().len(), 2);
    assert_eq!(sim.metrics().unbound_requests, 1);
}

#[test]
fn a_bound_connection_is_bound_again_at_the_limit() {
    let mut sim = Sim::with(limited(2));
    let client = Client::mounted(&mut sim, "a");
    let second = sim.connect();
    direction(&bind(&client, &mut sim, second, Fore));
    for (dir, granted) in [
        (BackOrBoth, ChannelDirFromServer::Both),
        (Back, ChannelDirFromServer::Back),
        (Fore, ChannelDirFromServer::Fore),
    ] {
        assert_eq!(direction(&bind(&client, &mut sim, second, dir)), granted);
    }
    assert_eq!(sim.bindings().len(), 2);
}

#[test]
fn a_direction_that_does_not_exist_is_bad_xdr_and_changes_nothing() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let before = sim.bindings();
    for dir in [0, 4, 5, 8, u32::MAX] {
        let mut args = client.session.0.to_vec();
        args.extend_from_slice(&dir.to_be_bytes());
        args.extend_from_slice(&[0; 4]);
        let bind = Op::BindConnToSession.number();
        let reply = client.bare(&mut sim, |c| c.raw(bind, &args));
        assert!(
            reply.is_only(Op::BindConnToSession, Status::BADXDR),
            "{dir}"
        );
    }
    assert_eq!(sim.bindings(), before);
}

#[test]
fn limit_zero_is_no_limit() {
    let mut sim = Sim::with(limited(0));
    let client = Client::mounted(&mut sim, "a");
    for _ in 0..100 {
        let conn = sim.connect();
        direction(&bind(&client, &mut sim, conn, Fore));
    }
    assert_eq!(sim.bindings().len(), 101);
}

#[test]
fn a_silent_connection_is_unbound_before_a_binding_is_refused() {
    let mut sim = Sim::with(limited(2));
    let mut client = Client::mounted(&mut sim, "a");
    let (silent, third) = (sim.connect(), sim.connect());
    bind(&client, &mut sim, silent, Fore);
    for _ in 0..2 {
        sim.sleep(sim.settings().lease / 2);
        client.call(&mut sim, |c| c).all_ok();
    }
    sim.take_events();
    let refused = bind(&client, &mut sim, third, Fore);
    assert!(refused.is_only(Op::BindConnToSession, Status::RESOURCE));
    assert_eq!(bindings(&mut sim), [], "it has been silent for no longer");
    sim.sleep(Duration::from_nanos(1));
    direction(&bind(&client, &mut sim, third, Fore));
    let told = bindings(&mut sim);
    assert_eq!(
        told,
        [(silent, Err(Unbound::Reaper)), (third, Ok(Direction::Fore))]
    );
}

#[test]
fn the_last_connection_for_requests_cannot_become_one_for_callbacks() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    sim.take_events();
    let reply = bind(&client, &mut sim, client.conn, Back);
    assert!(reply.is_only(Op::BindConnToSession, Status::INVAL));
    assert_eq!(bindings(&mut sim), [], "a refusal changes nothing");
    let second = sim.connect();
    bind(&client, &mut sim, second, Fore);
    let reply = bind(&client, &mut sim, client.conn, Back);
    assert_eq!(direction(&reply), ChannelDirFromServer::Back);
}

#[test]
fn a_disconnect_leaves_no_binding_and_takes_nothing_else() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let lost = client.conn;
    sim.take_events();
    let before = sim.tables();
    sim.kill(lost);
    sim.run();
    assert_eq!(bindings(&mut sim), [(lost, Err(Unbound::Disconnect))]);
    assert_eq!(sim.bindings(), []);
    let after = sim.tables();
    assert_eq!(
        (after.sessions, after.clients),
        (before.sessions, before.clients)
    );
    // The client comes back by another connection and goes on with the same slots.
    client.conn = sim.connect();
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    assert_eq!(bindings(&mut sim), [(client.conn, Ok(Direction::Fore))]);
}

#[test]
fn an_explicit_bind_takes_the_connection_from_its_other_session() {
    for (policy, unbound) in [
        (BindingPolicy::Exclusive, true),
        (BindingPolicy::Shared, false),
    ] {
        let mut sim = Sim::with(Sim::config().with(|config| config.binding_policy = policy));
        let a = Client::mounted(&mut sim, "a");
        let b = Client::mounted(&mut sim, "b");
        let conn = sim.connect();
        bind(&a, &mut sim, conn, Fore);
        sim.take_events();
        bind(&b, &mut sim, conn, Fore);
        let mut told = vec![(conn, Ok(Direction::Fore))];
        if unbound {
            told.push((conn, Err(Unbound::Explicit)));
        }
        assert_eq!(bindings(&mut sim), told, "{policy:?}");
        let holders = sim.bindings().into_iter();
        let holders: Vec<SessionId> = holders
            .filter(|bound| bound.1 == conn)
            .map(|bound| bound.0)
            .collect();
        if unbound {
            assert_eq!(holders, [b.session], "A has none, and B has one");
        } else {
            assert_eq!(holders, [a.session, b.session]);
        }
    }
}

#[test]
fn a_refused_bind_keeps_the_old_binding() {
    let mut sim = Sim::with(limited(1));
    let a = Client::mounted(&mut sim, "a");
    let b = Client::mounted(&mut sim, "b");
    sim.take_events();
    let before = sim.bindings();
    let reply = bind(&b, &mut sim, a.conn, Fore);
    assert!(reply.is_only(Op::BindConnToSession, Status::RESOURCE));
    // A connection for callbacks alone would be the only one of its session.
    let reply = bind(&b, &mut sim, b.conn, Back);
    assert!(reply.is_only(Op::BindConnToSession, Status::INVAL));
    let reply = bind_to(&b, &mut sim, a.conn, SessionId([7; 16]), Fore);
    assert!(reply.is_only(Op::BindConnToSession, Status::BADSESSION));
    assert_eq!(bindings(&mut sim), []);
    assert_eq!(sim.bindings(), before);
}

#[test]
fn several_clients_share_a_connection_by_sequence() {
    let mut sim = Sim::new();
    let mut a = Client::mounted(&mut sim, "a");
    let mut b = Client::mounted(&mut sim, "b");
    sim.take_events();
    b.conn = a.conn;
    a.call(&mut sim, |c| c.putrootfh()).all_ok();
    b.call(&mut sim, |c| c.putrootfh()).all_ok();
    a.call(&mut sim, |c| c.putrootfh()).all_ok();
    assert_eq!(
        bindings(&mut sim),
        [(a.conn, Ok(Direction::Fore))],
        "and none is taken away"
    );
}

#[test]
fn a_silent_connection_for_requests_does_not_give_way_to_one_for_callbacks() {
    let mut sim = Sim::with(limited(1));
    let mut client = Client::mounted(&mut sim, "a");
    sim.sleep(Duration::from_secs(10));
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    // Another session keeps the lease.
    let mut second = client.clone();
    second.conn = sim.connect();
    second.create_session(&mut sim).all_ok();
    sim.sleep(Duration::from_secs(50));
    second.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.sleep(Duration::from_secs(50));
    sim.take_events();
    let conn = sim.connect();
    let reply = bind(&client, &mut sim, conn, Back);
    assert!(reply.is_only(Op::BindConnToSession, Status::RESOURCE));
    assert_eq!(bindings(&mut sim), [], "its only one stays");
    assert_eq!(
        direction(&bind(&client, &mut sim, conn, BackOrBoth)),
        ChannelDirFromServer::Both
    );
}

#[test]
fn a_connection_of_very_many_sessions_can_be_bound_to_another_that_takes_it() {
    let mut sim = Sim::new();
    let conn = sim.connect();
    for owner in ["a", "b", "c", "d", "e"] {
        let mut client = Client::stranger(&mut sim, owner);
        client.conn = conn;
        client.mount(&mut sim);
        for _ in 1..sim.settings().sessions_per_client {
            client.create_session(&mut sim).all_ok();
        }
    }
    let client = Client::mounted(&mut sim, "f");
    sim.take_events();
    let granted = direction(&bind(&client, &mut sim, conn, Fore));
    assert_eq!(granted, ChannelDirFromServer::Fore);
    assert_eq!(
        bindings(&mut sim).len(),
        1 + 64,
        "it is taken from them all"
    );
}

#[test]
fn a_connection_that_cannot_be_bound_takes_no_place() {
    let mut sim =
        Sim::with(limited(2).with(|config| config.binding_policy = BindingPolicy::Shared));
    let mut client = Client::mounted(&mut sim, "a");
    let silent = client.conn;
    client.conn = sim.connect();
    for _ in 0..3 {
        client.call(&mut sim, |c| c).all_ok();
        sim.sleep(sim.settings().lease / 2);
    }
    let before = sim.bindings();
    assert_eq!(before.len(), 2);
    let full = sim.connect();
    for owner in ["b", "c", "d", "e"] {
        let mut other = Client::on(full, owner);
        other.mount(&mut sim);
        for _ in 1..sim.settings().sessions_per_client {
            other.create_session(&mut sim).all_ok();
        }
    }
    sim.take_events();
    let reply = bind(&client, &mut sim, full, Fore);
    assert!(reply.is_only(Op::BindConnToSession, Status::RESOURCE));
    client.conn = full;
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    assert_eq!(bindings(&mut sim), [], "the silent one stays");
    assert!(
        sim.bindings()
            .contains(&(client.session, silent, Direction::Fore))
    );
}
