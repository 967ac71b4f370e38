//! When the process has no descriptor left, or the kernel no room for signals.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::Touch;
use nfs4_engine::fs::driver::{CompletionSink, FsTicket, Submitted, submit};
use nfs4_engine::fs::{Creation, NewNode, OpenHow, SetAttrs, Target};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{Uid, set_thread_res_uid};

use super::leases::{News, Play, READ, WRITE};
use super::*;

/// Whether the test has a process of its own, as it changes the limits of one; else it is run in one.
pub(super) fn is_alone(module: &str, test: &str) -> bool {
    if std::env::var_os(ALONE).is_some_and(|alone| alone == test) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let run = command
        .args(["--exact", &format!("local::tests::{module}::{test}")])
        .arg("--nocapture")
        .env(ALONE, test)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    // What was not run.
    eprint!("{}", String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
    false
}

fn limit(resource: Resource, current: u64) {
    let maximum = getrlimit(resource).maximum;
    let current = Some(current);
    setrlimit(resource, Rlimit { current, maximum }).unwrap();
}

/// Takes all descriptors but so many.
fn leave(free: usize) -> Vec<File> {
    limit(Resource::Nofile, 128);
    let null = || File::open("/dev/null");
    let mut taken: Vec<File> = std::iter::from_fn(|| null().ok()).collect();
    taken.truncate(taken.len() - free);
    taken
}

/// Another process that reads the file when it is told to.
struct Reader {
    process: Child,
    start: Option<ChildStdin>,
}

impl Reader {
    fn new(play: &Play) -> Reader {
        let mut command = Command::new("sh");
        let path = play.scene.path("f");
        let command = command.args(["-c", "read start; cat \"$0\""]).arg(path);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = command.spawn().unwrap();
        let start = process.stdin.take();
        Reader { process, start }
    }

    /// Without a new descriptor.
    fn start(&mut self) {
        let start = self.start.as_mut().unwrap();
        start.write_all(b"\n").unwrap();
    }

    fn end(mut self) {
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn a_lease_is_wanted_also_where_no_signal_can_wait() {
    if !is_alone(
        "exhausted",
        "a_lease_is_wanted_also_where_no_signal_can_wait",
    ) {
        return;
    }
    limit(Resource::Sigpending, 0);
    let Some(play) = Play::new(true, true) else {
        return;
    };
    play.lease(WRITE).unwrap();
    play.unlease();
    for _ in 0..2 {
        // The thread of the leases has nothing to do meanwhile.
        thread::sleep(Duration::from_millis(1500));
        play.lease(WRITE).unwrap();
        let mut reader = Reader::new(&play);
        reader.start();
        assert_eq!(play.news(), News::Wanted(play.fh, Touch::Read));
        play.unlease();
        reader.end();
    }
    // Its thread ends.
    drop(play);
}

#[test]
fn a_lease_is_wanted_also_where_there_is_no_descriptor() {
    if !is_alone(
        "exhausted",
        "a_lease_is_wanted_also_where_there_is_no_descriptor",
    ) {
        return;
    }
    let Some(play) = Play::new(true, true) else {
        return;
    };
    play.lease(WRITE).unwrap();
    let mut reader = Reader::new(&play);
    let taken = leave(0);
    limit(Resource::Sigpending, 0);
    // Nor is there one when the export closes what was not used lately.
    thread::spawn(|| {
        let mut more = Vec::new();
        loop {
            more.extend(File::open("/dev/null"));
            thread::sleep(Duration::from_micros(100));
        }
    });
    reader.start();
    // As the kernel's time is known, it is not lost yet.
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Read));
    play.unlease();
    reader.end();
    drop(taken);
}

#[test]
fn without_a_descriptor_there_is_no_lease_until_there_is_one() {
    if !is_alone(
        "exhausted",
        "without_a_descriptor_there_is_no_lease_until_there_is_one",
    ) {
        return;
    }
    let Some(play) = Play::new(true, false) else {
        return;
    };
    // The export closes nothing meanwhile that was not used lately.
    for _ in 0..5 {
        play.scene.files.shared.nodes.sweep();
        play.scene.files.shared.sweep();
    }
    for free in [0, 1] {
        let taken = leave(free);
        assert_eq!(play.lease(READ), Err(FsError::Busy), "{free}");
        drop(taken);
    }
    play.lease(READ).unwrap();
}

/// A file that a client has open, and that has no name any more.
fn nameless(scene: &Scene) -> FsHandle {
    fs::write(scene.path("f"), "content").unwrap();
    let (fh, _) = scene.lookup(scene.root(), "f").unwrap();
    let target = Target::Handle(fh);
    let how = OpenHow::new(true, true, Creation::No);
    scene.ask(FsOp::Open { target, how }).unwrap();
    fs::remove_file(scene.path("f")).unwrap();
    fh
}

/// What lets go of this file was put aside, and is done a moment later.
fn assert_goes_later(scene: &Scene, fh: FsHandle, begin: impl FnOnce()) {
    let is_kept = || scene.files.shared.kept(&fh).is_some();
    assert!(is_kept(), "the caller has waited for it");
    begin();
    let began = Instant::now();
    while is_kept() {
        assert!(began.elapsed() < LONG, "it is lost");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The caller serves many clients.
#[test]
fn a_caller_lets_go_of_a_file_without_waiting_while_all_threads_wait() {
    if !is_alone(
        "exhausted",
        "a_caller_lets_go_of_a_file_without_waiting_while_all_threads_wait",
    ) {
        return;
    }
    let scene = Scene::with("full", |config| config.threads = 1);
    let (gate, opened) = channel::<()>();
    let (send, answers) = channel();
    let sink: Arc<dyn CompletionSink> = Arc::new(Answers(Mutex::new(send)));
    let fh = nameless(&scene);
    scene.files.pool.run(move || {
        let _ = opened.recv();
    });
    let mut waiting = 0;
    // Requests, up to the first that is refused.
    loop {
        let op = FsOp::ReadLink { fh: scene.root() };
        let ticket = FsTicket::of_probe(&op);
        let cred = Arc::new(Credential::sys(0, 0, &[]));
        let request = FsRequest::new(cred, now(), op);
        match submit(&scene.files, ticket, request, &sink) {
            Submitted::Later => waiting += 1,
            Submitted::Answered(answer) => break assert_eq!(answer.err(), Some(FsError::Busy)),
            other @ Submitted::Misused { .. } => panic!("{other:?}"),
        }
    }
    scene.files.release(fh);
    assert_goes_later(&scene, fh, || drop(gate));
    for _ in 0..waiting {
        answers.recv_timeout(LONG).unwrap().unwrap_err();
    }
}

/// Only the superuser has threads that may start others, and others that may not; in a user namespace not even it.
#[test]
fn a_caller_lets_go_of_a_file_without_waiting_while_there_is_no_thread() {
    if !is_alone(
        "exhausted",
        "a_caller_lets_go_of_a_file_without_waiting_while_there_is_no_thread",
    ) {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return eprintln!("NOT RUN: this process is not the superuser's");
    }
    let scene = Scene::new("no thread");
    let fh = nameless(&scene);
    let starts = || thread::Builder::new().spawn(|| ()).is_ok();
    let (limited, others) = channel();
    let (told, may_others) = channel::<bool>();
    let held = &scene;
    let caller = move || {
        let user = Uid::from_raw(1001);
        if set_thread_res_uid(user, user, user).is_err() {
            return eprintln!("NOT RUN: this process cannot become another user");
        }
        limit(Resource::Nproc, 0);
        limited.send(()).unwrap();
        let do_others = may_others.recv().unwrap();
        if starts() || !do_others {
            return eprintln!("NOT RUN: the limit is not one of this user alone");
        }
        held.files.release(fh);
        assert_goes_later(held, fh, || ());
    };
    thread::scope(|scope| {
        let caller = scope.spawn(caller);
        // Else nothing is limited.
        if others.recv().is_ok() {
            told.send(starts()).unwrap();
        }
        caller.join().unwrap();
    });
}

struct Answers(Mutex<Sender<FsResult>>);

impl CompletionSink for Answers {
    fn complete(&self, _: FsTicket, result: FsResult) {
        let _ = self.0.lock().unwrap().send(result);
    }
}

/// A request that makes something, and may come again.
fn making(dir: FsHandle, name: &'static str) -> [FsOp; 3] {
    let set = SetAttrs::default();
    let bytes = Bytes::from_static(name.as_bytes());
    let made = |node| FsOp::Create {
        dir,
        name: bytes.clone(),
        node,
        set,
    };
    [
        FsOp::Open {
            target: Target::Name {
                dir,
                name: bytes.clone(),
            },
            how: OpenHow::new(true, true, Creation::Guarded(set)),
        },
        made(NewNode::Directory),
        made(NewNode::Symlink(Bytes::from_static(b"target"))),
    ]
}

/// Asks again as long as the answer is Busy, with one descriptor more each time.
fn ask_until_there_is_room(scene: &Scene, op: impl Fn() -> FsOp) {
    let what = format!("{:?}", op().call());
    for free in 0..8 {
        let taken = leave(free);
        let answer = scene.ask(op());
        drop(taken);
        match answer {
            Err(FsError::Busy) => {}
            Ok(_) => return,
            Err(error) => panic!("{what} with {free} descriptors: {error:?}"),
        }
    }
    panic!("{what} is never done");
}

/// Makes a file, a directory and a link with as few descriptors as that takes.
pub(super) fn make_as_soon_as_there_is_room(scene: &Scene) {
    let root = scene.root();
    for at in 0..3 {
        let name = ["file", "directory", "link"][at];
        ask_until_there_is_room(scene, || making(root, name).into_iter().nth(at).unwrap());
        assert!(fs::symlink_metadata(scene.path(name)).is_ok(), "{name}");
    }
}

#[test]
fn a_change_that_is_answered_busy_has_not_happened() {
    if !is_alone(
        "exhausted",
        "a_change_that_is_answered_busy_has_not_happened",
    ) {
        return;
    }
    let scene = Scene::new("exhausted");
    let root = scene.root();
    make_as_soon_as_there_is_room(&scene);
    let name = |name: &'static str| Bytes::from_static(name.as_bytes());
    let (fh, _) = scene.lookup(root, "file").unwrap();
    ask_until_there_is_room(&scene, || FsOp::Link {
        fh,
        dir: root,
        name: name("other"),
    });
    ask_until_there_is_room(&scene, || FsOp::Rename {
        from_dir: root,
        from: name("other"),
        to_dir: root,
        to: name("third"),
    });
    ask_until_there_is_room(&scene, || FsOp::Remove {
        dir: root,
        name: name("third"),
    });
    assert!(!scene.path("other").exists() && !scene.path("third").exists());
}

#[test]
fn what_was_made_for_a_request_that_fails_is_taken_back() {
    let scene = Scene::new("taken back");
    // No object can have that owner, which shows when it is there.
    let nobody = SetAttrs::default().with(|set| set.uid = Some(u32::MAX));
    for (at, op) in making(scene.root(), "made").into_iter().enumerate() {
        let op = match op {
            FsOp::Open { target, .. } => FsOp::Open {
                target,
                how: OpenHow::new(true, true, Creation::Guarded(nobody)),
            },
            FsOp::Create {
                dir, name, node, ..
            } => FsOp::Create {
                dir,
                name,
                node,
                set: nobody,
            },
            other => panic!("{other:?}"),
        };
        assert!(scene.ask(op).is_err(), "{at}");
        assert!(fs::symlink_metadata(scene.path("made")).is_err(), "{at}");
    }
}

/// Another program that moves files of its own to the name of one that is made, and looks whether they go.
fn replaces(scene: &Scene, makes: impl FnOnce()) {
    let (made, own) = (scene.path("made"), scene.path("own"));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let program = scope.spawn(|| {
            while !over.load(SeqCst) {
                let file = File::create(&own).unwrap();
                fs::rename(&own, &made).unwrap();
                for _ in 0..8 {
                    thread::yield_now();
                    assert_eq!(file.metadata().unwrap().nlink(), 1, "it was removed");
                }
                // It may be somewhere else for a moment.
                let began = Instant::now();
                while fs::rename(&made, &own).is_err() {
                    assert!(began.elapsed() < LONG, "it is gone");
                }
                assert_eq!(file.metadata().unwrap().nlink(), 1, "it was removed");
                fs::remove_file(&own).unwrap();
            }
        });
        makes();
        over.store(true, SeqCst);
        program.join().unwrap();
    });
}

#[test]
fn what_is_taken_back_is_no_file_of_another_program() {
    let scene = Scene::new("replaced");
    let nobody = SetAttrs::default().with(|set| set.uid = Some(u32::MAX));
    let op = || FsOp::Open {
        target: Target::Name {
            dir: scene.root(),
            name: Bytes::from_static(b"made"),
        },
        how: OpenHow::new(true, true, Creation::Guarded(nobody)),
    };
    replaces(&scene, || {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            scene.ask(op()).unwrap_err();
        }
    });
    let left: Vec<_> = fs::read_dir(scene.path("")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(20);
/// The test that this process is for.
const ALONE: &str = "NFS4_ALONE";
