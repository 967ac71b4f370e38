//! What outlasts a server: a kill, another process in its place, and a state directory that fails.

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_admin::Grace;
use nfs4_engine::proto::nfs4::Status;
use nfs4_tests::live::{Client, Connection, own_address};

use crate::daemon::{Server, run};
use crate::http::ask;
use crate::settings::Directory;
use crate::settings::store::{mounts, unmount};

/// A state directory and a directory that is exported.
struct Place {
    state: Directory,
    files: Directory,
    address: SocketAddr,
}

impl Place {
    fn new(name: &str) -> Place {
        let files = Directory::new(&format!("{name}-files"));
        fs::set_permissions(files.path(), Permissions::from_mode(0o777)).expect("it is ours");
        Place {
            state: Directory::new(name),
            files,
            address: own_address(),
        }
    }

    fn start(&self, more: &[&str]) -> Server {
        let listen = self.address.to_string();
        let arguments = ["--state-dir", self.state.text(), "--listen", &listen];
        Server::start(&[&arguments, more].concat())
    }

    fn export(&self) -> [&str; 2] {
        ["--export", self.files.text()]
    }

    fn client(&self, name: &str) -> Client {
        let mut client = Client::on(Connection::new(self.address), Some(1_000));
        client.introduce(name, 1);
        client.enter_to_reclaim();
        client
    }
}

/// A client with a locked file, and one without.
fn two_clients(place: &Place) -> [Client; 2] {
    let [mut one, mut other] = ["one", "other"].map(|name| place.client(name));
    assert_eq!(one.complete_reclaims(), Status::OK);
    assert_eq!(other.complete_reclaims(), Status::OK);
    one.open("held");
    assert_eq!(one.lock(0, false), Status::OK);
    [one, other]
}

/// The first client has its lock at the next server, before and after the other one asks.
fn assert_reclaimed(place: &Place, file: &[u8]) {
    let mut other = place.client("other");
    other.file = file.to_vec();
    assert_eq!(other.complete_reclaims(), Status::OK);
    assert_eq!(other.lock(0, false), Status::GRACE);
    let mut one = place.client("one");
    one.file = file.to_vec();
    assert_eq!(one.lock(0, true), Status::OK);
    assert_eq!(one.complete_reclaims(), Status::OK);
    let locked = after_grace(|| other.lock(0, false));
    assert_eq!(locked, Status::DENIED);
}

/// How a request ends after the grace period, which ends as soon as that is stored.
fn after_grace(mut ask: impl FnMut() -> Status) -> Status {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match ask() {
            Status::GRACE => assert!(Instant::now() < end, "all have reclaimed"),
            other => return other,
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_server_has_lost_no_lock() {
    let place = Place::new("killed");
    let mut server = place.start(&place.export());
    let [one, _other] = two_clients(&place);
    server.child.kill().expect("it is our child");
    server.child.wait().expect("it is our child");
    let server = place.start(&place.export());
    let grace = "lease 90 s, grace period 90 s";
    assert!(server.banner.contains(grace), "{}", server.banner);
    assert_reclaimed(&place, &one.file);
}

#[test]
fn a_state_directory_that_clients_reach_is_warned_of() {
    let place = Place::new("within");
    let within = place.files.path().join("state");
    fs::create_dir(&within).expect("it is ours");
    for (state, is_told) in [
        (within.to_str().expect("it is text"), true),
        (place.state.text(), false),
    ] {
        let server = Server::start(&["--state-dir", state, "--export", place.files.text()]);
        let told = server
            .banner
            .contains("the state directory lies in the directory of an export");
        assert_eq!(told, is_told, "{}", server.banner);
    }
}

#[test]
fn a_file_that_was_in_memory_is_not_reclaimed() {
    let place = Place::new("memory");
    let mut server = place.start(&[]);
    let [one, _other] = two_clients(&place);
    server.child.kill().expect("it is our child");
    server.child.wait().expect("it is our child");
    let _server = place.start(&[]);
    let mut again = place.client("one");
    again.file.clone_from(&one.file);
    assert_eq!(again.lock(0, true), Status::STALE);
    assert_eq!(again.complete_reclaims(), Status::OK);
    assert_eq!(again.try_open("new").unwrap_err(), Status::GRACE);
    let mut other = place.client("other");
    assert_eq!(other.complete_reclaims(), Status::OK);
    let opened = after_grace(|| again.try_open("new").err().unwrap_or(Status::OK));
    assert_eq!(opened, Status::OK);
}

#[test]
fn another_process_takes_the_place_of_a_server() {
    for driver in ["tokio", "threads", "async-std"] {
        takes_the_place(driver);
    }
}

fn takes_the_place(driver: &str) {
    let place = Place::new(&format!("take-over-{driver}"));
    let by = ["--driver", driver];
    let mut server = place.start(&[&place.export()[..], &by].concat());
    let [one, _other] = two_clients(&place);
    let ended = Arc::new(AtomicBool::new(false));
    let address = place.address;
    let connecting = {
        let ended = Arc::clone(&ended);
        thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                TcpStream::connect(address).expect("a process listens at any time");
                thread::sleep(Duration::from_millis(2));
            }
        })
    };
    let begin = Instant::now();
    let more = [&place.export()[..], &by, &["--take-over"]].concat();
    let next = place.start(&more);
    let took = begin.elapsed();
    assert!(
        took < Duration::from_secs(60),
        "shorter than a lease: {took:?}"
    );
    assert_eq!(server.exit_code(), Some(0));
    ended.store(true, Ordering::Relaxed);
    connecting.join().expect("no connection was refused");
    assert_eq!(next.addresses[0], place.address);
    assert_reclaimed(&place, &one.file);
    assert!(server.log().contains("another process has the sockets"));
}

#[test]
fn a_take_over_that_cannot_succeed_leaves_the_server_that_runs() {
    let read_only = Directory::new("take-over-read-only");
    let mounted = mounts(&read_only, "size=1m,ro");
    for driver in ["tokio", "threads", "async-std"] {
        is_left_as_it_is(driver, mounted.then_some(&read_only));
    }
    if mounted {
        unmount(&read_only);
    }
}

fn is_left_as_it_is(driver: &str, read_only: Option<&Directory>) {
    let place = Place::new(&format!("take-over-refused-{driver}"));
    let by = ["--driver", driver];
    let mut server = place.start(&by);
    let record = place.files.path().join("record");
    File::create(&record).expect("it is ours");
    let record = record.to_str().expect("it is text");
    let listen = place.address.to_string();
    let mut all = vec![
        ["--metrics", "192.0.2.99:9100"].map(str::to_owned),
        ["--admin-socket", "/nonexistent/nfs4d.sock"].map(str::to_owned),
        ["--record", "/nonexistent/record"].map(str::to_owned),
        ["--record", record].map(str::to_owned),
    ];
    for flag in ["--admin-socket", "--record"] {
        all.extend(read_only.map(|folder| [flag.to_owned(), format!("{}/new", folder.text())]));
    }
    for wrong in all {
        let common = ["--state-dir", place.state.text(), "--listen", &listen];
        let wrong = wrong.each_ref().map(String::as_str);
        let more = [&by[..], &["--admin", "none", "--take-over"], &wrong].concat();
        let output = run(&[&common[..], &more].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(wrong[0]), "{message}");
        assert!(
            server.child.try_wait().expect("it is ours").is_none(),
            "{wrong:?}"
        );
    }
    let mut client = place.client("one");
    assert_eq!(client.complete_reclaims(), Status::OK);
    drop(client);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let log = server.log();
    assert!(!log.contains("cannot be accepted"), "{log}");
}

#[test]
fn take_over_starts_where_no_server_runs_and_needs_a_state_directory() {
    let place = Place::new("take-none");
    let server = place.start(&["--take-over"]);
    drop(server);
    let output = run(&["--admin", "none", "--listen", "127.0.0.1:0", "--take-over"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("--state-dir"), "{message}");
}

#[test]
fn a_state_directory_that_no_start_mends_is_told_and_untouched() {
    let place = Place::new("damaged");
    drop(place.start(&[]));
    let path = place.state.path().join("nfs4d.redb");
    let good = fs::read(&path).expect("it is there");
    let refused = |part: &str| {
        let before = fs::read(&path).ok();
        let state = ["--state-dir", place.state.text()];
        let listen = ["--admin", "none", "--listen", "127.0.0.1:0"];
        let output = run(&[&listen[..], &state].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{message}");
        let named = message.contains(path.to_str().expect("text"));
        assert!(named && message.contains(part), "{part}: {message}");
        assert_eq!(fs::read(&path).ok(), before, "it is untouched");
    };
    fs::write(&path, &good[..good.len() / 2]).expect("it is ours");
    refused("it is broken");
    fs::write(&path, "nothing of the kind").expect("it is ours");
    refused("it is broken");
    fs::remove_file(&path).expect("it is ours");
    refused("it is missing");
    fs::write(&path, &good).expect("it is ours");
    drop(place.start(&[]));
}

#[test]
fn the_grace_period_has_ended_when_that_is_answered_or_is_ending() {
    let place = Place::new("ending");
    let start = || place.start(&["--admin", "127.0.0.1:0"]);
    let mut server = start();
    let _clients = two_clients(&place);
    for fails in [false, true] {
        server.child.kill().expect("it is our child");
        server.child.wait().expect("it is our child");
        server = start();
        let grace: Grace = ask(server.admin(), "GET", "/api/v1/grace", &[], "").typed();
        assert!(grace.active && !grace.ending, "{grace:?}");
        assert_eq!((grace.known_clients, grace.missing_clients), (2, 2));
        let path = place.state.path().join("nfs4d.redb");
        let aside = place.state.path().join("aside");
        if fails {
            fs::rename(&path, &aside).expect("it is ours");
        }
        let mut new = place.client("new");
        let end = || ask(server.admin(), "POST", "/api/v1/grace/end", &[], "").typed();
        let ended: Grace = end();
        assert_eq!((ended.active, ended.ending), (fails, fails), "{ended:?}");
        assert_eq!((ended.remaining_seconds, ended.missing_clients), (0, 0));
        if fails {
            assert_eq!(new.complete_reclaims(), Status::DELAY);
            fs::rename(&aside, &path).expect("it is ours");
            let ended: Grace = end();
            assert!(!ended.active && !ended.ending, "{ended:?}");
        }
        let completed = std::iter::repeat_with(|| new.complete_reclaims());
        assert!(completed.take(100).any(|status| status == Status::OK));
        new.open("new");
        // Two clients that may reclaim from the next server.
        let mut other = place.client("other");
        assert_eq!(other.complete_reclaims(), Status::OK);
    }
}

#[test]
fn a_database_that_is_lost_while_the_server_runs_grants_nothing() {
    let place = Place::new("lost");
    let mut server = place.start(&[]);
    let path = place.state.path().join("nfs4d.redb");
    let aside = place.state.path().join("aside");
    fs::rename(&path, &aside).expect("it is ours");
    let mut client = place.client("one");
    assert_eq!(client.complete_reclaims(), Status::DELAY);
    File::create(&path).expect("it is ours");
    assert_eq!(client.complete_reclaims(), Status::DELAY);
    fs::rename(&aside, &path).expect("it is ours");
    let end = Instant::now() + Duration::from_secs(20);
    while client.complete_reclaims() != Status::OK {
        assert!(Instant::now() < end, "it goes on");
    }
    client.open("new");
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let log = server.log();
    assert!(
        log.contains("removed or replaced") && log.contains("stored again"),
        "{log}"
    );
}
