//! Connections come and go; the session stays. [RFC 8881 §2.10.6.2, §2.10.12]

use nfs4_engine::{ConnId, Direction, Event};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient, CreateType};
use nfs4_proto::nfs4::basic::{SessionId, Stateid};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Pace, Request, Sim, making_args};

/// A directory in the root.
fn mkdir<'a>(c: &'a mut CompoundBuilder, name: &[u8]) -> &'a mut CompoundBuilder {
    c.putrootfh().create(args::Create {
        objtype: CreateType::Directory,
        objname: name,
        createattrs: FattrRaw::EMPTY,
    })
}

fn making(name: &[u8]) -> args::Open<'_> {
    making_args(b"owner", name)
}

/// A client with so many slots.
fn with_slots(sim: &mut Sim, maxrequests: u32) -> Client {
    let mut client = Client::stranger(sim, "a");
    client.exchange_id(sim).all_ok();
    let mut args = client.session_args();
    args.fore_chan_attrs.maxrequests = maxrequests;
    client.create_session_with(sim, args).all_ok();
    client
}

/// The connections bound to a session, in order.
fn bound_to(sim: &Sim, session: SessionId) -> Vec<ConnId> {
    let bindings = sim.bindings().into_iter();
    let mut found: Vec<ConnId> = bindings
        .filter(|(id, _, direction)| *id == session && *direction == Direction::Fore)
        .map(|(_, conn, _)| conn)
        .collect();
    found.sort();
    found
}

#[test]
fn a_client_that_lost_all_connections_goes_on_with_its_slots_and_gets_what_was_lost() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let second = sim.connect();
    client.call(&mut sim, |c| mkdir(c, b"before")).all_ok();
    sim.set_pace(Pace::Held);
    let answered = client.request(&mut sim, 0, true, |c| mkdir(c, b"kept"));
    let unkept = client.request(&mut sim, 1, false, |c| mkdir(c, b"unkept"));
    let running = client.request(&mut sim, 2, true, |c| mkdir(c, b"running"));
    for (request, conn) in [
        (&answered, client.conn),
        (&unkept, second),
        (&running, second),
    ] {
        request.send(&mut sim, conn);
        sim.settle();
    }
    let lost = client.request(&mut sim, 3, true, |c| mkdir(c, b"lost"));
    lost.send(&mut sim, second);
    for conn in [client.conn, second] {
        sim.kill(conn);
    }
    sim.run();
    sim.complete(0);
    sim.complete(0);
    assert_eq!(sim.take_replies(), [], "there is nobody to tell");
    let tables = sim.tables();
    assert_eq!((tables.connections, tables.sessions), (0, 1));
    assert_eq!(sim.bindings(), []);

    client.conn = sim.connect();
    let again = |sim: &mut Sim, request: &Request| {
        let again = request.again(sim);
        again.exchange(sim, client.conn)
    };
    again(&mut sim, &answered).all_ok();
    let reply = again(&mut sim, &unkept);
    assert_eq!(reply.last(), (Op::PutRootFh, Status::RETRY_UNCACHED_REP));
    let reply = again(&mut sim, &running);
    assert!(reply.is_only(Op::Sequence, Status::DELAY));
    sim.complete(0);
    again(&mut sim, &running).all_ok();
    sim.set_pace(Pace::Delayed);
    again(&mut sim, &lost).all_ok();
    for name in [&b"kept"[..], b"unkept", b"running", b"lost"] {
        assert_eq!(sim.fs().creations(name), 1, "{name:?}");
    }
    for slot in 0..4 {
        client.advance(slot);
        let next = client.request(&mut sim, slot, true, |c| c.putrootfh());
        next.exchange(&mut sim, client.conn).all_ok();
    }
    assert_eq!(bound_to(&sim, client.session), [client.conn]);
    sim.assert_nothing_is_left();
}

#[test]
fn one_client_uses_sixteen_connections_at_once_and_a_seventeenth_is_served_unbound() {
    let mut sim = Sim::new();
    let client = with_slots(&mut sim, 64);
    let mut conns = vec![client.conn];
    conns.extend((1..17).map(|_| sim.connect()));
    sim.set_pace(Pace::Held);
    let send = |sim: &mut Sim, slot: usize| {
        let name = format!("d{slot}");
        let request = client.request(sim, slot as u32, true, |c| mkdir(c, name.as_bytes()));
        request.send(sim, conns[slot]);
        sim.settle();
        request
    };
    let requests: Vec<Request> = (0..17).map(|slot| send(&mut sim, slot)).collect();
    assert_eq!(sim.tables().parked, 17);
    assert_eq!(bound_to(&sim, client.session), conns[..16]);
    assert_eq!(sim.metrics().unbound_requests, 1);
    while !sim.held().is_empty() {
        sim.complete(sim.held().len() - 1);
    }
    for (request, conn) in requests.iter().zip(&conns) {
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        assert_eq!(reply.all_ok().conn, *conn, "by the connection that asked");
    }
    sim.assert_nothing_is_left();
}

#[test]
fn sixteen_connections_that_die_and_come_back_leave_none_stuck() {
    let mut sim = Sim::new();
    let mut client = with_slots(&mut sim, 16);
    let mut conns = vec![client.conn];
    conns.extend((1..16).map(|_| sim.connect()));
    for round in 0..5 {
        for (slot, conn) in conns.iter().enumerate() {
            let slot = slot as u32;
            client
                .request(&mut sim, slot, true, |c| c.putrootfh())
                .exchange(&mut sim, *conn)
                .all_ok();
            client.advance(slot);
        }
        assert_eq!(bound_to(&sim, client.session), conns, "round {round}");
        // Every other one dies, and another takes its place.
        for place in (0..16).step_by(2) {
            sim.kill(conns[place]);
            conns[place] = sim.connect();
        }
        sim.run();
        conns.sort();
        assert_eq!(bound_to(&sim, client.session).len(), 8);
        assert_eq!(sim.metrics().unbound_requests, 0);
    }
    sim.assert_nothing_is_left();
}

#[test]
fn a_connection_that_cannot_be_bound_makes_a_session_all_the_same() {
    let mut sim = Sim::with(Sim::config().with(|config| config.sessions_per_client = 70));
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    for _ in 0..64 {
        client.create_session(&mut sim).all_ok();
    }
    let args = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..client.session_args()
    };
    sim.take_events();
    let unbound = sim.metrics().unbound_requests;
    let reply = client.create_session_with(&mut sim, args).all_ok();
    let made = ok!(reply, CreateSession);
    assert_eq!(made.flags, 0, "the flags say what the tables hold");
    let told = Event::NotBound {
        conn: client.conn,
        session: client.session,
    };
    assert!(sim.take_events().contains(&told));
    assert_eq!(sim.metrics().unbound_requests, unbound + 1);
    assert_eq!(sim.bindings().len(), 64);
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    assert_eq!(bound_to(&sim, client.session), []);
    sim.assert_nothing_is_left();
}

#[test]
fn the_server_is_one_on_every_connection_so_that_clients_and_sessions_trunk() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let elsewhere = sim.connect();
    let ask = |sim: &mut Sim, conn| {
        let record = client.record(sim.xid(), b"", |c| c.exchange_id(client.introduction()));
        let reply = sim.exchange(conn, record).all_ok();
        let ok = ok!(reply, ExchangeId);
        let owner = ok.server_owner;
        let names = [owner.major_id.to_vec(), ok.server_scope.to_vec()];
        (ok.clientid, owner.minor_id, names)
    };
    let here = ask(&mut sim, client.conn);
    assert_eq!(here, ask(&mut sim, elsewhere));
    assert_eq!(here.0, client.id);
    // The session by another connection, and another session of the same client by that.
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    let record = client.record(sim.xid(), b"", |c| c.bind_conn_to_session(bind));
    sim.exchange(elsewhere, record).all_ok();
    assert_eq!(bound_to(&sim, client.session), [client.conn, elsewhere]);
    let first = client.session;
    client.conn = elsewhere;
    client.create_session(&mut sim).all_ok();
    assert_ne!(client.session, first);
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    assert_eq!((sim.tables().clients, sim.tables().sessions), (1, 2));
}

#[test]
fn after_a_restart_a_client_is_told_what_makes_it_start_anew() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = client.call(&mut sim, |c| c.putrootfh().open(making(b"f")).getfh());
    let reply = reply.all_ok();
    let old = ok!(reply, Open).stateid;
    let file = ok!(reply, GetFh).object.to_vec();
    let before = client.exchange_id(&mut sim).all_ok();
    sim.restart();
    client.conn = sim.connect();
    // The session is not ours, whatever is asked of it.
    let reply = client.call(&mut sim, |c| c.putrootfh());
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    let reply = client.bare(&mut sim, |c| c.bind_conn_to_session(bind));
    assert!(reply.is_only(Op::BindConnToSession, Status::BADSESSION));
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    let after = client.exchange_id(&mut sim).all_ok();
    let (before, after) = (ok!(before, ExchangeId), ok!(after, ExchangeId));
    assert_eq!(before.server_owner, after.server_owner, "so that it trunks");
    assert_eq!(before.server_scope, after.server_scope);
    assert_ne!(before.clientid, after.clientid);
    client.create_session(&mut sim).all_ok();
    let done = args::ReclaimComplete { one_fs: false };
    client.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
    // Its files are still there; what it held of them is not, and is not called stale.
    let read = args::Read {
        stateid: old,
        offset: 0,
        count: 10,
    };
    let put = args::PutFh { object: &file };
    let reply = client.call(&mut sim, |c| c.putfh(put).read(read));
    assert_eq!(reply.last(), (Op::Read, Status::BAD_STATEID));
    let any = args::Read {
        stateid: Stateid::READ_BYPASS,
        ..read
    };
    client.call(&mut sim, |c| c.putfh(put).read(any)).all_ok();
}
