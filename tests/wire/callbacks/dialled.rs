//! Callbacks to clients of NFSv4.0, on connections that the server makes.
//! [RFC 7530 §10.2.1, §16.33]

use std::sync::Arc;
use std::time::{Duration, Instant};

use nfs4_driver::engine::proto::client::CbReplyBuilder;
use nfs4_driver::engine::proto::nfs4::any::CbArgOp;
use nfs4_driver::engine::proto::nfs4::callback::args::CbRecall;
use nfs4_driver::engine::proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_driver::engine::proto::nfs4::res::OpenDelegation;
use nfs4_driver::engine::proto::nfs4::{CbOp, Op, Stateid, Status, args};
use nfs4_driver::engine::proto::rpc::{AuthFlavor, CallHeader, Fault};
use nfs4_driver::{DialAny, DialNone, DialRequest, Limits};
use nfs4_tests::sim::Callback;

use super::client40::{Client40, IDENT, PROGRAM, answer_null};
use super::{callback, memory, over, patient, reachable, serve, serve_files, tables_become};
use crate::caller::{Caller, open};
use crate::peer::{NULL, Peer, record};
use crate::server::{PATIENCE, Running, Transport};

on_each!(a_client_is_dialled_probed_and_called);

async fn a_client_is_dialled_probed_and_called(on: Transport) {
    let server = serve(on, patient()).await;
    let mut holder = Client40::introduced(&server, b"holder").await;
    let mut back = holder.dialled().await;
    let null = back.called().await;
    let (header, args_at) = CallHeader::decode(&null).unwrap();
    assert_eq!((header.prog, header.vers, header.proc), (PROGRAM, 1, 0));
    assert_eq!(header.cred.flavor, AuthFlavor::NONE);
    assert_eq!(args_at, null.len());

    // Nothing is delegated before it is known that callbacks arrive.
    make(&server, b"file").await;
    assert_eq!(holder.open(b"file").await, None);
    answer_null(&mut back, &null).await;
    tables_become(&server, |tables| tables.flights == 0).await;
    let delegation = holder.open(b"file").await.expect("a delegation");

    let mut other = Caller::mounted(server.address, b"other").await;
    assert_eq!(open_to_write(&mut other, b"file").await, Status::DELAY);
    let callback = callback(&mut back).await;
    let reader = callback.reader();
    assert_eq!((reader.rpc().prog, reader.rpc().vers), (PROGRAM, 1));
    assert_eq!(reader.rpc().cred.flavor, AuthFlavor::SYS);
    let header = reader.header();
    assert_eq!((header.tag, header.minorversion), (&b""[..], 0));
    assert_eq!((header.callback_ident, header.ops), (IDENT, 1));
    let recall = CbRecall {
        stateid: delegation,
        truncate: false,
        fh: &holder.fh,
    };
    assert_eq!(callback.ops(), [CbArgOp::Recall(recall)]);
    answer(&mut back, &callback, Status::OK).await;
    over(&server).await;
    holder.give_back(delegation).await;
    assert_eq!(open_to_write(&mut other, b"file").await, Status::OK);
}

on_each!(each_is_called_by_the_way_of_its_version);

async fn each_is_called_by_the_way_of_its_version(on: Transport) {
    let server = serve(on, patient()).await;
    make(&server, b"file").await;
    let mut old = Client40::introduced(&server, b"old").await;
    let mut back = old.dialled().await;
    let null = back.called().await;
    answer_null(&mut back, &null).await;
    tables_become(&server, |tables| tables.flights == 0).await;
    old.open(b"file").await;
    let from_old = old.open(b"file").await.expect("a delegation");
    let mut new = reachable(&server, b"new").await;
    let reply = new
        .call(|c| c.putrootfh().open(opening(1, b"file")))
        .await
        .all_ok();
    let OpenDelegation::Read(read) = reply.after(1).open().unwrap().delegation else {
        panic!("no delegation");
    };
    let from_new = read.stateid;

    let mut other = Caller::mounted(server.address, b"other").await;
    assert_eq!(open_to_write(&mut other, b"file").await, Status::DELAY);
    let to_new = callback(&mut new.peer).await;
    assert_eq!(to_new.sequence().sessionid, new.session);
    assert!(matches!(to_new.ops()[1], CbArgOp::Recall(recall) if recall.stateid == from_new));
    let to_old = callback(&mut back).await;
    assert!(matches!(to_old.ops()[0], CbArgOp::Recall(recall) if recall.stateid == from_old));
    new.peer.send(&to_new.ok()).await;
    answer(&mut back, &to_old, Status::OK).await;
    over(&server).await;
    old.give_back(from_old).await;
    assert_eq!(open_to_write(&mut other, b"file").await, Status::DELAY);
    let give_back = args::DelegReturn {
        deleg_stateid: from_new,
    };
    let look = args::Lookup { objname: b"file" };
    new.call(|c| c.putrootfh().lookup(look).delegreturn(give_back))
        .await
        .all_ok();
    assert_eq!(open_to_write(&mut other, b"file").await, Status::OK);
}

on_each!(a_connection_lost_in_mid_callback_is_made_again);

async fn a_connection_lost_in_mid_callback_is_made_again(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut holder, mut back, delegation) = holding(&server).await;
    let mut other = Caller::mounted(server.address, b"other").await;
    assert_eq!(open_to_write(&mut other, b"file").await, Status::DELAY);
    let lost = callback(&mut back).await;
    drop(back);

    let mut back = holder.dialled().await;
    let null = back.called().await;
    assert_eq!(CallHeader::decode(&null).unwrap().0.proc, 0, "probed anew");
    answer_null(&mut back, &null).await;
    let again = callback(&mut back).await;
    assert_eq!(again.body(), lost.body());
    answer(&mut back, &again, Status::OK).await;
    over(&server).await;
    holder.give_back(delegation).await;
    assert_eq!(open_to_write(&mut other, b"file").await, Status::OK);
}

on_each!(a_client_that_does_not_answer_in_time_is_dialled_again);

async fn a_client_that_does_not_answer_in_time_is_dialled_again(on: Transport) {
    let server = serve(on, super::quick()).await;
    let holder = Client40::introduced(&server, b"silent").await;
    let mut silent = holder.dialled().await;
    silent.called().await;
    silent.is_closed().await;
    let mut back = holder.dialled().await;
    let null = back.called().await;
    answer_null(&mut back, &null).await;
    tables_become(&server, |tables| tables.flights == 0).await;
    assert!(!back.was_called());
}

on_each!(renew_reports_a_down_path_to_clients_with_delegations);

async fn renew_reports_a_down_path_to_clients_with_delegations(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut holder, back, delegation) = holding(&server).await;
    assert_eq!(holder.renew().await, Status::OK);
    holder.stop_listening();
    drop(back);
    let down = async {
        while holder.renew().await != Status::CB_PATH_DOWN {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, down).await.expect("down");
    holder.give_back(delegation).await;
    assert_eq!(holder.renew().await, Status::OK);
}

on_each!(nothing_is_served_on_a_connection_that_the_server_made);

async fn nothing_is_served_on_a_connection_that_the_server_made(on: Transport) {
    let server = serve(on, patient()).await;
    let (_holder, mut back, _) = holding(&server).await;
    back.send(&record(&NULL)).await;
    assert_eq!(back.outcome(NULL.xid).await, Err(Fault::ProgUnavail));
}

on_each!(the_policy_decides_which_addresses_are_dialled);

async fn the_policy_decides_which_addresses_are_dialled(on: Transport) {
    let server = serve(on, patient()).await;
    // By default only where the client itself is: the others are told by another machine's address.
    let elsewhere = Client40::introduced_at(&server, b"elsewhere", "127.0.0.2").await;
    assert!(!elsewhere.is_dialled().await);
    let here = Client40::introduced(&server, b"here").await;
    here.dialled().await;

    server.node.set_dial_policy(Arc::new(DialAny));
    let elsewhere = Client40::introduced_at(&server, b"anywhere", "127.0.0.2").await;
    elsewhere.dialled().await;

    server.node.set_dial_policy(Arc::new(DialNone));
    let here = Client40::introduced(&server, b"nobody").await;
    assert!(!here.is_dialled().await);

    let some = |request: &DialRequest<'_>| request.target.ip().to_string() == "127.0.0.3";
    server.node.set_dial_policy(Arc::new(some));
    let here = Client40::introduced(&server, b"not this").await;
    let there = Client40::introduced_at(&server, b"but this", "127.0.0.3").await;
    there.dialled().await;
    assert!(!here.is_dialled().await);
}

on_each!(a_client_is_dialled_over_ipv6_as_well);

async fn a_client_is_dialled_over_ipv6_as_well(on: Transport) {
    let server = serve(on, patient()).await;
    server.node.set_dial_policy(Arc::new(DialAny));
    let holder = Client40::introduced_at(&server, b"six", "::1").await;
    let mut back = holder.dialled().await;
    let null = back.called().await;
    answer_null(&mut back, &null).await;
    tables_become(&server, |tables| tables.flights == 0).await;
}

on_each!(no_more_are_dialled_at_once_than_the_limit_and_for_no_longer);

async fn no_more_are_dialled_at_once_than_the_limit_and_for_no_longer(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_dials = 1;
        limits.dial_timeout = Duration::from_millis(500);
    });
    let server = serve_files(on, patient(), limits, Arc::new(memory())).await;
    let start = Instant::now();
    let deaf = Client40::introduced_deaf(&server, b"deaf").await;
    let here = Client40::introduced(&server, b"here").await;
    here.dialled().await;
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_millis(450),
        "it had to wait: {waited:?}"
    );
    drop(deaf);
}

on_each!(dials_for_one_peer_are_paced);

/// A client that confirms one port after the other learns little about its host.
async fn dials_for_one_peer_are_paced(on: Transport) {
    let server = serve(on, patient()).await;
    let start = Instant::now();
    let mut clients = Vec::new();
    for number in 0..40_u8 {
        clients.push(Client40::introduced(&server, &[b'p', number]).await);
    }
    for client in &clients {
        client.dialled().await;
    }
    // A burst of 32, and eight more in a second.
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(900), "{took:?}");
}

on_each!(a_stop_ends_what_was_dialled_and_what_is_being_dialled_at_once);

async fn a_stop_ends_what_was_dialled_and_what_is_being_dialled_at_once(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.dial_timeout = Duration::from_secs(30);
        limits.stop_timeout = Duration::from_secs(30);
    });
    let server = serve_files(on, patient(), limits, Arc::new(memory())).await;
    let (_holder, mut back, _) = holding(&server).await;
    let _deaf = Client40::introduced_deaf(&server, b"deaf").await;
    let mut other = Caller::mounted(server.address, b"other").await;
    assert_eq!(open_to_write(&mut other, b"file").await, Status::DELAY);
    callback(&mut back).await;
    let start = Instant::now();
    let node = server.node.clone();
    assert_eq!(server.ended().await, Ok(()));
    assert!(start.elapsed() < Duration::from_secs(2));
    back.is_closed().await;
    assert_eq!(node.connections(), Ok(0));
}

/// A client with a read delegation of "file", the connection made to it, and the delegation.
async fn holding(server: &Running) -> (Client40, Peer, Stateid) {
    make(server, b"file").await;
    let mut holder = Client40::introduced(server, b"holder").await;
    let mut back = holder.dialled().await;
    let null = back.called().await;
    answer_null(&mut back, &null).await;
    tables_become(server, |tables| tables.flights == 0).await;
    holder.open(b"file").await;
    let delegation = holder.open(b"file").await.expect("a delegation");
    (holder, back, delegation)
}

/// Makes a file, without opens.
async fn make(server: &Running, name: &[u8]) {
    let mut maker = Caller::mounted(server.address, b"maker").await;
    let quietly = args::Open {
        share_access: OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 3,
        ..open(name)
    };
    maker
        .call(|c| c.putrootfh().open(quietly).close(crate::caller::CLOSE))
        .await
        .all_ok();
}

fn opening(share_access: u32, name: &[u8]) -> args::Open<'_> {
    args::Open {
        share_access,
        openhow: args::OpenFlag::NoCreate,
        ..open(name)
    }
}

/// What comes of an OPEN for writing.
async fn open_to_write(client: &mut Caller, name: &[u8]) -> Status {
    let args = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, name);
    let reply = client.call(|c| c.putrootfh().open(args)).await;
    let (op, status) = reply.last();
    assert_eq!(op, Op::Open);
    status
}

/// Answers a CB_RECALL of minor version 0.
async fn answer(back: &mut Peer, callback: &Callback, status: Status) {
    let reply = CbReplyBuilder::reply(callback.xid(), b"")
        .raw(CbOp::Recall.number(), status, &[])
        .finish();
    back.send(&reply).await;
}
