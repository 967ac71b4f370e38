//! What the server has confirmed is there after a power cut: `tests/power/run` runs it, as root.

#[path = "../command/daemon.rs"]
#[expect(dead_code, reason = "the tests of the command use the rest")]
mod daemon;
mod disk;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::proto::nfs4::{DelegationType, Owner, StableHow, Status, args};
use nfs4_tests::live::{Client, Connection};

use daemon::Server;
use disk::Disk;

/// What the clients have done, in the order in which they knew it.
#[derive(Default)]
struct Log(Mutex<Vec<Entry>>);

#[derive(Clone, Debug)]
enum Entry {
    /// A request that changes this name is about to be sent.
    Begins(String),
    /// The server has confirmed that the name has this content, or that it is gone.
    Confirmed(String, Option<Vec<u8>>),
}

impl Log {
    fn note(&self, entry: Entry) {
        self.0.lock().expect("no writer has failed").push(entry);
    }

    fn all(&self) -> Vec<Entry> {
        self.0.lock().expect("no writer has failed").clone()
    }
}

/// The last fact of each name that nothing has begun to change since; of the first `known` entries.
fn facts(entries: &[Entry], known: usize) -> HashMap<&str, &Option<Vec<u8>>> {
    let mut facts = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Begins(name) => drop(facts.remove(name.as_str())),
            Entry::Confirmed(name, content) if at < known => {
                facts.insert(name.as_str(), content);
            }
            Entry::Confirmed(..) => {}
        }
    }
    facts
}

/// Writes, makes, renames and removes files of its own, and notes what is confirmed.
fn work(server: &Server, log: &Log, stop: &AtomicBool, number: usize) {
    let mut client = Client::on(Connection::new(server.address), Some(USER));
    client.mount(&owner(number), 1);
    for turn in 0_usize.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("{number}-{turn}");
        let content: Vec<u8> = (0..turn * 997 % 70_000)
            .map(|at| (at * 7 + turn + number) as u8)
            .collect();
        log.note(Entry::Begins(name.clone()));
        client.open(&name);
        let how = [
            StableHow::Unstable,
            StableHow::DataSync,
            StableHow::FileSync,
        ][turn % 3];
        if turn % 5 != 0 {
            write(&mut client, &content, how);
            log.note(Entry::Confirmed(name.clone(), Some(content.clone())));
        } else {
            log.note(Entry::Confirmed(name.clone(), Some(Vec::new())));
        }
        client.close();
        match turn % 4 {
            1 => {
                let to = format!("{name}-renamed");
                log.note(Entry::Begins(name.clone()));
                rename(&mut client, &name, &to);
                log.note(Entry::Confirmed(name, None));
            }
            2 => {
                log.note(Entry::Begins(name.clone()));
                client.unlink(&name);
                log.note(Entry::Confirmed(name, None));
            }
            _ => {}
        }
    }
}

/// WRITE of all, and COMMIT if that is needed.
fn write(client: &mut Client, data: &[u8], stable: StableHow) {
    let object = &client.file.clone()[..];
    let file = args::PutFh { object };
    let write = args::Write {
        stateid: client.open,
        offset: 0,
        stable,
        data,
    };
    client.call(|c| c.putfh(file).write(write));
    if stable == StableHow::Unstable {
        let commit = args::Commit {
            offset: 0,
            count: 0,
        };
        client.call(|c| c.putfh(file).commit(commit));
    }
}

fn rename(client: &mut Client, from: &str, to: &str) {
    let rename = args::Rename {
        oldname: from.as_bytes(),
        newname: to.as_bytes(),
    };
    client.call(|c| c.putrootfh().savefh().rename(rename));
}

fn serve(files: &Path) -> Server {
    let (export, state) = (files.join("files"), files.join("state"));
    let path = |path: &Path| path.to_str().expect("it is text").to_owned();
    Server::start(&[
        "--export",
        &path(&export),
        "--state-dir",
        &path(&state),
        "--lease-time=30",
        "--log=warn",
    ])
}

/// A disk with a directory to serve.
fn disk(name: &str) -> Disk {
    let disk = Disk::new(name).unwrap_or_else(|why| panic!("no disk: {why}"));
    let files = disk.files().join("files");
    fs::create_dir(&files).expect("the disk is empty");
    let all = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(&files, all).expect("it is there");
    disk
}

#[test]
#[ignore = "needs root, loop devices and XFS: tests/power/run"]
fn what_is_confirmed_is_there_after_a_power_cut() {
    let mut disk = disk("confirmed");
    let server = serve(&disk.files());
    let (log, stop) = (Log::default(), AtomicBool::new(false));
    let mut checked = 0;
    thread::scope(|scope| {
        for number in 0..WRITERS {
            let (server, log, stop) = (&server, &log, &stop);
            scope.spawn(move || work(server, log, stop, number));
        }
        let ending = Ending(&stop);
        for _ in 0..CUTS {
            thread::sleep(Duration::from_millis(700));
            let known = log.all().len();
            let found = disk.cut().unwrap_or_else(|why| panic!("no cut: {why}"));
            let entries = log.all();
            for (name, content) in facts(&entries, known) {
                let path = found.join("files").join(name);
                match content {
                    Some(content) => {
                        let read = fs::read(&path).unwrap_or_else(|why| panic!("{name}: {why}"));
                        assert!(read == *content, "{name} has other bytes");
                    }
                    None => assert!(!path.exists(), "{name} is there again"),
                }
                checked += 1;
            }
        }
        drop(ending);
    });
    println!("{checked} facts of {CUTS} cuts were there");
    assert!(checked > 100, "{checked}");
}

#[test]
#[ignore = "needs root, loop devices and XFS: tests/power/run"]
fn a_client_reclaims_what_it_had_open_after_a_power_cut() {
    let mut disk = disk("reclaimed");
    let server = serve(&disk.files());
    let mut client = Client::on(Connection::new(server.address), Some(USER));
    client.mount(&owner(0), 1);
    client.open("held");
    write(&mut client, b"held", StableHow::FileSync);
    let file = client.file.clone();
    let restarted = disk.restart(|| drop(server));
    restarted.unwrap_or_else(|why| panic!("no restart: {why}"));

    let server = serve(&disk.files());
    let mut client = Client::on(Connection::new(server.address), Some(USER));
    client.introduce(&owner(0), 1);
    client.enter_to_reclaim();
    let claim = args::Open {
        seqid: 0,
        share_access: 3,
        share_deny: 0,
        owner: Owner {
            clientid: client.id,
            owner: b"owner",
        },
        openhow: args::OpenFlag::NoCreate,
        claim: args::OpenClaim::Previous(DelegationType::None),
    };
    let object = &file[..];
    let status = client.in_session(|c| c.putfh(args::PutFh { object }).open(claim));
    assert_eq!(status, Status::OK, "it reclaims");
    let done = args::ReclaimComplete { one_fs: false };
    client.call(|c| c.reclaim_complete(done));
    // All known clients have reclaimed, so the grace period is over as soon as that is stored.
    let until = Instant::now() + Duration::from_secs(5);
    while let Err(status) = client.try_open("another") {
        assert_eq!(status, Status::GRACE);
        assert!(Instant::now() < until, "the grace period goes on");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Ends the writers, also when the test fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn owner(number: usize) -> String {
    format!("writer {number}")
}

const USER: u32 = 1_000;
const WRITERS: usize = 3;
const CUTS: usize = 5;
