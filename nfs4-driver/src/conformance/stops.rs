//! The end of a server.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::proto::nfs4::{Op, Stateid, Status, args};

use super::Transport;
use super::client::{last, succeeded};
use super::files::{Answers, NAME, SIZE};
use super::scene::Scene;
use crate::error::{EngineDead, Refused};
use crate::limits::Limits;

/// A stop closes what is idle, accepts nothing, and leaves nothing.
pub fn idle_connections_end_and_none_is_accepted<T: Transport>(transport: &T) {
    let mut scene = Scene::start(transport);
    let mut idle = scene.connect();
    assert!(idle.is_served());
    let mut mounted = scene.mounted("idle");
    scene.stop();
    scene.stop();
    assert!(idle.is_closed() && mounted.is_closed());
    if let Some(mut late) = scene.try_connect() {
        assert!(!late.is_served(), "it is too late");
    }
    assert_eq!(scene.join(), Ok(()));
    assert_eq!(scene.node.connections(), Ok(0));
    drop((idle, mounted));
    scene.end();
}

/// While a stop waits for calls in flight, their connections are read: new calls get DELAY, and those
/// in flight are answered.
pub fn calls_in_flight_are_answered_and_new_ones_delayed<T: Transport>(transport: &T) {
    let mut scene = Scene::start(transport);
    let mut client = scene.mounted("busy");
    let mut idle = scene.connect();
    assert!(idle.is_served());
    scene.files.answer(Answers::Held);
    let (xid, call) = client.getattr(1);
    client.send(&call).expect("it is read");
    scene.has_waiting(1);
    scene.stop();
    assert!(idle.is_closed());
    scene.has_connections(1);
    let mut is_delayed = || {
        let reply = client.try_call(|call| call.putrootfh());
        last(&reply) == (Op::PutRootFh, Status::DELAY)
    };
    scene.wait_for("the stop of the other connection", |_| is_delayed());
    assert!(is_delayed() && is_delayed());
    scene.files.release_all();
    succeeded(client.reply_to(xid));
    assert!(client.is_closed(), "nothing is in flight");
    assert_eq!(scene.join(), Ok(()));
    assert_eq!(scene.files.asked(), 1, "nothing new has begun");
    drop((client, idle));
    scene.end();
}

/// A stop waits for a file system for as long as the limit says, and no longer.
pub fn calls_that_are_never_answered_are_cut_off<T: Transport>(transport: &T) {
    let limits = Limits {
        stop_timeout: WAIT,
        ..Limits::default()
    };
    let mut scene = Scene::with(transport, limits);
    let mut client = scene.mounted("never");
    scene.files.answer(Answers::Held);
    client.send_getattrs(2);
    scene.has_waiting(2);
    let start = Instant::now();
    scene.stop();
    assert!(client.is_closed());
    assert!(start.elapsed() >= WAIT, "it waits");
    assert_eq!(scene.join(), Ok(()));
    assert!(start.elapsed() < LONG, "and not without end");
    assert_eq!(scene.tables().parked, 2);
    scene.files.release_all();
    assert_eq!(scene.tables().parked, 0, "the engine outlives the server");
    drop(client);
    scene.end();
}

/// A client that takes no replies does not hold up a stop.
pub fn a_client_that_takes_no_replies_is_cut_off<T: Transport>(transport: &T) {
    let limits = Limits {
        stop_timeout: WAIT,
        ..Limits::default()
    };
    let mut scene = Scene::with(transport, limits);
    let mut deaf = scene.mounted("deaf");
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: SIZE as u32,
    };
    let file = args::Lookup { objname: NAME };
    for slot in 0..32 {
        let (_, call) = deaf.request(slot, |call| call.putrootfh().lookup(file).read(read));
        deaf.send(&call).expect("it is read");
    }
    thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    assert_eq!(scene.join(), Ok(()));
    assert!(start.elapsed() < LONG, "no stall timeout");
    drop(deaf);
    scene.end();
}

/// A panic under the engine's lock ends the server with an error, and its connections.
pub fn a_dead_engine_ends_the_server<T: Transport>(transport: &T) {
    let mut scene = Scene::start(transport);
    let mut client = scene.mounted("last");
    let mut bystander = scene.connect();
    assert!(bystander.is_served());
    let dies = || {
        scene
            .node
            .look(|_| panic!("the engine dies, as the case asks"))
    };
    let _ = catch_unwind(AssertUnwindSafe(dies));
    // The timer may find it first.
    let (_, call) = client.getattr(0);
    let _ = client.send(&call);
    assert!(client.is_closed() && bystander.is_closed());
    assert_eq!(
        scene.node.open("late").err(),
        Some(Refused::EngineDead(EngineDead))
    );
    assert_eq!(scene.join(), Err(EngineDead));
}

/// How long a stop waits.
const WAIT: Duration = Duration::from_millis(200);
/// Much longer than a stop waits.
const LONG: Duration = Duration::from_secs(5);
