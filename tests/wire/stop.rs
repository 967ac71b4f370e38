//! A graceful stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nfs4_transport_tokio::driver::Limits;
use tokio::net::TcpStream;

use crate::files::{Held, root_attrs};
use crate::flight::wait_for;
use crate::log;
use crate::peer::Peer;
use crate::server::Running;
use crate::session::{Session, outcome};

#[tokio::test]
async fn a_stopped_server_accepts_nothing_and_ends() {
    let mut server = Running::start(Limits::default()).await;
    let mut peer = Peer::connect(server.address).await;
    assert!(peer.is_served().await);
    server.stop();
    peer.is_closed().await;
    assert!(TcpStream::connect(server.address).await.is_err());
    assert_eq!(server.node.connections(), Ok(0));
    assert_eq!(server.ended().await, Ok(()));
}

#[tokio::test]
async fn what_is_in_flight_is_answered_first() {
    let files = Arc::new(Held::default());
    let mut server = Running::serve(Limits::default(), Arc::clone(&files) as _).await;
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

#[tokio::test]
async fn what_is_never_answered_is_not_waited_for_without_end() {
    let files = Arc::new(Held::default());
    let limits = Limits {
        stop_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let mut server = Running::serve(limits, Arc::clone(&files) as _).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"never").await;
    files.hold(true);
    peer.send(&session.getattr(0)).await;
    wait_for(&files, 1).await;
    let start = Instant::now();
    server.stop();
    peer.is_closed().await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(server.ended().await, Ok(()));
    assert_eq!(
        log::lines("the time to stop is over", "connections=1").len(),
        1
    );
}
