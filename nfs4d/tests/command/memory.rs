//! Memory that is not used any more goes back to the system.

use std::io::Write as _;
use std::time::{Duration, Instant};

use nfs4_engine::proto::nfs4::args;
use nfs4_tests::live::{Client, Memory};

use crate::daemon::{DRIVERS, Server};

#[test]
fn a_store_that_was_full_and_is_empty_costs_little() {
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
fn replies_that_nobody_took_cost_nothing_once_they_are_gone() {
    for driver in DRIVERS {
        let server = Server::start(&["--driver", driver, "--memory", "64M"]);
        let memory = || Memory::of_process(server.child.id());
        let mut client = Client::connect(server.address);
        client.mount("reader", 1);
        let open = client.open("file");
        let before = memory();
        client.write(open, 0, &vec![7; 1 << 20]);
        // Without a session, and never taken.
        let object = &client.file.clone()[..];
        let mut deaf = nfs4_tests::live::Connection::new(server.address);
        deaf.stream
            .set_write_timeout(Some(Duration::from_millis(200)))
            .expect("it is set");
        let read = nfs4_engine::proto::client::CompoundBuilder::call(
            7,
            &nfs4_engine::proto::client::Credential::None,
            b"",
            0,
        )
        .putfh(args::PutFh { object })
        .read(args::Read {
            stateid: nfs4_engine::proto::nfs4::Stateid::ANONYMOUS,
            offset: 0,
            count: 1 << 20,
        })
        .finish();
        while deaf.stream.write_all(&read).is_ok() {}
        let full = memory();
        drop(deaf);
        let after = falls_to(&memory, before.resident + SLACK);
        println!("memory {driver}: {before} before, {full} with replies, {after} without");
    }
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
