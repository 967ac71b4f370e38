//! The binary under a service manager, whose part the test plays.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::{DRIVERS, Server};
use crate::{NULL_REPLY, null_call};

#[test]
fn the_service_manager_hears_of_each_state() {
    for driver in DRIVERS {
        let manager = Manager::new(&format!("states-{driver}"));
        let mut server = manager.start(&["--driver", driver], "WATCHDOG_USEC=400000");
        manager.expect(|message| message == "READY=1");
        let serves = format!("on {}", server.address);
        manager.expect(|message| {
            message.starts_with("STATUS=serves 0 clients") && message.ends_with(&serves)
        });
        for _ in 0..3 {
            manager.expect(|message| message == "WATCHDOG=1");
        }
        server.signal("TERM");
        manager.expect(|message| message == "STOPPING=1");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
    }
}

#[test]
fn the_watchdog_of_another_process_is_not_pinged() {
    let manager = Manager::new("other");
    let _server = manager.start(&[], "WATCHDOG_USEC=400000 WATCHDOG_PID=1");
    manager.expect(|message| message.starts_with("STATUS=serves"));
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        assert_ne!(manager.message().as_deref(), Some("WATCHDOG=1"));
    }
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let manager = Manager::new("fault");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let output = manager
        .shell("exec \"$0\" \"$@\"")
        .args(["--listen", &address])
        .output();
    assert_eq!(output.expect("sh runs").status.code(), Some(1));
    manager.expect(|message| message.starts_with(&format!("STATUS=cannot listen on {address}")));
}

#[test]
fn sockets_that_were_passed_are_served_instead_of_those_of_the_flags() {
    for driver in DRIVERS {
        let passed = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = passed.local_addr().expect("it is bound");
        let before = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=nfs";
        let mut shell = Server::shell(before, "", &["--driver", driver]);
        let mut server = Server::spawn(shell.stdin(OwnedFd::from(passed)));
        assert_eq!(server.addresses, [address]);
        assert_eq!(null_call(address), NULL_REPLY, "{driver}");
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{driver}");
    }
}

#[test]
fn sockets_that_the_service_manager_keeps_are_served_if_they_are_those_of_the_settings() {
    let manager = Manager::new("keeps");
    let server = manager.start(&[], "");
    manager.expect(|message| message == "FDSTOREREMOVE=1\nFDNAME=listen");
    manager.expect(|message| message == "FDSTORE=1\nFDNAME=listen");
    drop(server);
    let kept = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = kept.local_addr().expect("it is bound");
    let before = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=listen";
    let own = address.to_string();
    let mut shell = Server::shell(before, "", &["--listen", &own]);
    let server = Server::spawn(shell.stdin(OwnedFd::from(kept)));
    assert_eq!(server.addresses[0], address);
    assert_eq!(null_call(address), NULL_REPLY);
    drop(server);
    // One at an address that the settings do not have is closed.
    let kept = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = kept.local_addr().expect("it is bound");
    let mut shell = Server::shell(before, "", &[]);
    let server = Server::spawn(shell.stdin(OwnedFd::from(kept)));
    assert!(!server.addresses.contains(&address));
    drop(shell);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_passed_unix_socket_serves_the_administration() {
    let path = Manager::path("admin");
    let passed = UnixListener::bind(&path).expect("a new file");
    let before = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=admin";
    let mut shell = Server::shell(before, "", &["--admin", "none"]);
    let server = Server::spawn(shell.stdin(OwnedFd::from(passed)));
    assert!(
        server.banner.contains(&path.display().to_string()),
        "{}",
        server.banner
    );
    let mut stream = UnixStream::connect(&path).expect("it listens");
    let patience = Some(Duration::from_secs(10));
    stream
        .set_read_timeout(patience)
        .expect("a timeout is possible");
    let request = "GET /api/v1/clients HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\n[]"),
        "{answer}"
    );
    drop(server);
    // The file is the service manager's.
    std::fs::remove_file(&path).expect("the server leaves it");
}

#[test]
fn a_reload_is_announced_and_its_end() {
    let manager = Manager::new("reload");
    let file = Manager::path("reload.toml");
    std::fs::write(&file, "[protocol]\nlease_time = 20\n").expect("a new file");
    let config = file.display().to_string();
    let server = manager.start(&["--config", &config], "WATCHDOG_USEC=400000");
    manager.expect(|message| message == "READY=1");
    server.signal("HUP");
    manager.expect(|message| message.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    manager.expect(|message| message == "READY=1");
    std::fs::remove_file(file).expect("it is ours");
}

#[test]
fn a_passed_socket_of_the_wrong_kind_ends_the_start() {
    let path = Manager::path("kind");
    let unix = UnixListener::bind(&path).expect("a new file");
    let script =
        "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=nfs; exec \"$0\"";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_nfs4d")])
        .stdin(OwnedFd::from(unix))
        .output()
        .expect("sh runs");
    std::fs::remove_file(path).expect("it is ours");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("not a TCP socket that listens"),
        "{message}"
    );
}

/// What a service manager hears on its socket.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("nfs4d-{name}-{}", std::process::id()))
    }

    fn new(name: &str) -> Manager {
        let path = Manager::path(name);
        let socket = UnixDatagram::bind(&path).expect("a new file");
        let patience = Some(Duration::from_millis(100));
        socket.set_read_timeout(patience).expect("it is set");
        Manager { socket, path }
    }

    /// A server for which it also sets these variables.
    fn start(&self, arguments: &[&str], variables: &str) -> Server {
        let before = format!(
            "export NOTIFY_SOCKET={} WATCHDOG_PID=$$ {variables}",
            self.path.display()
        );
        Server::start_in_shell(&before, "", arguments)
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, env!("CARGO_BIN_EXE_nfs4d")])
            .env("NOTIFY_SOCKET", &self.path)
            .stdin(Stdio::null());
        shell
    }

    /// The next message, if one comes soon.
    fn message(&self) -> Option<String> {
        let mut message = [0; 4_096];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).into_owned())
    }

    /// Waits for such a message.
    fn expect(&self, is_it: impl Fn(&str) -> bool) {
        let (end, mut heard) = (Instant::now() + Duration::from_secs(20), Vec::new());
        while Instant::now() < end {
            let Some(message) = self.message() else {
                continue;
            };
            if is_it(&message) {
                return;
            }
            heard.push(message);
        }
        panic!("no such message among {heard:?}");
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It is ours, and may be gone.
        let _ = std::fs::remove_file(&self.path);
    }
}
