//! Connections without end.

use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_tests::live::{Client, Connection, Scene, Transport, null_call};

use crate::peer;

on_each!(one_address_has_its_share_and_its_idle_connections_give_way_to_its_own);

fn one_address_has_its_share_and_its_idle_connections_give_way_to_its_own(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_connections = 64;
        limits.max_connections_per_peer = 8;
    });
    let mut scene = Scene::start(
        "idle connections of one address",
        on,
        Config::default(),
        limits,
    );
    let (opened, closed) = scene.attack(|scene, until| {
        let (mut open, mut opened, mut closed) = (Vec::new(), 0, 0);
        while Instant::now() < until {
            open.push(Connection::from(peer(2), scene.address()));
            opened += 1;
            // As many as may be giving way at once, and others that have not ended yet.
            let most = 8 + LEAVING + PROBE + 4;
            assert!(scene.node().connections().unwrap() <= most);
            // Another address is served meanwhile, whatever the first one does.
            if opened % 64 == 0 {
                let mut other = Client::on(admitted(scene, 3), None);
                other.mount("other", 1);
                other.unmount();
            }
            // Or this process runs out of descriptors.
            if open.len() >= 1_000 {
                let oldest = open.drain(..500).map(|mut one| is_closed(&mut one));
                closed += oldest.filter(|closed| *closed).count();
            }
        }
        scene.wait_for("share", |node| node.connections().unwrap() <= 8 + PROBE + 1);
        let rest = open.iter_mut().map(is_closed);
        closed += rest.filter(|closed| *closed).count();
        assert!(closed + 8 >= opened, "{closed} of {opened} are closed");
        drop(admitted(scene, 2));
        (opened, closed)
    });
    scene.end(
        "8 of an address",
        format!("end of stream, {closed} of {opened}"),
    );
}

on_each!(idle_connections_of_many_addresses_give_way_to_new_peers_and_sessions_stay);

fn idle_connections_of_many_addresses_give_way_to_new_peers_and_sessions_stay(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_connections = 48;
        limits.max_connections_per_peer = 12;
    });
    let mut scene = Scene::start(
        "idle connections of many addresses",
        on,
        Config::default(),
        limits,
    );
    // It has been there for longest, and is as quiet as they.
    let mut quiet = Client::on(Connection::from(peer(200), scene.address()), Some(200));
    quiet.mount("quiet", 1);
    let served = scene.attack(|scene, until| {
        let mut open = Vec::new();
        let mut served = 0;
        while Instant::now() < until {
            for host in 2..=20 {
                open.push(Connection::from(peer(host), scene.address()));
                if host % 10 == 0 {
                    let mut new = Client::on(admitted(scene, 100), None);
                    new.mount("new", 1);
                    new.unmount();
                    served += 1;
                }
            }
            let most = 48 + LEAVING;
            assert!(scene.node().connections().unwrap() <= most);
            // Or this process runs out of descriptors.
            let surplus = open.len().saturating_sub(1_000);
            open.drain(..surplus);
        }
        served
    });
    quiet.unmount();
    drop(quiet);
    scene.end(
        "48 of all",
        format!("end of stream; {served} new clients got in between"),
    );
}

on_each!(connections_that_serve_sessions_are_refused_beyond_the_share);

fn connections_that_serve_sessions_are_refused_beyond_the_share(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_connections = 64;
        limits.max_connections_per_peer = 8;
    });
    let mut scene = Scene::start("sessions on all connections", on, Config::default(), limits);
    let refused = scene.attack(|scene, until| {
        let mut clients = Vec::new();
        for number in 0..8 {
            let connection = Connection::from(peer(2), scene.address());
            let mut client = Client::on(connection, Some(2));
            client.mount(&format!("client {number}"), 1);
            clients.push(client);
        }
        let mut refused = 0;
        while Instant::now() < until {
            let mut more = Connection::from(peer(2), scene.address());
            assert!(more.is_closed_within(Duration::from_secs(10)));
            refused += 1;
        }
        for client in &mut clients {
            client.unmount();
        }
        refused
    });
    scene.end(
        "8 of an address",
        format!("end of stream at once, {refused} times"),
    );
}

on_each!(a_connection_that_takes_no_replies_gives_way_too);

fn a_connection_that_takes_no_replies_gives_way_too(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_connections = 64;
        limits.max_connections_per_peer = 4;
        limits.max_unsent = limits.max_reply.into();
    });
    let mut scene = Scene::start(
        "connections that take no replies",
        on,
        Config::default(),
        limits,
    );
    scene.attack(|scene, _| {
        let mut deaf: Vec<_> = (0..4).map(|_| connected_and_deaf(scene)).collect();
        let mut heard = Client::on(admitted(scene, 2), Some(2));
        heard.mount("heard", 1);
        scene.wait_for("way", |node| node.connections().unwrap() <= 4 + PROBE);
        heard.unmount();
        deaf.clear();
    });
    scene.end("4 of an address", "end of stream");
}

/// A connection that sends calls until no more can be sent.
fn connected_and_deaf(scene: &Scene) -> Connection {
    use std::io::Write as _;

    let connection = Connection::from(peer(2), scene.address());
    let mut stream = &connection.stream;
    stream
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let calls = null_call().repeat(1_000);
    while stream.write_all(&calls).is_ok() {}
    connection
}

/// A connection that is served. While as many as may are giving way, further ones are closed as they
/// come, so that a client has to try again.
fn admitted(scene: &Scene, host: u8) -> Connection {
    let start = Instant::now();
    loop {
        let mut connection = Connection::from(peer(host), scene.address());
        if connection.exchange(&null_call()).is_ok() {
            return connection;
        }
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "it does not get in"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_closed(connection: &mut Connection) -> bool {
    connection.is_closed_within(Duration::from_millis(1))
}

/// The connection of the probe.
const PROBE: usize = 1;
/// So many may be giving way.
const LEAVING: usize = 16;
