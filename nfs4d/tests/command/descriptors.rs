//! Many connections while the system allows few file descriptors.

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use nfs4_tests::live::{Client, Connection, Memory, attack_time, null_call};

use crate::daemon::{DRIVERS, Server};

#[test]
fn with_few_descriptors_idle_connections_give_way_to_clients() {
    for driver in DRIVERS {
        let mut server = Server::start_in_shell("ulimit -n 64", "", &["--driver", driver]);
        let before = Memory::of_process(server.child.id());
        let mut quiet = client(&server, 200);
        quiet.mount("quiet", 1);
        let (mut idle, mut served, mut slowest) = (Vec::new(), 0, Duration::ZERO);
        let until = Instant::now() + attack_time();
        while Instant::now() < until {
            for host in 2..40 {
                idle.push(Connection::from(peer(host), server.address));
            }
            let start = Instant::now();
            let mut new = admitted(&server, 100);
            new.mount("new", 1);
            new.unmount();
            slowest = slowest.max(start.elapsed());
            served += 1;
            let surplus = idle.len().saturating_sub(1_000);
            idle.drain(..surplus);
        }
        quiet.unmount();
        let after = Memory::of_process(server.child.id());
        println!(
            "attack idle connections, 64 descriptors {driver}: limit=40 of all told=end of stream, \
             {served} new clients got in, slowest {slowest:?} memory before/after={before}/{after}"
        );
        assert!(
            served > 0 && slowest < Duration::from_secs(5),
            "{slowest:?} on {driver}"
        );
        drop(idle);
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
        let log = server.log();
        assert!(log.contains("few file descriptors"), "{log}");
        assert!(log.len() < 64 << 10, "{} bytes of log", log.len());
    }
}

/// The limit is lowered after the server has read it, as when other processes take the system's
/// descriptors: only accept fails.
#[test]
fn without_descriptors_idle_connections_give_way_to_clients() {
    for driver in DRIVERS {
        let mut server = Server::start(&["--driver", driver]);
        let mut quiet = client(&server, 200);
        quiet.mount("quiet", 1);
        let lower = format!("prlimit --pid {} --nofile=64:64", server.child.id());
        let lowered = Command::new("sh").args(["-c", &lower]).status();
        assert!(lowered.expect("sh runs").success());
        let (mut idle, mut served, mut slowest) = (Vec::new(), 0, Duration::ZERO);
        let until = Instant::now() + attack_time();
        while Instant::now() < until || served == 0 {
            for host in 2..40 {
                idle.push(Connection::from(peer(host), server.address));
            }
            // The next connection in the listener's backlog is accepted when an earlier one has ended.
            let surplus = idle.len().saturating_sub(80);
            idle.drain(..surplus);
            let start = Instant::now();
            let mut new = admitted(&server, 100);
            new.mount("new", 1);
            new.unmount();
            slowest = slowest.max(start.elapsed());
            served += 1;
        }
        quiet.unmount();
        println!(
            "attack no descriptors left {driver}: limit=64 descriptors told=end of stream, \
             {served} new clients got in, slowest {slowest:?}"
        );
        assert!(slowest < Duration::from_secs(20), "{slowest:?} on {driver}");
        drop((idle, quiet));
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
        let log = server.log();
        let told = log.matches("connections cannot be accepted").count();
        let most = 1 + attack_time().as_secs() / 10;
        assert!(
            (1..=1 + most as usize).contains(&told),
            "{told} lines: {log}"
        );
    }
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let server = Server::start_in_shell("ulimit -S -n 64", "", &[]);
    let limits = format!("/proc/{}/limits", server.child.id());
    let limits = std::fs::read_to_string(limits).expect("it runs");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<&str> = line.expect("a line").split_whitespace().collect();
    assert_eq!(words[3], words[4], "soft and hard limit: {words:?}");
    assert_ne!(words[3], "64");
}

/// A client that is served. It retries if it connected while all connections were giving way.
fn admitted(server: &Server, host: u8) -> Client {
    let start = Instant::now();
    loop {
        let mut connection = Connection::from(peer(host), server.address);
        if connection.exchange(&null_call()).is_ok() {
            return Client::on(connection, None);
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it does not get in"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn client(server: &Server, host: u8) -> Client {
    Client::on(Connection::from(peer(host), server.address), None)
}

/// 127.0.0.`host`.
fn peer(host: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, host])
}
