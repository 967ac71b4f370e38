//! Locks of byte ranges between clients and processes of this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nfs4_engine::proto::nfs4::Status;
use serde_json::json;

use super::{Ground, client, encoded, exports, open, wait_for};
use crate::daemon::DRIVERS;

/// A process that locks the first ten bytes of a file as `fcntl` does.
struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Process {
    fn start(file: &Path) -> Process {
        let mut child = Command::new("python3")
            .args(["-u", "-c", SCRIPT])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is Python");
        let to = child.stdin.take().expect("it is a pipe");
        let from = BufReader::new(child.stdout.take().expect("it is a pipe"));
        Process { child, to, from }
    }

    /// Whether it gets the lock, at once.
    fn lock(&mut self) -> bool {
        self.ask("lock")
    }

    fn unlock(&mut self) {
        assert!(self.ask("unlock"));
    }

    fn ask(&mut self, line: &str) -> bool {
        writeln!(self.to, "{line}").expect("it reads");
        let mut answer = String::new();
        self.from.read_line(&mut answer).expect("it answers");
        answer.trim() == "yes"
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn clients_and_processes_see_each_others_locks_until_the_server_is_killed() {
    for driver in DRIVERS {
        let ground = Ground::new(&format!("locks-{driver}"));
        let data = ground.directory("data");
        let text = format!("[[export]]\npath = \"{data}\"\npseudo = \"/\"\nlocal_locks = true\n");
        let file = ground.write("nfs4d.toml", &text);
        let mut server = ground.serve(&["--config", &file, "--driver", driver]);
        let shown = exports(&server, "GET", &encoded("/"), &json!(null)).json();
        assert_eq!(shown["local_locks"], json!(true), "{shown}");
        let mut one = client(&server, 1, 0, 1);
        open(&mut one, &[], "f").expect("an open");
        let mut process = Process::start(&ground.path("data").join("f"));
        assert!(process.lock());
        assert_eq!(one.lock(0, false), Status::DENIED);
        process.unlock();
        assert_eq!(one.lock(0, false), Status::OK);
        assert!(!process.lock(), "{driver}");
        // A new incarnation of the client: what the former one had is free.
        one.mount("127.0.0.1-0-1", 2);
        wait_for("the end of the lock", || process.lock());
        process.unlock();
        open(&mut one, &[], "f").expect("an open");
        assert_eq!(one.lock(0, false), Status::OK);
        assert!(!process.lock());
        server.signal("KILL");
        server.exit_code();
        assert!(process.lock(), "{driver}: it outlasts the server");
    }
}

/// Reads lines, and answers each.
const SCRIPT: &str = "
import fcntl, sys
file = open(sys.argv[1], 'r+b')
kinds = {'lock': fcntl.LOCK_EX | fcntl.LOCK_NB, 'unlock': fcntl.LOCK_UN}
for line in sys.stdin:
    try:
        fcntl.lockf(file, kinds[line.strip()], 10, 0)
        print('yes')
    except BlockingIOError:
        print('no')
";
