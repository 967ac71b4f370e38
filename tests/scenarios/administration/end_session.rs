//! A session is ended, and its client stays.

use nfs4_engine::{Admin, AdminFault, Event, SessionGone, Unbound};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::{Op, SessionId, Stateid, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Pace, Sim};

use super::create;

#[test]
fn an_ended_session_loses_bindings_and_replies_and_its_client_keeps_state() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = client
        .call(&mut sim, |c| create(c, b"owner", b"f").getfh())
        .all_ok();
    let (fh, open) = (ok!(reply, GetFh).object.to_vec(), ok!(reply, Open).stateid);
    let session = client.session;
    sim.take_events();
    sim.admin(Admin::DestroySession { session });
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.sessions), (1, 0));
    assert_eq!((tables.opens, tables.cached_bytes), (1, 0));
    assert_eq!(sim.bindings(), []);
    let told = [
        Event::Unbound {
            conn: client.conn,
            session,
            reason: Unbound::SessionDestroyed,
        },
        Event::SessionDestroyed {
            session,
            reason: SessionGone::Evicted,
        },
    ];
    assert_eq!(sim.take_events(), told);
    let reply = client.call(&mut sim, |c| c.putrootfh());
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    // With another session the client goes on with what it has open.
    client.create_session(&mut sim).all_ok();
    let close = args::Close {
        seqid: 0,
        open_stateid: open,
    };
    let put = args::PutFh { object: &fh };
    client
        .call(&mut sim, |c| c.putfh(put).close(close))
        .all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_session_that_does_not_exist_cannot_be_ended() {
    let mut sim = Sim::new();
    let session = Client::mounted(&mut sim, "a").session;
    sim.admin(Admin::DestroySession { session });
    for session in [session, SessionId([7; 16])] {
        let fault = sim.refused(Admin::DestroySession { session });
        assert_eq!(fault, AdminFault::NoSession(session));
    }
    let shown = AdminFault::NoSession(SessionId([0xab; 16])).to_string();
    assert_eq!(shown, format!("there is no session {}", "ab".repeat(16)));
}

#[test]
fn what_runs_in_it_is_answered_and_keeps_the_lease_until_then() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let begun = client.request(&mut sim, 0, true, |c| create(c, b"owner", b"f"));
    begun.send(&mut sim, client.conn);
    sim.run();
    let session = client.session;
    sim.admin(Admin::DestroySession { session });
    let lease = sim.settings().lease;
    sim.sleep(2 * lease);
    assert_eq!((sim.tables().clients, sim.tables().parked), (1, 1));
    sim.complete_all();
    let reply = sim.take_reply(begun.xid()).expect("it is answered");
    assert_eq!(reply.last(), (Op::Open, Status::OK));
    assert_eq!((sim.tables().opens, sim.fs().held()), (1, 1));
    sim.set_pace(Pace::Delayed);
    sim.sleep(lease);
    client.create_session(&mut sim).all_ok();
    let close = args::Close {
        seqid: 0,
        open_stateid: Stateid::CURRENT,
    };
    client
        .call(&mut sim, |c| create(c, b"owner", b"f").close(close))
        .all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn other_sessions_of_its_client_and_of_its_connection_go_on() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let ended = client.session;
    client.create_session(&mut sim).all_ok();
    let mut guest = Client::stranger(&mut sim, "b");
    guest.conn = client.conn;
    guest.mount(&mut sim);
    sim.admin(Admin::DestroySession { session: ended });
    client.call(&mut sim, |c| c.putrootfh()).all_ok();
    guest.call(&mut sim, |c| c.putrootfh()).all_ok();
    assert_eq!(sim.tables().sessions, 2);
    sim.assert_nothing_is_left();
}
