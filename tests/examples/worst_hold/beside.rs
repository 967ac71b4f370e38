//! Shapes that are not of state: connections, callbacks, kept replies, and looks of people.

use nfs4_engine::snapshot::Cursor;
use nfs4_engine::{Admin, BindingPolicy};
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_tests::sim::{Client, Client40, Pace, Sim, making_args};

use super::{BATCH, TIMER_BUDGET, expire, wide};

/// All that may run of many connections waits for the file system.
pub(super) fn drained(sim: &mut Sim) {
    let client = Client40::mounted(sim, "a");
    sim.set_pace(Pace::Held);
    let conns: Vec<_> = (0..1_024).map(|_| sim.connect()).collect();
    for conn in &conns {
        for _ in 0..64 {
            let lookup = args::Lookup { objname: b"x" };
            let record = client.record(sim.xid(), |c| c.putrootfh().lookup(lookup));
            sim.send(*conn, record);
        }
        sim.settle();
    }
    for conn in &conns[..16] {
        sim.admin(Admin::Drain { conn: *conn });
    }
    while sim.step_timers(TIMER_BUDGET) {}
}

/// Clients with as many sessions as may be on one connection, by all of which as many callbacks
/// are under way and wait as may; and a second connection, if it is to be.
fn called(sim: &mut Sim, has_second: bool) -> Vec<Client> {
    let config = Sim::config().with(|config| config.binding_policy = BindingPolicy::Shared);
    *sim = Sim::measured(config);
    let mut other = wide(sim, "other", 0);
    let conn = sim.connect();
    let second = sim.connect();
    let mut clients = Vec::new();
    for number in 0..4 {
        let mut client = Client::on(conn, &format!("{number}"));
        client.exchange_id(sim).all_ok();
        for session in 0..16 {
            let mut args = client.session_args();
            args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
            args.fore_chan_attrs.maxoperations = 64;
            args.back_chan_attrs.maxrequests = 64;
            client.create_session_with(sim, args).all_ok();
            if session == 0 {
                let done = args::ReclaimComplete { one_fs: false };
                client.call(sim, |c| c.reclaim_complete(done));
            }
            if has_second {
                let bind = args::BindConnToSession {
                    sessid: client.session,
                    dir: ChannelDirFromClient::ForeOrBoth,
                    use_conn_in_rdma_mode: false,
                };
                client.conn = second;
                client.bare(sim, |c| c.bind_conn_to_session(bind)).all_ok();
                client.conn = conn;
            }
            for first in (0..CALLS).step_by(BATCH as usize) {
                let names: Vec<_> = (first..first + BATCH)
                    .map(|file| format!("{number}-{session}-{file}"))
                    .collect();
                client.call(sim, |c| {
                    names.iter().fold(c, |c, name| {
                        c.putrootfh().open(making_args(b"o", name.as_bytes()))
                    })
                });
            }
        }
        clients.push(client);
    }
    for (number, session) in (0..4).flat_map(|number| (0..16).map(move |at| (number, at))) {
        for file in 0..CALLS {
            let name = format!("{number}-{session}-{file}");
            other.call(sim, |c| {
                c.putrootfh().open(making_args(b"o", name.as_bytes()))
            });
        }
    }
    let callbacks = sim.tables().callbacks;
    assert!(callbacks > 64 * 100, "{callbacks} callbacks");
    sim.take_callbacks();
    clients
}

pub(super) fn closed(sim: &mut Sim) {
    for has_second in [false, true] {
        let clients = called(sim, has_second);
        sim.kill(clients[0].conn);
        sim.settle();
        while sim.step_timers(TIMER_BUDGET) {}
        sim.settle();
        expire(sim);
    }
}

pub(super) fn evicted(sim: &mut Sim) {
    let clients = called(sim, false);
    for client in clients {
        sim.admin(Admin::EvictClient {
            client: client.id.0,
        });
        while sim.step_timers(TIMER_BUDGET) {}
    }
    expire(sim);
}

/// Each table as full as peers of several hosts can make it, listed and counted.
pub(super) fn listed(sim: &mut Sim) {
    for host in 0..8 {
        let host = format!("192.0.2.{host}");
        for group in 0..16 {
            let conns: Vec<_> = (0..16).map(|_| sim.connect_from(&host)).collect();
            for number in 0..64 {
                let name = format!("{host}-{group}-{number:0900}");
                let mut client = Client::on(conns[0], &name);
                client.exchange_id(sim);
                client.create_session(sim);
                for conn in &conns {
                    client.conn = *conn;
                    client.call(sim, |c| c);
                }
            }
        }
    }
    let now = sim.clock();
    let mut from = Some(Cursor::default());
    while let Some(at) = from {
        from = sim.look("list of clients", |engine| {
            engine.clients(now, at, 1_000).next
        });
    }
    let mut from = Some(Cursor::default());
    while let Some(at) = from {
        from = sim.look("list of sessions", |engine| engine.sessions(at, 1_000).next);
    }
    let mut loads = Vec::new();
    let mut from = Some(Cursor::default());
    while let Some(at) = from {
        from = sim.look("loads of sessions", |engine| {
            engine.session_loads(at, &mut loads)
        });
    }
    sim.look("lengths of tables", |engine| engine.table_lengths());
    expire(sim);
}

/// As many replies of 4.0 as are kept of a host, until a large one drives many out.
pub(super) fn kept_of_40(sim: &mut Sim) {
    let mut client = Client40::mounted(sim, "a");
    for host in 0..4 {
        client.conn = sim.connect_from(&format!("192.0.2.{}", 10 + host));
        for number in 0..3_000 {
            let name = format!("{number}");
            let objname = name.as_bytes();
            client.call(sim, |c| {
                c.putrootfh().remove(args::Remove { target: objname })
            });
        }
    }
    expire(sim);
}

/// So many files are delegated by each session.
const CALLS: u32 = 6 * BATCH;
