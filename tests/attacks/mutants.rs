//! Records that are nearly right.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_tests::fuzzing::Mutant;
use nfs4_tests::live::{Connection, Scene, Transport};

use crate::peer;

on_each!(valid_records_with_some_bytes_changed_do_no_harm);

/// Four clients, each of its own address, send what they make of what they were told.
fn valid_records_with_some_bytes_changed_do_no_harm(on: Transport) {
    let name = "mutated records";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let seed = since.as_nanos() as u64;
    println!("mutants: seed {seed}");
    let told = scene.attack(|scene, until| {
        let address = scene.address();
        let done = thread::scope(|threads| {
            let clients = (0..CLIENTS).map(|number| {
                let mutant = Mutant::new(seed + u64::from(number));
                threads.spawn(move || play(mutant, peer(2 + number), address, until))
            });
            let clients: Vec<_> = clients.collect();
            let done = clients.into_iter().map(|client| client.join().unwrap());
            done.fold(Done::default(), Done::and)
        });
        assert!(done.answers > 0, "nothing was answered");
        format!(
            "{} records, {} answers, {} connections",
            done.records, done.answers, done.connections
        )
    });
    scene.end("errors of the protocol", told);
}

#[derive(Clone, Copy, Default)]
struct Done {
    records: u64,
    answers: u64,
    connections: u64,
}

impl Done {
    fn and(self, other: Done) -> Done {
        Done {
            records: self.records + other.records,
            answers: self.answers + other.answers,
            connections: self.connections + other.connections,
        }
    }
}

fn play(mut mutant: Mutant, from: IpAddr, server: std::net::SocketAddr, until: Instant) -> Done {
    let mut done = Done::default();
    while Instant::now() < until {
        let mut connection = Connection::from(from, server);
        connection.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        done.connections += 1;
        while Instant::now() < until {
            done.records += 1;
            match connection.exchange(&mutant.record()) {
                Ok(reply) => {
                    mutant.learn(&reply);
                    done.answers += 1;
                }
                // It was closed, or waits for the rest of what its mark has said.
                Err(_) => break,
            }
        }
    }
    done
}

const CLIENTS: u8 = 4;
/// Longer than an answer takes.
const PATIENCE: Duration = Duration::from_millis(100);
