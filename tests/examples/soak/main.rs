//! Well-behaved and hostile clients at once, for as long as is wanted, against an `nfs4d` of its own.
//!
//! ```text
//! cargo build --release -p nfs4d
//! cargo run --release -p nfs4-tests --example soak -- --driver tokio --seconds 3600 --seed 1
//! ```
//!
//! Every minute it prints what was done and what it cost. It fails if a well-behaved client meets an
//! error that it has not deserved or a byte that it has not written, if the probe waits longer than
//! [`STALL`], if the server has [`GROWTH`] more memory in a later tenth of the time than in the first,
//! each time after attackers have rested (judged from 25 minutes on), or if anything is left in its
//! tables [`LEFT`] leases after all clients have gone. `nfs4d` is looked for beside the example and in
//! the folder above; `--server PATH` names another.

#![expect(clippy::expect_used, reason = "a soak that cannot go on ends")]

mod good;
mod hostile;
mod mount;
mod names;
mod ranges;
mod tally;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_tests::live::{Daemon, Probe};
use nfs4_tests::sim::Rng;

use good::SHARED;
use hostile::Ground;
use mount::{Identity, Mount};
use tally::Tally;

struct Wanted {
    driver: String,
    seconds: u64,
    seed: u64,
    nfs4d: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(wanted) = wanted() else {
        eprintln!("soak --driver tokio|threads --seconds N --seed S [--server PATH]");
        return ExitCode::FAILURE;
    };
    // Those of attackers tell how they were stopped, those of others are counted.
    std::panic::set_hook(Box::new(|why| eprintln!("soak: {why}")));
    match soak(&wanted) {
        Ok(faults) if faults.is_empty() => {
            println!("soak: {} OK", wanted.driver);
            ExitCode::SUCCESS
        }
        Ok(faults) => {
            for fault in &faults {
                println!("soak: {} FAILED: {fault}", wanted.driver);
            }
            ExitCode::FAILURE
        }
        Err(why) => {
            println!("soak: {} FAILED: {why}", wanted.driver);
            ExitCode::FAILURE
        }
    }
}

fn wanted() -> Option<Wanted> {
    let mut wanted = Wanted {
        driver: "tokio".to_owned(),
        seconds: 60,
        seed: 1,
        nfs4d: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match &name[..] {
            "--driver" => wanted.driver = value,
            "--seconds" => wanted.seconds = value.parse().ok()?,
            "--seed" => wanted.seed = value.parse().ok()?,
            "--server" => wanted.nfs4d = Some(value.into()),
            _ => return None,
        }
    }
    Some(wanted)
}

/// Soaks, and says what was not as it must be.
fn soak(wanted: &Wanted) -> io::Result<Vec<String>> {
    let nfs4d = match &wanted.nfs4d {
        Some(path) => path.clone(),
        None => beside()?,
    };
    let server = Daemon::start(&nfs4d, &wanted.driver, LEASE.as_secs())?;
    println!(
        "soak: {} for {} s, seed {}, {}",
        wanted.driver, wanted.seconds, wanted.seed, server.address
    );
    let tally = Tally::default();
    let large = furnish(&server, &tally);
    let probe = Probe::start(server.address, IpAddr::from([127, 0, 0, 1]), PROBE);
    let mut watch = Watch::new(wanted);
    thread::scope(|threads| {
        let mut rng = Rng::new(wanted.seed);
        for number in 0..GOOD {
            let mut rng = Rng::new(rng.next_u64());
            let identity = Identity {
                server: server.address,
                from: IpAddr::from([127, 0, 1, 1 + number]),
                uid: 3_000 + u32::from(number),
                minor: u32::from(number) % 3,
                name: format!("good {number}"),
            };
            let tally = &tally;
            threads.spawn(move || good::play(&identity, LEASE, &mut rng, tally));
        }
        for number in 0..HOSTILE {
            let mut rng = Rng::new(rng.next_u64());
            let ground = Ground {
                server: server.address,
                net: 10 + number,
                until: Instant::now(),
                large: &large,
                tally: &tally,
            };
            threads.spawn(move || hostile::play(&ground, &mut rng));
        }
        watch.until_the_end(&server, &probe, &tally);
        tally.stop();
    });
    watch.faults.extend(watch.missed(&tally));
    probe.end();
    watch.tables_are_empty(&server)?;
    server.stop()?;
    Ok(watch.faults)
}

/// Makes what all share; the filehandle of the large file.
fn furnish(server: &Daemon, tally: &Tally) -> Vec<u8> {
    let identity = Identity {
        server: server.address,
        from: IpAddr::from([127, 0, 0, 2]),
        uid: 4_000,
        minor: 1,
        name: "furnishes".to_owned(),
    };
    let mut mount = Mount::new(&identity, 1, tally);
    let root = mount.root();
    for number in 0..SHARED {
        let open = mount.open(&root, &format!("shared {number}"), Some(0o666));
        mount.close(&open);
    }
    let large = mount.open(&root, "large", Some(0o644));
    for part in 0..16 {
        mount.write(&large, part << 16, &[7; 1 << 16]);
    }
    mount.close(&large);
    mount.leave();
    large.fh
}

/// What is looked at all the time.
struct Watch {
    driver: String,
    start: Instant,
    span: Duration,
    /// Bytes that the server had in each tenth of the time when attackers rested.
    at_rest: Vec<u64>,
    faults: Vec<String>,
}

impl Watch {
    fn new(wanted: &Wanted) -> Watch {
        Watch {
            driver: wanted.driver.clone(),
            start: Instant::now(),
            span: Duration::from_secs(wanted.seconds),
            at_rest: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn until_the_end(&mut self, server: &Daemon, probe: &Probe, tally: &Tally) {
        while self.start.elapsed() < self.span {
            let left = self.span.saturating_sub(self.start.elapsed());
            self.minute(left.min(MINUTE), server, probe, tally);
        }
        let rests = self.at_rest.iter().map(|bytes| bytes >> 20);
        let rests: Vec<_> = rests.collect();
        println!("soak {}: MiB at rest in each tenth: {rests:?}", self.driver);
        let first = self.at_rest.first().copied().unwrap_or_default();
        let is_judged = self.span / TENTHS >= 2 * CALM;
        if is_judged && self.at_rest.iter().any(|bytes| *bytes > first + GROWTH) {
            self.faults.push(format!("memory grows: {rests:?} MiB"));
        }
    }

    /// Has attackers rest at the end of each tenth, and says how much memory there is then.
    fn look(&mut self, resident: u64, tally: &Tally) {
        let tenth = self.span / TENTHS;
        let at = self.start.elapsed().as_secs_f64() / tenth.as_secs_f64();
        let left = tenth.mul_f64(1.0 - at.fract());
        let is_calm = left < CALM.min(tenth / 2) && at < f64::from(TENTHS);
        tally.set_calm(is_calm);
        if is_calm {
            self.at_rest.resize(1 + at as usize, u64::MAX);
            let rest = self.at_rest.last_mut().expect("one for each tenth");
            *rest = resident.min(*rest);
        }
    }

    fn minute(&mut self, span: Duration, server: &Daemon, probe: &Probe, tally: &Tally) {
        let (start, worked) = (Instant::now(), server.worked());
        let ((least, most), waited) = probe.during(|| {
            let (mut least, mut most) = (u64::MAX, 0);
            while start.elapsed() < span {
                thread::sleep(Duration::from_millis(500));
                let resident = server.resident();
                self.look(resident, tally);
                least = least.min(resident);
                most = most.max(resident);
            }
            (least, most)
        });
        let counted = tally.take();
        let busy = 100.0 * (server.worked() - worked) / start.elapsed().as_secs_f64();
        println!(
            "soak {} {} s: good: {} requests, {} errors, {} DELAYs, {} delegations, longest {:.2?}; \
             probe: {} requests, p50/p99/max {waited}; RSS least/most {}/{} MiB; {busy:.0} % of a core; \
             tables {:?}; hostile {:?}",
            self.driver,
            self.start.elapsed().as_secs(),
            counted.requests,
            counted.faults,
            counted.delays,
            counted.delegations,
            counted.longest,
            waited.len(),
            least >> 20,
            most >> 20,
            server.tables(),
            counted.hostile,
        );
        if waited.is_empty() || waited.max() > STALL {
            self.faults.push(format!("the probe waited {waited}"));
        }
    }

    fn missed(&self, tally: &Tally) -> Option<String> {
        let faults = tally.take().faults;
        (faults > 0).then(|| format!("{faults} faults of well-behaved clients"))
    }

    fn tables_are_empty(&mut self, server: &Daemon) -> io::Result<()> {
        let start = Instant::now();
        loop {
            let tables = server.tables()?;
            if tables.is_empty() {
                let resident = server.resident() >> 20;
                println!(
                    "soak {}: tables empty after {:?}, RSS {resident} MiB",
                    self.driver,
                    start.elapsed()
                );
                return Ok(());
            }
            if start.elapsed() > LEFT * LEASE {
                self.faults
                    .push(format!("in the tables is left {tables:?}"));
                return Ok(());
            }
            thread::sleep(Duration::from_millis(500));
        }
    }
}

/// `nfs4d` where cargo puts it, or beside a copy of this.
fn beside() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    let mut found = folders.map(|folder| folder.join("nfs4d"));
    found
        .find(|path| path.is_file())
        .ok_or_else(|| io::Error::other("no nfs4d here: cargo build --release -p nfs4d"))
}

const LEASE: Duration = Duration::from_secs(10);
/// So long the probe may wait at most, on a machine that does other things, too.
const STALL: Duration = Duration::from_secs(5);
/// Bytes: by as much memory at rest may exceed that of the first tenth.
const GROWTH: u64 = 16 << 20;
/// So many leases after the last request nothing is left: the third is that of the last reminders.
const LEFT: u32 = 4;
const TENTHS: u32 = 10;
/// So long attackers rest: `nfs4d` gives memory back once a minute if it is always in use.
const CALM: Duration = Duration::from_secs(75);
const MINUTE: Duration = Duration::from_secs(60);
const PROBE: u32 = 1;
const GOOD: u8 = 9;
const HOSTILE: u8 = 3;
