//! The log: its destination, and floods of lines.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nfs4_engine::proto::client::{CallCredential, CompoundBuilder};
use nfs4_engine::proto::nfs4::attr::num;
use nfs4_engine::proto::nfs4::{Bitmap, Status, args};
use nfs4_tests::live::{Client, Memory, own_address};
use serde_json::Value;

use crate::daemon::{DRIVERS, Server};
use crate::metrics::{get, value};
use crate::settings::patch;

#[test]
fn a_log_that_is_not_read_loses_lines_and_delays_nothing() {
    for driver in DRIVERS {
        for sink in [Sink::Closed, Sink::Full, Sink::Gone, Sink::Stuck] {
            let arguments = [
                "--driver",
                driver,
                "--log",
                "trace",
                "--metrics",
                "127.0.0.1:0",
            ];
            let (mut server, pipe) = sink.start(&arguments);
            let before = Memory::of_process(server.child.id());
            // Far more than a pipe holds.
            for round in 0..40 {
                turnover(&server, &format!("client {round}"));
            }
            let after = Memory::of_process(server.child.id());
            let lost = value(&get(server.metrics(), "/metrics"), LOST);
            let expected = match sink {
                // The standard library puts /dev/null in its place.
                Sink::Closed => lost == 0,
                Sink::Full | Sink::Gone => lost > 0,
                // Lines wait, up to a limit.
                Sink::Stuck => true,
            };
            assert!(expected, "{lost} lost to {sink:?} on {driver}");
            let start = Instant::now();
            server.signal("TERM");
            assert_eq!(server.exit_code(), Some(0), "{sink:?} on {driver}");
            let took = start.elapsed();
            assert!(took < Duration::from_secs(5), "{took:?}");
            println!(
                "attack log to {sink:?} {driver}: limit=1 MiB waiting told=nothing, {lost} lines lost, \
                 end in {took:?} memory before/after={before}/{after}"
            );
            drop(pipe);
        }
    }
}

#[test]
fn lost_lines_are_reported_when_the_log_is_read_again() {
    let arguments = ["--log", "trace", "--metrics", "127.0.0.1:0"];
    let (mut server, pipe) = Sink::Stuck.start(&arguments);
    let start = Instant::now();
    while value(&get(server.metrics(), "/metrics"), LOST) == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "nothing is lost");
        turnover(&server, "client");
    }
    let mut pipe = pipe.expect("it is stuck");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("the log is text");
        text
    });
    // The next line is written.
    std::thread::sleep(Duration::from_millis(1_100));
    turnover(&server, "last");
    std::thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let text = reader.join().expect("it is read");
    let told = text
        .lines()
        .find(|line| line.contains("log lines could not be written in time"));
    assert!(told.is_some_and(|line| line.contains("WARN") && line.contains("lines=")));
}

#[test]
fn a_json_log_has_one_object_a_line_and_joins_what_one_request_causes() {
    for driver in DRIVERS {
        let arguments = ["--driver", driver, "--log", "trace", "--log-format", "json"];
        let mut server = Server::start(&arguments);
        turnover(&server, "a \u{1b}\n\"client\"");
        let mut stream = crate::connect(server.address);
        for xid in XIDS {
            let call = CompoundBuilder::call(xid, &CallCredential::None, b"", 1);
            crate::exchange(&mut stream, &{ call }.putrootfh().finish());
        }
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
        let log = server.log();
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).expect("an object"))
            .collect();
        for line in &lines {
            assert!(
                line["time"]
                    .as_str()
                    .is_some_and(|time| time.ends_with('Z'))
            );
            for key in ["level", "target", "message"] {
                assert!(line[key].is_string(), "{key} in {line}");
            }
            assert!(line["fields"].is_object(), "{line}");
        }
        let told = |text: &str| {
            let found = lines.iter().find(|line| line["message"] == text);
            found.unwrap_or_else(|| panic!("{text} is not in: {log}"))
        };
        assert!(told("serving the protocol")["fields"]["lease_s"].is_u64());
        assert!(told("stopped")["fields"]["took_ms"].is_u64());
        assert_eq!(told("stopped")["fields"]["signal"], "SIGTERM");
        // A call and its reply have the same name, and no other request has it.
        let with = |way: &str| -> BTreeSet<&str> {
            let is = |line: &&Value| {
                let text = line["message"].as_str();
                text.is_some_and(|text| text.starts_with(way))
            };
            let found = lines.iter().filter(is);
            found
                .filter_map(|line| line["fields"]["request"].as_str())
                .collect()
        };
        let (calls, replies) = (with("<- "), with("-> "));
        assert_eq!(calls, replies, "{driver}");
        for xid in XIDS {
            let suffix = format!(".{xid:08x}");
            let named = calls.iter().filter(|name| name.ends_with(&suffix));
            assert_eq!(named.count(), 1, "{suffix} in {calls:?} on {driver}");
        }
    }
}

#[test]
fn a_failure_to_start_is_an_object_too() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let output = crate::daemon::run(&["--listen", &address, "--log-format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().last().expect("a line");
    let last: Value = serde_json::from_str(last).expect("an object");
    assert_eq!(last["message"], "the server has ended");
    let why = last["fields"]["why"].as_str().expect("a reason");
    assert!(why.contains(&address), "{why}");
}

#[test]
fn a_request_and_a_callback_that_wait_for_a_silent_client_are_named() {
    for driver in DRIVERS {
        let mut server = Server::start(&["--driver", driver, "--admin", "127.0.0.1:0"]);
        // Also while it runs.
        let change = serde_json::json!({"slow_request_ms": 50});
        assert_eq!(patch(&server, &change).status, 200, "{driver}");
        let mut holder = Client::connect(server.address);
        holder.reachable = true;
        holder.mount("holder", 1);
        let opened = holder.try_open("f").expect("an open");
        assert!(opened.delegation.is_some(), "{driver}");
        let mut other = Client::connect(server.address);
        other.mount("other", 1);
        // The holder does not say what it knows of the file, and is waited for 200 ms.
        let object = &holder.file[..];
        let attr_request = Bitmap::of(&[num::CHANGE, num::SIZE]);
        other.reply_to(|c| {
            c.putfh(args::PutFh { object })
                .getattr(args::GetAttr { attr_request })
        });
        // Nor does it return the delegation.
        let refused = other.try_open("f").map(|opened| opened.stateid);
        assert_eq!(refused, Err(Status::DELAY), "{driver}");
        std::thread::sleep(Duration::from_millis(300));
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
        let log = server.log();
        let line = |text: &str, part: &str| {
            let has = |line: &&str| line.contains(text) && line.contains(part);
            let found = log.lines().find(has);
            found.unwrap_or_else(|| panic!("{text} with {part} is not in: {log}"))
        };
        let slow = line(" a request is slow ", "operation=\"GETATTR\"");
        assert!(
            slow.contains("WARN") && slow.contains("holder of a delegation"),
            "{slow}"
        );
        assert!(slow.contains("peer=\"127.0.0.1:"), "{slow}");
        let client = format!("client={:016x}", other.id.0);
        assert!(slow.contains(&client), "{slow}");
        let request = slow.split(' ').find(|part| part.starts_with("request="));
        let answered = line(" a slow request is answered ", request.expect("its name"));
        assert!(
            answered.contains("INFO") && answered.contains("took_ms="),
            "{answered}"
        );
        let client = format!("client={:016x}", holder.id.0);
        let stuck = |operation: &str| {
            let operation = format!("operation=\"{operation}\"");
            line(" a callback has no answer ", &operation)
        };
        let probe = stuck("CB_GETATTR");
        for part in [&client, "WARN", "session=", "conn=", "attempts=1"] {
            assert!(probe.contains(part), "{part}: {probe}");
        }
        // It waits for the one slot that the other has.
        let recall = stuck("CB_RECALL");
        for part in [&client, "WARN", "session=", "attempts=0"] {
            assert!(recall.contains(part), "{part}: {recall}");
        }
    }
}

#[test]
fn client_turnover_does_not_fill_the_log() {
    for driver in DRIVERS {
        let arguments = ["--driver", driver, "--metrics", "127.0.0.1:0"];
        let mut server = Server::start(&arguments);
        let mut client = Client::connect(server.address);
        let start = Instant::now();
        for round in 0..TURNS {
            client.mount(&format!("client {round}"), 1);
            client.unmount();
        }
        let took = start.elapsed();
        let left_out = value(&get(server.metrics(), "/metrics"), LEFT_OUT);
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
        let log = server.log();
        println!(
            "attack clients that come and go {driver}: limit=100 lines of a kind, then 10/s told=nothing, \
             {TURNS} clients in {took:?} are {} bytes of log",
            log.len()
        );
        let come = |line: &&str| line.contains("a client is confirmed");
        let gone = |line: &&str| line.contains("a client is removed");
        let shown = log.lines().filter(|line| come(line) || gone(line));
        let shown = shown.filter(|line| !line.contains("left out")).count() as u64;
        assert_eq!(
            shown + left_out,
            2 * TURNS,
            "each is shown or counted: {log}"
        );
        let most = 2 * (101 + 10 * (took.as_secs() + 1));
        assert!(shown <= most, "{shown} lines in {took:?}");
        // All lines that were left out are reported at the end.
        let told = log
            .lines()
            .filter(|line| line.contains("log lines were left out"));
        let told = told.filter_map(|line| {
            line.split("lines=")
                .nth(1)?
                .split(' ')
                .next()?
                .parse::<u64>()
                .ok()
        });
        assert_eq!(told.sum::<u64>(), left_out, "{log}");
    }
}

#[test]
fn a_banner_without_a_reader_delays_nothing() {
    for driver in DRIVERS {
        // A client that knows the port need not read the banner.
        let address = own_address();
        let (_reader, mut stuck) = std::io::pipe().expect("a pipe");
        fill(&mut stuck);
        let mut child = crate::daemon::command(&["--driver", driver])
            .args(["--listen", &address.to_string()])
            .stdout(stuck)
            .stderr(Stdio::null())
            .spawn()
            .expect("nfs4d starts");
        let start = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "it does not listen"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut client = Client::connect(address);
        client.mount("client", 1);
        client.unmount();
        child.kill().expect("it runs");
        child.wait().expect("it is our child");
    }
}

/// The destination of the log.
#[derive(Clone, Copy, Debug)]
enum Sink {
    /// Standard error is closed.
    Closed,
    /// A full device.
    Full,
    /// A pipe whose reader is closed.
    Gone,
    /// A pipe without a reader.
    Stuck,
}

impl Sink {
    /// A server that logs to this sink, and the pipe end that must outlive it.
    fn start(self, arguments: &[&str]) -> (Server, Option<std::io::PipeReader>) {
        let pipe = || std::io::pipe().expect("a pipe");
        match self {
            Sink::Closed => (Server::start_in_shell(":", "2>&-", arguments), None),
            Sink::Full => {
                let full = File::options().write(true).open("/dev/full");
                (
                    Server::start_with(arguments, full.expect("Linux has it")),
                    None,
                )
            }
            Sink::Gone => (Server::start_with(arguments, pipe().1), None),
            Sink::Stuck => {
                let (reader, writer) = pipe();
                (Server::start_with(arguments, writer), Some(reader))
            }
        }
    }
}

/// A client mounts, writes a file and unmounts.
fn turnover(server: &Server, name: &str) {
    let mut client = Client::connect(server.address);
    client.mount(name, 1);
    let open = client.open(name);
    for block in 0..20 {
        client.write(open, block << 12, &[7; 4_096]);
    }
    client.remove(open, name);
    client.unmount();
}

/// Fills a pipe: a child writes to it, and is killed once its write blocks.
fn fill(pipe: &mut std::io::PipeWriter) {
    let end = pipe.try_clone().expect("it is cloned");
    let mut yes = std::process::Command::new("sh")
        .args(["-c", "exec yes"])
        .stdout(end)
        .spawn()
        .expect("yes runs");
    std::thread::sleep(Duration::from_millis(100));
    yes.kill().expect("it runs");
    yes.wait().expect("it is our child");
}

const XIDS: std::ops::Range<u32> = 0x1234_5600..0x1234_5614;
const TURNS: u64 = 400;
const LOST: &str = "nfs4_nfs_log_lines_lost_total";
const LEFT_OUT: &str = "nfs4_nfs_log_lines_left_out_total";
