//! What a dead engine means for its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nfs4_driver::engine::Now;
use nfs4_driver::{Clock, EngineDead, Limits, Refused, SystemClock};

use crate::files::{Held, RootOnly, root_attrs};
use crate::flight::wait_for;
use crate::peer::Peer;
use crate::server::{Running, Transport, node};
use crate::session::Session;

on_each!(a_panic_under_the_lock_ends_the_whole_server);

async fn a_panic_under_the_lock_ends_the_whole_server(on: Transport) {
    let clock = Broken::not_yet();
    let node = node(
        Limits::default(),
        Arc::new(RootOnly),
        Arc::clone(&clock) as _,
    );
    let server = Running::share(on, node).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"dead").await;
    let mut bystander = Peer::connect(server.address).await;
    assert!(bystander.is_served().await);

    clock.break_down();
    peer.send(&session.getattr(0)).await;
    peer.is_closed().await;
    bystander.is_closed().await;
    assert_eq!(
        server.node.open("late").err(),
        Some(Refused::EngineDead(EngineDead))
    );
    assert_eq!(server.ended().await, Err(EngineDead));
}

on_each!(so_does_a_panic_over_a_late_answer);

async fn so_does_a_panic_over_a_late_answer(on: Transport) {
    let clock = Broken::not_yet();
    let files = Arc::new(Held::default());
    let node = node(
        Limits::default(),
        Arc::clone(&files) as _,
        Arc::clone(&clock) as _,
    );
    let server = Running::share(on, node).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"late").await;
    let mut bystander = Peer::connect(server.address).await;
    assert!(bystander.is_served().await);
    files.hold(true);
    peer.send(&session.getattr(0)).await;
    wait_for(&files, 1).await;

    clock.break_down();
    files.take(0).complete(Ok(root_attrs()));
    peer.is_closed().await;
    bystander.is_closed().await;
    assert_eq!(server.ended().await, Err(EngineDead));
}

/// A clock that can be made to panic; it is read under the engine's lock.
pub(crate) struct Broken {
    clock: SystemClock,
    broken: AtomicBool,
}

impl Broken {
    pub(crate) fn not_yet() -> Arc<Broken> {
        Arc::new(Broken {
            clock: SystemClock::new(),
            broken: AtomicBool::new(false),
        })
    }

    pub(crate) fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }
}

impl Clock for Broken {
    fn now(&self) -> Now {
        assert!(!self.broken.load(Ordering::SeqCst), "a broken clock");
        self.clock.now()
    }
}
