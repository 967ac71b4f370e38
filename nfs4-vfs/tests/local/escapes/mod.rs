//! A directory of nasty links, while other processes rename, swap and mount: whatever requests do, nothing
//! outside the export is reached.
//!
//! What lies outside is known by its name, its bytes and its number. Local processes change the paths
//! that requests are on: they swap directories with links that lead out, move directories about and out of
//! the export, and mount what lies outside over them. `NFS4_ESCAPE_SECONDS` says for how long.

mod outside;
mod tamper;
mod walker;

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_vfs::{LocalFs, LocalFsConfig};

use self::outside::Ground;
use self::walker::Walker;
use crate::subject::owner;

/// What was met: a run that met little has shown little.
#[derive(Debug, Default)]
pub(crate) struct Met {
    requests: AtomicU64,
    directories: AtomicU64,
    links: AtomicU64,
    parents: AtomicU64,
    bytes: AtomicU64,
    entries: AtomicU64,
    made: AtomicU64,
    renamed: AtomicU64,
    linked: AtomicU64,
    tampered: AtomicU64,
}

impl Met {
    /// What was met least often, and how often.
    fn least(&self) -> (&'static str, u64) {
        let counts = [
            ("directories", &self.directories),
            ("links", &self.links),
            ("parents", &self.parents),
            ("bytes", &self.bytes),
            ("entries", &self.entries),
            ("made", &self.made),
            ("renamed", &self.renamed),
            ("linked", &self.linked),
            ("tampered", &self.tampered),
        ];
        let counts = counts.map(|(what, count)| (what, count.load(Relaxed)));
        let least = counts.into_iter().min_by_key(|(_, count)| *count);
        least.expect("several counts")
    }
}

#[test]
fn nothing_outside_is_reached_on_disk() {
    race(env::temp_dir());
}

#[test]
fn nothing_outside_is_reached_on_tmpfs() {
    race(crate::tmpfs());
}

fn race(parent: std::path::PathBuf) {
    // Threads that it starts share its mounts, which no other process sees.
    let raced = thread::spawn(move || {
        let mounts = owner().0 == 0 && tamper::leave_mounts().is_ok();
        if !mounts {
            eprintln!("NOT RUN: mounts, which this process may not make");
        }
        let ground = Ground::new(&parent);
        race_on(&ground, mounts);
    });
    if let Err(panic) = raced.join() {
        std::panic::resume_unwind(panic);
    }
}

fn race_on(ground: &Ground, mounts: bool) {
    let config = LocalFsConfig::new(ground.export(), [7; 16]);
    let files = Arc::new(LocalFs::open(config).unwrap());
    let met = Met::default();
    let seconds = env::var("NFS4_ESCAPE_SECONDS").map_or(3.0, |text| text.parse().unwrap());
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    // A machine that does much else takes longer to meet as much.
    let late = end + Duration::from_secs(60);
    let going = || {
        let now = Instant::now();
        now < end || now < late && met.least().1 < ENOUGH
    };
    thread::scope(|scope| {
        let (met, going) = (&met, &going);
        let mut deeds: Vec<fn(&Ground) -> u32> = vec![
            tamper::swap,
            tamper::shuffle,
            tamper::move_out,
            tamper::replace,
        ];
        if mounts {
            deeds.push(tamper::mount);
        }
        for deed in deeds {
            scope.spawn(move || {
                while going() {
                    met.tampered.fetch_add(u64::from(deed(ground)), Relaxed);
                }
            });
        }
        for seed in 1..=3 {
            let files = Arc::clone(&files);
            scope.spawn(move || {
                let mut walker = Walker::new(&*files, ground, met, seed);
                while going() {
                    walker.step();
                }
            });
        }
    });
    ground.is_untouched();
    eprintln!("{met:?}");
    let (what, count) = met.least();
    assert!(count >= ENOUGH, "the race met hardly any {what}");
}

/// How often the race must have met each thing.
const ENOUGH: u64 = 10;
