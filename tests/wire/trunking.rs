//! Several connections of one session, on sockets that close as sockets do. [RFC 8881 §2.10.5]

use std::sync::Arc;

use nfs4_driver::Limits;
use nfs4_driver::engine::Direction;
use nfs4_driver::engine::proto::client::ClientError;
use nfs4_driver::engine::proto::nfs4::Status;
use nfs4_driver::engine::snapshot::{Cursor, SessionView};

use crate::files::{Held, root_attrs};
use crate::flight::wait_for;
use crate::peer::Peer;
use crate::server::{Running, Transport};
use crate::session::{Session, outcome};

/// The only session, as the tables show it.
fn only_session(server: &Running) -> SessionView {
    let page = server.node.sessions(Cursor::default(), 10).unwrap();
    let [session] = <[SessionView; 1]>::try_from(page.items).unwrap();
    session
}

/// What the server says of a socket that this peer has.
fn is_bound(session: &SessionView, peer: &Peer) -> bool {
    let address = peer.address.to_string();
    let mut found = session.connections.iter();
    found.any(|bound| bound.peer.as_deref() == Some(&*address))
}

/// Closes without a word to the other end, as a machine that is gone after its network came back.
fn reset(peer: Peer) {
    peer.stream.set_zero_linger().unwrap();
    drop(peer);
}

async fn ask(peer: &mut Peer, session: &mut Session, slot: u32) {
    peer.send(&session.getattr(slot)).await;
    assert_eq!(outcome(&peer.record().await.unwrap()), (slot, Ok(())));
}

on_each!(a_closed_socket_leaves_no_binding_and_the_session_stays);

async fn a_closed_socket_leaves_no_binding_and_the_session_stays(on: Transport) {
    let server = Running::start(on, Limits::default()).await;
    let mut first = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut first, b"two").await;
    let mut second = Peer::connect(server.address).await;
    ask(&mut first, &mut session, 0).await;
    ask(&mut second, &mut session, 1).await;
    let shown = only_session(&server);
    assert!(is_bound(&shown, &first) && is_bound(&shown, &second));
    assert_eq!(shown.connection_summary.fore, 2);

    reset(first);
    server.has_connections(1).await;
    let shown = only_session(&server);
    assert_eq!(shown.connections.len(), 1);
    assert!(is_bound(&shown, &second));
    drop(second);
    server.has_connections(0).await;
    assert_eq!(only_session(&server).connections, []);
    assert_eq!(server.node.table_lengths().unwrap().connections, 0);

    // Both slots go on where they were.
    let mut third = Peer::connect(server.address).await;
    for slot in [0, 1] {
        ask(&mut third, &mut session, slot).await;
    }
    let shown = only_session(&server);
    assert_eq!(shown.connections.len(), 1);
    assert_eq!(shown.connections[0].direction, Direction::Fore);
    assert!(is_bound(&shown, &third));
}

on_each!(sixteen_connections_that_are_cut_in_the_middle_leave_none_stuck);

async fn sixteen_connections_that_are_cut_in_the_middle_leave_none_stuck(on: Transport) {
    let files = Arc::new(Held::default());
    let server = Running::serve(on, Limits::default(), Arc::clone(&files) as _).await;
    let mut peers = vec![Peer::connect(server.address).await];
    let mut session = Session::establish(&mut peers[0], b"sixteen").await;
    for slot in 1..16 {
        peers.push(Peer::connect(server.address).await);
        ask(&mut peers[slot as usize], &mut session, slot).await;
    }
    assert_eq!(only_session(&server).connection_summary.total, 16);

    // Each has a request in flight when the upper half is cut.
    files.hold(true);
    let mut requests = Vec::new();
    for (slot, peer) in peers.iter_mut().enumerate() {
        let request = session.getattr(slot as u32);
        peer.send(&request).await;
        requests.push(request);
    }
    wait_for(&files, 16).await;
    for peer in peers.drain(8..) {
        reset(peer);
    }
    server.has_connections(8).await;
    let shown = only_session(&server);
    assert_eq!((shown.connections.len(), shown.slots_in_use), (8, 16));
    files.hold(false);
    for _ in 0..16 {
        files.take(0).complete(Ok(root_attrs()));
    }
    for (slot, peer) in peers.iter_mut().enumerate() {
        let reply = peer.record().await.unwrap();
        assert_eq!(outcome(&reply), (slot as u32, Ok(())));
    }
    // The others come back and ask again; it was executed and not to be kept.
    for (slot, request) in requests.iter().enumerate().skip(8) {
        let mut peer = Peer::connect(server.address).await;
        peer.send(request).await;
        let (xid, failed) = outcome(&peer.record().await.unwrap());
        assert_eq!(xid, slot as u32);
        let Err(ClientError::Failed { status, .. }) = failed else {
            panic!("{failed:?}")
        };
        assert_eq!(status, Status::RETRY_UNCACHED_REP);
        ask(&mut peer, &mut session, slot as u32).await;
        peers.push(peer);
    }
    let shown = only_session(&server);
    assert_eq!((shown.connections.len(), shown.slots_in_use), (16, 0));
    assert!(peers.iter().all(|peer| is_bound(&shown, peer)));
    drop(peers);
    server.has_connections(0).await;
    assert_eq!(only_session(&server).connections, []);
    let tables = server.node.table_lengths().unwrap();
    assert_eq!((tables.connections, tables.parked), (0, 0));
}
