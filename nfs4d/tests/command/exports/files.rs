//! Files of an exported directory.

use std::fs;

use nfs4_engine::proto::nfs4::attr::FattrRaw;
use nfs4_engine::proto::nfs4::{Status, args};
use serde_json::Value;

use super::{Ground, client, exports, find, is_root, listed, open, owner, touch, wait_for};
use crate::daemon::{DRIVERS, Server};

#[test]
fn what_a_client_writes_is_in_the_directory_and_outlasts_the_server() {
    for driver in DRIVERS {
        let ground = Ground::new(&format!("files-{driver}"));
        let data = ground.directory("data");
        let arguments = ["--export", &data, "--driver", driver];
        let mut server = ground.serve(&arguments);
        assert!(server.banner.contains(&data), "{}", server.banner);
        assert!(
            server.banner.contains(&ground.text("state")),
            "{}",
            server.banner
        );
        let mut writer = client(&server, 1, 1_000, 1);
        let stateid = open(&mut writer, &[], "file").expect("an open");
        writer.write(stateid, 0, b"written by a client");
        writer.close();
        // No client is left that could reclaim, so there is no grace period.
        writer.unmount();
        let file = writer.file.clone();
        let path = ground.path("data").join("file");
        assert_eq!(fs::read(&path).unwrap(), b"written by a client");
        if is_root() {
            assert_eq!(owner(&path), 1_000);
        }
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0));
        let server = ground.serve(&arguments);
        let mut reader = client(&server, 1, 1_000, 2);
        assert_eq!(
            touch(&mut reader, &file),
            Status::OK,
            "the filehandle is as before"
        );
        let stateid = open(&mut reader, &[], "file").expect("an open");
        assert_eq!(reader.file, file);
        reader.read(stateid, 0, 100);
    }
}

#[test]
fn several_directories_are_each_at_their_path() {
    let ground = Ground::new("several");
    let (one, other) = (ground.directory("one"), ground.directory("other"));
    fs::write(ground.path("other").join("there"), "x").unwrap();
    let server = ground.serve(&["--export", &one, "--export", &other]);
    assert_eq!(listed(&server), [one.clone(), other.clone()]);
    let mut client = client(&server, 1, 1_000, 1);
    let parts: Vec<&str> = other.split('/').skip(1).collect();
    find(&mut client, &[&parts[..], &["there"]].concat()).expect("it is there");
    let parts: Vec<&str> = one.split('/').skip(1).collect();
    open(&mut client, &parts, "made").expect("an open");
    assert!(ground.path("one").join("made").exists());
}

#[test]
fn without_an_export_there_is_memory_as_ever() {
    let server = Server::start(&["--admin", "127.0.0.1:0"]);
    assert!(
        server.banner.contains("an empty file system in memory"),
        "{}",
        server.banner
    );
    let shown = exports(&server, "GET", "/%2F", &Value::Null);
    let shown: nfs4_admin::Export = shown.typed();
    assert_eq!(shown.source, nfs4_admin::ExportSource::Default);
    assert_eq!((shown.memory, shown.path), (Some(1 << 30), None));
    let mut client = client(&server, 1, 0, 1);
    open(&mut client, &[], "file").expect("an open");
}

#[test]
fn a_directory_that_is_moved_away_is_told_once_and_stays() {
    let ground = Ground::new("moved");
    let data = ground.directory("data");
    let mut server = ground.serve(&["--export", &data]);
    let mut user = client(&server, 1, 1_000, 1);
    open(&mut user, &[], "before").expect("an open");
    let shown =
        |server: &Server| exports(server, "GET", "/%2F", &Value::Null).json()["fault"].clone();
    assert_eq!(shown(&server), Value::Null);
    fs::rename(ground.path("data"), ground.path("away")).unwrap();
    wait_for("the fault", || shown(&server) != Value::Null);
    open(&mut user, &[], "after").expect("an open");
    assert!(ground.path("away").join("after").exists());
    fs::rename(ground.path("away"), ground.path("data")).unwrap();
    wait_for("the end of the fault", || shown(&server) == Value::Null);
    fs::remove_dir_all(ground.path("data")).unwrap();
    wait_for("the fault", || shown(&server) != Value::Null);
    let gone = user.in_session(|call| {
        call.putrootfh().create(args::Create {
            objtype: args::CreateType::Directory,
            objname: b"new",
            createattrs: FattrRaw::EMPTY,
        })
    });
    assert!(
        gone != Status::OK,
        "a directory was made in one that is gone"
    );
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let log = server.log();
    let told = log.matches("is not at its path any more").count();
    assert_eq!(told, 2, "{log}");
}
