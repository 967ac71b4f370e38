//! Locks of byte ranges, beside those of a process that is no client.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::fs::{
    Backend, ByteLock, ByteRange, Creation, Credential, FsHandle, FsOp, FsReply, FsRequest,
    LockKind, OpenHow, SetAttrs, Target,
};
use nfs4_engine::{Mono, Now, Wall};
use nfs4_vfs::conformance::ask;
use nfs4_vfs::{LocalFs, LocalFsConfig};

use crate::folder::Folder;
use crate::subject::owner;

/// An export with one file, which a client has open.
struct Scene {
    files: LocalFs,
    file: FsHandle,
    folder: Folder,
}

/// A process that locks bytes of the file as `fcntl` does.
struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Scene {
    /// The client may read, and write if `write` says so.
    fn new(write: bool) -> Scene {
        let folder = Folder::within(&std::env::temp_dir());
        let root = folder.folder("export");
        std::fs::write(root.join("f"), "").unwrap();
        let state = folder.folder("state");
        let config = LocalFsConfig::new(root, [7; 16]).with(|config| {
            config.state = Some(state);
            config.local_locks = true;
        });
        let files = LocalFs::open(config).unwrap();
        assert!(files.capabilities().local_locks);
        let file = open(&files, write);
        Scene {
            files,
            file,
            folder,
        }
    }

    fn lock(&self, first: u64, last: u64, kind: LockKind) -> Option<ByteLock> {
        let (fh, lock) = (self.file, bytes(first, last, kind));
        self.held(FsOp::Lock { fh, lock })
    }

    fn test(&self, first: u64, last: u64, kind: LockKind) -> Option<ByteLock> {
        let (fh, lock) = (self.file, bytes(first, last, kind));
        self.held(FsOp::TestLock { fh, lock })
    }

    fn held(&self, op: FsOp) -> Option<ByteLock> {
        match asked(&self.files, op) {
            FsReply::Lock { held } => held,
            other => panic!("{other:?}"),
        }
    }

    fn unlock(&self, first: u64, last: u64, kind: LockKind) {
        self.files.unlock(self.file, &[bytes(first, last, kind)]);
    }

    /// A process beside the server; none where there is no Python.
    fn process(&self) -> Option<Process> {
        let path = self.folder.path().join("export/f");
        let child = Command::new("python3")
            .args(["-u", "-c", SCRIPT])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!("NOT RUN: there is no python3");
            return None;
        };
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let from = BufReader::new(from);
        Some(Process { child, to, from })
    }
}

impl Process {
    /// Whether it gets a lock, at once.
    fn lock(&mut self, first: u64, len: u64, kind: LockKind) -> bool {
        let kind = match kind {
            LockKind::Read => "shared",
            LockKind::Write => "exclusive",
        };
        self.ask(&format!("{kind} {first} {len}"))
    }

    fn unlock(&mut self) {
        assert!(self.ask("unlock 0 0"));
    }

    /// Whether it could lock this byte exclusively, and whether at least with others.
    fn finds(&mut self, byte: u64) -> &'static str {
        if self.lock(byte, 1, LockKind::Write) {
            self.unlock();
            "free"
        } else if self.lock(byte, 1, LockKind::Read) {
            self.unlock();
            "shared"
        } else {
            "exclusive"
        }
    }

    /// Waits until it finds a byte like this: an unlock has no answer.
    #[track_caller]
    fn waits_for(&mut self, byte: u64, state: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.finds(byte) != state {
            assert!(Instant::now() < end, "byte {byte} does not become {state}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn ask(&mut self, line: &str) -> bool {
        writeln!(self.to, "{line}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        answer.trim() == "yes"
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open(files: &LocalFs, write: bool) -> FsHandle {
    let op = FsOp::Open {
        target: Target::Name {
            dir: files.root(),
            name: "f".into(),
        },
        how: OpenHow::new(true, write, Creation::Unchecked(SetAttrs::default())),
    };
    match asked(files, op) {
        FsReply::Opened(opened) => opened.fh,
        other => panic!("{other:?}"),
    }
}

fn asked(files: &LocalFs, op: FsOp) -> FsReply {
    let (uid, gid) = owner();
    let now = Now {
        mono: Mono::ZERO,
        wall: Wall::default(),
    };
    let cred = Arc::new(Credential::sys(uid, gid, &[]));
    ask(files, FsRequest::new(cred, now, op)).unwrap()
}

fn bytes(first: u64, last: u64, kind: LockKind) -> ByteLock {
    let range = ByteRange { first, last };
    ByteLock { range, kind }
}

#[test]
fn a_process_and_clients_see_each_others_locks() {
    let scene = Scene::new(true);
    let Some(mut process) = scene.process() else {
        return;
    };
    assert_eq!(scene.lock(0, 9, LockKind::Write), None);
    assert_eq!(process.finds(0), "exclusive");
    assert_eq!(process.finds(9), "exclusive");
    assert_eq!(process.finds(10), "free");
    assert!(process.lock(10, 5, LockKind::Write));
    let held = Some(bytes(10, 14, LockKind::Write));
    assert_eq!(scene.lock(8, 20, LockKind::Read), held);
    assert_eq!(scene.test(8, 20, LockKind::Read), held);
    assert_eq!(scene.test(0, 9, LockKind::Write), None, "its own");
    process.unlock();
    assert_eq!(
        process.finds(9),
        "exclusive",
        "a refused lock changes nothing"
    );
    assert_eq!(process.finds(16), "free");
    assert!(process.lock(30, 0, LockKind::Read), "to the end");
    let held = Some(bytes(30, u64::MAX, LockKind::Read));
    assert_eq!(scene.test(0, u64::MAX, LockKind::Write), held);
    assert_eq!(scene.test(0, u64::MAX, LockKind::Read), None);
}

#[test]
fn a_byte_is_locked_as_strongly_as_the_strongest_lock_that_is_counted() {
    let scene = Scene::new(true);
    let Some(mut process) = scene.process() else {
        return;
    };
    assert_eq!(scene.lock(0, 9, LockKind::Read), None);
    assert_eq!(scene.lock(5, 14, LockKind::Read), None);
    assert_eq!(scene.lock(5, 5, LockKind::Write), None);
    let found = |process: &mut Process| [4, 5, 6, 12].map(|byte| process.finds(byte));
    assert_eq!(
        found(&mut process),
        ["shared", "exclusive", "shared", "shared"]
    );
    scene.unlock(0, 9, LockKind::Read);
    process.waits_for(4, "free");
    assert_eq!(
        found(&mut process),
        ["free", "exclusive", "shared", "shared"]
    );
    scene.unlock(5, 5, LockKind::Write);
    process.waits_for(5, "shared");
    // In parts.
    scene.unlock(10, 14, LockKind::Read);
    process.waits_for(12, "free");
    assert_eq!(found(&mut process), ["free", "shared", "shared", "free"]);
    scene.unlock(5, 9, LockKind::Read);
    process.waits_for(6, "free");
    assert!(process.lock(0, 0, LockKind::Write));
}

#[test]
fn a_file_that_was_locked_to_read_is_locked_to_write() {
    let scene = Scene::new(false);
    let Some(mut process) = scene.process() else {
        return;
    };
    assert_eq!(scene.lock(5, 5, LockKind::Read), None);
    assert_eq!(scene.lock(7, 8, LockKind::Read), None);
    assert_eq!(open(&scene.files, true), scene.file);
    assert!(process.lock(5, 4, LockKind::Read));
    assert_eq!(scene.lock(20, 20, LockKind::Write), None);
    process.unlock();
    let found = [5, 6, 7, 8, 9, 20].map(|byte| process.finds(byte));
    assert_eq!(
        found,
        ["shared", "free", "shared", "shared", "free", "exclusive"]
    );
}

#[test]
fn locks_end_with_the_server_and_before_its_descriptors() {
    let scene = Scene::new(true);
    let Some(mut process) = scene.process() else {
        return;
    };
    assert_eq!(scene.lock(0, u64::MAX, LockKind::Write), None);
    assert_eq!(process.finds(1 << 62), "exclusive");
    // The last lock goes, and the file stays open.
    scene.unlock(0, u64::MAX, LockKind::Write);
    process.waits_for(1 << 62, "free");
    // The kernel has no such bytes.
    assert_eq!(scene.lock(1 << 63, u64::MAX, LockKind::Write), None);
    assert_eq!(process.finds(0), "free");
    assert_eq!(scene.lock(3, 3, LockKind::Write), None);
    assert_eq!(process.finds(3), "exclusive");
    let Scene { files, folder, .. } = scene;
    drop(files);
    assert_eq!(process.finds(3), "free");
    drop(folder);
}

#[test]
fn many_locks_along_a_file_are_changed_in_a_thread() {
    let scene = Scene::new(true);
    let Some(mut process) = scene.process() else {
        return;
    };
    for at in 0..300 {
        assert_eq!(scene.lock(2 * at, 2 * at, LockKind::Read), None);
    }
    assert_eq!(scene.lock(0, u64::MAX, LockKind::Read), None);
    assert_eq!(process.finds(301), "shared");
    scene.unlock(0, u64::MAX, LockKind::Read);
    process.waits_for(599, "free");
    process.waits_for(1 << 40, "free");
    assert_eq!(
        [300, 301, 598].map(|at| process.finds(at)),
        ["shared", "free", "shared"]
    );
    let all: Vec<ByteLock> = (0..300)
        .map(|at| bytes(2 * at, 2 * at, LockKind::Read))
        .collect();
    scene.files.unlock(scene.file, &all);
    for at in [0, 300, 598] {
        process.waits_for(at, "free");
    }
}

#[test]
fn an_export_without_locks_of_processes_says_so() {
    let folder = Folder::within(&std::env::temp_dir());
    let config = LocalFsConfig::new(folder.folder("export"), [7; 16]);
    let state = folder.folder("state");
    let config = config.with(|config| config.state = Some(state));
    assert!(!LocalFs::open(config).unwrap().capabilities().local_locks);
}

/// Reads lines with a kind, the first byte and the length, and answers each.
const SCRIPT: &str = "
import fcntl, sys
file = open(sys.argv[1], 'r+b')
now = fcntl.LOCK_NB
kinds = {'shared': fcntl.LOCK_SH | now, 'exclusive': fcntl.LOCK_EX | now, 'unlock': fcntl.LOCK_UN}
for line in sys.stdin:
    kind, first, length = line.split()
    try:
        fcntl.lockf(file, kinds[kind], int(length), int(first))
        print('yes')
    except BlockingIOError:
        print('no')
";
