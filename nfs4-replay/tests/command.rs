//! The binary as a developer runs it: its output and its exit codes.

#![cfg(feature = "cli")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::Credential;
use nfs4_engine::record::{DECODED_FIRST, Decoder, FRAME_HEAD, Frame, Journal, Start};
use nfs4_engine::{Call, ConnId, Input, Outbox};

/// Runs it; returns the exit code and what it says.
fn run(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_nfs4-replay"))
        .args(arguments)
        .output()
        .expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("it is text");
    (output.status.code().expect("it ends by itself"), said)
}

fn recording() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/replays");
    folder.join("linux-4.1-delegation-probed-and-recalled")
}

/// A file of its own, removed at the end of a test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("nfs4-replay-{name}-{}", std::process::id());
        Scratch(std::env::temp_dir().join(name))
    }

    fn with(name: &str, bytes: &[u8]) -> Scratch {
        let scratch = Scratch::new(name);
        fs::write(&scratch.0, bytes).expect("there is room");
        scratch
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain name")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may not be there.
        let _ = fs::remove_file(&self.0);
    }
}

fn start_of(log: &[u8]) -> Start {
    let (first, rest) = log.split_first_chunk::<DECODED_FIRST>().expect("a log");
    let mut decoder = Decoder::new(first).expect("a log");
    let (head, rest) = rest.split_first_chunk::<FRAME_HEAD>().expect("a frame");
    let len = decoder.rest_of(head).expect("a sound frame");
    match decoder.frame(&rest[..len]).expect("a sound frame") {
        Frame::Start(start) => start,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_recording_that_replays_ends_with_0() {
    let path = recording();
    let (code, said) = run(&[path.to_str().expect("a plain name")]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.starts_with("nfs4-replay: same: 360 entries, 298 inputs, "),
        "{said}"
    );
    assert!(said.ends_with("the log is complete\n"), "{said}");
}

#[test]
fn an_action_that_differs_ends_with_1_and_both_sides() {
    let log = fs::read(recording()).expect("it is there");
    let start = start_of(&log);
    let now = start.now;
    let mut journal = Journal::new(&start);
    // A server that answers nothing.
    let silent = &mut Outbox::new();
    let conn = ConnId::FIRST;
    let opened = Input::ConnOpened {
        conn,
        peer: "127.0.0.1:1".to_owned(),
    };
    let body = Bytes::from_static(&[0; 12]);
    let call = Input::Call(Call::new(conn, 0x77, Credential::none().into(), body, 52));
    for input in [opened, call] {
        journal.input(now, &input, silent);
        journal.caused(silent);
    }
    journal.end();
    let scratch = Scratch::with("differs", &journal.take(Vec::new()));
    let (code, said) = run(&[scratch.path()]);
    assert_eq!(code, 1, "{said}");
    for part in [
        "entry 2 at byte ",
        "action 1 differs",
        "input:  connection 1: CALL xid=0x77 AUTH_NONE COMPOUND v4.0",
        "log:    nothing",
        "replay: reply on connection 1: ",
        "REPLY xid=0x77",
    ] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
}

#[test]
fn what_is_damaged_or_no_recording_ends_with_2_and_its_place() {
    let mut log = fs::read(recording()).expect("it is there");
    log[40_000] ^= 4;
    let damaged = Scratch::with("damaged", &log);
    log[9] = 7;
    let other = Scratch::with("version", &log);
    let text = Scratch::with("text", b"this is a text, and no recording");
    let missing = Scratch::new("missing");
    for (file, part) in [
        (&damaged, "the frame is damaged"),
        (&other, "only version 4 can be replayed"),
        (&text, "this is no log of nfs4"),
        (&missing, "No such file"),
    ] {
        for arguments in [&[file.path()][..], &["show", file.path()]] {
            let (code, said) = run(arguments);
            assert_eq!(code, 2, "{said}");
            assert!(said.contains(part), "{said}");
            assert!(said.contains(file.path()), "{said}");
        }
    }
    let (_, said) = run(&[damaged.path()]);
    assert!(
        said.contains(": byte 39") && said.contains(", in entry "),
        "{said}"
    );
}

#[test]
fn a_wrong_command_line_ends_with_3() {
    for arguments in [&[][..], &["--loud"], &["redact", "one"], &["show"]] {
        let (code, said) = run(arguments);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("Usage"), "{said}");
    }
    let (code, help) = run(&["--help"]);
    assert!(code == 0 && help.contains("Exit codes:"), "{help}");
}

#[test]
fn entries_are_shown_a_line_each() {
    let path = recording();
    let path = path.to_str().expect("a plain name");
    let (code, said) = run(&["show", path, "--from", "100", "--count", "3"]);
    assert_eq!(code, 0, "{said}");
    let entries = said.lines().filter(|line| !line.starts_with("    "));
    let numbers = entries.map(|line| line.split(" @").next().unwrap_or_default());
    assert_eq!(numbers.collect::<Vec<_>>(), ["100", "101", "102"]);
}

#[test]
fn a_new_recording_replays_and_overwrites_nothing() {
    let path = recording();
    let path = path.to_str().expect("a plain name");
    let new = Scratch::new("new");
    let (code, said) = run(&["redact", path, new.path(), "--until", "50"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let new = fs::metadata(new.path()).expect("it is there");
        let mode = new.permissions().mode();
        assert_eq!(mode & 0o077, 0, "the server's secret is in it");
    }
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&[new.path()]);
    assert!(code == 0 && said.contains(" 50 entries"), "{said}");
    let (code, said) = run(&["rewrite", path, new.path()]);
    assert!(code == 2 && said.contains("exists"), "{said}");
}
