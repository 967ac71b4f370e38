//! Records that are cut, marked or sent to cost the server more than the peer.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::client::CallCredential;
use nfs4_proto::rpc::Mark;
use nfs4_tests::live::{Client, Connection, Scene, Transport, connect_from};

use crate::peer;

on_each!(fragments_without_bytes_close_their_connection);

fn fragments_without_bytes_close_their_connection(on: Transport) {
    let limits = Limits::default();
    let max = limits.max_fragments;
    let name = "fragments without bytes";
    let mut scene = Scene::start(name, on, Config::default(), limits);
    let told = scene.attack(|scene, until| {
        let fragments = [0; Mark::LEN].repeat(max as usize + 1);
        let mut closed = 0;
        while closed < 8 || Instant::now() < until {
            let stream = connected(scene, 2);
            // One more than a record may have; some may not be taken any more.
            let _ = (&stream).write_all(&fragments);
            assert!(is_closed(&stream), "it goes on after {max} fragments");
            closed += 1;
        }
        format!("closed {closed} times")
    });
    scene.end(format!("{max} fragments"), told);
}

on_each!(records_that_are_too_long_close_their_connection_before_they_come);

fn records_that_are_too_long_close_their_connection_before_they_come(on: Transport) {
    let limits = Limits::default();
    let max = limits.max_record;
    let mut scene = Scene::start("too long records", on, Config::default(), limits);
    let told = scene.attack(|scene, until| {
        let mark = |last, len| Mark { last, len }.to_bytes();
        let (at_once, most) = (mark(true, 0x7fff_ffff), mark(true, max + 1));
        let mut in_parts = mark(false, max).to_vec();
        in_parts.resize(Mark::LEN + max as usize, 0);
        in_parts.extend(mark(true, 1));
        let (mut closed, mut held) = (0, 0);
        while closed < 3 || Instant::now() < until {
            for record in [&at_once[..], &most, &in_parts] {
                let stream = connected(scene, 2);
                let _ = (&stream).write_all(record);
                assert!(is_closed(&stream), "{max} bytes and more are read");
                held = held.max(scene.node().held_bytes().0);
                closed += 1;
            }
        }
        format!("closed {closed} times, at most {held} bytes held")
    });
    scene.end(format!("{max} bytes"), told);
}

on_each!(records_that_come_byte_by_byte_take_no_room_from_others);

/// Slowloris: many connections, none of which ever stops for long.
fn records_that_come_byte_by_byte_take_no_room_from_others(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_connections = 256;
        limits.max_connections_per_peer = 64;
        limits.max_held_by_strangers = 8 << 20;
    });
    let held = limits.max_held_by_strangers;
    let mut scene = Scene::start("a byte at a time", on, Config::default(), limits);
    let told = scene.attack(|scene, until| {
        let mark = Mark {
            last: true,
            len: 16 << 10,
        };
        let mut slow: Vec<TcpStream> = Vec::new();
        let (mut most, mut served) = (0, 0);
        while served < 4 || Instant::now() < until {
            while slow.len() < 200 {
                let stream = connected(scene, 2 + (slow.len() % 8) as u8);
                stream.set_nonblocking(true).unwrap();
                let _ = (&stream).write(&mark.to_bytes());
                slow.push(stream);
            }
            slow.retain(|stream| match (&*stream).write(&[0]) {
                Ok(_) => true,
                Err(why) => why.kind() == io::ErrorKind::WouldBlock,
            });
            most = most.max(scene.node().held_bytes().0);
            // A new peer gets a connection and a session all the same.
            let mut other = Client::on(Connection::from(peer(20), scene.address()), Some(20));
            other.mount("other", 1);
            other.unmount();
            served += 1;
        }
        assert!(most <= held, "{most} bytes are held");
        let connections = scene.node().connections().unwrap();
        format!("{connections} connections, {most} held, {served} others got in")
    });
    scene.end(format!("256 connections, {held} bytes"), told);
}

on_each!(a_new_peer_gets_room_before_the_many_connections_of_others);

/// Long records that begin and do not go on, by more connections than there is room for.
fn a_new_peer_gets_room_before_the_many_connections_of_others(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_held_by_strangers = 8 << 20;
    });
    let held = limits.max_held_by_strangers;
    let name = "long records that do not go on";
    let mut scene = Scene::start(name, on, Config::default(), limits);
    let told = scene.attack(|scene, _| {
        let mark = Mark {
            last: true,
            len: 1 << 20,
        };
        let part = [&mark.to_bytes()[..], &[0; 64 << 10]].concat();
        let open = |number: usize| {
            let stream = connected(scene, 2 + (number % 8) as u8);
            stream.set_nonblocking(true).unwrap();
            let _ = (&stream).write(&part);
            stream
        };
        let many: Vec<TcpStream> = (0..200).map(open).collect();
        let start = Instant::now();
        let mut other = Client::on(Connection::from(peer(20), scene.address()), Some(20));
        other.mount("other", 1);
        let waited = start.elapsed();
        assert!(waited < PATIENCE / 2, "a new peer waits {waited:?}");
        other.unmount();
        format!(
            "{} connections, another got in after {waited:?}",
            many.len()
        )
    });
    scene.end(format!("{held} bytes, a second without bytes"), told);
}

on_each!(calls_that_are_answered_by_rpc_alone_are_answered_and_cost_little);

/// Programs, versions and credentials that are refused, as fast as a peer can send them.
fn calls_that_are_answered_by_rpc_alone_are_answered_and_cost_little(on: Transport) {
    let name = "calls that RPC refuses";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let told = scene.attack(|scene, until| {
        let mut call = nfs4_proto::client::null_call(9, &CallCredential::None);
        // The program, behind mark, XID, direction and version of RPC.
        call[Mark::LEN + 12..][..4].copy_from_slice(&7_u32.to_be_bytes());
        let many = call.repeat(64);
        let mut connection = Connection::from(peer(2), scene.address());
        let mut refused = 0;
        while refused < 64 || Instant::now() < until {
            connection.send(&many).unwrap();
            for _ in 0..64 {
                let reply = connection.record().unwrap();
                // Accepted, and the program is unavailable. [RFC 5531 §9]
                assert_eq!(reply[reply.len() - 4..], 1_u32.to_be_bytes());
                refused += 1;
            }
        }
        format!("PROG_UNAVAIL {refused} times")
    });
    scene.end("64 calls in flight", told);
}

fn connected(scene: &Scene, host: u8) -> TcpStream {
    let from: IpAddr = peer(host);
    let stream = connect_from(from, scene.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether the server closes the connection, with no byte sent before.
fn is_closed(mut stream: &TcpStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(why) => why.kind() == io::ErrorKind::ConnectionReset,
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
