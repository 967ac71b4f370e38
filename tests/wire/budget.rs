//! What peers make a node hold is bounded for each peer and for the node, and what is slow gives
//! way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::proto::rpc::Mark;
use tokio::net::TcpSocket;
use tokio::sync::Mutex;

use crate::log;
use crate::peer::{Peer, fragments};
use crate::server::{PATIENCE, Running, Transport};

on_each!(unsent_replies_of_one_peer_leave_room_for_another);

async fn unsent_replies_of_one_peer_leave_room_for_another(on: Transport) {
    let _alone = ALONE.lock().await;
    let server = Running::start(on, limits()).await;
    let mut greedy = Vec::new();
    for _ in 0..24 {
        let mut peer = connect_from("127.0.0.2:0", server.address).await;
        let mut sent = 0;
        // One that is closed for being slow has made room for another.
        let _ = peer.send_until_stuck(&mut sent).await;
        greedy.push((peer, sent));
        assert_bounded(&server);
    }
    let mut other = Peer::connect(server.address).await;
    let asked = Instant::now();
    assert!(other.is_served().await);
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "{:?}",
        asked.elapsed()
    );
    makes_room(&server, "127.0.0.2", &mut greedy).await;
}

on_each!(unfinished_records_of_one_peer_leave_room_for_another);

async fn unfinished_records_of_one_peer_leave_room_for_another(on: Transport) {
    let _alone = ALONE.lock().await;
    let server = Running::start(on, limits()).await;
    let record = [
        &Mark {
            last: true,
            len: 100_000,
        }
        .to_bytes()[..],
        &[0; 90_000],
    ]
    .concat();
    let mut greedy = Vec::new();
    for round in 0..24 {
        let peer = connect_from("127.0.0.3:0", server.address).await;
        // In one fragment, and in many that are small.
        if round % 2 == 0 {
            let _ = peer.stream.try_write(&record).unwrap();
        } else {
            let torn = fragments(&record, 2_000);
            let _ = peer.stream.try_write(&torn[..torn.len() - 1]).unwrap();
        }
        greedy.push(peer);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_bounded(&server);
    }
    let mut other = Peer::connect(server.address).await;
    assert!(other.is_served().await);
    makes_room(&server, "127.0.0.3", &mut []).await;
}

on_each!(many_peers_that_are_slow_leave_room_for_another);

/// Each peer has half of what the ones before it have left; the slow ones go.
async fn many_peers_that_are_slow_leave_room_for_another(on: Transport) {
    let _alone = ALONE.lock().await;
    let server = Running::start(on, limits()).await;
    let mut greedy = Vec::new();
    for peer in 10..26 {
        let mut peer = connect_from(&format!("127.0.0.{peer}:0"), server.address).await;
        let mut sent = 0;
        let _ = peer.send_until_stuck(&mut sent).await;
        greedy.push(peer);
        assert_bounded(&server);
    }
    let mut other = Peer::connect(server.address).await;
    let asked = Instant::now();
    assert!(other.is_served().await);
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
    drop(greedy);
    server.has_connections(1).await;
    drop(other);
    server.has_connections(0).await;
    assert_eq!(server.node.held_bytes(), (0, 0));
}

fn limits() -> Limits {
    Limits::for_max_io(64 << 10).with(|limits| limits.max_held_by_strangers = HELD)
}

fn assert_bounded(server: &Running) {
    let (strangers, clients) = server.node.held_bytes();
    assert!(strangers <= HELD, "{strangers} bytes are held by strangers");
    assert_eq!(clients, 0);
}

/// Waits until a connection of this peer was closed to make room; its connections that send calls go on with that.
async fn makes_room(server: &Running, peer: &str, calling: &mut [(Peer, usize)]) {
    let deadline = Instant::now() + PATIENCE;
    while log::lines("needed elsewhere", &format!("peer=\"{peer}:")).is_empty() {
        assert!(Instant::now() < deadline, "no slow connection is closed");
        assert_bounded(server);
        for (caller, sent) in &mut *calling {
            // On a busy machine the server was slow, and they took that for being stuck.
            let _ = caller.send_until_stuck(sent).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn connect_from(own: &str, server: SocketAddr) -> Peer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(own.parse().unwrap()).unwrap();
    Peer::on(socket.connect(server).await.unwrap())
}

/// One test at a time: what is slow is slow compared with others, on a machine that has time for them.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What strangers may make the node hold, in bytes.
const HELD: u64 = 1 << 20;
