//! A COMPOUND that waits for a file system while its client or its session is removed: the server
//! keeps nothing that was reserved for it.

mod held_fs;

use std::time::Duration;

use nfs4_engine::fs::FsError;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenFlag};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fattr, Pace, Reply, Request, Sim, open_args};

use held_fs::HeldFs;

#[test]
fn an_open_whose_client_reboots_while_the_file_is_looked_for_holds_nothing() {
    let (mut held, request) = HeldFs::truncating();
    assert_eq!(held.sim.held().len(), 1);
    held.reboot();
    assert_eq!(held.sim.tables().parked, 1);
    held.sim.complete(0);
    assert!(held.sim.held().is_empty(), "it does not go on");
    let reply = held.reply(&request);
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    assert_eq!(held.sim.tables().opens, 0);
    assert_eq!(held.sim.fs().held(), 0);
    held.sim.assert_nothing_is_left();
}

#[test]
fn an_open_whose_client_reboots_while_the_file_is_cut_holds_nothing() {
    let (mut held, request) = HeldFs::truncating();
    held.sim.complete(0);
    assert_eq!(held.sim.held().len(), 1, "it is being cut");
    assert_eq!((held.sim.tables().opens, held.sim.tables().files), (0, 1));
    held.reboot();
    assert_eq!(held.sim.fs().held(), 1, "as long as it is being cut");
    held.sim.complete(0);
    let reply = held.reply(&request);
    assert_eq!(reply.last(), (Op::Open, Status::DELAY));
    held.sim.assert_nothing_is_left();
}

#[test]
fn an_open_whose_connection_dies_is_done_all_the_same_and_found_by_the_retry() {
    let (mut held, request) = HeldFs::truncating();
    held.sim.kill(held.client.conn);
    held.sim.complete_all();
    assert_eq!(held.sim.tables().opens, 1);
    held.client.conn = held.sim.connect();
    let reply = request
        .again(&mut held.sim)
        .exchange(&mut held.sim, held.client.conn)
        .all_ok();
    assert_eq!(ok!(reply, Open).stateid.seqid, 1);
    assert_eq!(held.sim.fs().held(), 1);
    held.sim.assert_nothing_is_left();
}

#[test]
fn an_open_that_cannot_cut_the_file_leaves_nothing_open() {
    let (mut held, request) = HeldFs::truncating();
    held.sim.complete(0);
    held.sim.refuse(0, FsError::NoSpace);
    let reply = held.reply(&request);
    assert_eq!(reply.last(), (Op::Open, Status::NOSPC));
    assert_eq!(held.sim.tables().opens, 0);
    assert_eq!(held.sim.fs().held(), 0);
    held.sim.assert_nothing_is_left();
}

#[test]
fn two_opens_of_one_owner_that_cut_at_the_same_time_share_one_hold() {
    let mut held = HeldFs::new();
    let requests = [0, 1].map(|slot| held.truncation(slot));
    held.send(&requests.each_ref());
    // Both are found before either is cut.
    held.sim.complete(0);
    held.sim.complete(0);
    assert_eq!(held.sim.held().len(), 2);
    held.sim.complete(1);
    held.sim.complete(0);
    let mut seqids: Vec<u32> = requests
        .iter()
        .map(|request| {
            let reply = held.reply(request).all_ok();
            ok!(reply, Open).stateid.seqid
        })
        .collect();
    seqids.sort_unstable();
    assert_eq!(seqids, [1, 2]);
    assert_eq!(held.sim.tables().opens, 1);
    assert_eq!(held.sim.fs().held(), 1);
    held.sim.assert_nothing_is_left();
}

#[test]
fn a_share_that_is_taken_while_the_file_is_looked_for_denies_the_later_one() {
    let mut held = HeldFs::new();
    let requests = [(0, &b"first"[..]), (1, b"second")].map(|(slot, owner)| {
        let open = args::Open {
            share_deny: 3,
            ..open_args(owner, b"f")
        };
        held.client
            .request(&mut held.sim, slot, true, |c| c.putrootfh().open(open))
    });
    held.send(&requests.each_ref());
    held.sim.complete(1);
    held.sim.complete(0);
    let [late, early] = requests.map(|request| held.reply(&request));
    assert_eq!(early.status(), Status::OK);
    assert_eq!(late.last(), (Op::Open, Status::SHARE_DENIED));
    assert_eq!(held.sim.fs().held(), 1);
    held.sim.assert_nothing_is_left();
}

#[test]
fn a_request_in_the_file_system_is_finished_before_the_lease_of_its_client_ends() {
    let (mut held, _) = HeldFs::truncating();
    held.sim.kill(held.client.conn);
    held.sim.sleep(3 * held.sim.settings().lease);
    held.sim.complete_all();
    assert_eq!(held.sim.tables().opens, 1);
    held.sim
        .sleep(held.sim.settings().lease + Duration::from_secs(1));
    assert_eq!(held.sim.tables().courteous_clients, 1);
    held.sim.assert_nothing_is_left();
}

#[test]
fn a_session_with_a_request_in_flight_is_not_destroyed() {
    let (mut held, _) = HeldFs::truncating();
    let destroy = args::DestroySession {
        sessionid: held.client.session,
    };
    let reply = held
        .client
        .bare(&mut held.sim, |c| c.destroy_session(destroy));
    assert!(reply.is_only(Op::DestroySession, Status::DELAY));
    // Nor by another request of its own.
    let own = held
        .client
        .request(&mut held.sim, 1, true, |c| c.destroy_session(destroy));
    let reply = own.exchange(&mut held.sim, held.client.conn);
    assert_eq!(reply.last(), (Op::DestroySession, Status::DELAY));
    held.sim.complete_all();
    held.client
        .bare(&mut held.sim, |c| c.destroy_session(destroy))
        .all_ok();
    assert_eq!(
        held.sim.tables().opens,
        1,
        "state is the client's, not the session's"
    );
    held.sim.assert_nothing_is_left();
}

#[test]
fn a_creation_whose_client_reboots_is_answered_as_it_was_done() {
    let mut held = HeldFs::new();
    let mkdir = args::Create {
        objtype: args::CreateType::Directory,
        objname: b"d",
        createattrs: FattrRaw::EMPTY,
    };
    let request = held
        .client
        .request(&mut held.sim, 0, true, |c| c.putrootfh().create(mkdir));
    held.send(&[&request]);
    held.reboot();
    held.sim.complete(0);
    let reply = held.reply(&request);
    assert_eq!(reply.last(), (Op::Create, Status::OK));
    held.sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_is_half_removed_expires_although_a_request_of_it_waited() {
    let mut held = HeldFs::new();
    held.sim.set_pace(Pace::Delayed);
    // More than is removed within one request.
    for number in 0..1_100_u32 {
        let owner = number.to_be_bytes();
        let open = open_args(&owner, b"f");
        held.client
            .call(&mut held.sim, |c| c.putrootfh().open(open))
            .all_ok();
    }
    held.sim.set_pace(Pace::Held);
    let look = args::Lookup { objname: b"f" };
    let request = held
        .client
        .request(&mut held.sim, 0, true, |c| c.putrootfh().lookup(look));
    held.send(&[&request]);
    let mut new = held.rebooted();
    let reply = new.create_session(&mut held.sim);
    assert_eq!(reply.status(), Status::DELAY);
    assert_eq!(held.sim.tables().sessions, 0);
    held.sim.complete(0);
    // The new incarnation never comes back.
    held.sim.assert_nothing_is_left();
}
