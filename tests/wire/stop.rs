//! A graceful stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use tokio::net::TcpStream;

use crate::files::{Held, root_attrs};
use crate::flight::wait_for;
use crate::log;
use crate::peer::Peer;
use crate::server::{Running, Transport};
use crate::session::{Session, outcome};

on_both!(a_stopped_server_accepts_nothing_and_ends);

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

on_both!(what_is_in_flight_is_answered_first);

async fn what_is_in_flight_is_answered_first(on: Transport) {
    let files = Arc::new(Held::default());
    let mut server = Running::serve(on, Limits::default(), Arc::clone(&files) as _).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"stop").await;
    files.hold(true);
    peer.send(&session.getattr(0)).await;
    wait_for(&files, 1).await;
    server.stop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.node.connections(), Ok(1));
    files.take(0).complete(Ok(root_attrs()));
    assert_eq!(outcome(&peer.record().await.unwrap()), (0, Ok(())));
    peer.is_closed().await;
    assert_eq!(server.ended().await, Ok(()));
}

on_both!(what_is_never_answered_is_not_waited_for_without_end);

async fn what_is_never_answered_is_not_waited_for_without_end(on: Transport) {
    let files = Arc::new(Held::default());
    let limits = Limits {
        stop_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let mut server = Running::serve(on, limits, Arc::clone(&files) as _).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"never").await;
    let mut other = Peer::connect(server.address).await;
    files.hold(true);
    peer.send(&session.getattr(0)).await;
    other.send(&session.getattr(1)).await;
    wait_for(&files, 2).await;
    let start = Instant::now();
    server.stop();
    peer.is_closed().await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(server.ended().await, Ok(()));
    assert_eq!(
        log::lines(&format!("{}::log", on.library()), "connections=2").len(),
        1
    );
}

on_both!(a_peer_that_takes_no_replies_does_not_hold_it_up);

async fn a_peer_that_takes_no_replies_does_not_hold_it_up(on: Transport) {
    let limits = Limits {
        max_reply: 8_192,
        max_unsent: 16_384,
        stop_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
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
