//! A server, and `nfs4ctl` that is run against it.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nfs4_tests::live::Client;
use nfs4d::config::{AdminListen, Administration, Settings};
use serde_json::Value;
use tokio::sync::oneshot;

/// Time that a server has to begin, or something to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in this process, with a Unix socket for its administrator.
pub(crate) struct Served {
    /// Where it serves NFS.
    pub(crate) address: SocketAddr,
    /// Its address on TCP for its administrator.
    pub(crate) admin: SocketAddr,
    socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
        Served::start_with(None)
    }

    /// Starts a server whose token is in a file.
    pub(crate) fn start_with(token_file: Option<PathBuf>) -> Served {
        // Another process may take a port that was free.
        let tries = (0..5).find_map(|_| Served::try_start(token_file.clone()));
        tries.expect("it starts")
    }

    fn try_start(token_file: Option<PathBuf>) -> Option<Served> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("nfs4ctl-{}-{number}.sock", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let (address, admin) = (free_address(), free_address());
        let settings = Settings {
            listen: address,
            administration: Administration {
                listen: AdminListen::At(admin),
                socket: Some(socket.clone()),
                token_file,
                ..Administration::default()
            },
            ..Settings::default()
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime");
            let stopped = async {
                let _ = stopped.await;
            };
            let ended = runtime.block_on(nfs4d::serve(&settings, stopped));
            if let Err(why) = ended {
                println!("{why}");
            }
        });
        let served = Served {
            address,
            admin,
            socket,
            stop: Some(stop),
            thread: Some(thread),
        };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if served.ctl(&["clients", "list"]).code == Some(0) {
                return Some(served);
            }
            if served.thread.as_ref().is_some_and(JoinHandle::is_finished) {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
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
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
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

/// An address of loopback whose port is free.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a port");
    listener.local_addr().expect("it is bound")
}
