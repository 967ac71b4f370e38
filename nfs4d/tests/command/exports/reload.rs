//! SIGHUP adds, removes and changes exports.

use std::fs;
use std::thread;
use std::time::Duration;

use nfs4_engine::proto::nfs4::Status;
use serde_json::Value;

use super::{Ground, client, exports, find, listed, open, touch, wait_for};

fn table(path: &str, more: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    format!("[[export]]\npath = {path:?}\npseudo = \"/{name}\"\n{more}\n")
}

#[test]
fn exports_come_and_go_while_clients_go_on() {
    let ground = Ground::new("reload");
    let [stays, goes, comes] = ["stays", "goes", "comes"].map(|name| ground.directory(name));
    let text = [table(&stays, ""), table(&goes, "")].concat();
    let config = ground.write("nfs4d.toml", &text);
    let mut server = ground.serve(&["--config", &config]);
    let mut user = client(&server, 1, 1_000, 1);
    open(&mut user, &["goes"], "file").expect("an open");
    let gone = user.file.clone();
    let stateid = open(&mut user, &["stays"], "file").expect("an open");
    user.write(stateid, 0, b"one");

    // A fault anywhere changes nothing.
    let wrong = [
        table(&stays, "read_only = true"),
        table(&ground.text("nowhere"), ""),
    ]
    .concat();
    fs::write(&config, wrong + "[protocol]\nlease_time = 33\n").unwrap();
    server.signal("HUP");
    let text = [table(&stays, ""), table(&comes, "read_only = true")].concat();
    // The server reads it before it hears the next signal, or reads the next file twice.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(listed(&server), ["/goes", "/stays"]);
    user.write(stateid, 0, b"two");

    fs::write(&config, text).unwrap();
    server.signal("HUP");
    wait_for("the new exports", || {
        listed(&server) == ["/comes", "/stays"]
    });
    user.write(stateid, 0, b"three");
    assert_eq!(touch(&mut user, &gone), Status::STALE);
    assert_eq!(find(&mut user, &["goes"]), Err(Status::NOENT));
    assert_eq!(open(&mut user, &["comes"], "file"), Err(Status::ROFS));
    let shown = exports(&server, "GET", "/%2Fstays", &Value::Null).json();
    assert_eq!((&shown["opens"], &shown["clients"]), (&1.into(), &1.into()));

    // Rules change, and what is open stays.
    fs::write(
        &config,
        table(&stays, "squash = \"all\"\nanonymous_uid = 7"),
    )
    .unwrap();
    server.signal("HUP");
    wait_for("the new rules", || {
        let shown = exports(&server, "GET", "/%2Fstays", &Value::Null).json();
        shown["anonymous_uid"] == 7
    });
    assert_eq!(listed(&server), ["/stays"]);
    open(&mut user, &["stays"], "other").expect("an open");

    // Back again: the number of a path is the same, and so are its filehandles.
    fs::write(&config, [table(&stays, ""), table(&goes, "")].concat()).unwrap();
    server.signal("HUP");
    wait_for("the old exports", || listed(&server) == ["/goes", "/stays"]);
    assert_eq!(touch(&mut user, &gone), Status::OK);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let log = server.log();
    assert_eq!(log.matches("nothing has changed").count(), 1, "{log}");
    assert!(log.contains("nowhere is not there"), "{log}");
    assert!(!log.contains("lease_time"), "{log}");
}

#[test]
fn another_directory_at_a_path_is_another_export() {
    let ground = Ground::new("replaced");
    let (one, other) = (ground.directory("one"), ground.directory("other"));
    let at = |path: &str| format!("[[export]]\npath = {path:?}\npseudo = \"/data\"\n");
    let config = ground.write("nfs4d.toml", &at(&one));
    let server = ground.serve(&["--config", &config]);
    let mut user = client(&server, 1, 1_000, 1);
    open(&mut user, &["data"], "file").expect("an open");
    let file = user.file.clone();
    fs::write(&config, at(&other)).unwrap();
    server.signal("HUP");
    let path = |server: &_| exports(server, "GET", "/%2Fdata", &Value::Null).json()["path"].clone();
    wait_for("the other directory", || path(&server) == other.as_str());
    assert_eq!(touch(&mut user, &file), Status::STALE);
    assert_eq!(find(&mut user, &["data", "file"]), Err(Status::NOENT));
    open(&mut user, &["data"], "new").expect("an open");
    assert!(ground.path("other").join("new").exists());
}

/// The state cannot be written meanwhile: what the client has lost with the former directory is not stored.
#[test]
fn an_export_that_has_ended_is_served_again_when_the_file_is_read_again() {
    let ground = Ground::new("between");
    let one = ground.directory("one");
    let text = format!("[[export]]\npath = {one:?}\npseudo = \"/data\"\n");
    let config = ground.write("nfs4d.toml", &text);
    let server = ground.serve(&["--config", &config]);
    let mut user = client(&server, 1, 1_000, 1);
    open(&mut user, &["data"], "file").expect("an open");
    let rename = |from: &str, to: &str| fs::rename(ground.path(from), ground.path(to)).unwrap();
    rename("state/nfs4d.redb", "away");
    rename("one", "former");
    ground.directory("one");
    server.signal("HUP");
    wait_for("the end of the export", || listed(&server).is_empty());
    fs::remove_dir(&one).unwrap();
    rename("former", "one");
    rename("away", "state/nfs4d.redb");
    wait_for("the export", || {
        server.signal("HUP");
        thread::sleep(Duration::from_secs(1));
        find(&mut user, &["data", "file"]).is_ok()
    });
    assert_eq!(listed(&server), ["/data"]);
}
