//! A graceful stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::proto::nfs4::Bitmap;
use nfs4_driver::engine::proto::nfs4::args::GetAttr;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::caller::Caller;
use crate::files::Held;
use crate::flight::wait_for;
use crate::log;
use crate::peer::Peer;
use crate::server::{Running, Transport};
use crate::session::Session;

on_each!(a_stopped_server_accepts_nothing_and_ends);

async fn a_stopped_server_accepts_nothing_and_ends(on: Transport) {
    let mut server = Running::start(on, Limits::default()).await;
    let mut peer = Peer::connect(server.address).await;
    assert!(peer.is_served().await);
    server.stop();
    peer.is_closed().await;
    assert!(TcpStream::connect(server.address).await.is_err());
    assert_eq!(server.node.connections(), Ok(0));
    assert_eq!(server.ended().await, Ok(()));
}

on_each!(a_peer_that_keeps_sending_is_cut_off_in_the_end);

async fn a_peer_that_keeps_sending_is_cut_off_in_the_end(on: Transport) {
    let files = Arc::new(Held::default());
    let limits = Limits::default().with(|limits| limits.stop_timeout = Duration::from_millis(300));
    let mut server = Running::serve(on, limits, Arc::clone(&files) as _).await;
    let mut client = Caller::mounted(server.address, b"tireless").await;
    files.hold(true);
    let look = GetAttr {
        attr_request: Bitmap::EMPTY,
    };
    let begun = client.request(1, |c| c.putrootfh().getattr(look));
    client.peer.send(&begun).await;
    wait_for(&files, 1).await;
    let start = Instant::now();
    server.stop();
    let mut told = 0;
    loop {
        let call = client.request(0, |c| c.putrootfh());
        let sent = client.peer.stream.write_all(&call).await;
        if sent.is_err() || client.peer.record().await.is_err() {
            break;
        }
        told += 1;
    }
    assert!(told > 1, "{told}");
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(server.ended().await, Ok(()));
    assert!(start.elapsed() < Duration::from_secs(5));
}

on_each!(what_is_never_answered_is_not_waited_for_without_end);

async fn what_is_never_answered_is_not_waited_for_without_end(on: Transport) {
    let files = Arc::new(Held::default());
    let limits = Limits::default().with(|limits| limits.stop_timeout = Duration::from_millis(100));
    let mut server = Running::serve(on, limits, Arc::clone(&files) as _).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"never").await;
    // The number tells whose log line it is: no other test has so many.
    let others = match on {
        Transport::Tokio => 11,
        Transport::Threads => 12,
        Transport::AsyncStd => 13,
    };
    let mut left = Vec::new();
    files.hold(true);
    peer.send(&session.getattr(0)).await;
    for slot in 1..=others {
        let mut other = Peer::connect(server.address).await;
        other.send(&session.getattr(slot)).await;
        left.push(other);
    }
    wait_for(&files, others as usize + 1).await;
    let start = Instant::now();
    server.stop();
    peer.is_closed().await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(server.ended().await, Ok(()));
    let count = format!("connections={}", others + 1);
    assert_eq!(log::lines("the time to stop is over", &count).len(), 1);
}

on_each!(a_peer_that_takes_no_replies_does_not_hold_it_up);

async fn a_peer_that_takes_no_replies_does_not_hold_it_up(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_reply = 8_192;
        limits.max_unsent = 16_384;
        limits.stop_timeout = Duration::from_millis(100);
    });
    let mut server = Running::start(on, limits).await;
    let mut idle = Peer::connect(server.address).await;
    let mut deaf = Peer::connect(server.address).await;
    assert!(deaf.send_until_stuck(&mut 0).await);
    let start = Instant::now();
    server.stop();
    idle.is_closed().await;
    assert_eq!(server.ended().await, Ok(()));
    assert!(start.elapsed() < Duration::from_secs(5), "no stall timeout");
}
