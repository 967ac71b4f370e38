//! Which hosts, users and versions an export is for.

use nfs4_engine::proto::nfs4::Status;
use nfs4_tests::live::{Client, Connection};

use super::{Ground, client, find, is_root, open, owner};

/// Two exports: a directory, and memory, with these keys each.
fn serve(ground: &Ground, local: &str, memory: &str) -> crate::daemon::Server {
    let data = ground.directory("data");
    let text = format!(
        "[[export]]\npath = {data:?}\npseudo = \"/data\"\n{local}\n[[export]]\npseudo = \"/mem\"\n\
         backend = \"memory\"\n{memory}\n"
    );
    ground.serve(&["--config", &ground.write("nfs4d.toml", &text)])
}

#[test]
fn networks_decide_which_hosts_may_do_what() {
    let ground = Ground::new("networks");
    let networks = "networks = [\"127.0.0.8/29\", { network = \"127.0.0.9\", read_only = true }]";
    let server = serve(&ground, networks, networks);
    let [mut stranger, mut writer, mut reader] =
        [1, 10, 9].map(|host| client(&server, host, 1_000, 1));
    for export in ["data", "mem"] {
        assert_eq!(
            find(&mut stranger, &[export]),
            Err(Status::NOENT),
            "{export}"
        );
        open(&mut writer, &[export], "file").expect("an open");
        assert_eq!(
            open(&mut reader, &[export], "other"),
            Err(Status::ROFS),
            "{export}"
        );
        find(&mut reader, &[export, "file"]).expect("it may look");
        // A handle is not a key.
        let file = writer.file.clone();
        let refused = super::touch(&mut stranger, &file);
        assert!(
            [Status::ACCESS, Status::STALE].contains(&refused),
            "{export}: {refused:?}"
        );
    }
}

#[test]
fn root_is_squashed_in_directories_and_not_in_memory() {
    if !is_root() {
        return;
    }
    let ground = Ground::new("squash");
    let networks = "networks = [\"127.0.0.0/8\", { network = \"127.0.0.9\", squash = \"none\" }, \
                    { network = \"127.0.0.10\", squash = \"all\" }]\nanonymous_uid = 77\nanonymous_gid = 78";
    let server = serve(&ground, networks, "");
    let at = |name: &str| owner(&ground.path("data").join(name));
    for (host, uid, expected) in [(1, 0, 77), (1, 1_000, 1_000), (9, 0, 0), (10, 1_000, 77)] {
        let name = format!("{host}-{uid}");
        let mut user = client(&server, host, uid, 1);
        open(&mut user, &["data"], &name).expect("an open");
        assert_eq!(at(&name), expected, "{name}");
    }
}

#[test]
fn versions_and_flavours_decide_who_finds_an_export() {
    let ground = Ground::new("versions");
    let server = serve(&ground, "minor_versions = [2]", "sec = [\"sys\", \"none\"]");
    let mut older = client(&server, 1, 1_000, 1);
    assert_eq!(find(&mut older, &["data"]), Err(Status::NOENT));
    find(&mut older, &["mem"]).expect("it is there");
    let mut newer = client(&server, 1, 1_000, 2);
    find(&mut newer, &["data"]).expect("it is there");
    let ground = Ground::new("flavours");
    let server = serve(&ground, "sec = [\"none\"]", "");
    let mut user = client(&server, 1, 1_000, 1);
    assert_eq!(open(&mut user, &["data"], "file"), Err(Status::WRONGSEC));
    open(&mut user, &["mem"], "file").expect("an open");
}

#[test]
fn a_read_only_export_is_changed_by_no_host() {
    let ground = Ground::new("read-only");
    let server = serve(&ground, "read_only = true", "read_only = true");
    let mut user = Client::on(Connection::new(server.address), Some(0));
    user.mount("user", 1);
    for export in ["data", "mem"] {
        assert_eq!(open(&mut user, &[export], "file"), Err(Status::ROFS));
    }
}
