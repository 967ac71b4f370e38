//! Every exit code: what the pages and `--help` say of it, and that the process ends with it.

use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nfs4_tests::docs::exit_codes;

use crate::daemon::{Server, run};
use crate::exports::Ground;
use crate::{NULL_REPLY, deaf, null_call};

#[test]
fn the_pages_and_the_help_have_the_same_exit_codes() {
    let help = run(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let table = exit_codes("service.md", &help);
    let codes: Vec<i32> = table.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [0, 1, 2, 3, 130]);
}

fn code(arguments: &[&str]) -> Option<i32> {
    let common = ["--admin", "none", "--listen", "127.0.0.1:0"];
    let is_verb = |verb: &&str| ["check-config", "completions", "man", "--help"].contains(verb);
    let output = match arguments.first().is_some_and(is_verb) {
        true => run(arguments),
        false => run(&[&common[..], arguments].concat()),
    };
    output.status.code()
}

#[test]
fn a_process_ends_with_the_exit_code_of_its_reason() {
    let ground = Ground::new("exit-codes");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (taken, address)).unwrap();
    let taken_at = taken.1.to_string();
    let right = ground.write("right.toml", "[protocol]\nlease_time = 20\n");
    let wrong = ground.write("wrong.toml", "[protocol]\nlease_time = 0\n");
    let (missing, pages, file) = (
        ground.text("missing"),
        ground.text("pages"),
        ground.text("right.toml"),
    );
    let state = ground.directory("state");
    fs::write(ground.path("state/nfs4d.redb"), "no database").unwrap();
    for (arguments, expected) in [
        (&["check-config", right.as_str()][..], 0),
        (&["completions", "bash"], 0),
        (&["man", &pages], 0),
        (&["--help"], 0),
        (&["--listen", &taken_at], 1),
        (&["--metrics", &taken_at], 1),
        (&["--export", &missing], 1),
        (&["--state-dir", &file], 1),
        (&["--record", &file], 1),
        (&["--take-over"], 1),
        (&["man", &file], 1),
        (&["--lisen", "127.0.0.1:0"], 2),
        (&["--lease-time", "0"], 2),
        (&["--config", &wrong], 2),
        (&["--config", &missing], 2),
        (&["check-config", &wrong], 2),
        (&["check-config", &missing], 2),
        (&["check-config"], 2),
        (&["completions", "csh"], 2),
        (&["--state-dir", &state], 3),
    ] {
        assert_eq!(code(arguments), Some(expected), "{arguments:?}");
    }
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&[]);
        server.signal(signal);
        assert_eq!(server.exit_code(), Some(0), "SIG{signal}");
    }
    let mut server = Server::start(&["--stop-time", "60"]);
    let _deaf = deaf(server.address);
    assert_eq!(null_call(server.address), NULL_REPLY);
    let mut idle = TcpStream::connect(server.address).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    server.signal("TERM");
    // The first signal has been heard.
    assert!(matches!(idle.read(&mut [0]), Ok(0) | Err(_)));
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(130));
}
