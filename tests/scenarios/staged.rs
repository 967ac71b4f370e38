//! What happens to a COMPOUND that waits for a file system while its client or its session goes:
//! nothing that was held for it stays held.

use std::time::Duration;

use nfs4_engine::fs::FsError;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenHow};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fattr, Pace, Request, Sim, open_args};

/// An OPEN that cuts an existing file: two steps of the file system.
fn cutting(sim: &mut Sim, client: &Client, slot: u32, owner: &[u8]) -> Request {
    let empty = Fattr::size(0);
    let open = args::Open {
        openhow: OpenHow::Create(CreateHow::Unchecked(empty.raw())),
        ..open_args(owner, b"f")
    };
    client.request(sim, slot, true, |c| c.putrootfh().open(open).getfh())
}

/// A client, and a file with a byte in it that no client has open.
fn with_file(sim: &mut Sim) -> Client {
    let mut client = Client::mounted(sim, "a");
    let one = Fattr::size(1);
    let open = args::Open {
        openhow: OpenHow::Create(CreateHow::Unchecked(one.raw())),
        ..open_args(b"o", b"f")
    };
    let close = args::Close {
        seqid: 0,
        open_stateid: nfs4_proto::nfs4::basic::Stateid::CURRENT,
    };
    client
        .call(sim, |c| c.putrootfh().open(open).close(close))
        .all_ok();
    assert_eq!(sim.fs().held(), 0);
    client
}

/// The client reboots, on another connection.
fn reboot(sim: &mut Sim, client: &Client) {
    let mut new = client.clone();
    new.conn = sim.connect();
    new.reboot();
    new.exchange_id(sim).all_ok();
    new.create_session(sim).all_ok();
}

#[test]
fn an_open_whose_client_reboots_while_the_file_is_looked_for_holds_nothing() {
    let mut sim = Sim::new();
    let client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let request = cutting(&mut sim, &client, 0, b"o");
    request.send(&mut sim, client.conn);
    sim.run();
    assert_eq!(sim.held().len(), 1);
    reboot(&mut sim, &client);
    assert_eq!(sim.tables().parked, 1);
    sim.complete(0);
    assert!(sim.held().is_empty(), "it does not go on");
    let reply = sim.take_reply(request.xid()).expect("it is answered");
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    assert_eq!(sim.tables().opens, 0);
    assert_eq!(sim.fs().held(), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_whose_client_reboots_while_the_file_is_cut_holds_nothing() {
    let mut sim = Sim::new();
    let client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let request = cutting(&mut sim, &client, 0, b"o");
    request.send(&mut sim, client.conn);
    sim.run();
    sim.complete(0);
    assert_eq!(sim.held().len(), 1, "it is being cut");
    assert_eq!((sim.tables().opens, sim.tables().files), (0, 1));
    reboot(&mut sim, &client);
    assert_eq!(sim.fs().held(), 1, "as long as it is being cut");
    sim.complete(0);
    let reply = sim.take_reply(request.xid()).expect("it is answered");
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_whose_connection_dies_is_done_all_the_same_and_found_by_the_retry() {
    let mut sim = Sim::new();
    let mut client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let request = cutting(&mut sim, &client, 0, b"o");
    request.send(&mut sim, client.conn);
    sim.run();
    sim.kill(client.conn);
    sim.complete_all();
    assert_eq!(sim.tables().opens, 1);
    client.conn = sim.connect();
    let reply = request
        .again(&mut sim)
        .exchange(&mut sim, client.conn)
        .all_ok();
    assert_eq!(ok!(reply, Open).stateid.seqid, 1);
    assert_eq!(sim.fs().held(), 1);
    sim.assert_nothing_is_left();
}

#[test]
fn an_open_that_cannot_cut_the_file_leaves_nothing_open() {
    let mut sim = Sim::new();
    let client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let request = cutting(&mut sim, &client, 0, b"o");
    request.send(&mut sim, client.conn);
    sim.run();
    sim.complete(0);
    sim.refuse(0, FsError::NoSpace);
    let reply = sim.take_reply(request.xid()).expect("it is answered");
    assert_eq!(reply.last(), (Op::Open, Status::NOSPC));
    assert_eq!(sim.tables().opens, 0);
    assert_eq!(sim.fs().held(), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn two_opens_of_one_owner_that_cut_at_the_same_time_share_one_hold() {
    let mut sim = Sim::new();
    let client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let requests = [0, 1].map(|slot| cutting(&mut sim, &client, slot, b"o"));
    for request in &requests {
        request.send(&mut sim, client.conn);
    }
    sim.run();
    // Both are found before either is cut.
    sim.complete(0);
    sim.complete(0);
    assert_eq!(sim.held().len(), 2);
    sim.complete(1);
    sim.complete(0);
    let mut seqids: Vec<u32> = requests
        .iter()
        .map(|request| {
            let reply = sim.take_reply(request.xid()).expect("it is done").all_ok();
            ok!(reply, Open).stateid.seqid
        })
        .collect();
    seqids.sort_unstable();
    assert_eq!(seqids, [1, 2]);
    assert_eq!(sim.tables().opens, 1);
    assert_eq!(sim.fs().held(), 1);
    sim.assert_nothing_is_left();
}

#[test]
fn a_share_that_is_taken_while_the_file_is_looked_for_denies_the_later_one() {
    let mut sim = Sim::new();
    let client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let requests = [(0, &b"first"[..]), (1, b"second")].map(|(slot, owner)| {
        let open = args::Open {
            share_deny: 3,
            ..open_args(owner, b"f")
        };
        client.request(&mut sim, slot, true, |c| c.putrootfh().open(open))
    });
    for request in &requests {
        request.send(&mut sim, client.conn);
    }
    sim.run();
    sim.complete(1);
    sim.complete(0);
    let [late, early] = requests.map(|request| sim.take_reply(request.xid()).expect("it is done"));
    assert_eq!(early.status(), Status::OK);
    assert_eq!(late.last(), (Op::Open, Status::SHARE_DENIED));
    assert_eq!(sim.fs().held(), 1);
    sim.assert_nothing_is_left();
}

#[test]
fn what_waits_when_the_lease_would_end_is_finished_first() {
    let mut sim = Sim::new();
    let client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let request = cutting(&mut sim, &client, 0, b"o");
    request.send(&mut sim, client.conn);
    sim.run();
    sim.kill(client.conn);
    sim.sleep(3 * sim.settings().lease);
    sim.complete_all();
    assert_eq!(sim.tables().opens, 1);
    sim.sleep(sim.settings().lease + Duration::from_secs(1));
    assert_eq!(sim.tables().opens, 0);
    assert_eq!(sim.fs().held(), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn a_session_with_a_request_in_flight_is_not_destroyed() {
    let mut sim = Sim::new();
    let client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let request = cutting(&mut sim, &client, 0, b"o");
    request.send(&mut sim, client.conn);
    sim.run();
    let destroy = args::DestroySession {
        sessionid: client.session,
    };
    let reply = client.bare(&mut sim, |c| c.destroy_session(destroy));
    assert!(reply.is_only(Op::DestroySession, Status::DELAY));
    // Nor by another request of its own.
    let own = client.request(&mut sim, 1, true, |c| c.destroy_session(destroy));
    let reply = own.exchange(&mut sim, client.conn);
    assert_eq!(reply.last(), (Op::DestroySession, Status::DELAY));
    sim.complete_all();
    client
        .bare(&mut sim, |c| c.destroy_session(destroy))
        .all_ok();
    assert_eq!(
        sim.tables().opens,
        1,
        "state is the client's, not the session's"
    );
    sim.assert_nothing_is_left();
}

#[test]
fn a_creation_whose_client_reboots_is_answered_as_it_was_done() {
    let mut sim = Sim::new();
    let client = with_file(&mut sim);
    sim.set_pace(Pace::Held);
    let mkdir = args::Create {
        objtype: args::CreateType::Directory,
        objname: b"d",
        createattrs: FattrRaw::EMPTY,
    };
    let request = client.request(&mut sim, 0, true, |c| c.putrootfh().create(mkdir));
    request.send(&mut sim, client.conn);
    sim.run();
    reboot(&mut sim, &client);
    sim.complete(0);
    let reply = sim.take_reply(request.xid()).expect("it is answered");
    assert_eq!(reply.last(), (Op::Create, Status::OK));
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_is_half_removed_expires_although_a_request_of_it_waited() {
    let mut sim = Sim::new();
    let mut client = with_file(&mut sim);
    // More than is removed within one request.
    for number in 0..1_100_u32 {
        let owner = number.to_be_bytes();
        client
            .call(&mut sim, |c| c.putrootfh().open(open_args(&owner, b"f")))
            .all_ok();
    }
    sim.set_pace(Pace::Held);
    let look = args::Lookup { objname: b"f" };
    let request = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(look));
    request.send(&mut sim, client.conn);
    sim.run();
    let mut new = client.clone();
    new.conn = sim.connect();
    new.reboot();
    new.exchange_id(&mut sim).all_ok();
    assert_eq!(new.create_session(&mut sim).status(), Status::DELAY);
    assert_eq!(sim.tables().sessions, 0);
    sim.complete(0);
    // The new incarnation never comes back.
    sim.assert_nothing_is_left();
}
