//! How much memory `nfs4d` keeps after clients have used it, against what is stored in it.
//!
//! ```text
//! cargo build --release -p nfs4d
//! cargo run --release -p nfs4-tests --example resident -- --driver tokio --seconds 120
//! ```
//!
//! Twenty clients make, append to, overwrite, read and remove files of 1 byte to 2 MiB, with up to 1 MiB
//! in a request. Then all rest, and the memory is printed that the server has: it fails if that is more
//! than 1.5 times what is stored, beside what an unused server has, half a minute later.

#![expect(clippy::expect_used, reason = "a measurement that cannot go on ends")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nfs4_tests::live::{Client, Daemon};
use nfs4_tests::sim::Rng;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).cloned()
    };
    let driver = option("--driver").unwrap_or_else(|| "tokio".to_owned());
    let seconds = option("--seconds").map_or(60, |text| text.parse().expect("seconds"));
    let nfs4d = option("--server").map_or_else(beside, PathBuf::from);
    let daemon = Daemon::start(&nfs4d, &driver, 3_600).expect("nfs4d starts");
    let unused = daemon.resident();
    let stored = use_it(daemon.address, Duration::from_secs(seconds));
    let limit = unused + stored * 3 / 2;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "resident: {driver}: {:.1} MiB unused, {:.1} stored",
        mib(unused),
        mib(stored)
    );
    let mut resident = 0;
    for rest in [0, 5, 10, 15] {
        thread::sleep(Duration::from_secs(rest));
        resident = daemon.resident();
        let ratio = (resident.saturating_sub(unused)) as f64 / stored as f64;
        println!(
            "resident: {:.1} MiB, {ratio:.2} times what is stored",
            mib(resident)
        );
    }
    if resident > limit {
        println!("resident: {driver} FAIL");
        return ExitCode::FAILURE;
    }
    println!("resident: {driver} OK");
    ExitCode::SUCCESS
}

/// `nfs4d` beside the example or in the folder above.
fn beside() -> PathBuf {
    let example = std::env::current_exe().expect("a path");
    let folder = example.parent().expect("a folder");
    let above = folder.parent().expect("a folder");
    let found = [folder, above].map(|folder| folder.join("nfs4d"));
    let [beside, above] = found;
    if beside.exists() { beside } else { above }
}

/// Has clients use the server for this long; the bytes that are stored then.
fn use_it(server: SocketAddr, span: Duration) -> u64 {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let over = &over;
                scope.spawn(move || use_files(server, number, over))
            })
            .collect();
        thread::sleep(span);
        over.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().expect("a client ends well"))
            .sum()
    })
}

/// One client; the bytes that its files have in the end.
fn use_files(server: SocketAddr, number: u64, over: &AtomicBool) -> u64 {
    let mut rng = Rng::new(number);
    let mut client = Client::connect(server);
    client.mount(&format!("client-{number}"), 1);
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    let data = vec![7; 1 << 20];
    while !over.load(Ordering::Relaxed) {
        let name = format!("file-{number}-{}", rng.below(NAMES));
        let size = sizes.get(&name).copied().unwrap_or(0);
        let open = client.open(&name);
        match rng.below(8) {
            0 => {
                client.remove(open, &name);
                sizes.remove(&name);
                continue;
            }
            1..=3 => {
                // Small requests are the most.
                let most = 1 << (4 + rng.below(17));
                let len = 1 + rng.below(most);
                let offset = match rng.below(2) {
                    0 => size.min(MAX_SIZE - len),
                    _ => rng.below(size + 1).min(MAX_SIZE - len),
                };
                client.write(open, offset, &data[..len as usize]);
                sizes.insert(name, size.max(offset + len));
            }
            _ => {
                let offset = rng.below(size + 1);
                client.read(open, offset, 1 << (9 + rng.below(12)));
            }
        }
        client.close();
    }
    sizes.values().sum()
}

/// Number of clients, and of the names of each.
const CLIENTS: u64 = 20;
const NAMES: u64 = 16;
/// Maximum length of a file, in bytes.
const MAX_SIZE: u64 = 2 << 20;
