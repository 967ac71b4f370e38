//! A server that a test starts as a user does.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A running `nfs4d` on a free port; dropping it kills the process.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// The last of `addresses`.
    pub(crate) address: SocketAddr,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) banner: String,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Server {
        Server::start_with(arguments, Stdio::piped())
    }

    /// Starts a server with this standard error.
    pub(crate) fn start_with(arguments: &[&str], stderr: impl Into<Stdio>) -> Server {
        Server::spawn(command(arguments).stderr(stderr))
    }

    /// Starts a server from a shell, after `before` and with these redirections.
    pub(crate) fn start_in_shell(before: &str, redirections: &str, arguments: &[&str]) -> Server {
        Server::spawn(&mut Server::shell(before, redirections, arguments))
    }

    /// The shell for [`Server::start_in_shell`].
    pub(crate) fn shell(before: &str, redirections: &str, arguments: &[&str]) -> Command {
        let script = format!("{before}; exec \"$0\" \"$@\" {redirections}");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script, env!("CARGO_BIN_EXE_nfs4d")])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        shell
    }

    pub(crate) fn spawn(command: &mut Command) -> Server {
        // Tests run at once, and only one of them could have the default.
        if !command.get_args().any(|argument| argument == "--admin") {
            command.args(["--admin", "none"]);
        }
        Server::spawn_bare(command)
    }

    /// Starts a server with these arguments and a free port.
    pub(crate) fn spawn_bare(command: &mut Command) -> Server {
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .spawn()
            .expect("nfs4d starts");
        let mut banner = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        while !banner.contains("Ctrl-C stops it") {
            let read = stdout.read_line(&mut banner).expect("the banner is text");
            assert_ne!(read, 0, "nfs4d ended early: {banner}");
        }
        let addresses = banner.split("listens on ").nth(1);
        let addresses = addresses.and_then(|rest| rest.split(';').next());
        let addresses = addresses.expect("the banner names the addresses");
        let address = |text: &str| text.parse().expect("it is an address");
        let addresses: Vec<SocketAddr> = addresses.split(" and ").map(address).collect();
        Server {
            child,
            address: *addresses.last().expect("there is one"),
            addresses,
            banner,
        }
    }

    /// The address of the metrics.
    pub(crate) fn metrics(&self) -> SocketAddr {
        self.address_after("counts is at http://")
    }

    /// The address of the administration interface.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.address_after("administered at http://")
    }

    fn address_after(&self, words: &str) -> SocketAddr {
        let url = self.banner.split(words).nth(1);
        let address = url.and_then(|rest| rest.split('/').next());
        let address = address.expect("the banner says where").parse();
        address.expect("it is an address")
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh")
            .args(["-c", &kill])
            .status()
            .expect("sh runs");
        assert!(status.success());
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("nfs4d does not stop");
    }

    /// The text on standard error, read after the end of the process.
    pub(crate) fn log(&mut self) -> String {
        let mut text = String::new();
        let mut stderr = self.child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut text).expect("the log is text");
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments)
        .stderr(Stdio::piped())
        .output()
        .expect("nfs4d runs")
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfs4d"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

pub(crate) const DRIVERS: [&str; 3] = ["tokio", "threads", "async-std"];
