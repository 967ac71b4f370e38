//! Where the interface is, and starts that are refused.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use super::get;
use crate::daemon::{Server, command};

fn refused(arguments: &[&str], token: Option<&str>) -> String {
    let mut command = command(&[&["--listen", "127.0.0.1:0"], arguments].concat());
    command.env_remove("NFS4D_ADMIN_TOKEN");
    command.envs(token.map(|token| ("NFS4D_ADMIN_TOKEN", token)));
    let output: Output = command.stderr(Stdio::piped()).output().expect("nfs4d runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn other_machines_may_reach_it_only_with_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let told = refused(&["--admin", address], None);
        for part in [
            address,
            "only with a token",
            "--admin-token-file",
            "NFS4D_ADMIN_TOKEN",
        ] {
            assert!(told.contains(part), "{part} is not in: {told}");
        }
        // Nothing has been served.
        assert!(!told.contains("listening"), "{told}");
    }
}

#[test]
fn a_token_of_no_use_is_refused() {
    let file = std::env::temp_dir().join(format!("nfs4d-short-{}", std::process::id()));
    let path = file.to_str().expect("a path in UTF-8");
    let arguments = ["--admin", "127.0.0.1:0", "--admin-token-file", path];
    assert!(refused(&arguments, None).contains("cannot be read"));
    std::fs::write(&file, "  short-of-16 \n").expect("a file");
    let told = refused(&arguments, Some("a-good-token-of-24-bytes"));
    assert!(told.contains(path) && told.contains("11 bytes"), "{told}");
    assert!(!told.contains("short-of-16"), "{told}");
    let told = refused(&["--admin", "127.0.0.1:0"], Some("short"));
    assert!(
        told.contains("NFS4D_ADMIN_TOKEN") && told.contains("at least 16"),
        "{told}"
    );
    std::fs::remove_file(file).expect("it is there");
}

#[test]
fn a_token_that_others_may_read_is_worth_a_warning() {
    let file = std::env::temp_dir().join(format!("nfs4d-mode-{}", std::process::id()));
    std::fs::write(&file, "a-good-token-of-24-bytes").expect("a file");
    let path = file.to_str().expect("a path in UTF-8");
    for (mode, warns) in [(0o600, false), (0o640, false), (0o644, true)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, permissions).expect("it is ours");
        let mut server = Server::start(&["--admin", "127.0.0.1:0", "--admin-token-file", path]);
        server.signal("TERM");
        server.exit_code();
        let log = server.log();
        let warned = log.contains("WARN") && log.contains("every user") && log.contains(path);
        assert_eq!(warned, warns, "{mode:o}: {log}");
    }
    std::fs::remove_file(file).expect("it is there");
}

#[test]
fn an_address_that_is_taken_is_an_error_unless_it_is_the_default() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let told = refused(&["--admin", &address], None);
    assert!(
        told.contains(&address) && told.contains("--admin"),
        "{told}"
    );

    // The default is this process's, or already another's.
    let held = TcpListener::bind("127.0.0.1:20491");
    let mut arguments = command(&[]);
    let mut server = Server::spawn_bare(arguments.stderr(Stdio::piped()));
    let told = "It is not administered: 127.0.0.1:20491 is in use";
    assert!(server.banner.contains(told), "{}", server.banner);
    server.signal("TERM");
    server.exit_code();
    let log = server.log();
    assert!(
        log.contains("WARN") && log.contains("127.0.0.1:20491"),
        "{log}"
    );
    drop(held);
}

#[test]
fn without_the_interface_nothing_listens() {
    let server = Server::start(&["--admin", "none"]);
    assert!(!server.banner.contains("administered"), "{}", server.banner);
    let server = Server::start(&["--admin", "[::1]:0"]);
    assert!(server.banner.contains("http://[::1]:"), "{}", server.banner);
    assert_eq!(get(&server, "/healthz").status, 200);
}

#[test]
fn where_it_is_reached_is_logged() {
    let path = std::env::temp_dir().join(format!("nfs4d-start-{}.sock", std::process::id()));
    let path = path.to_str().expect("a path in UTF-8");
    let mut command = command(&["--admin", "0.0.0.0:0", "--admin-socket", path]);
    command.env("NFS4D_ADMIN_TOKEN", "a-good-token-of-24-bytes");
    let mut server = Server::spawn(command.stderr(Stdio::piped()));
    let address = server.admin().to_string();
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let log = server.log();
    for (level, parts) in [
        ("INFO", [&address, "token=true", "administered here"]),
        ("INFO", [path, "mode=0600", "administered here"]),
        ("WARN", ["0.0.0.0:0", "encrypts nothing", "token"]),
    ] {
        let found = log
            .lines()
            .any(|line| line.contains(level) && parts.iter().all(|part| line.contains(part)));
        assert!(found, "{level} {parts:?} is not in: {log}");
    }
}
