//! Each limit, seen from the other end of a socket.

use std::time::Duration;

use nfs4_driver::Limits;
use tokio::time::timeout;

use crate::log;
use crate::peer::{NULL, Peer, fragments, record};
use crate::server::{PATIENCE, Running, Transport};
use crate::session::Session;

/// Every limit has its test, here or where it says: a change that adds a limit adds a test.
#[test]
fn these_are_the_limits() {
    let tested = [
        "max_connections",
        "max_connections_per_peer", // tests/attacks
        "max_record",
        "max_fragments",
        "max_in_flight",           // tests/drivers
        "max_reply",               // flight
        "max_unsent",              // flight
        "max_unsent_by_strangers", // budget
        "max_held",                // budget
        "max_held_by_strangers",   // budget
        "max_pooled",              // tests/leaks
        "idle_timeout",            // tests/drivers
        "stall_timeout",
        "max_dials",    // callbacks/dialled
        "dial_timeout", // callbacks/dialled
        "stop_timeout", // stop
        "timer_budget", // timer
    ];
    assert_eq!(fields(&Limits::default()), tested);
}

/// The names of the fields of a struct, as `Debug` shows them.
pub(crate) fn fields(of: &impl std::fmt::Debug) -> Vec<String> {
    let shown = format!("{of:#?}");
    let own = shown.lines().filter_map(|line| line.strip_prefix("    "));
    let own = own.filter(|line| !line.starts_with([' ', ']', '}']));
    own.filter_map(|line| Some(line.split_once(": ")?.0.to_owned()))
        .collect()
}

on_each!(one_connection_too_many_is_closed_at_once);

async fn one_connection_too_many_is_closed_at_once(on: Transport) {
    let limits = Limits::default().with(|limits| limits.max_connections = 2);
    let server = Running::start(on, limits).await;
    let mut first = Peer::connect(server.address).await;
    let mut second = Peer::connect(server.address).await;
    for (peer, owner) in [(&mut first, b"one"), (&mut second, b"two")] {
        Session::establish(peer, owner).await;
    }
    let mut third = Peer::connect(server.address).await;
    third.is_closed().await;
    assert_eq!(
        log::lines("connection refused", &third.address.to_string()).len(),
        1
    );
    drop(first);
    server.has_connections(1).await;
    assert!(Peer::connect(server.address).await.is_served().await);
    assert!(second.is_served().await);
}

on_each!(an_idle_connection_without_a_session_gives_way_to_one_too_many);

async fn an_idle_connection_without_a_session_gives_way_to_one_too_many(on: Transport) {
    let limits = Limits::default().with(|limits| limits.max_connections = 3);
    let server = Running::start(on, limits).await;
    let mut bound = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut bound, b"bound").await;
    let mut older = Peer::connect(server.address).await;
    assert!(older.is_served().await);
    let mut idle = Peer::connect(server.address).await;
    assert!(idle.is_served().await);
    server.has_connections(3).await;
    // The first check of both finds that they have moved; from then on one that does not is idle.
    let mut new = Peer::connect(server.address).await;
    older.is_closed().await;
    assert!(new.is_served().await);
    assert!(idle.is_served().await);
    let mut newer = Peer::connect(server.address).await;
    assert!(newer.is_served().await);
    server.has_connections(3).await;
    bound.send(&session.getattr(0)).await;
    assert_eq!(
        crate::session::outcome(&bound.record().await.unwrap()),
        (0, Ok(()))
    );
}

on_each!(the_limit_of_a_record_is_the_last_byte_that_is_taken);

async fn the_limit_of_a_record_is_the_last_byte_that_is_taken(on: Transport) {
    let limits = Limits::default().with(|limits| limits.max_record = 10_000);
    let server = Running::start(on, limits).await;
    let mut message = crate::peer::message(&NULL);
    message.resize(10_000, 0);
    let mut peer = Peer::connect(server.address).await;
    peer.send(&crate::peer::mark(&message)).await;
    assert_eq!(peer.outcome(NULL.xid).await, Ok(()));
    message.push(0);
    peer.send(&crate::peer::mark(&message)).await;
    peer.is_closed().await;
}

on_each!(a_record_has_as_many_fragments_as_the_limit);

async fn a_record_has_as_many_fragments_as_the_limit(on: Transport) {
    let limits = Limits::default().with(|limits| limits.max_fragments = 4);
    let server = Running::start(on, limits).await;
    let message = crate::peer::message(&NULL);
    let mut peer = Peer::connect(server.address).await;
    let quarters = fragments(&message, message.len().div_ceil(4));
    peer.send(&quarters).await;
    assert_eq!(peer.outcome(NULL.xid).await, Ok(()));
    let fifths = fragments(&message, message.len().div_ceil(5));
    peer.send(&fifths).await;
    peer.is_closed().await;
}

on_each!(a_connection_that_was_quiet_is_served_as_before);

async fn a_connection_that_was_quiet_is_served_as_before(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut peer = Peer::connect(server.address).await;
    let call = record(&NULL);
    for cut in [0, 3] {
        peer.send(&call[..cut]).await;
        // Longer than a transport keeps a read buffer at hand.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        peer.send(&call[cut..]).await;
        assert_eq!(peer.outcome(NULL.xid).await, Ok(()));
        assert!(peer.is_served().await);
    }
}

on_each!(half_a_record_is_not_waited_for_without_end);

async fn half_a_record_is_not_waited_for_without_end(on: Transport) {
    let limits = Limits::default().with(|limits| limits.stall_timeout = Duration::from_millis(100));
    let server = Running::start(on, limits).await;
    let mut quiet = Peer::connect(server.address).await;
    let mut halves = [1, 4, 10].map(|cut| (cut, None));
    for (cut, peer) in &mut halves {
        let mut half = Peer::connect(server.address).await;
        half.send(&record(&NULL)[..*cut]).await;
        *peer = Some(half);
    }
    for (_, peer) in &mut halves {
        let half = peer.as_mut().unwrap();
        half.is_closed().await;
        assert_eq!(log::lines(&half.address.to_string(), "stalled").len(), 1);
    }
    assert!(
        quiet.is_served().await,
        "between records there is nothing to wait for"
    );
}

on_each!(a_peer_that_takes_no_replies_is_not_read_from_and_then_closed);

async fn a_peer_that_takes_no_replies_is_not_read_from_and_then_closed(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_reply = 8_192;
        limits.max_unsent = 16_384;
        limits.stall_timeout = Duration::from_millis(500);
    });
    let server = Running::start(on, limits).await;
    let mut bystander = Peer::connect(server.address).await;
    let mut deaf = Peer::connect(server.address).await;
    let mut sent = 0;
    let stuck = deaf.send_until_stuck(&mut sent).await;
    assert!(stuck, "it stops reading before it gives up");
    assert!(bystander.is_served().await);
    // A slow server may only have seemed to be stuck, and needs its time to fill all buffers.
    let lost = async { while deaf.send_until_stuck(&mut sent).await {} };
    timeout(12 * PATIENCE, lost).await.expect("it gives up");
    server.has_connections(1).await;
    assert_eq!(log::lines(&deaf.address.to_string(), "stalled").len(), 1);
    assert!(bystander.is_served().await);
}
