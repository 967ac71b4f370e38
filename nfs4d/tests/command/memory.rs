//! Unused memory returns to the system.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nfs4_engine::proto::client::CompoundBuilder;
use nfs4_engine::proto::nfs4::{Stateid, args};
use nfs4_engine::proto::rpc::Mark;
use nfs4_tests::live::{Client, Connection, Memory};

use crate::daemon::{DRIVERS, Server};

#[test]
fn an_emptied_file_system_returns_its_memory() {
    for driver in DRIVERS {
        let server = Server::start(&["--driver", driver, "--memory", "64M"]);
        let memory = || Memory::of_process(server.child.id());
        let mut client = Client::connect(server.address);
        client.mount("writer", 1);
        let before = memory();
        let open = client.open("file");
        let data = vec![7; 1 << 20];
        for megabyte in 0..60 {
            client.write(open, megabyte << 20, &data);
        }
        let full = memory();
        assert!(
            full.resident > before.resident + (60 << 20),
            "{before} became {full}"
        );
        client.remove(open, "file");
        let after = falls_to(&memory, before.resident + SLACK);
        println!("memory {driver}: {before} before, {full} full, {after} emptied");
    }
}

#[test]
fn unread_replies_return_their_memory_with_the_connection() {
    for driver in DRIVERS {
        let server = Server::start(&["--driver", driver, "--memory", "64M"]);
        let memory = || Memory::of_process(server.child.id());
        let mut client = Client::connect(server.address);
        client.mount("reader", 1);
        let open = client.open("file");
        let before = memory();
        client.write(open, 0, &vec![7; 1 << 20]);
        // Replies without a session, which the client never reads.
        let read = read_of(&client.file);
        let mut deaf = Connection::new(server.address);
        deaf.stream
            .set_write_timeout(Some(Duration::from_millis(200)))
            .expect("it is set");
        while deaf.stream.write_all(&read).is_ok() {}
        let full = memory();
        drop(deaf);
        let after = falls_to(&memory, before.resident + SLACK);
        println!("memory {driver}: {before} before, {full} with replies, {after} without");
    }
}

/// Unread replies and incomplete records, each on many connections from many addresses: together more than
/// the address space of the server.
#[test]
fn peers_cannot_make_the_server_exceed_two_gigabytes() {
    for driver in DRIVERS {
        let arguments = ["--driver", driver, "--memory", "64M"];
        let mut server = Server::start_in_shell("ulimit -v 2000000", "", &arguments);
        let memory = || Memory::of_process(server.child.id());
        let mut client = Client::connect(server.address);
        client.mount("reader", 1);
        let open = client.open("file");
        client.write(open, 0, &vec![7; 1 << 20]);
        let read = read_of(&client.file).repeat(64);
        let mark = Mark {
            last: true,
            len: 1 << 20,
        };
        let record = [&mark.to_bytes()[..], &vec![0; (1 << 20) - 1]].concat();
        let before = memory();
        let mut attackers = Vec::new();
        for number in 0..400 {
            let host = IpAddr::from([127, 0, 0, 2 + (number % 8) as u8]);
            let connection = Connection::from(host, server.address);
            connection.stream.set_nonblocking(true).expect("it is set");
            let bytes = if number % 2 == 0 { &read } else { &record };
            // As many bytes as the socket takes.
            let _ = (&connection.stream).write(bytes);
            attackers.push(connection);
        }
        let mut other = Client::connect(server.address);
        other.mount("other", 1);
        client.read(open, 0, 1 << 20);
        let during = memory();
        drop(attackers);
        client.remove(open, "file");
        client.unmount();
        other.unmount();
        println!("memory {driver}: {before} before, {during} with 400 attackers");
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
    }
}

/// READ of a megabyte without a session.
fn read_of(object: &[u8]) -> Vec<u8> {
    CompoundBuilder::call(7, &nfs4_tests::NOBODY, b"", 0)
        .putfh(args::PutFh { object })
        .read(args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count: 1 << 20,
        })
        .finish()
}

fn falls_to(memory: &impl Fn() -> Memory, bytes: u64) -> Memory {
    let start = Instant::now();
    loop {
        let now = memory();
        if now.resident <= bytes {
            return now;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{now} stay");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Buffers that rest for a while, and what threads keep at hand.
const SLACK: u64 = 16 << 20;
