//! Bytes that a peer makes the server hold.

use std::io::Write as _;
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::{Stateid, args};
use nfs4_proto::rpc::Mark;
use nfs4_tests::live::{Client, Connection, Memory, Scene, Transport};

use crate::peer;

on_each!(unread_replies_are_bounded_for_all_strangers);

fn unread_replies_are_bounded_for_all_strangers(on: Transport) {
    unsent(on, "READs without a session", |object| {
        let read = args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count: MIB as u32,
        };
        call().putfh(args::PutFh { object }).read(read).finish()
    });
}

/// Connections from many addresses send a request that is short to ask and long to answer, as often
/// as they can, and take no reply.
fn unsent(on: Transport, name: &'static str, request: impl Fn(&[u8]) -> Vec<u8>) {
    let limits = Limits::default().with(|limits| limits.max_held_by_strangers = 8 << 20);
    let held = limits.max_held_by_strangers;
    let mut scene = Scene::start(name, on, Config::default(), limits);
    let mut owner = Client::on(Connection::from(peer(9), scene.address()), None);
    owner.mount("owner", 1);
    let open = owner.open("large");
    owner.write(open, 0, &vec![7; MIB]);
    let file = owner.file.clone();
    let sent = scene.attack(|scene, until| {
        let (mut deaf, mut sent, mut most) = (Vec::new(), 0, 0);
        let request = request(&file);
        while Instant::now() < until && deaf.len() < CONNECTIONS {
            let host = 2 + (deaf.len() % 4) as u8;
            let connection = Connection::from(peer(host), scene.address());
            let mut stream = &connection.stream;
            stream.set_nonblocking(true).unwrap();
            for _ in 0..64 {
                sent += stream.write(&request).unwrap_or(0);
            }
            deaf.push(connection);
            let (strangers, _) = scene.node().held_bytes();
            most = most.max(strangers);
        }
        while Instant::now() < until {
            most = most.max(scene.node().held_bytes().0);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(most <= held, "{most} bytes are held");
        assert!(most > 0, "nothing was held at all");
        // The kernel's own buffers of both ends hold the rest.
        format!(
            "{} connections, {sent} bytes of requests, {most} held",
            deaf.len()
        )
    });
    let during = Memory::now();
    owner.file = file;
    owner.remove(open, "large");
    owner.unmount();
    drop(owner);
    scene.end(
        format!("{held} bytes of strangers"),
        format!("{sent}, {during}"),
    );
}

on_each!(unfinished_records_are_bounded_for_all_strangers);

fn unfinished_records_are_bounded_for_all_strangers(on: Transport) {
    let limits = Limits::default().with(|limits| limits.max_held_by_strangers = 8 << 20);
    let held = limits.max_held_by_strangers;
    let mut scene = Scene::start("unfinished records", on, Config::default(), limits);
    let told = scene.attack(|scene, until| {
        let mark = Mark {
            last: true,
            len: MIB as u32,
        };
        let record = [&mark.to_bytes()[..], &vec![0; MIB - 1]].concat();
        let (mut open, mut most) = (Vec::new(), 0);
        while Instant::now() < until && open.len() < CONNECTIONS {
            let host = 2 + (open.len() % 4) as u8;
            let connection = Connection::from(peer(host), scene.address());
            connection.stream.set_nonblocking(true).unwrap();
            let _ = (&connection.stream).write(&record);
            open.push(connection);
            most = most.max(scene.node().held_bytes().0);
        }
        assert!(most <= held, "{most} bytes are held");
        assert!(most > 0, "nothing was held at all");
        format!("{} connections, {most} held", open.len())
    });
    scene.end(format!("{held} bytes of strangers"), told);
}

/// A COMPOUND of 4.0 by a user without a client id.
fn call() -> CompoundBuilder {
    CompoundBuilder::call(7, &CallCredential::None, b"", 0)
}

const MIB: usize = 1 << 20;
/// So many connections one attack has.
const CONNECTIONS: usize = 400;
