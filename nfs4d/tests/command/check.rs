//! `nfs4d check-config` says what a start would say, as far as it can be known without serving.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use crate::daemon::{command, run};
use crate::exports::Ground;

/// A ground with what configuration files can name wrongly.
fn ground(name: &str) -> Ground {
    let ground = Ground::new(name);
    let data = ground.directory("data");
    fs::create_dir(ground.path("data/within")).expect("it is new");
    symlink(&data, ground.path("link")).expect("it is new");
    symlink(ground.path("data/within"), ground.path("inner")).expect("it is new");
    ground.write("file", "");
    ground.write("short", "too short\n");
    ground.write("token", "correct-horse-battery\n");
    ground
}

/// Exit code and standard error of `check-config` of a file.
fn checked(config: &str) -> (Option<i32>, String) {
    ended(&["check-config", config])
}

fn ended(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), told)
}

/// What is wrong with a file of one fault: the text with `@` for the ground, the line of the fault, the key, and what
/// both the check and the start say of it.
const WRONG: [(&str, usize, &str, &str); 17] = [
    (
        "[[export]]\npath = \"@/data\"\n[[export]]\npath = \"@/link\"\n",
        4,
        "export.path is \"@/link\"",
        "leads to the directory of the export @/data",
    ),
    (
        "[[export]]\npath = \"@/inner\"\n[[export]]\npath = \"@/data\"\n",
        4,
        "export.path is \"@/data\"",
        "leads to the directory of the export @/inner",
    ),
    (
        "[[export]]\n\npath = \"@/missing\"\n",
        3,
        "export.path is \"@/missing\"",
        "is not there: make the directory",
    ),
    (
        "[[export]]\npath = \"@/file\"\n",
        2,
        "export.path is \"@/file\"",
        "is no directory",
    ),
    (
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"@/missing\"\n",
        3,
        "admin.token_file is \"@/missing\"",
        "it cannot be read: No such file",
    ),
    (
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"@/short\"\n",
        3,
        "admin.token_file is \"@/short\"",
        "it has 9 bytes",
    ),
    (
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"@/data\"\n",
        3,
        "admin.token_file is \"@/data\"",
        "it cannot be read: Is a directory",
    ),
    (
        "[server]\nstate_dir = \"@/file\"\n",
        2,
        "server.state_dir is \"@/file\"",
        "it is no directory",
    ),
    (
        "[server]\nstate_dir = \"@/missing/state\"\n",
        2,
        "server.state_dir is \"@/missing/state\"",
        "the directory that it lies in is not there",
    ),
    (
        "[server]\nstate_dir = \"@/file/state\"\n",
        2,
        "server.state_dir is \"@/file/state\"",
        "Not a directory",
    ),
    (
        "[server]\nrecord = \"@/file\"\n",
        2,
        "server.record is \"@/file\"",
        "No file is overwritten",
    ),
    (
        "[server]\nrecord = \"@/missing/log\"\n",
        2,
        "server.record is \"@/missing/log\"",
        "No such file",
    ),
    (
        "[admin]\nlisten = \"none\"\nsocket = \"@/missing/socket\"\n",
        3,
        "admin.socket is \"@/missing/socket\"",
        "No such file",
    ),
    (
        "[admin]\nlisten = \"none\"\nsocket = \"@/file\"\n",
        3,
        "admin.socket is \"@/file\"",
        "is not a socket",
    ),
    (
        "[server]\nlisten = [\"127.0.0.1:0\", \"192.0.2.99:2049\"]\n",
        2,
        "server.listen is \"192.0.2.99:2049\"",
        "this machine does not have that address",
    ),
    (
        "[server]\nmetrics = \"192.0.2.99:9100\"\n",
        2,
        "server.metrics is \"192.0.2.99:9100\"",
        "this machine does not have that address",
    ),
    (
        "[admin]\ntoken_file = \"@/token\"\nlisten = \"192.0.2.99:20491\"\n",
        3,
        "admin.listen is \"192.0.2.99:20491\"",
        "this machine does not have that address",
    ),
];

#[test]
fn check_config_tells_every_fault_that_ends_the_start() {
    let ground = ground("check-start");
    let own = ground.text("");
    let own = own.trim_end_matches('/');
    for (text, line, key, part) in WRONG {
        let [text, key, part] = [text, key, part].map(|text| text.replace('@', own));
        let config = ground.write("nfs4d.toml", &text);
        let (code, told) = checked(&config);
        assert_eq!(code, Some(2), "{text}{told}");
        assert!(
            told.starts_with(&format!("{config}:{line}: {key}")) && told.contains(&part),
            "{text}{told}"
        );
        assert!(!told.contains("--"), "a file has no flags: {told}");
        // The start says the same.
        let mut arguments = vec!["--config", &config];
        if !text.contains("[admin]") {
            arguments.extend(["--admin", "none"]);
        }
        if !key.contains("server.listen") {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        let state = ground.text("state");
        if !key.contains("state_dir") {
            arguments.extend(["--state-dir", &state]);
        }
        let (code, started) = ended(&arguments);
        assert_eq!(code, Some(1), "{text}{started}");
        assert!(started.contains(&part), "{part}: {started}");
        assert_eq!(fs::read(ground.path("file")).unwrap(), b"");
        assert!(!ground.path("missing").exists());
        let _ = fs::remove_dir_all(&state);
    }
}

#[test]
fn check_config_tells_all_faults_at_once_in_the_order_of_their_lines() {
    let ground = ground("check-all");
    let own = ground.text("");
    let own = own.trim_end_matches('/');
    let text = "[[export]]\npath = \"@/data\"\n[[export]]\npath = \"@/link\"\n[[export]]\npath = \"@/gone\"\n\
                [admin]\ntoken_file = \"@/short\"\n[server]\nstate_dir = \"@/file\"\n";
    let config = ground.write("nfs4d.toml", &text.replace('@', own));
    let (code, told) = checked(&config);
    assert_eq!(code, Some(2));
    let starts: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("{config}:")))
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!(starts, ["4", "6", "8", "10"], "{told}");
}

/// A server that runs has the addresses, the socket and the state directory of its file: that is no fault.
#[test]
fn check_config_accepts_the_file_of_a_server_that_runs() {
    let ground = ground("check-running");
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let socket = ground.text("socket");
    let _taken = UnixListener::bind(&socket).unwrap();
    let (state, token) = (ground.directory("state"), ground.text("token"));
    let (data, running) = (ground.text("data"), ground.text("running.toml"));
    fs::write(&running, "").unwrap();
    let _server = ground.serve(&["--config", &running]);
    let text = format!(
        "[server]\nlisten = [\"{address}\"]\nstate_dir = {state:?}\n[admin]\nsocket = {socket:?}\n\
         token_file = {token:?}\n[[export]]\npath = {data:?}\n"
    );
    let config = ground.write("nfs4d.toml", &text);
    let (code, told) = checked(&config);
    assert_eq!((code, told.as_str()), (Some(0), ""));
}

#[test]
fn check_config_makes_nothing() {
    let ground = ground("check-makes");
    let own = ground.text("");
    let own = own.trim_end_matches('/');
    let text = "[server]\nstate_dir = \"@/state\"\nrecord = \"@/record\"\n[admin]\nsocket = \"@/socket\"\n\
                token_file = \"@/token\"\n[[export]]\npath = \"@/data\"\n";
    let config = ground.write("nfs4d.toml", &text.replace('@', own));
    let (code, told) = checked(&config);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    for made in ["state", "record", "socket"] {
        assert!(!ground.path(made).exists(), "{made}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let ground = ground("check-unreadable");
    let data = ground.text("data");
    let binary = ground.text("binary");
    fs::write(&binary, b"[server]\n\nmemory = \"\xff\"\n").unwrap();
    let large = ground.write("large", &"# a comment\n".repeat(100_000));
    for (path, part) in [
        (&data, format!("{data}: Is a directory")),
        (
            &ground.text("missing"),
            format!("{}: No such file", ground.text("missing")),
        ),
        (&binary, format!("{binary}:3: it is not UTF-8")),
        (&large, format!("{large}: it is longer than 1048576 bytes")),
    ] {
        for arguments in [&["check-config", path.as_str()][..], &["--config", path]] {
            let (code, told) = ended(arguments);
            assert_eq!(code, Some(2), "{told}");
            assert!(told.starts_with(&part), "{part}: {told}");
        }
    }
    let empty = ground.write("empty", "\n");
    let output = command(&["check-config", &empty]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(told.contains("is right, but empty"), "{told}");
}
