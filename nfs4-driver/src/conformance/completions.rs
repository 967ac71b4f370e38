//! Answers of file systems that come later.

use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::fs::FsError;
use nfs4_engine::proto::nfs4::{Op, Status};

use super::Transport;
use super::client::{SLOTS, last, succeeded};
use super::files::Answers;
use super::scene::Scene;
use crate::limits::Limits;

/// Threads that the transport does not know answer at the same time, and nothing else happens on the
/// connection.
pub fn answers_from_other_threads_wake_their_connection<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut client = scene.mounted("threads");
    scene.files.answer(Answers::Held);
    let start = Instant::now();
    for round in 0..50 {
        let xids = client.send_getattrs(2);
        scene.has_waiting(2);
        if round % 10 == 0 {
            // Whatever reads or waits has come to rest.
            thread::sleep(Duration::from_millis(5));
        }
        let (first, second) = (scene.files.take(), scene.files.take());
        thread::scope(|threads| {
            threads.spawn(move || first.complete(Err(FsError::Stale)));
            threads.spawn(move || second.complete(Err(FsError::Stale)));
        });
        for reply in client.replies_to(&xids).into_values() {
            assert_eq!(last(&reply), (Op::GetAttr, Status::STALE));
        }
    }
    let took = start.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "wake-ups are lost: {took:?}"
    );
    scene.files.answer(Answers::AtOnce);
    client.unmount();
    drop(client);
    scene.end();
}

/// With a full pipeline and few calls in flight, reading stops and goes on all the time.
pub fn answers_at_once_and_from_another_thread_mix<T: Transport>(transport: &T) {
    let limits = Limits {
        max_in_flight: 5,
        ..Limits::default()
    };
    let scene = Scene::with(transport, limits);
    let mut clients: Vec<_> = (0..3)
        .map(|number| scene.mounted(&format!("client {number}")))
        .collect();
    for round in 0..12 {
        scene.files.answer(match round % 3 {
            0 => Answers::AtOnce,
            _ => Answers::elsewhere(),
        });
        let sent: Vec<_> = clients
            .iter_mut()
            .map(|client| client.send_getattrs(SLOTS))
            .collect();
        for (client, xids) in clients.iter_mut().zip(sent) {
            for reply in client.replies_to(&xids).into_values() {
                succeeded(reply);
            }
        }
    }
    drop(clients);
    scene.end();
}

/// The file system answers when the connection is closed: the thread that answers ends the call.
pub fn answers_after_the_connection_is_gone_are_delivered<T: Transport>(transport: &T) {
    let limits = Limits {
        stall_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let scene = Scene::with(transport, limits);
    let mut client = scene.mounted("lost");
    scene.files.answer(Answers::Held);
    client.send_getattrs(3);
    scene.has_waiting(3);
    drop(client);
    scene.has_connections(0);
    assert_eq!(scene.tables().parked, 3);
    scene.files.take().complete(Err(FsError::Stale));
    assert_eq!(scene.tables().parked, 2);
    drop(scene.files.take());
    assert_eq!(scene.tables().parked, 1);
    scene.files.release_all();
    assert_eq!(scene.tables().parked, 0);
    scene.end();
}

/// A file system that drops its completion costs the call and nothing else.
pub fn a_dropped_completion_fails_its_call_alone<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut client = scene.mounted("dropped");
    scene.files.answer(Answers::Held);
    let held = client.send_getattrs(1);
    scene.has_waiting(1);
    scene.files.answer(Answers::Dropped);
    let (xid, call) = client.getattr(1);
    client.send(&call).expect("it is read");
    let reply = client.reply_to(xid);
    assert_eq!(last(&reply), (Op::GetAttr, Status::SERVERFAULT));
    // The one that is held is dropped by another thread.
    let dropped = scene.files.take();
    thread::scope(|threads| {
        threads.spawn(move || drop(dropped));
    });
    for reply in client.replies_to(&held).into_values() {
        assert_eq!(last(&reply), (Op::GetAttr, Status::SERVERFAULT));
    }
    scene.files.answer(Answers::AtOnce);
    let xids = client.send_getattrs(4);
    for reply in client.replies_to(&xids).into_values() {
        succeeded(reply);
    }
    assert_eq!(scene.tables().parked, 0);
    client.unmount();
    drop(client);
    scene.end();
}
