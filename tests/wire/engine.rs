//! What a dead engine means for its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nfs4_transport_tokio::ServeError;
use nfs4_transport_tokio::driver::engine::Now;
use nfs4_transport_tokio::driver::{Clock, EngineDead, Limits, Refused, SystemClock};

use crate::files::RootOnly;
use crate::peer::Peer;
use crate::server::{Running, node};
use crate::session::Session;

#[tokio::test]
async fn a_panic_under_the_lock_ends_the_whole_server() {
    let clock = Arc::new(Broken {
        clock: SystemClock::new(),
        broken: AtomicBool::new(false),
    });
    let node = node(
        Limits::default(),
        Arc::new(RootOnly),
        Arc::clone(&clock) as _,
    );
    let server = Running::share(node).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"dead").await;
    let mut bystander = Peer::connect(server.address).await;
    assert!(bystander.is_served().await);

    clock.broken.store(true, Ordering::SeqCst);
    peer.send(&session.getattr(0)).await;
    peer.is_closed().await;
    bystander.is_closed().await;
    assert_eq!(
        server.node.open("late").err(),
        Some(Refused::EngineDead(EngineDead))
    );
    assert_eq!(
        server.ended().await,
        Err(ServeError::EngineDead(EngineDead))
    );
}

/// A clock that can be made to panic; it is read under the engine's lock.
struct Broken {
    clock: SystemClock,
    broken: AtomicBool,
}

impl Clock for Broken {
    fn now(&self) -> Now {
        assert!(!self.broken.load(Ordering::SeqCst), "a broken clock");
        self.clock.now()
    }
}
