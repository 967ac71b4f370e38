//! Draining: a connection takes no new work, finishes what it has, and is closed.

use nfs4_engine::{Admin, ConnId};
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::{Op, OpNum, Status, errors};
use nfs4_tests::sim::{Client, Client40, Pace, Reply, Sim};

const NAMED: args::Lookup<'_> = args::Lookup { objname: b"x" };

#[test]
fn a_draining_connection_finishes_what_it_has_and_is_closed() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let conn = client.conn;
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(NAMED));
    begun.send(&mut sim, conn);
    sim.run();
    sim.admin(Admin::Drain { conn });
    // No new work: the client is told to come back, by another connection.
    let refused = client
        .request(&mut sim, 1, true, |c| c.putrootfh())
        .exchange(&mut sim, conn);
    assert_eq!(
        refused.statuses(),
        [(Op::Sequence, Status::OK), (Op::PutRootFh, Status::DELAY)]
    );
    client
        .request(&mut sim, 2, true, |c| c)
        .exchange(&mut sim, conn)
        .all_ok();
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    let reply = client.bare(&mut sim, |c| c.bind_conn_to_session(bind));
    assert!(reply.is_only(Op::BindConnToSession, Status::DELAY));
    assert_eq!(client.create_session(&mut sim).status(), Status::DELAY);
    // What had begun is answered, and then the connection goes.
    sim.complete_all();
    sim.run();
    let reply = sim.take_reply(begun.xid()).expect("it is answered");
    assert_eq!(reply.last(), (Op::Lookup, Status::NOENT));
    assert!(!sim.network().is_alive(conn));
}

#[test]
fn an_idle_connection_is_closed_as_soon_as_it_drains() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    sim.admin(Admin::Drain { conn: client.conn });
    sim.run();
    assert!(!sim.network().is_alive(client.conn));
}

#[test]
fn what_a_draining_connection_waits_for_is_found_in_parts() {
    // How many requests others have, and the connections that drain; before and behind those of others.
    const OTHERS: usize = 600;
    /// So many places are looked at in one step.
    const AT_ONCE: usize = 128;
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    let [idle, others, busy] = [(); 3].map(|()| sim.connect());
    sim.set_pace(Pace::Held);
    let mut xids = Vec::new();
    for conn in core::iter::once(busy)
        .chain(core::iter::repeat_n(others, OTHERS))
        .chain([busy])
    {
        let xid = sim.xid();
        let record = client.record(xid, |c| c.putrootfh().lookup(NAMED));
        sim.send(conn, record);
        sim.settle();
        xids.push(xid);
    }
    assert_eq!(sim.tables().parked, OTHERS + 2);
    sim.admin(Admin::Drain { conn: idle });
    sim.admin(Admin::Drain { conn: busy });
    // The one in front is known of, is answered, and is not all that is waited for.
    sim.answer(0);
    sim.settle();
    assert!(sim.take_reply(xids[0]).is_some());
    let mut steps = 0;
    while sim.network().is_alive(idle) {
        assert!(steps < OTHERS, "it is closed");
        sim.step_timers(AT_ONCE);
        sim.settle();
        steps += 1;
    }
    assert!(steps >= OTHERS / AT_ONCE, "{steps} steps");
    sim.run_timers();
    assert!(sim.network().is_alive(busy));
    // The last one.
    sim.answer(sim.held().len() - 1);
    sim.settle();
    assert!(sim.take_reply(xids[OTHERS + 1]).is_some());
    assert!(!sim.network().is_alive(busy));
    assert!(sim.network().is_alive(others));
    sim.complete_all();
    sim.assert_nothing_is_left();
}

#[test]
fn a_draining_connection_has_a_deadline_and_draining_can_be_called_off() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let other = Client::mounted(&mut sim, "b");
    sim.set_pace(Pace::Held);
    for client in [&client, &other] {
        let begun = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(NAMED));
        begun.send(&mut sim, client.conn);
    }
    sim.run();
    sim.admin(Admin::Drain { conn: client.conn });
    sim.admin(Admin::Drain { conn: other.conn });
    sim.admin(Admin::StopDraining { conn: other.conn });
    sim.sleep(sim.settings().drain_deadline);
    sim.run();
    assert!(!sim.network().is_alive(client.conn));
    assert!(sim.network().is_alive(other.conn));
    sim.complete_all();
    sim.run();
    assert!(sim.network().is_alive(other.conn));
}

#[test]
fn a_connection_that_drains_again_has_its_whole_time_again() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let conn = client.conn;
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(NAMED));
    begun.send(&mut sim, conn);
    sim.run();
    let half = sim.settings().drain_deadline / 2;
    sim.admin(Admin::Drain { conn });
    sim.admin(Admin::StopDraining { conn });
    sim.sleep(half);
    sim.admin(Admin::Drain { conn });
    sim.sleep(half + half / 2);
    sim.run();
    assert!(sim.network().is_alive(conn), "the first deadline is void");
    sim.sleep(half);
    sim.run();
    assert!(!sim.network().is_alive(conn));
    sim.complete_all();
}

#[test]
fn to_drain_a_connection_that_drains_gives_it_no_more_time() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let conn = client.conn;
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(NAMED));
    begun.send(&mut sim, conn);
    sim.run();
    let half = sim.settings().drain_deadline / 2;
    for _ in 0..2 {
        assert!(sim.network().is_alive(conn));
        sim.admin(Admin::Drain { conn });
        sim.sleep(half);
        sim.run();
    }
    assert!(!sim.network().is_alive(conn));
    sim.complete_all();
}

/// Asks for an operation without arguments by both connections, of which the first drains.
type Ask<'a> = &'a mut dyn FnMut(&mut Sim, ConnId, OpNum) -> Reply;

/// What stands in the way of an operation, whatever the server has to do.
const BEYOND_US: [Status; 5] = [
    Status::OP_ILLEGAL,
    Status::NOTSUPP,
    Status::OP_NOT_IN_SESSION,
    Status::NOT_ONLY_OP,
    Status::SEQUENCE_POS,
];

/// Holds every operation by a connection that drains against the same by one that does not.
fn assert_only_delayed_where_allowed(sim: &mut Sim, conns: [ConnId; 2], minor: u32, ask: Ask<'_>) {
    let [drains, other] = conns;
    let known = Op::ALL.iter().map(|op| op.number());
    let mut delayed = 0;
    for number in known.chain([0, 1, 2, 77, 10_044, u32::MAX].map(OpNum)) {
        let usual = ask(sim, other, number);
        let found = ask(sim, drains, number);
        let what = format!("minor version {minor}, {number}: {found:?}, else {usual:?}");
        let permitted = number
            .known()
            .is_some_and(|op| errors::allowed(op, minor, Status::DELAY));
        if found.status() == Status::DELAY {
            assert!(permitted && !BEYOND_US.contains(&usual.status()), "{what}");
            delayed += 1;
        } else {
            assert_eq!(found.statuses(), usual.statuses(), "{what}");
            assert!(!permitted || BEYOND_US.contains(&usual.status()), "{what}");
        }
    }
    assert!(
        delayed > 20,
        "{delayed} operations of minor version {minor}"
    );
}

#[test]
fn delay_is_answered_only_under_operations_that_may_answer_it() {
    for minor in [1, 2] {
        let mut sim = Sim::new();
        let mut client = Client::stranger(&mut sim, "a");
        client.minor = minor;
        client.mount(&mut sim);
        let conns = [client.conn, sim.connect()];
        sim.set_pace(Pace::Held);
        let begun = client.request(&mut sim, 1, true, |c| c.putrootfh().lookup(NAMED));
        begun.send(&mut sim, client.conn);
        sim.run();
        sim.admin(Admin::Drain { conn: client.conn });
        let mut after_sequence = |sim: &mut Sim, conn, number| {
            let request = client.request(sim, 0, true, |c| c.raw(number, &[]));
            let reply = request.exchange(sim, conn);
            client.advance(0);
            reply
        };
        assert_only_delayed_where_allowed(&mut sim, conns, minor, &mut after_sequence);
        sim.complete_all();
        sim.assert_nothing_is_left();
    }
}

#[test]
fn in_minor_version_0_delay_is_answered_only_under_operations_that_may_answer_it() {
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    let conns = [client.conn, sim.connect()];
    sim.set_pace(Pace::Held);
    let begun = client.record(sim.xid(), |c| c.putrootfh().lookup(NAMED));
    sim.send(client.conn, begun);
    sim.run();
    sim.admin(Admin::Drain { conn: client.conn });
    let mut first = |sim: &mut Sim, conn, number| {
        let record = client.record(sim.xid(), |c| c.raw(number, &[]));
        sim.exchange(conn, record)
    };
    assert_only_delayed_where_allowed(&mut sim, conns, 0, &mut first);
    // The operation after one that may not answer it does.
    let renew = args::Renew {
        clientid: client.id,
    };
    let record = client.record(sim.xid(), |c| c.renew(renew).putrootfh());
    let reply = sim.exchange(client.conn, record);
    let expected = [(Op::Renew, Status::OK), (Op::PutRootFh, Status::DELAY)];
    assert_eq!(reply.statuses(), expected);
    sim.complete_all();
    sim.assert_nothing_is_left();
}

#[test]
fn an_operation_that_may_not_come_first_is_refused_as_ever_on_a_draining_connection() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(NAMED));
    begun.send(&mut sim, client.conn);
    sim.run();
    sim.admin(Admin::Drain { conn: client.conn });
    let reply = client.bare(&mut sim, |c| c.raw(OpNum(77), &[]));
    assert!(reply.is_only(Op::Illegal, Status::OP_ILLEGAL));
    let reply = client.bare(&mut sim, |c| c.putrootfh());
    assert!(reply.is_only(Op::PutRootFh, Status::OP_NOT_IN_SESSION));
    sim.complete_all();
    sim.assert_nothing_is_left();
}
