//! Clients unlock faster than the file system does.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::fs::driver::{CompletionSink, FsTicket, Submitted, submit};
use nfs4_engine::fs::{ByteLock, ByteRange, Creation, LockKind, OpenHow, Target};

use super::exhausted::is_alone;
use super::*;
use crate::local::locks::conflict;

/// A file that a client has open, as a process beside the server finds it.
struct Locked {
    scene: Scene,
    fh: FsHandle,
    process: OwnedFd,
    sink: Arc<dyn CompletionSink>,
    answers: Receiver<FsResult>,
}

struct Answers(Mutex<Sender<FsResult>>);

impl CompletionSink for Answers {
    fn complete(&self, _: FsTicket, result: FsResult) {
        let _ = self.0.lock().unwrap().send(result);
    }
}

impl Locked {
    fn new(name: &str) -> Locked {
        let scene = Scene::with(name, |config| {
            config.threads = 1;
            config.local_locks = true;
        });
        fs::write(scene.path("f"), "content").unwrap();
        let (fh, _) = scene.lookup(scene.root(), "f").unwrap();
        let target = Target::Handle(fh);
        let how = OpenHow::new(true, true, Creation::No);
        scene.ask(FsOp::Open { target, how }).unwrap();
        let process = File::open(scene.path("f")).unwrap().into();
        let (send, answers) = channel();
        Locked {
            scene,
            fh,
            process,
            sink: Arc::new(Answers(Mutex::new(send))),
            answers,
        }
    }

    /// Has so many locks along the file that no more are changed by the caller.
    fn lock_many(&self) {
        for at in 0..MANY {
            let lock = read(2 * at, 2 * at);
            let fh = self.fh;
            let reply = self.scene.submit(FsOp::Lock { fh, lock }).unwrap();
            assert!(matches!(reply, FsReply::Lock { held: None }), "{reply:?}");
        }
    }

    /// A request that is not answered at once.
    #[track_caller]
    fn asks_later(&self, op: FsOp) {
        let ticket = FsTicket::of_probe(&op);
        let cred = Arc::new(Credential::sys(0, 0, &[]));
        let request = FsRequest::new(cred, now(), op);
        match submit(&self.scene.files, ticket, request, &self.sink) {
            Submitted::Later => {}
            other => panic!("{other:?}"),
        }
    }

    fn answered(&self) -> FsResult {
        self.answers.recv_timeout(LONG).unwrap()
    }

    fn unlock(&self, first: u64, last: u64) {
        self.scene.files.unlock(self.fh, &[read(first, last)]);
    }

    /// Whether the process finds a lock on a byte.
    fn is_locked(&self, byte: u64) -> bool {
        let kind = LockKind::Write;
        let asked = ByteLock {
            kind,
            ..read(byte, byte)
        };
        conflict(&self.process, &asked).unwrap().is_some()
    }

    #[track_caller]
    fn waits_until_free(&self, byte: u64) {
        let began = Instant::now();
        while self.is_locked(byte) {
            assert!(began.elapsed() < LONG, "byte {byte} stays locked");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn read(first: u64, last: u64) -> ByteLock {
    let range = ByteRange { first, last };
    let kind = LockKind::Read;
    ByteLock { range, kind }
}

#[test]
fn a_flood_of_unlocks_leaves_the_line_to_requests_while_all_threads_wait() {
    if !is_alone(
        "unlocks",
        "a_flood_of_unlocks_leaves_the_line_to_requests_while_all_threads_wait",
    ) {
        return;
    }
    let locked = Locked::new("flood");
    locked.lock_many();
    let (fh, start) = (locked.fh, 1 << 20);
    let lock = read(start, u64::MAX);
    locked.scene.ask(FsOp::Lock { fh, lock }).unwrap();
    let (gate, opened) = channel::<()>();
    locked.scene.files.pool.run(move || {
        let _ = opened.recv();
    });
    // Of what is unlocked next.
    let lock = read(start + 7, start + 7);
    locked.asks_later(FsOp::Lock { fh, lock });
    // The range shrinks, at its start.
    for at in start..start + FLOOD {
        locked.unlock(at, at);
    }
    let lock = read(start + 9, start + 9);
    locked.asks_later(FsOp::Lock { fh, lock });
    let dir = locked.scene.root();
    locked.asks_later(FsOp::ReadLink { fh: dir });
    let put_off = locked.scene.files.shared.locks.take(&fh);
    let shape = (put_off.len(), put_off.span());
    assert_eq!(shape, (2, Some(read(start, start + FLOOD - 1).range)));
    assert!(
        !locked
            .scene
            .files
            .shared
            .locks
            .put_off(&fh, &[read(start, start + FLOOD - 1)])
    );
    assert!(locked.is_locked(start), "no thread is there to unlock it");
    drop(gate);
    for _ in 0..2 {
        let reply = locked.answered().unwrap();
        assert!(matches!(reply, FsReply::Lock { held: None }), "{reply:?}");
    }
    locked.answered().unwrap_err();
    locked.waits_until_free(start);
    for free in [start + 6, start + 8, start + 10, start + FLOOD - 1] {
        assert!(!locked.is_locked(free), "byte {}", free - start);
    }
    for held in [
        start + 7,
        start + 9,
        start + FLOOD,
        1 << 62,
        0,
        2 * MANY - 2,
    ] {
        assert!(locked.is_locked(held), "byte {held}");
    }
    // What is unlocked next takes another job.
    locked.unlock(start + FLOOD, u64::MAX);
    locked.waits_until_free(1 << 62);
    assert!(locked.is_locked(start + 7));
    let all: Vec<ByteLock> = (0..MANY).map(|at| read(2 * at, 2 * at)).collect();
    locked.scene.files.unlock(fh, &all);
    locked.unlock(start + 7, start + 7);
    locked.unlock(start + 9, start + 9);
    let began = Instant::now();
    while locked.scene.files.shared.locks.get(&fh).is_some() {
        assert!(began.elapsed() < LONG, "it has an entry");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(
        conflict(
            &locked.process,
            &ByteLock {
                kind: LockKind::Write,
                ..read(0, u64::MAX)
            }
        )
        .unwrap()
        .is_none()
    );
}

/// More locks along a file than the caller changes.
const MANY: u64 = 300;
/// More than there may be requests that wait.
const FLOOD: u64 = 10_000;
/// More than anything here takes.
const LONG: Duration = Duration::from_secs(20);
