//! A server, and `nfs4ctl` that is run against it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_tests::live::Client;
use serde_json::Value;

/// Time that a server has to begin, or something to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// An `nfs4d` with a Unix socket for its administrator; dropping it kills the process.
pub(crate) struct Served {
    /// Where it serves NFS.
    pub(crate) address: SocketAddr,
    /// Its address on TCP for its administrator.
    pub(crate) admin: SocketAddr,
    socket: PathBuf,
    child: Child,
}

/// How `nfs4ctl` ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Served {
    /// Starts a server.
    pub(crate) fn start() -> Served {
        Served::start_with(&[])
    }

    /// Starts a server with further flags.
    pub(crate) fn start_with(flags: &[&str]) -> Served {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("nfs4ctl-{}-{number}.sock", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let mut child = Command::new(nfs4d())
            .args([
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--memory",
                "16M",
            ])
            .args(["--log", "warn", "--admin-socket"])
            .arg(&socket)
            .args(flags)
            .env_remove("NFS4D_ADMIN_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("nfs4d runs");
        let mut banner = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        while !banner.contains("Ctrl-C stops it") {
            let read = stdout.read_line(&mut banner).expect("the banner is text");
            assert_ne!(read, 0, "nfs4d ended early: {banner}");
        }
        let after = |text: &str, end: char| {
            let rest = banner.split(text).nth(1);
            let found = rest.and_then(|rest| rest.split(end).next()?.parse().ok());
            found.expect("the banner says where")
        };
        Served {
            address: after("listens on ", ';'),
            admin: after("administered at http://", '/'),
            socket,
            child,
        }
    }

    /// A client of NFSv4.1 of this name, with a session.
    pub(crate) fn client(&self, name: &str) -> Client {
        let mut client = Client::connect(self.address);
        client.mount(name, 1);
        client
    }

    /// Where its administrator finds it.
    pub(crate) fn endpoint(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// A command that runs `nfs4ctl` against it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare();
        command
            .env("NFS4CTL_SERVER", self.endpoint())
            .args(arguments);
        command
    }

    /// Runs `nfs4ctl` against it.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    /// Runs `nfs4ctl` against it, which must end well; returns what it wrote.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ended = self.ctl(arguments);
        assert_eq!(
            (ended.code, ended.err.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
        ended.out
    }

    /// Runs `nfs4ctl -o json` against it, which must end well; returns what it wrote.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let out = self.done(&[&["-o", "json"], arguments].concat());
        serde_json::from_str(&out).expect("it is JSON")
    }

    /// The id of the client with this name.
    pub(crate) fn id_of(&self, owner: &str) -> String {
        let clients = self.json(&["clients", "list", "--owner", owner]);
        clients[0]["client_id"]
            .as_str()
            .expect("it is there")
            .to_owned()
    }

    /// Waits until something is so.
    pub(crate) fn wait_for(&self, what: &str, is_so: impl Fn(&Served) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what} does not come");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// The binary beside `nfs4ctl`: a run of all tests makes both, and a run of these alone has it made.
fn nfs4d() -> PathBuf {
    static MADE: Once = Once::new();
    let path = Path::new(env!("CARGO_BIN_EXE_nfs4ctl")).with_file_name("nfs4d");
    MADE.call_once(|| {
        if !path.exists() {
            let made = Command::new(env!("CARGO"))
                .args(["build", "-p", "nfs4d"])
                .status();
            assert!(
                made.is_ok_and(|status| status.success()),
                "nfs4d is not made"
            );
        }
    });
    path
}

impl Ended {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Ended {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("nfs4ctl runs");
        Ended {
            code: status.code(),
            out: String::from_utf8(stdout).expect("it is text"),
            err: String::from_utf8(stderr).expect("it is text"),
        }
    }
}

/// A command that runs `nfs4ctl` with nothing in its environment.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfs4ctl"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Reads what a child writes until it has written `text`.
pub(crate) fn read_until(child: &mut Child, text: &str) -> String {
    let mut all = Vec::new();
    let out = child.stdout.as_mut().expect("it is piped");
    loop {
        let mut bytes = [0; 4_096];
        let read = out.read(&mut bytes).expect("it is open");
        all.extend_from_slice(&bytes[..read]);
        let so_far = String::from_utf8_lossy(&all).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        assert_ne!(read, 0, "it ended before {text:?}: {so_far}");
    }
}
