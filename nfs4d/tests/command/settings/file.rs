//! The configuration file.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::ChildStderr;

use serde_json::json;

use super::{Directory, get, patch, start};
use crate::daemon::{Server, run};

#[test]
fn a_file_fixes_what_it_gives() {
    let directory = Directory::new("fixes");
    let path = directory.write(
        "nfs4d.toml",
        "[protocol]\nlease_time = 20\ngrace_time = 5\n[server]\nmemory = \"64M\"\n",
    );
    let server = start(&["--config", &path, "--grace-time", "0"]);
    for part in ["at most 64 MiB", "lease 20 s", "no grace period"] {
        assert!(server.banner.contains(part), "{part}: {}", server.banner);
    }
    let settings = get(&server).body;
    let fixed = json!({"lease_time": "configuration_file", "grace_time": "command_line"});
    assert_eq!(settings["fixed"], fixed);
    let answer = patch(
        &server,
        &json!({"lease_time": 30, "max_clients": 5, "grace_time": 0}),
    );
    assert_eq!(answer.status, 409);
    let told = answer.faults();
    let expected = [
        ("lease_time", "is fixed by the configuration file"),
        ("grace_time", "is fixed by the command line"),
    ];
    assert_eq!(
        told,
        expected.map(|(field, detail)| (field.to_owned(), detail.to_owned()))
    );
    assert_eq!(get(&server).body, settings);
}

#[test]
fn check_config_tells_all_that_is_wrong() {
    let directory = Directory::new("check");
    let right = directory.write("right.toml", "[protocol]\nlease_time = 20\n");
    let output = run(&["check-config", &right]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        (output.status.code(), text.as_ref()),
        (Some(0), &*format!("{right} is right\n"))
    );
    let wrong = directory.write(
        "wrong.toml",
        "[protocol]\nlease_time = 0\n\n[server]\nlisen = [\"127.0.0.1:1\"]\n",
    );
    let missing = format!("{}/missing.toml", directory.text());
    let range = "expected a whole number of seconds from 1 to 3600 without a unit, as in 90";
    for (path, expected) in [
        (
            &wrong,
            format!(
                "{wrong}:2: protocol.lease_time is 0; {range}\n{wrong}:5: server.\"lisen\": there is no such key; listen is one\n"
            ),
        ),
        (
            &missing,
            format!("{missing}: No such file or directory (os error 2)\n"),
        ),
    ] {
        for arguments in [&["check-config", path][..], &["--config", path]] {
            let output = run(arguments);
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                (output.status.code(), message.as_ref()),
                (Some(2), expected.as_str())
            );
        }
    }
}

#[test]
fn the_example_is_right() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../contrib/nfs4d.toml");
    let output = run(&["check-config", path]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Sends SIGHUP and waits for a line with `part`.
fn reload(server: &Server, log: &mut BufReader<ChildStderr>, part: &str) -> String {
    server.signal("HUP");
    let mut all = String::new();
    loop {
        let mut line = String::new();
        let read = log.read_line(&mut line).expect("the log is text");
        assert_ne!(read, 0, "it ended: {all}");
        if line.contains(part) {
            return line;
        }
        all += &line;
    }
}

#[test]
fn sighup_reads_the_file_again() {
    let directory = Directory::new("sighup");
    let path = directory.write("nfs4d.toml", "[protocol]\nlease_time = 20\n");
    let arguments = [
        "--config",
        &path,
        "--state-dir",
        directory.text(),
        "--max-clients",
        "9",
    ];
    let mut server = start(&arguments);
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    assert_eq!(patch(&server, &json!({"grace_time": 7})).status, 200);
    assert_eq!(super::lease_time(&server), "20");
    let read = "was read again";

    // Protocol settings act at once; those of the command line stay.
    fs::write(
        &path,
        "[protocol]\nlease_time = 30\nmax_clients = 8\ngrace_time = 3\n",
    )
    .unwrap();
    let line = reload(&server, &mut log, read);
    assert!(
        line.contains("lease_time") && !line.contains("max_clients"),
        "{line}"
    );
    assert_eq!(super::lease_time(&server), "30");
    let settings = get(&server).body;
    assert_eq!(
        (&settings["max_clients"], &settings["grace_time"]),
        (&json!(9), &json!(3))
    );

    // What is wrong changes nothing, and the server goes on.
    fs::write(
        &path,
        "[protocol]\nlease_time = 40\nmax_sessions = 0\n[serve]\n",
    )
    .unwrap();
    let line = reload(&server, &mut log, "nothing has changed");
    assert!(
        line.contains("ERROR") && line.contains(&format!("{path}:3: protocol.max_sessions is 0")),
        "{line}"
    );
    assert!(line.contains("no such table"), "{line}");
    assert_eq!(get(&server).body, settings);
    assert_eq!(super::lease_time(&server), "30");
    fs::remove_file(&path).unwrap();
    let line = reload(&server, &mut log, "nothing has changed");
    assert!(line.contains("No such file"), "{line}");

    // What needs a restart is named, as long as it is not what the server was started with.
    fs::write(
        &path,
        "[server]\nstop_time = 9\nlisten = [\"127.0.0.1:1\"]\n[log]\nlevel = \"debug\"\n",
    )
    .unwrap();
    let line = reload(&server, &mut log, "act after a restart");
    assert!(
        line.contains("WARN") && line.contains("log.level") && line.contains("server.stop_time"),
        "{line}"
    );
    assert!(
        !line.contains("server.listen"),
        "the command line gives it: {line}"
    );
    // Without the file what is stored and what is the default hold again.
    let settings = get(&server).body;
    assert_eq!(
        (&settings["lease_time"], &settings["grace_time"]),
        (&json!(90), &json!(7))
    );
    fs::write(&path, "# nothing\n").unwrap();
    reload(&server, &mut log, read);
    fs::write(&path, "[protocol]\nlease_time = 50\n").unwrap();
    reload(&server, &mut log, read);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut log, &mut rest).unwrap();
    assert!(!rest.contains("restart"), "{rest}");
}

#[test]
fn a_reload_that_contradicts_what_is_stored_changes_nothing() {
    let directory = Directory::new("contradicts");
    let path = directory.write("nfs4d.toml", "");
    let mut server = start(&["--config", &path, "--state-dir", directory.text()]);
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    assert_eq!(
        patch(&server, &json!({"v4_min_minor_version": 2})).status,
        200
    );
    let before = get(&server);
    fs::write(
        &path,
        "[protocol]\nlease_time = 20\nv4_max_minor_version = 1\n",
    )
    .unwrap();
    let line = reload(&server, &mut log, "nothing has changed");
    assert!(
        line.contains("v4_max_minor_version is 1, but must be from 2 to 2"),
        "{line}"
    );
    let after = get(&server);
    assert_eq!(
        (after.header("etag"), &after.body),
        (before.header("etag"), &before.body)
    );
}

#[test]
fn without_a_file_sighup_ends_the_server_as_it_ends_any_program() {
    let mut server = start(&[]);
    server.signal("HUP");
    assert_eq!(server.exit_code(), None, "it is killed");
}
