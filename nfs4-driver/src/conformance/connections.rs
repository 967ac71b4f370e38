//! Connections come and go.

use std::collections::BTreeSet;
use std::thread;

use nfs4_engine::ConnId;
use nfs4_engine::proto::client::{CallCredential, null_call};
use nfs4_engine::snapshot::Cursor;

use super::Transport;
use super::client::next_xid;
use super::scene::Scene;
use crate::limits::Limits;

/// Every connection has a new id, which views show while it is there.
pub fn each_has_an_id_of_its_own_and_is_counted<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut clients: Vec<_> = (0..4)
        .map(|number| scene.mounted(&format!("client {number}")))
        .collect();
    let ids = bound(&scene);
    assert_eq!(ids.len(), 4, "the views show an id for each");
    assert_eq!(scene.node.connections(), Ok(4));
    assert_eq!(scene.tables().connections, 4);
    drop(clients.pop());
    scene.has_connections(3);
    assert_eq!(scene.tables().connections, 3);
    let left = bound(&scene);
    assert!(
        left.is_subset(&ids) && left.len() == 3,
        "{left:?} of {ids:?}"
    );
    clients.push(scene.mounted("the next one"));
    let new = bound(&scene);
    assert!(new.difference(&left).all(|id| !ids.contains(id)), "{new:?}");
    assert_eq!(new.len(), 4);
    drop(clients);
    scene.end();
}

/// A thousand connections, or as many as the system allows, are open and served at once.
pub fn many_are_served_at_once<T: Transport>(transport: &T) {
    let count = transport.most_connections().min(1_000);
    let scene = Scene::with(transport, short_messages());
    let mut clients = Vec::new();
    while clients.len() < count {
        // A system that queues connections drops those that its queue has no place for.
        let more = AT_ONCE.min(count - clients.len());
        clients.extend((0..more).map(|_| scene.connect()));
        scene.has_connections(clients.len());
    }
    for _ in 0..2 {
        let xids: Vec<u32> = clients
            .iter_mut()
            .map(|client| {
                let xid = next_xid();
                let call = null_call(xid, &CallCredential::None);
                client.send(&call).expect("it is read");
                xid
            })
            .collect();
        for (client, xid) in clients.iter_mut().zip(xids) {
            client.reply_to(xid);
        }
    }
    assert_eq!(scene.node.connections(), Ok(count));
    drop(clients);
    scene.end();
}

/// Connections that come and go at once, some of them in the middle of something.
pub fn a_storm_of_them_leaves_nothing<T: Transport>(transport: &T) {
    let scene = Scene::with(transport, short_messages());
    let mut bystander = scene.mounted("bystander");
    thread::scope(|threads| {
        let storms: Vec<_> = (0..THREADS)
            .map(|thread| {
                let scene = &scene;
                threads.spawn(move || {
                    for number in 0..EACH {
                        storm(scene, thread * EACH + number);
                    }
                })
            })
            .collect();
        while storms.iter().any(|storm| !storm.is_finished()) {
            assert!(bystander.is_served(), "it is served all the time");
        }
    });
    scene.has_connections(1);
    bystander.unmount();
    drop(bystander);
    scene.end();
}

fn storm<T: Transport>(scene: &Scene<'_, T>, number: usize) {
    let mut client = scene.connect();
    let call = null_call(next_xid(), &CallCredential::None);
    match number % 5 {
        0 => {}
        // Its reply finds no reader.
        1 => client.send(&call).expect("it is read"),
        2 => assert!(client.is_served()),
        3 => client.send(&call[..call.len() / 2]).expect("it is read"),
        _ => client.mount(&format!("storm {number}")),
    }
}

/// The connections that the sessions' views show.
fn bound<T: Transport>(scene: &Scene<'_, T>) -> BTreeSet<ConnId> {
    let page = scene.node.sessions(Cursor::default(), usize::MAX);
    let sessions = page.expect("the engine lives").items;
    let connections = sessions.iter().flat_map(|session| &session.connections);
    let ids: Vec<ConnId> = connections
        .map(|connection| connection.connection_id)
        .collect();
    let distinct: BTreeSet<ConnId> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "an id is used twice: {ids:?}");
    distinct
}

/// Limits with which all may have calls in flight at once.
fn short_messages() -> Limits {
    Limits {
        max_connections: 2_000,
        max_connections_per_peer: 2_000,
        ..Limits::for_max_io(16 << 10)
    }
}

const THREADS: usize = 4;
const EACH: usize = 50;
/// Connections that a listener's queue has places for.
const AT_ONCE: usize = 100;
