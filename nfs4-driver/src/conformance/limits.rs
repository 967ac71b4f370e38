//! What one connection, and all of them, may have.

use std::thread;
use std::time::{Duration, Instant};

use super::Transport;
use super::files::Answers;
use super::scene::Scene;
use crate::limits::Limits;

/// A connection above the limit is refused or closed without an answer, and one that ends makes room.
pub fn one_connection_too_many_is_refused<T: Transport>(transport: &T) {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let scene = Scene::with(transport, limits);
    // Those of sessions give way to none.
    let first = scene.mounted("first");
    let mut second = scene.mounted("second");
    for _ in 0..3 {
        if let Some(mut third) = scene.try_connect() {
            assert!(!third.is_served(), "there are two already");
        }
    }
    assert!(second.is_served());
    assert_eq!(scene.node.connections(), Ok(2));
    drop(first);
    scene.has_connections(1);
    let mut third = scene.connect();
    assert!(third.is_served(), "there is room again");
    drop((second, third));
    scene.end();
}

/// A connection without a byte and without a call is closed after the idle timeout, and no other.
pub fn an_idle_connection_is_closed<T: Transport>(transport: &T) {
    let limits = Limits {
        idle_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let scene = Scene::with(transport, limits);
    let mut waits = scene.mounted("waits");
    let mut idle = scene.connect();
    let mut busy = scene.connect();
    scene.files.answer(Answers::Held);
    let xids = waits.send_getattrs(1);
    scene.has_waiting(1);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(600) {
        assert!(busy.is_served(), "it is in use");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(idle.is_closed(), "it is not in use");
    scene.files.release_all();
    waits.replies_to(&xids);
    assert!(busy.is_served(), "it is in use");
    drop((waits, idle, busy));
    scene.end();
}

/// Calls above the limit wait, and start as others are answered.
pub fn no_more_calls_are_in_flight_than_the_limit<T: Transport>(transport: &T) {
    let limits = Limits {
        max_in_flight: 4,
        ..Limits::default()
    };
    let scene = Scene::with(transport, limits);
    let mut client = scene.mounted("many");
    scene.files.answer(Answers::Held);
    let xids = client.send_getattrs(10);
    for answered in 0..10 {
        let expected = 4.min(10 - answered);
        scene.has_waiting(expected);
        thread::sleep(Duration::from_millis(3));
        assert_eq!(scene.files.waiting(), expected);
        drop(scene.files.take());
        client.reply().expect("a reply");
    }
    assert_eq!(xids.len(), scene.files.asked());
    drop(client);
    scene.end();
}

/// A client whose lease runs out is removed, although nothing comes in: the transport runs the timer.
pub fn a_lease_expires_without_any_request<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let silent = scene.mounted("silent");
    assert_eq!(scene.tables().clients, 1);
    let lease = scene.node.config().expect("the engine lives").lease;
    scene.clock.jump(lease / 2);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(scene.tables().clients, 1, "half of a lease is left");
    scene.clock.jump(lease);
    scene.wait_for("the end of the lease", |scene| scene.tables().clients == 0);
    assert_eq!(scene.node.connections(), Ok(1), "its connection stays");
    drop(silent);
    scene.end();
}
