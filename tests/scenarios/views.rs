//! What clients have done, and connections with or without a session, as people see them.

use std::time::Duration;

use nfs4_engine::snapshot::{BoundSession, ConnectionInfo, Cursor};
use nfs4_engine::{Admin, BindingPolicy, Direction, Traffic};
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_proto::nfs4::{SessionId, Status};
use nfs4_tests::sim::{Client, Client40, Pace, Sim, making_args};

fn traffic(sim: &Sim, client_id: u64) -> Traffic {
    let view = sim.engine().client_view(sim.clock(), client_id);
    view.expect("it is there").traffic
}

/// What was added since `before`, without the time that it took.
fn since(sim: &Sim, client_id: u64, before: Traffic) -> [u64; 4] {
    let now = traffic(sim, client_id);
    [
        now.compounds - before.compounds,
        now.operations - before.operations,
        now.bytes_read - before.bytes_read,
        now.bytes_written - before.bytes_written,
    ]
}

fn read(stateid: Stateid, count: u32) -> args::Read {
    args::Read {
        stateid,
        offset: 0,
        count,
    }
}

fn write(stateid: Stateid, data: &[u8]) -> args::Write<'_> {
    args::Write {
        stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data,
    }
}

fn connection(sim: &Sim, conn: nfs4_engine::ConnId) -> ConnectionInfo {
    sim.engine().connection_view(conn).expect("it is open")
}

#[test]
fn what_a_client_has_done_is_counted_once_and_outlives_its_sessions() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = Client::mounted(&mut sim, "b");
    let id = client.id.0;
    let start = traffic(&sim, id);
    // Its RECLAIM_COMPLETE, after SEQUENCE; what came before was by no session.
    assert_eq!((start.compounds, start.operations), (1, 2));
    let current = Stateid::CURRENT;
    let request = client.request(&mut sim, 0, true, |c| {
        c.putrootfh()
            .open(making_args(b"owner", b"f"))
            .write(write(current, &[7; 1_000]))
            .read(read(current, 300))
            .read(read(current, 9_999))
    });
    let reply = request.exchange(&mut sim, client.conn);
    reply.all_ok();
    client.advance(0);
    let done = [1, 6, 1_300, 1_000];
    assert_eq!(since(&sim, id, start), done);
    // A retransmission does nothing, and what is refused at its SEQUENCE neither.
    for _ in 0..3 {
        request.again(&mut sim).exchange(&mut sim, client.conn);
    }
    let session = |sim: &Sim| sim.engine().session_view(&client.session).unwrap();
    assert_eq!(session(&sim).replay_hits, 3);
    let beyond = client.request(&mut sim, 63, true, |c| c.putrootfh());
    assert_eq!(
        beyond.exchange(&mut sim, client.conn).status(),
        Status::BADSLOT
    );
    assert_eq!(since(&sim, id, start), done);
    // What others do is theirs.
    let before = traffic(&sim, id);
    other.call(&mut sim, |c| c.putrootfh()).all_ok();
    assert_eq!(traffic(&sim, id), before);
    assert_eq!(
        sim.engine()
            .session_view(&other.session)
            .unwrap()
            .replay_hits,
        0
    );
    // The COMPOUND that ends its own session counts, too.
    let sessionid = client.session;
    let destroy = args::DestroySession { sessionid };
    client
        .call(&mut sim, |c| c.putrootfh().destroy_session(destroy))
        .all_ok();
    assert_eq!(sim.engine().session_view(&sessionid), None);
    assert_eq!(since(&sim, id, start), [2, 9, 1_300, 1_000]);
    assert_eq!(sim.engine().client_view(sim.clock(), id + 1), None);
    sim.assert_nothing_is_left();
}

#[test]
fn a_request_whose_session_is_destroyed_counts_for_its_client() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let before = traffic(&sim, client.id.0);
    sim.set_pace(Pace::Held);
    let absent = args::Lookup { objname: b"absent" };
    let request = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(absent));
    request.send(&mut sim, client.conn);
    sim.run();
    let session = client.session;
    sim.admin(Admin::DestroySession { session });
    assert_eq!(traffic(&sim, client.id.0), before);
    sim.complete_all();
    assert_eq!(since(&sim, client.id.0, before), [1, 3, 0, 0]);
    sim.assert_nothing_is_left();
}

#[test]
fn the_time_of_a_request_counts_from_its_arrival_to_its_reply() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let before = traffic(&sim, client.id.0);
    sim.set_pace(Pace::Held);
    let absent = args::Lookup { objname: b"absent" };
    for slot in 0..2 {
        let request = client.request(&mut sim, slot, true, |c| c.putrootfh().lookup(absent));
        request.send(&mut sim, client.conn);
        sim.run();
        sim.sleep(Duration::from_millis(3));
    }
    assert_eq!(traffic(&sim, client.id.0), before, "none is answered");
    sim.complete_all();
    let after = traffic(&sim, client.id.0);
    assert_eq!(after.compounds - before.compounds, 2);
    assert_eq!(after.busy_micros - before.busy_micros, 6_000 + 3_000);
    sim.assert_nothing_is_left();
}

#[test]
fn of_a_client_of_minor_version_0_counts_what_names_it() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let id = client.id.0;
    let opened = client.open(&mut sim, b"owner", b"f");
    let start = traffic(&sim, id);
    let put = args::PutFh { object: &opened.fh };
    let reply = client.call(&mut sim, |c| {
        c.putfh(put)
            .write(write(opened.stateid, b"1234567"))
            .read(read(opened.stateid, 5))
    });
    reply.all_ok();
    assert_eq!(since(&sim, id, start), [1, 3, 5, 7]);
    client.renew(&mut sim).all_ok();
    assert_eq!(since(&sim, id, start), [2, 4, 5, 7]);
    // This names no client.
    client.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
    assert_eq!(since(&sim, id, start), [2, 4, 5, 7]);
    sim.assert_nothing_is_left();
}

#[test]
fn a_connection_is_shown_from_its_first_to_its_last_moment() {
    let mut sim = Sim::new();
    sim.sleep(Duration::from_secs(3));
    let opened_at = sim.clock().wall;
    let conn = sim.connect();
    sim.sleep(Duration::from_secs(3));
    let seen = connection(&sim, conn);
    assert_eq!((seen.connection_id, seen.opened_at), (conn, opened_at));
    assert_eq!(seen.peer.as_deref(), Some(&*format!("192.0.2.1:{conn}")));
    assert_eq!((seen.client_id, seen.draining), (None, false));
    assert_eq!(seen.sessions, []);
    sim.kill(conn);
    sim.run();
    assert_eq!(sim.engine().connection_view(conn), None);
}

#[test]
fn a_connection_is_shown_with_all_sessions_that_it_serves() {
    let shared = Sim::config().with(|config| config.binding_policy = BindingPolicy::Shared);
    let mut sim = Sim::with(shared);
    let a = Client::mounted(&mut sim, "a");
    let b = Client::mounted(&mut sim, "b");
    let bind = args::BindConnToSession {
        sessid: b.session,
        dir: ChannelDirFromClient::ForeOrBoth,
        use_conn_in_rdma_mode: false,
    };
    let record = b.record(sim.xid(), b"", |c| c.bind_conn_to_session(bind));
    sim.exchange(a.conn, record).all_ok();
    let bound = |session: SessionId, client_id: u64, direction| (session, client_id, direction);
    let seen = connection(&sim, a.conn);
    let sessions = seen
        .sessions
        .iter()
        .map(|of: &BoundSession| bound(of.session_id, of.client_id, of.direction));
    assert_eq!(
        sessions.collect::<Vec<_>>(),
        [
            bound(a.session, a.id.0, Direction::Fore),
            bound(b.session, b.id.0, Direction::Both),
        ]
    );
    sim.set_pace(Pace::Held);
    let absent = args::Lookup { objname: b"absent" };
    let request = a.request(&mut sim, 0, true, |c| c.putrootfh().lookup(absent));
    request.send(&mut sim, a.conn);
    sim.run();
    sim.admin(Admin::Drain { conn: a.conn });
    assert!(connection(&sim, a.conn).draining);
    sim.admin(Admin::StopDraining { conn: a.conn });
    assert!(!connection(&sim, a.conn).draining);
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_of_minor_version_0_is_shown_where_its_requests_come_from_its_host() {
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    let second = sim.connect();
    assert_eq!(connection(&sim, second).client_id, None);
    let [elsewhere, record] = ["192.0.2.9", "192.0.2.1"].map(|host| {
        let conn = sim.connect_from(host);
        let clientid = client.id;
        let record = client.record(sim.xid(), |c| c.renew(args::Renew { clientid }));
        sim.exchange(conn, record).all_ok();
        conn
    });
    let shown = |conn| connection(&sim, conn).client_id;
    assert_eq!(shown(record), Some(client.id.0));
    assert_eq!(shown(elsewhere), None, "it only names the client");
    // It goes with its client.
    sim.admin(Admin::EvictClient {
        client: client.id.0,
    });
    assert_eq!(connection(&sim, record).client_id, None);
    sim.assert_nothing_is_left();
}

#[test]
fn a_listing_continues_at_the_number_of_a_place() {
    let mut sim = Sim::new();
    for name in ["a", "b", "c"] {
        Client::mounted(&mut sim, name);
    }
    let page = sim.engine().sessions(Cursor::default(), 2);
    let number = page.next.expect("there is more").number();
    let rest = sim.engine().sessions(Cursor::at(number), 10);
    assert_eq!((rest.items.len(), rest.next), (1, None));
    // A number that no page has returned.
    let beyond = sim.engine().sessions(Cursor::at(9_999), 10);
    assert_eq!((beyond.items, beyond.next), (Vec::new(), None));
}
