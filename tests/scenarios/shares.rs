//! Each peer has a share of every table, however many client ids and connections it makes, so that
//! a later peer finds room. A request beyond the share gets an error that ends the matter.

mod locks;
mod replies;

use nfs4_engine::{Admin, Config, ConnId};
use nfs4_proto::nfs4::args::{self, CreateType, OpenFlag};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Opened, Pace, Reply, Sim, making_args};

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
    Sim::config().with(|config| config.max_clients = 30)
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
    let mut sim = Sim::with(Sim::config().with(|config| config.max_sessions = 30));
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
            openhow: OpenFlag::NoCreate,
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

/// A client with a session, which has said RECLAIM_COMPLETE, from a host.
fn mounted(sim: &mut Sim, host: &str, name: &str) -> Client {
    let mut client = Client::on(sim.connect_from(host), name);
    client.mount(sim);
    client
}

/// Opens a file as another owner each time.
fn open_anew(sim: &mut Sim, client: &mut Client, number: u32) -> Reply {
    let owner = number.to_be_bytes();
    let open = making_args(&owner, b"f");
    client.call(sim, |c| c.putrootfh().open(open))
}

fn few_states() -> Config {
    Sim::config().with(|config| {
        config.max_states = 30;
        config.delegations = false;
    })
}

#[test]
fn opens_of_a_peer_are_its_share_and_of_all_what_there_is() {
    let mut sim = Sim::with(few_states());
    let mut got = Vec::new();
    for host in 0..20 {
        let host = format!("192.0.2.{host}");
        // Two clients are no more than one.
        let mut clients =
            ["a", "b"].map(|name| mounted(&mut sim, &host, &format!("{host} {name}")));
        let mut of_v40 = Client40::by(clients[0].conn, &format!("{host} of 4.0"));
        of_v40.uid = clients[0].uid;
        of_v40.mount(&mut sim);
        let (count, refused) =
            until_refused(|number| open_anew(&mut sim, &mut clients[number as usize % 2], number));
        let expected = if sim.tables().opens < 30 {
            Status::DQUOT
        } else {
            Status::NOSPC
        };
        assert_eq!(refused.last(), (Op::Open, expected));
        let open = of_v40.open_args(b"o", b"f");
        let reply = of_v40.call(&mut sim, |c| c.putrootfh().open(open));
        assert_eq!(reply.last(), (Op::Open, Status::RESOURCE));
        got.push(count);
    }
    assert_eq!(got[..4], [10, 6, 4, 3]);
    assert_eq!(got.iter().sum::<u32>(), 30, "the last get one each");
    sim.assert_nothing_is_left();
}

#[test]
fn unconfirmed_4_0_opens_leave_room_for_other_peers() {
    let mut sim = Sim::with(few_states());
    let mut greedy = Client40::by(sim.connect_from(GREEDY), "greedy");
    greedy.mount(&mut sim);
    let (count, refused) = until_refused(|number| {
        let owner = number.to_be_bytes();
        let open = greedy.open_args(&owner, b"f");
        greedy.call(&mut sim, |c| c.putrootfh().open(open))
    });
    assert_eq!(refused.last(), (Op::Open, Status::RESOURCE));
    assert_eq!(count, 10);
    let mut modest = Client40::by(sim.connect_from(MODEST), "modest");
    modest.mount(&mut sim);
    modest.open(&mut sim, b"o", b"f");
    sim.assert_nothing_is_left();
}

#[test]
fn names_of_owners_take_room_as_their_length_is() {
    let mut sim = Sim::with(few_states());
    let mut client = mounted(&mut sim, GREEDY, "greedy");
    let (count, refused) = until_refused(|number| {
        let mut owner = vec![7; 1_020];
        owner.extend(number.to_be_bytes());
        let open = making_args(&owner, b"f");
        client.call(&mut sim, |c| c.putrootfh().open(open))
    });
    assert_eq!(refused.last(), (Op::Open, Status::DQUOT));
    // A third of 256 bytes for each state that there may be.
    assert_eq!(count, 30 * 256 / 3 / 1_024);
    open_anew(&mut sim, &mut client, 0).all_ok();
    let mut other = mounted(&mut sim, MODEST, "modest");
    open_anew(&mut sim, &mut other, 0).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn room_that_is_kept_for_an_open_goes_with_its_client() {
    let mut sim = Sim::with(few_states());
    let mut client = mounted(&mut sim, GREEDY, "a");
    sim.set_pace(Pace::Held);
    for slot in 0..3 {
        let owner = [slot as u8];
        let open = making_args(&owner, b"f");
        let request = client.request(&mut sim, slot, true, |c| c.putrootfh().open(open));
        request.send(&mut sim, client.conn);
    }
    sim.run();
    sim.admin(Admin::EvictClient {
        client: client.id.0,
    });
    client.mount(&mut sim);
    sim.set_pace(Pace::Delayed);
    sim.complete_all();
    let (count, _) = until_refused(|number| open_anew(&mut sim, &mut client, number));
    assert_eq!(count, 10);
    sim.assert_nothing_is_left();
}
