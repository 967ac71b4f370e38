//! Each peer has a share of everything, however many client ids and connections it makes, and who
//! comes later finds room. What is beyond a share gets an error that ends the matter.

use nfs4_engine::{Config, ConnId};
use nfs4_proto::nfs4::args::{self, CreateType, OpenHow};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Opened, Reply, Sim};

/// Takes all it can get.
const GREEDY: &str = "192.0.2.66";
/// Is there as well.
const MODEST: &str = "192.0.2.7";
const OTHER: &str = "[2001:db8::7]";

/// As many as it gets, and what the next is answered.
fn until_refused(mut next: impl FnMut(u32) -> Reply) -> (u32, Reply) {
    for number in 0..10_000 {
        let reply = next(number);
        if reply.status() != Status::OK {
            return (number, reply);
        }
    }
    panic!("there is no end to it");
}

/// A client with a session, by one connection for all of them.
fn mount(sim: &mut Sim, conn: ConnId, name: &str, uid: u32) -> Reply {
    let mut client = Client {
        uid,
        ..Client::on(conn, name)
    };
    let reply = client.exchange_id(sim);
    if reply.status() != Status::OK {
        return reply;
    }
    client.create_session(sim)
}

fn few_clients() -> Config {
    Config {
        max_clients: 30,
        ..Sim::config()
    }
}

#[test]
fn a_peer_has_its_share_of_clients_and_others_find_room_one_after_the_other() {
    let mut sim = Sim::with(few_clients());
    let mut got = Vec::new();
    for host in [GREEDY, MODEST, OTHER] {
        let conn = sim.connect_from(host);
        let name = |number| format!("{host} {number}");
        let (count, refused) = until_refused(|at| mount(&mut sim, conn, &name(at), 0));
        assert!(refused.is_only(Op::ExchangeId, Status::SERVERFAULT));
        got.push(count);
    }
    // A third, a third of the rest, and so on.
    assert_eq!(got, [10, 6, 4]);
    sim.assert_nothing_is_left();
}

#[test]
fn principals_that_a_host_makes_up_get_ever_less_and_together_a_half() {
    let mut sim = Sim::with(few_clients());
    let conn = sim.connect_from(GREEDY);
    let mut got = Vec::new();
    for uid in 0..20 {
        let name = |number| format!("{uid} {number}");
        let (count, refused) = until_refused(|at| mount(&mut sim, conn, &name(at), uid));
        assert!(refused.is_only(Op::ExchangeId, Status::SERVERFAULT));
        got.push(count);
    }
    assert_eq!(got[..4], [10, 3, 1, 0]);
    assert_eq!(got.iter().sum::<u32>(), 14);
    let conn = sim.connect_from(MODEST);
    for number in 0..5 {
        mount(&mut sim, conn, &format!("modest {number}"), 0).all_ok();
    }
    sim.assert_nothing_is_left();
}

#[test]
fn clients_without_state_give_way_to_those_of_their_own_peer() {
    let mut sim = Sim::with(few_clients());
    // It has nothing open, and is not heard from.
    let mut known = Client40::by(sim.connect_from(MODEST), "known");
    known.mount(&mut sim);
    let conn = sim.connect_from(GREEDY);
    for number in 0..100 {
        let mut client = Client::on(conn, &format!("{number}"));
        client.exchange_id(&mut sim).all_ok();
        client.create_session(&mut sim).all_ok();
        let destroy = args::DestroySession {
            sessionid: client.session,
        };
        client
            .bare(&mut sim, |c| c.destroy_session(destroy))
            .all_ok();
        let mut client = Client40::by(conn, &format!("{number} of 4.0"));
        client.mount(&mut sim);
        assert!(sim.tables().clients <= 11, "{:?}", sim.tables());
    }
    known.renew(&mut sim).all_ok();
    known.open(&mut sim, b"o", b"f");
    sim.assert_nothing_is_left();
}

#[test]
fn a_peer_has_its_share_of_sessions_however_many_clients_it_is() {
    let mut sim = Sim::with(Config {
        max_sessions: 30,
        ..Sim::config()
    });
    let conn = sim.connect_from(GREEDY);
    let mut clients: Vec<Client> = (0..4)
        .map(|number| Client::on(conn, &format!("{number}")))
        .collect();
    for client in &mut clients {
        client.exchange_id(&mut sim).all_ok();
    }
    let (count, refused) = until_refused(|at| clients[at as usize % 4].create_session(&mut sim));
    assert!(refused.is_only(Op::CreateSession, Status::NOSPC));
    assert_eq!(count, 10);
    let conn = sim.connect_from(MODEST);
    for number in 0..6 {
        mount(&mut sim, conn, &format!("modest {number}"), 0).all_ok();
    }
    sim.assert_nothing_is_left();
}

#[test]
fn owners_that_a_peer_leaves_behind_push_out_none_but_its_own() {
    let mut sim = Sim::new();
    let mut modest = Client40::by(sim.connect_from(MODEST), "modest");
    modest.mount(&mut sim);
    let open = modest.open_args(b"o", b"f");
    let unconfirmed = modest.call(&mut sim, |c| c.putrootfh().open(open).getfh());
    let mut greedy = Client40::by(sim.connect_from(GREEDY), "greedy");
    greedy.mount(&mut sim);
    for number in 0..4_300_u32 {
        let name = number.to_be_bytes();
        let open = args::Open {
            openhow: OpenHow::NoCreate,
            ..greedy.open_args(&name, b"missing")
        };
        let reply = greedy.call(&mut sim, |c| c.putrootfh().open(open));
        assert_eq!(reply.status(), Status::NOENT);
    }
    let opened = Opened {
        fh: ok!(unconfirmed, GetFh).object.to_vec(),
        stateid: ok!(unconfirmed, Open).stateid,
    };
    let confirm = modest.confirm_args(b"o", &opened);
    modest
        .on(&mut sim, &opened.fh, |c| c.open_confirm(confirm))
        .all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_flood_from_one_host_makes_the_server_forget_no_reply_to_another() {
    let mut sim = Sim::new();
    let making = |client: &Client40, sim: &mut Sim, name: &[u8]| {
        let create = args::Create {
            objtype: CreateType::Directory,
            objname: name,
            createattrs: FattrRaw::EMPTY,
        };
        client.record(sim.xid(), |c| c.putrootfh().create(create))
    };
    let mut modest = Client40::by(sim.connect_from(MODEST), "modest");
    let record = making(&modest, &mut sim, b"modest");
    let first = sim.exchange(modest.conn, record.clone()).all_ok();
    let greedy = Client40::by(sim.connect_from(GREEDY), "greedy");
    for number in 0..4_300_u32 {
        let record = making(&greedy, &mut sim, b"greedy");
        let status = sim.exchange(greedy.conn, record).status();
        let expected = [Status::OK, Status::EXIST][usize::from(number > 0)];
        assert_eq!(status, expected);
    }
    // Half of all that are kept.
    assert_eq!(sim.tables().kept_replies, 1 + 2_047);
    modest.conn = sim.connect_from(MODEST);
    let again = sim.exchange(modest.conn, record);
    assert_eq!(again.body(), first.body());
    sim.assert_nothing_is_left();
}
