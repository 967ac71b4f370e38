//! Settings outlast the server.

use std::fs;
use std::io;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{Directory, SETTINGS, get, patch, start};
use crate::daemon::run;
use crate::http::{ask, try_ask};

#[test]
fn a_change_outlasts_a_kill_right_after_its_answer() {
    let directory = Directory::new("kill");
    for lease in [20, 21, 22] {
        let mut server = start(&["--state-dir", directory.text()]);
        if lease > 20 {
            assert_eq!(get(&server).body["lease_time"], lease - 1);
            assert!(
                server.banner.contains(&format!("lease {} s", lease - 1)),
                "{}",
                server.banner
            );
        }
        let answer = patch(&server, &json!({ "lease_time": lease }));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        assert_eq!(
            (answer.status, &answer.body["persistent"]),
            (200, &json!(true))
        );
    }
    let server = start(&["--state-dir", directory.text()]);
    assert_eq!(get(&server).body["lease_time"], 22);
    ask(
        server.admin(),
        "POST",
        &format!("{SETTINGS}/reset"),
        &[],
        "",
    );
    drop(server);
    let server = start(&["--state-dir", directory.text()]);
    assert_eq!(get(&server).body["lease_time"], 90);
}

#[test]
fn a_kill_at_any_time_leaves_what_was_answered_or_asked_for() {
    let directory = Directory::new("any-time");
    let state = ["--state-dir", directory.text()];
    let mut last = 1;
    for round in 0..6 {
        let mut server = start(&state);
        let address = server.admin();
        let found = get(&server).body["max_clients"].as_u64().expect("a number");
        if round > 0 {
            assert!([last, last + 1].contains(&found), "{found} after {last}");
            last = found;
        }
        let writer = thread::spawn(move || {
            loop {
                let body = json!({ "max_clients": last + 1 }).to_string();
                match try_ask(address, "PATCH", SETTINGS, &[], &body) {
                    Ok(answer) => assert_eq!(answer.status, 200, "{answer:?}"),
                    Err(_) => return last,
                }
                last += 1;
            }
        });
        thread::sleep(Duration::from_millis(20 + 17 * round));
        server.child.kill().unwrap();
        last = writer.join().unwrap();
    }
}

#[test]
fn the_command_line_hides_what_is_stored_and_does_not_remove_it() {
    let directory = Directory::new("hidden");
    let state = ["--state-dir", directory.text()];
    let server = start(&state);
    assert_eq!(patch(&server, &json!({"lease_time": 20})).status, 200);
    drop(server);
    let server = start(&[&state[..], &["--lease-time", "30"]].concat());
    let settings = get(&server).body;
    assert_eq!(
        (&settings["lease_time"], &settings["fixed"]["lease_time"]),
        (&json!(30), &json!("command_line"))
    );
    assert_eq!(patch(&server, &json!({"max_clients": 5})).status, 200);
    drop(server);
    let settings = get(&start(&state)).body;
    assert_eq!(
        (&settings["lease_time"], &settings["max_clients"]),
        (&json!(20), &json!(5))
    );
}

#[test]
fn the_state_directory_is_that_of_the_service_manager() {
    let directory = Directory::new("systemd");
    let other = Directory::new("systemd-other");
    let variable = format!("STATE_DIRECTORY={}:{}", directory.text(), other.text());
    let before = format!("export {variable}");
    let admin = ["--admin", "127.0.0.1:0"];
    let server = crate::daemon::Server::start_in_shell(&before, "", &admin);
    assert_eq!(patch(&server, &json!({"lease_time": 20})).status, 200);
    assert!(directory.path().join("nfs4d.redb").exists());
    assert!(!other.path().join("nfs4d.redb").exists());
}

#[test]
fn a_file_that_cannot_be_understood_ends_the_start_and_stays_as_it_is() {
    let directory = Directory::new("refused");
    for (text, part) in [
        (
            "{\"version\": 1, \"settings\": {\"lease_time\": 20",
            "it is no JSON: EOF",
        ),
        ("{\"version\": 7, \"settings\": {}}", "its version is 7"),
        (
            "{\"version\": 1, \"settings\": {\"lease_tme\": 5}}",
            "lease_tme: there is no such setting; lease_time",
        ),
        (
            "{\"version\": 1, \"settings\": {\"lease_time\": 0}}",
            "lease_time is 0, but must be from 1 to 3600",
        ),
        (
            "{\"version\": 1, \"settings\": {\"blocked_operations\": [\"X\"]}}",
            "blocked_operations: expected names",
        ),
    ] {
        let path = directory.write("settings.json", text);
        let output = run(&[
            "--admin",
            "none",
            "--listen",
            "127.0.0.1:0",
            "--state-dir",
            directory.text(),
        ]);
        let message = String::from_utf8_lossy(&output.stderr);
        let code = if part.contains("must be from") { 1 } else { 3 };
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert!(
            message.contains(&path) && message.contains(part),
            "{part} is not in: {message}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is untouched");
    }
}

#[test]
fn stored_settings_that_contradict_a_flag_are_named() {
    let directory = Directory::new("contradict");
    directory.write(
        "settings.json",
        "{\"version\": 1, \"settings\": {\"v4_min_minor_version\": 2}}",
    );
    let state = [
        "--admin",
        "none",
        "--listen",
        "127.0.0.1:0",
        "--state-dir",
        directory.text(),
    ];
    let output = run(&[&state[..], &["--v4-max-minor-version", "1"]].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    let part =
        "--v4-max-minor-version is 1, but must be from 2 to 2, since v4_min_minor_version is 2";
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(part), "{message}");
}

#[test]
fn two_servers_do_not_share_a_state_directory() {
    let directory = Directory::new("shared");
    let _server = start(&["--state-dir", directory.text()]);
    let output = run(&[
        "--admin",
        "none",
        "--listen",
        "127.0.0.1:0",
        "--state-dir",
        directory.text(),
    ]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("another nfs4d uses this directory"),
        "{message}"
    );
}

#[test]
fn what_cannot_be_stored_changes_nothing() {
    let directory = Directory::new("unwritable");
    let server = start(&["--state-dir", directory.text()]);
    assert_eq!(patch(&server, &json!({"lease_time": 20})).status, 200);
    let before = get(&server);
    let path = directory.path().join("nfs4d.redb");
    let aside = directory.path().join("aside");
    // Also for root, which may write to a directory of any mode: what is written would be lost.
    fs::rename(&path, &aside).unwrap();
    for body in [json!({"lease_time": 30}), json!({"max_clients": 7})] {
        let answer = patch(&server, &body);
        assert_eq!(answer.status, 500, "{answer:?}");
        let told = answer.body["detail"].as_str().unwrap();
        assert!(told.contains("cannot be stored"), "{told}");
    }
    let reset = ask(
        server.admin(),
        "POST",
        &format!("{SETTINGS}/reset"),
        &[],
        "",
    );
    assert_eq!(reset.status, 500);
    let after = get(&server);
    assert_eq!(
        (after.header("etag"), &after.body),
        (before.header("etag"), &before.body)
    );
    fs::rename(&aside, &path).unwrap();
    assert_eq!(
        super::lease_time(&server),
        "20",
        "the engine's is as it was, too"
    );
    assert_eq!(patch(&server, &json!({"lease_time": 30})).status, 200);
}

/// Mounts a file system in memory there; false if this user may not.
pub(crate) fn mounts(directory: &Directory, options: &str) -> bool {
    let arguments = ["-t", "tmpfs", "-o", options, "none", directory.text()];
    let mounted = Command::new("mount").args(arguments).status();
    let is_mounted = mounted.is_ok_and(|status| status.success());
    if !is_mounted {
        println!("NOT RUN: only root may mount a small file system");
    }
    is_mounted
}

pub(crate) fn unmount(directory: &Directory) {
    let unmounted = Command::new("umount").arg(directory.path()).status();
    assert!(unmounted.expect("it runs").success());
}

/// A start that fails with this message.
fn refused(directory: &Directory, part: &str) {
    let listen = ["--admin", "none", "--listen", "127.0.0.1:0"];
    let output = run(&[&listen[..], &["--state-dir", directory.text()]].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(part), "{part} is not in: {message}");
}

#[test]
fn a_disk_that_may_only_be_read_ends_the_start() {
    let directory = Directory::new("read-only");
    if !mounts(&directory, "size=16m,mode=700") {
        return;
    }
    drop(start(&["--state-dir", directory.text()]));
    let before = fs::read(directory.path().join("nfs4d.redb")).unwrap();
    let remounted = Command::new("mount")
        .args(["-o", "remount,ro", directory.text()])
        .status();
    assert!(remounted.unwrap().success());
    refused(&directory, "must be able to write there");
    assert_eq!(
        fs::read(directory.path().join("nfs4d.redb")).unwrap(),
        before
    );
    unmount(&directory);
}

#[test]
fn a_full_disk_is_told_and_changes_nothing() {
    let directory = Directory::new("full");
    if !mounts(&directory, "size=256k,mode=700") {
        return;
    }
    refused(&directory, "The disk is full");
    let left = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left that takes room");
    unmount(&directory);
    assert!(mounts(&directory, "size=2m,mode=700"));
    let state = ["--state-dir", directory.text()];
    let server = start(&state);
    let mut filler = fs::File::create(directory.path().join("filler")).unwrap();
    let mut kept = 90;
    while io::Write::write_all(&mut filler, &[0; 4_096]).is_ok() {}
    for lease in 20..40 {
        let answer = patch(&server, &json!({ "lease_time": lease }));
        match answer.status {
            200 => kept = lease,
            status => assert_eq!(status, 507, "{answer:?}"),
        }
        assert_eq!(get(&server).body["lease_time"], kept);
    }
    drop((server, filler));
    fs::remove_file(directory.path().join("filler")).unwrap();
    let again = start(&state);
    assert_eq!(get(&again).body["lease_time"], kept);
    drop(again);
    unmount(&directory);
}

#[test]
fn a_state_directory_that_cannot_be_used_is_named() {
    let directory = Directory::new("no-directory");
    let file = directory.write("file", "");
    let deep = format!("{}/none/none", directory.text());
    for path in [&file, &deep] {
        let output = run(&[
            "--admin",
            "none",
            "--listen",
            "127.0.0.1:0",
            "--state-dir",
            path,
        ]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(
            message.contains(path) && message.contains("--state-dir"),
            "{message}"
        );
    }
}
