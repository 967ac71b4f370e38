//! Accepts that fail.

use std::io;
use std::time::Duration;

use nfs4_driver::{Accepts, Limits};

use crate::log;
use crate::peer::Peer;
use crate::server::{Running, Transport};
use crate::session::Session;

on_each!(when_descriptors_have_run_out_an_idle_connection_gives_up_its_own);

async fn when_descriptors_have_run_out_an_idle_connection_gives_up_its_own(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut bound = Peer::connect(server.address).await;
    Session::establish(&mut bound, b"bound").await;
    let mut older = Peer::connect(server.address).await;
    server.has_connections(2).await;
    let mut newer = Peer::connect(server.address).await;
    server.has_connections(3).await;
    let mut accepts = Accepts::new(server.node.clone());
    let full = [23, 24].map(io::Error::from_raw_os_error);
    for (why, peer) in full.iter().zip([&mut older, &mut newer]) {
        assert!(accepts.failed(why) > Duration::ZERO);
        peer.is_closed().await;
    }
    server.has_connections(1).await;
    // There is no other connection, and a client with a session is not to pay for it.
    for _ in 0..100 {
        assert!(accepts.failed(&full[0]) > Duration::ZERO, "nothing spins");
    }
    assert!(bound.is_served().await);
    let why = full[0].to_string();
    let told = log::lines("connections cannot be accepted", &why);
    assert!((1..=3).contains(&told.len()), "of all transports: {told:?}");
}

on_each!(a_peer_that_goes_before_it_is_accepted_delays_no_other);

async fn a_peer_that_goes_before_it_is_accepted_delays_no_other(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut idle = Peer::connect(server.address).await;
    assert!(idle.is_served().await);
    let mut accepts = Accepts::new(server.node.clone());
    for kind in [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::Interrupted,
    ] {
        assert_eq!(accepts.failed(&kind.into()), Duration::ZERO, "{kind}");
    }
    // Whatever else it is, it does not make room.
    assert!(accepts.failed(&io::ErrorKind::InvalidInput.into()) > Duration::ZERO);
    assert!(idle.is_served().await);
}
