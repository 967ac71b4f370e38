//! Draining: a connection takes no new work, finishes what it has, and is closed.

use nfs4_engine::Admin;
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Client, Pace, Sim};

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
