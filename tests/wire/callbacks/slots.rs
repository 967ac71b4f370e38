//! Callbacks of one session, one after the other and together.

use nfs4_driver::engine::proto::client::CbReplyBuilder;
use nfs4_driver::engine::proto::nfs4::any::CbArgOp;
use nfs4_driver::engine::proto::nfs4::args::{self, ChannelAttrs};

use super::{callback, called, flags, over, patient, provoke, quick, reachable, reachable_by};
use super::{serve, strays, tables_become};
use crate::caller::{CHANNEL, Caller};
use crate::server::Transport;

on_each!(consecutive_callbacks_count_on_one_slot);

async fn consecutive_callbacks_count_on_one_slot(on: Transport) {
    let server = serve(on, patient()).await;
    let mut client = reachable(&server, b"called").await;
    let mut other = Caller::mounted(server.address, b"other").await;
    for seqid in 1..=3 {
        provoke(&mut client, &mut other, &[b'a', seqid as u8]).await;
        let callback = callback(&mut client.peer).await;
        let sequence = callback.sequence();
        assert_eq!(sequence.sessionid, client.session);
        assert_eq!((sequence.slotid, sequence.sequenceid), (0, seqid));
        assert!(matches!(callback.ops()[1], CbArgOp::NotifyLock(_)));
        client.peer.send(&callback.ok()).await;
        over(&server).await;
    }
    assert_eq!(flags(&mut client).await, 0);
    let sent = server
        .node
        .metrics(|seen| (seen.callbacks(), seen.callback_retries()));
    assert_eq!(sent, Ok((3, 0)));
}

on_each!(two_in_flight_are_answered_in_the_other_order);

async fn two_in_flight_are_answered_in_the_other_order(on: Transport) {
    let server = serve(on, patient()).await;
    let mut client = reachable(&server, b"called").await;
    let mut other = Caller::mounted(server.address, b"other").await;
    provoke(&mut client, &mut other, b"first").await;
    provoke(&mut client, &mut other, b"second").await;
    let first = callback(&mut client.peer).await;
    let second = callback(&mut client.peer).await;
    let place = |callback: &nfs4_tests::sim::Callback| {
        let sequence = callback.sequence();
        (sequence.slotid, sequence.sequenceid)
    };
    assert_eq!((place(&first), place(&second)), ((0, 1), (1, 1)));
    assert_ne!(first.xid(), second.xid());
    client.peer.send(&second.ok()).await;
    tables_become(&server, |tables| tables.flights == 1).await;
    client.peer.send(&first.ok()).await;
    over(&server).await;
    assert_eq!(strays(&server), 0);
    provoke(&mut client, &mut other, b"third").await;
    assert_eq!(place(&callback(&mut client.peer).await), (0, 2));
}

on_each!(more_than_may_wait_are_refused_and_counted);

async fn more_than_may_wait_are_refused_and_counted(on: Transport) {
    let server = serve(on, patient()).await;
    let one_slot = ChannelAttrs {
        maxrequests: 1,
        ..CHANNEL
    };
    let mut client = reachable_by(&server, b"called", one_slot).await;
    let mut other = Caller::mounted(server.address, b"other").await;
    for number in 0..65 {
        provoke(&mut client, &mut other, format!("f{number}").as_bytes()).await;
    }
    let failures = || {
        server
            .node
            .metrics(|seen| seen.callback_failures())
            .unwrap()
    };
    assert_eq!(server.node.table_lengths().unwrap().callbacks, 65);
    assert_eq!(failures(), 0, "one is on its way and 64 wait");
    provoke(&mut client, &mut other, b"last").await;
    assert_eq!(server.node.table_lengths().unwrap().callbacks, 65);
    assert_eq!(failures(), 1);
    callback(&mut client.peer).await;
    assert_eq!(flags(&mut client).await, 0);
    assert!(!client.peer.was_called(), "there is one slot");
}

on_each!(a_session_that_goes_takes_its_callbacks_along);

async fn a_session_that_goes_takes_its_callbacks_along(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, callback) = called(&server).await;
    let gone = args::DestroySession {
        sessionid: client.session,
    };
    client.bare(|c| c.destroy_session(gone)).await.all_ok();
    let tables = server.node.table_lengths().unwrap();
    assert_eq!((tables.callbacks, tables.flights), (0, 0));
    client.peer.send(&callback.ok()).await;
    assert!(client.peer.is_served().await);
    assert_eq!(strays(&server), 1);
}

on_each!(a_reply_counts_on_its_own_connection_only);

async fn a_reply_counts_on_its_own_connection_only(on: Transport) {
    let server = serve(on, patient()).await;
    let (mut client, callback) = called(&server).await;
    let mut stranger = Caller::mounted(server.address, b"stranger").await;
    stranger.peer.send(&callback.ok()).await;
    assert!(stranger.peer.is_served().await);
    assert_eq!(strays(&server), 1);
    assert_eq!(server.node.table_lengths().unwrap().flights, 1);
    let other_xid = CbReplyBuilder::reply(callback.xid() ^ 1, b"").finish();
    client.peer.send(&other_xid).await;
    client.peer.send(&callback.ok()).await;
    over(&server).await;
    assert_eq!(strays(&server), 1);
}

on_each!(a_client_that_is_silent_is_called_at_once);

/// So long that its connection has given its buffers back: nothing but the callback wakes it.
async fn a_client_that_is_silent_is_called_at_once(on: Transport) {
    let server = serve(on, quick()).await;
    let mut client = reachable(&server, b"called").await;
    let mut other = Caller::mounted(server.address, b"other").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    provoke(&mut client, &mut other, b"first").await;
    let first = callback(&mut client.peer).await;
    client.peer.send(&first.ok()).await;
    over(&server).await;
    assert_eq!(flags(&mut client).await, 0, "its answer was in time");
}
