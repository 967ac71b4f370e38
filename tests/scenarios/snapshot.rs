//! What people see of the tables.

use std::time::Duration;

use nfs4_engine::snapshot::{Cursor, LeaseStatus, SessionView};
use nfs4_engine::{Admin, Direction, Traffic};
use nfs4_proto::nfs4::FattrRaw;
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient, CreateHow, ImplId, OpenFlag};
use nfs4_proto::nfs4::basic::{StableHow, Stateid, Time};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_tests::sim::{Client, Client40, Pace, Sim, open_args};
use serde_json::{Value, json};

/// All sessions, in pages of so many.
fn sessions(sim: &Sim, max: usize) -> Vec<SessionView> {
    let mut all = Vec::new();
    let mut next = Some(Cursor::default());
    while let Some(from) = next {
        let page = sim.engine().sessions(from, max);
        assert!(page.items.len() <= max);
        all.extend(page.items);
        next = page.next;
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_client_is_shown_with_what_it_said_and_has() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "Linux a\0");
    client.minor = 2;
    client.mount(&mut sim);
    sim.sleep(Duration::from_secs(10));
    let page = sim.engine().clients(sim.clock(), Cursor::default(), 10);
    assert_eq!(page.next, None);
    let expected = json!({
        "items": [{
            "client_id": format!("{:016x}", client.id.0),
            "address": "192.0.2.1:1",
            "nfs_version": "4.2",
            "lease_status": "active",
            "last_renewal": "2023-11-14T22:13:20.000Z",
            "expired_at": Value::Null,
            "confirmed": true,
            "owner": "Linux a\\x00",
            "comebacks": 0,
            "impl_name": Value::Null,
            "impl_domain": Value::Null,
            "sessions": 1,
            "opens": 0,
            "locks": 0,
            "delegations": 0,
            "traffic": {
                "compounds": 1,
                "operations": 2,
                "bytes_read": 0,
                "bytes_written": 0,
                "busy_micros": 0,
            },
        }],
    });
    assert_eq!(serde_json::to_value(&page).unwrap(), expected);

    client
        .bare(&mut sim, |c| c.exchange_id(introduction_of(&client)))
        .all_ok();
    let page = sim.engine().clients(sim.clock(), Cursor::default(), 10);
    assert_eq!(page.items[0].impl_name.as_deref(), Some("Linux 6.12"));
    assert_eq!(page.items[0].impl_domain.as_deref(), Some("kernel.org"));
    sim.jump(2 * sim.settings().lease);
    let page = sim.engine().clients(sim.clock(), Cursor::default(), 10);
    assert_eq!(page.items[0].lease_status, LeaseStatus::Courtesy);
    let shown = serde_json::to_value(&page.items[0]).unwrap();
    assert_eq!(shown["lease_status"], "courtesy");
    assert_eq!(shown["expired_at"], "2023-11-14T22:14:50.000Z");
    sim.jump(sim.settings().courtesy);
    let page = sim.engine().clients(sim.clock(), Cursor::default(), 10);
    assert_eq!(page.items[0].lease_status, LeaseStatus::Expired);
}

fn introduction_of(client: &Client) -> args::ExchangeId<'_> {
    args::ExchangeId {
        client_impl_id: Some(ImplId {
            domain: b"kernel.org",
            name: b"Linux 6.12",
            date: Time {
                seconds: 0,
                nanos: 0,
            },
        }),
        ..client.introduction()
    }
}

#[test]
fn a_session_is_shown_with_its_slots_and_connections() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let args = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..client.session_args()
    };
    client.create_session_with(&mut sim, args).all_ok();
    sim.sleep(Duration::from_secs(5));
    let second = sim.connect();
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    let record = client.record(sim.xid(), b"", |c| c.bind_conn_to_session(bind));
    sim.exchange(second, record).all_ok();
    sim.sleep(Duration::from_secs(5));
    sim.set_pace(Pace::Held);
    let absent = args::Lookup { objname: b"absent" };
    let request = client.request(&mut sim, 3, true, |c| c.putrootfh().lookup(absent));
    request.send(&mut sim, second);
    sim.run();
    sim.admin(Admin::Drain { conn: second });

    let found = sessions(&sim, 10);
    let connection = |conn: u64, direction: &str, bound: u32, active: u32, draining: bool| {
        json!({
            "connection_id": conn,
            "direction": direction,
            "conn_type": "tcp",
            "peer": format!("192.0.2.1:{conn}"),
            "bound_at": format!("2023-11-14T22:13:{bound:02}.000Z"),
            "last_activity": format!("2023-11-14T22:13:{active:02}.000Z"),
            "draining": draining,
        })
    };
    let expected = json!([{
        "session_id": hex(&client.session.0),
        "client_id": format!("{:016x}", client.id.0),
        "created_at": "2023-11-14T22:13:20.000Z",
        "fore_slots": 8,
        "slots_in_use": 1,
        "flags": CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        "back_slots": 8,
        "back_channel": "ok",
        "replay_hits": 0,
        "callbacks": {"outstanding": 0, "failed": 0},
        "connections": [
            connection(1, "both", 20, 20, false),
            connection(2, "fore", 25, 30, true),
        ],
        "connection_summary": {"fore": 1, "back": 0, "both": 1, "total": 2},
    }]);
    assert_eq!(serde_json::to_value(&found).unwrap(), expected);
    let own = sim.engine().sessions_of(client.id.0).unwrap();
    assert_eq!(own, found);
    assert_eq!(own[0].connections[0].direction, Direction::Both);
    assert_eq!(sim.engine().sessions_of(client.id.0 + 1), None);
    sim.complete_all();
}

#[test]
fn a_page_of_clients_with_very_long_names_is_shorter() {
    let mut sim = Sim::new();
    let conn = sim.connect();
    let long = [b'x'; 1_024];
    let mut shown = Vec::new();
    for name in [&long[..1], &long] {
        for number in 0..300_u16 {
            let mut client = Client::on(conn, "");
            client.owner = [&number.to_be_bytes(), &name[2.min(name.len())..]].concat();
            let args = args::ExchangeId {
                client_impl_id: Some(ImplId {
                    domain: name,
                    name,
                    date: Time {
                        seconds: 0,
                        nanos: 0,
                    },
                }),
                ..client.introduction()
            };
            client.bare(&mut sim, |c| c.exchange_id(args)).all_ok();
        }
        let page = sim.engine().clients(sim.clock(), Cursor::default(), 1_000);
        shown.push(page.items.len());
        sim.sleep(sim.settings().lease + Duration::from_secs(1));
        assert_eq!(sim.tables().clients, 0);
    }
    assert_eq!(shown, [256, 64]);
}

#[test]
fn pages_show_each_session_once_while_others_come_and_go() {
    let mut sim = Sim::new();
    let mut clients: Vec<Client> = (0..20)
        .map(|at| Client::mounted(&mut sim, &format!("client {at}")))
        .collect();
    let whole = sessions(&sim, 1_000);
    assert_eq!(whole.len(), 20);
    for max in [1, 3, 20] {
        assert_eq!(sessions(&sim, max), whole, "in pages of {max}");
    }
    let first = sim.engine().sessions(Cursor::default(), 7);
    for client in clients.drain(..14) {
        let sessionid = client.session;
        let destroy = args::DestroySession { sessionid };
        client
            .bare(&mut sim, |c| c.destroy_session(destroy))
            .all_ok();
    }
    let late = Client::mounted(&mut sim, "late");
    let mut shown: Vec<_> = first.items.iter().map(|view| view.session_id).collect();
    let mut next = first.next;
    while let Some(from) = next {
        let page = sim.engine().sessions(from, 2);
        shown.extend(page.items.iter().map(|view| view.session_id));
        next = page.next;
    }
    for client in &clients {
        let times = shown.iter().filter(|id| **id == client.session).count();
        assert_eq!(times, 1);
    }
    let times = shown.iter().filter(|id| **id == late.session).count();
    assert!(times <= 1);
}

fn traffic(sim: &Sim) -> Traffic {
    let page = sim.engine().clients(sim.clock(), Cursor::default(), 10);
    assert_eq!(page.items.len(), 1);
    page.items[0].traffic
}

const DATA: &[u8] = b"12345";

fn write(stateid: Stateid) -> args::Write<'static> {
    args::Write {
        stateid,
        offset: 0,
        stable: StableHow::Unstable,
        data: DATA,
    }
}

fn read(stateid: Stateid) -> args::Read {
    args::Read {
        stateid,
        offset: 1,
        count: 100,
    }
}

#[test]
fn what_a_client_does_in_all_its_sessions_is_counted() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let before = traffic(&sim);
    let open = client.call(&mut sim, |c| {
        c.putrootfh()
            .open(args::Open {
                openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
                ..open_args(b"owner", b"f")
            })
            .write(write(Stateid::CURRENT))
            .read(read(Stateid::CURRENT))
    });
    open.all_ok();
    let after = traffic(&sim);
    assert_eq!(after.compounds, before.compounds + 1);
    // SEQUENCE is one of them.
    assert_eq!(after.operations, before.operations + 5);
    assert_eq!((after.bytes_written, after.bytes_read), (5, 4));
    // A retransmission is no other request, and is shown for its session.
    let request = client.request(&mut sim, 0, true, |c| c.putrootfh());
    client.advance(0);
    request.exchange(&mut sim, client.conn).all_ok();
    let counted = traffic(&sim).compounds;
    request
        .again(&mut sim)
        .exchange(&mut sim, client.conn)
        .all_ok();
    assert_eq!(traffic(&sim).compounds, counted);
    assert_eq!(sessions(&sim, 1)[0].replay_hits, 1);
    // What a session has done remains its client's.
    sim.admin(Admin::DestroySession {
        session: client.session,
    });
    assert_eq!(traffic(&sim).compounds, counted);
    assert_eq!(traffic(&sim).bytes_written, 5);
}

#[test]
fn what_a_client_of_minor_version_0_does_with_its_state_is_counted() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let opened = client.open(&mut sim, b"owner", b"f");
    let before = traffic(&sim);
    let fh = args::PutFh {
        object: opened.fh.as_slice(),
    };
    let stateid = opened.stateid;
    let reply = client.call(&mut sim, |c| {
        c.putfh(fh).write(write(stateid)).read(read(stateid))
    });
    reply.all_ok();
    let after = traffic(&sim);
    assert_eq!(after.compounds, before.compounds + 1);
    assert_eq!(after.operations, before.operations + 3);
    assert_eq!((after.bytes_written, after.bytes_read), (5, 4));
}

#[test]
fn a_connection_is_shown_with_and_without_a_session() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let stranger = sim.connect();
    let shown = sim.engine().connection_view(stranger).unwrap();
    assert_eq!(shown.sessions, []);
    assert_eq!(shown.opened_at, sim.clock().wall);
    let shown = sim.engine().connection_view(client.conn).unwrap();
    assert_eq!(shown.sessions.len(), 1);
    assert_eq!(shown.sessions[0].session_id, client.session);
    assert_eq!(shown.sessions[0].client_id, client.id.0);
    sim.kill(stranger);
    sim.run();
    assert_eq!(sim.engine().connection_view(stranger), None);
}

#[test]
fn single_entries_are_found_by_their_ids() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let clients = sim.engine().clients(sim.clock(), Cursor::default(), 10);
    let found = sim.engine().client_view(sim.clock(), client.id.0);
    assert_eq!(found.as_ref(), clients.items.first());
    let found = sim.engine().session_view(&client.session);
    assert_eq!(found.as_ref(), sessions(&sim, 1).first());
    assert_eq!(sim.engine().client_view(sim.clock(), client.id.0 + 1), None);
    let mut other = client.session;
    other.0[15] ^= 1;
    assert_eq!(sim.engine().session_view(&other), None);
}
