//! Leases of delegated files, and processes that open such a file.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nfs4_engine::fs::driver::{CompletionSink, FsTicket, LeaseSink, Submitted, submit};
use nfs4_engine::fs::{Authority, Creation, OpenHow, SetAttrs, Stability, Target};
use nfs4_engine::{DelegationKind, Touch};
use rustix::io::Errno;

use super::super::break_time::BreakTime;
use super::super::lease_thread::LeaseThread;
use super::super::system;
use super::*;

pub(super) const READ: DelegationKind = DelegationKind::Read;
pub(super) const WRITE: DelegationKind = DelegationKind::Write;

/// What the file system reports of leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Wanted(FsHandle, Touch),
    Lost(FsHandle, Touch),
}

/// Takes answers and news.
struct Sink {
    answers: Mutex<Sender<FsResult>>,
    news: Mutex<Sender<News>>,
}

impl CompletionSink for Sink {
    fn complete(&self, _: FsTicket, result: FsResult) {
        self.answers.lock().unwrap().send(result).unwrap();
    }

    fn lease_sink(&self) -> Option<Arc<dyn LeaseSink>> {
        let news = Mutex::new(self.news.lock().unwrap().clone());
        Some(Arc::new(NewsSink(news)))
    }
}

struct NewsSink(Mutex<Sender<News>>);

impl LeaseSink for NewsSink {
    fn wanted(&self, _: u16, fh: FsHandle, touch: Touch) {
        let _ = self.0.lock().unwrap().send(News::Wanted(fh, touch));
    }

    fn lost(&self, _: u16, fh: FsHandle, touch: Touch) {
        let _ = self.0.lock().unwrap().send(News::Lost(fh, touch));
    }
}

/// An export with a file "f", which a client has open.
pub(super) struct Play {
    pub(super) scene: Scene,
    pub(super) fh: FsHandle,
    sink: Arc<dyn CompletionSink>,
    answers: Receiver<FsResult>,
    pub(super) news: Receiver<News>,
}

impl Play {
    /// None where files cannot be leased.
    pub(super) fn new(read: bool, write: bool) -> Option<Play> {
        let scene = Scene::new("leases");
        fs::write(scene.path("f"), "content").unwrap();
        Play::of(scene, read, write)
    }

    /// One of an export that has the file already.
    pub(super) fn of(scene: Scene, read: bool, write: bool) -> Option<Play> {
        if let Some(why_not) = why_not_leased(&scene) {
            eprintln!("NOT RUN: {why_not}");
            return None;
        }
        let (answer, answers) = channel();
        let (report, news) = channel();
        let sink = Arc::new(Sink {
            answers: Mutex::new(answer),
            news: Mutex::new(report),
        });
        let (fh, _) = scene.lookup(scene.root(), "f").unwrap();
        let play = Play {
            scene,
            fh,
            sink,
            answers,
            news,
        };
        play.open(read, write).unwrap();
        Some(play)
    }

    fn ask(&self, op: FsOp) -> FsResult {
        let ticket = FsTicket::of_probe(&op);
        let request = FsRequest::new(Arc::new(Credential::sys(0, 0, &[])), now(), op);
        match submit(&self.scene.files, ticket, request, &self.sink) {
            Submitted::Answered(answer) => answer,
            Submitted::Later => self.answers.recv().unwrap(),
            other @ Submitted::Misused { .. } => panic!("{other:?}"),
        }
    }

    pub(super) fn open(&self, read: bool, write: bool) -> FsResult {
        self.ask(self.opening(read, write))
    }

    pub(super) fn opening(&self, read: bool, write: bool) -> FsOp {
        FsOp::Open {
            target: Target::Handle(self.fh),
            how: OpenHow::new(read, write, Creation::No),
        }
    }

    pub(super) fn lease(&self, kind: DelegationKind) -> Result<Attrs, FsError> {
        match self.ask(FsOp::Lease { fh: self.fh, kind })? {
            FsReply::Leased(attrs) => Ok(attrs),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn write(&self) -> FsResult {
        self.ask(FsOp::Write {
            fh: self.fh,
            offset: 0,
            data: Bytes::from_static(b"c"),
            stability: Stability::File,
            authority: Authority::Open,
        })
    }

    pub(super) fn unlease(&self) {
        self.scene.files.unlease(self.fh);
    }

    /// What was reported next.
    #[track_caller]
    pub(super) fn news(&self) -> News {
        self.news.recv_timeout(LONG).expect("nothing is reported")
    }

    #[track_caller]
    pub(super) fn assert_quiet(&self) {
        let news = self.news.recv_timeout(SHORT);
        assert_eq!(news, Err(RecvTimeoutError::Timeout));
    }

    /// A local process that does something with the file.
    pub(super) fn process<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let path = self.scene.path("f");
        thread::spawn(move || act(&path))
    }
}

/// Why this machine does not lease the file "f", once no process has it open: one that another test has started has
/// what is open here for a moment.
fn why_not_leased(scene: &Scene) -> Option<String> {
    if scene.files.shared.root.fs_type.is_shared {
        return Some("other machines may change the files".to_owned());
    }
    match BreakTime::open() {
        Err(error) => {
            return Some(format!(
                "the kernel does not tell how long it waits: {error}"
            ));
        }
        Ok(time) if time.get().is_zero() => return Some("the kernel does not wait".to_owned()),
        Ok(_) => {}
    }
    let file = File::open(scene.path("f")).unwrap();
    let began = Instant::now();
    loop {
        match system::set_lease(file.as_fd(), Some(WRITE)) {
            Ok(()) => return None,
            Err(Errno::AGAIN) if began.elapsed() < LONG => thread::sleep(SHORT / 30),
            Err(error) => return Some(format!("the file system leases no files: {error}")),
        }
    }
}

pub(super) fn open_to_write(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}

#[test]
fn a_process_that_opens_the_file_waits_until_the_delegation_is_back() {
    type Act = fn(&Path);
    let reads: Act = |path| drop(File::open(path).unwrap());
    let writes: Act = |path| drop(open_to_write(path));
    let cuts: Act = |path| drop(File::create(path).unwrap());
    for (kind, act, touch) in [
        (READ, writes, Touch::Change),
        (READ, cuts, Touch::Change),
        (WRITE, reads, Touch::Read),
        (WRITE, writes, Touch::Change),
        (WRITE, cuts, Touch::Change),
    ] {
        let Some(play) = Play::new(true, kind == WRITE) else {
            return;
        };
        assert_eq!(play.lease(kind).unwrap().size, 7);
        let process = play.process(act);
        // Again and again, as the delegation may just be on its way.
        for _ in 0..2 {
            assert_eq!(play.news(), News::Wanted(play.fh, touch), "{kind:?}");
        }
        assert!(!process.is_finished());
        assert_eq!(play.lease(kind), Err(FsError::Busy), "it is wanted");
        let back = Instant::now();
        play.unlease();
        process.join().unwrap();
        assert!(back.elapsed() < LONG, "{kind:?}");
    }
}

#[test]
fn another_process_is_waited_for_too() {
    let Some(play) = Play::new(true, true) else {
        return;
    };
    play.lease(WRITE).unwrap();
    let mut reader = Command::new("cat").arg(play.scene.path("f")).spawn();
    let reader = reader.as_mut().unwrap();
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Read));
    assert_eq!(reader.try_wait().unwrap(), None);
    play.unlease();
    assert!(reader.wait().unwrap().success());
}

#[test]
fn readers_do_not_wait_for_readers() {
    let Some(play) = Play::new(true, false) else {
        return;
    };
    play.lease(READ).unwrap();
    assert_eq!(fs::read(play.scene.path("f")).unwrap(), b"content");
    play.assert_quiet();
    // A second client, and both return it.
    play.lease(READ).unwrap();
    play.unlease();
    let process = play.process(open_to_write);
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Change));
    play.unlease();
    process.join().unwrap();
}

#[test]
fn a_lease_for_writing_is_none_for_a_delegation_for_reading() {
    let Some(play) = Play::new(true, true) else {
        return;
    };
    play.lease(WRITE).unwrap();
    // The write delegation has ended, and its lease is not back yet.
    assert_eq!(play.lease(READ), Err(FsError::Busy));
    play.unlease();
    fs::read(play.scene.path("f")).unwrap();
    play.assert_quiet();
}

#[test]
fn a_file_that_a_process_has_open_is_not_leased() {
    let Some(play) = Play::new(true, true) else {
        return;
    };
    let reader = File::open(play.scene.path("f")).unwrap();
    assert_eq!(play.lease(WRITE), Err(FsError::Busy));
    drop(reader);
    play.lease(WRITE).unwrap();
    play.unlease();

    let Some(play) = Play::new(true, false) else {
        return;
    };
    let writer = open_to_write(&play.scene.path("f"));
    assert_eq!(play.lease(READ), Err(FsError::Busy));
    drop(writer);
    play.lease(READ).unwrap();
}

#[test]
fn own_descriptors_do_not_break_a_lease() {
    // With a reader, then a writer, which an open that has ended has left.
    let Some(play) = Play::new(true, false) else {
        return;
    };
    play.open(true, true).unwrap();
    play.lease(WRITE).unwrap();
    play.write().unwrap();
    let read = FsOp::Read {
        fh: play.fh,
        offset: 0,
        count: 7,
        authority: Authority::Open,
        payload: nfs4_engine::fs::Payload::new(),
    };
    play.ask(read).unwrap();
    play.open(true, false).unwrap();
    let cut = SetAttrs::default().with(|set| set.size = Some(3));
    let op = FsOp::SetAttrs {
        fh: play.fh,
        set: cut,
        authority: Authority::Open,
    };
    play.ask(op).unwrap();
    play.assert_quiet();
    play.unlease();
    play.lease(READ).unwrap();
    play.assert_quiet();
    play.unlease();
    play.lease(WRITE).unwrap();
}

#[test]
fn a_request_that_the_lease_forbids_recalls_the_delegation_and_does_not_wait() {
    let Some(play) = Play::new(true, false) else {
        return;
    };
    play.lease(READ).unwrap();
    // While another process reads, the file cannot be leased as its own.
    let reader = File::open(play.scene.path("f")).unwrap();
    assert_eq!(play.open(false, true).unwrap_err(), FsError::Busy);
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Change));
    assert_eq!(play.write().unwrap_err(), FsError::Busy);
    // It was leased all the time.
    let process = play.process(open_to_write);
    thread::sleep(SHORT);
    assert!(!process.is_finished());
    play.unlease();
    process.join().unwrap();
    play.open(false, true).unwrap();
    play.write().unwrap();
    drop(reader);
}

#[test]
fn a_lease_stays_when_the_file_is_closed_and_ends_with_the_export() {
    let Some(play) = Play::new(true, true) else {
        return;
    };
    play.lease(WRITE).unwrap();
    play.scene.files.release(play.fh);
    for _ in 0..5 {
        play.scene.files.shared.sweep();
    }
    let process = play.process(|path| drop(File::open(path).unwrap()));
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Read));
    assert!(!process.is_finished());
    drop(play);
    process.join().unwrap();
}

#[test]
fn the_last_name_of_a_leased_file_may_go() {
    let Some(play) = Play::new(true, true) else {
        return;
    };
    play.lease(WRITE).unwrap();
    fs::remove_file(play.scene.path("f")).unwrap();
    play.scene.files.release(play.fh);
    play.unlease();
    let freed = Instant::now();
    while play.scene.attrs(play.fh).is_ok() {
        assert!(freed.elapsed() < LONG, "it is kept");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_lease_is_lost_before_the_kernel_ends_it() {
    let Some(play) = Play::new(true, true) else {
        return;
    };
    play.lease(WRITE).unwrap();
    let process = play.process(|path| drop(File::open(path).unwrap()));
    let wanted = News::Wanted(play.fh, Touch::Read);
    assert_eq!(play.news(), wanted);
    let lease = play.scene.files.shared.descriptors.leases.of(&play.fh);
    let lease = lease.unwrap();
    let whole = BreakTime::open().unwrap().get();
    lease.tell(Instant::now() + whole * 9 / 10);
    assert_eq!(play.news(), wanted);
    lease.tell(Instant::now() + whole);
    assert_eq!(play.news(), News::Lost(play.fh, Touch::Read));
    assert!(!process.is_finished());
    play.unlease();
    process.join().unwrap();
}

#[test]
fn what_is_seen_of_a_lease_that_was_given_up_is_not_news_of_the_next_one() {
    let Some(play) = Play::new(true, false) else {
        return;
    };
    play.lease(READ).unwrap();
    let leases = &play.scene.files.shared.descriptors.leases;
    let former = leases.of(&play.fh).unwrap();
    play.unlease();
    // The thread comes late for a process that waited.
    assert!(former.look(Instant::now(), LONG));
    play.lease(READ).unwrap();
    assert_eq!(leases.of(&play.fh).unwrap().number(), former.number());
    LeaseThread::enter().unwrap().note(former);
    play.assert_quiet();
}

/// The last delegation ends while another thread exchanges the lease, and the file is leased anew.
#[test]
fn a_lease_that_was_exchanged_too_late_does_not_end_the_next_one() {
    let Some(play) = Play::new(true, false) else {
        return;
    };
    play.lease(READ).unwrap();
    let leases = &play.scene.files.shared.descriptors.leases;
    let former = leases.suspend(&play.fh).unwrap();
    play.unlease();
    play.lease(READ).unwrap();
    leases.resume(&play.fh, &former, true);
    drop(former);
    assert!(!leases.of(&play.fh).unwrap().is_wanted(), "it is given up");
    let process = play.process(open_to_write);
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Change));
    assert!(!process.is_finished());
    play.unlease();
    process.join().unwrap();
}

#[test]
fn only_so_many_files_are_leased() {
    let scene = Scene::with("many leases", |config| config.descriptors = 64);
    let Some(play) = Play::new(true, true) else {
        return;
    };
    let play = Play { scene, ..play };
    let mut leased = 0;
    for number in 0..20 {
        let name = format!("{number}");
        fs::write(play.scene.path(&name), "content").unwrap();
        let (fh, _) = play.scene.lookup(play.scene.root(), &name).unwrap();
        let target = Target::Handle(fh);
        let how = OpenHow::new(true, false, Creation::No);
        play.ask(FsOp::Open { target, how }).unwrap();
        let kind = READ;
        leased += usize::from(play.ask(FsOp::Lease { fh, kind }).is_ok());
        play.scene.files.release(fh);
    }
    assert_eq!(leased, 8);
}

/// A directory that is mounted twice, unmounted when it is dropped.
struct Twice(PathBuf);

impl Drop for Twice {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.0.join("two"))
            .status();
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Only the superuser can mount.
#[test]
fn an_open_file_has_one_handle_whichever_mount_leads_to_it() {
    let folder = std::env::temp_dir().join(format!("nfs4-twice-{}", std::process::id()));
    let twice = Twice(folder.clone());
    let (one, two) = (folder.join("one"), folder.join("two"));
    for made in [&one, &two] {
        fs::create_dir_all(made).unwrap();
    }
    fs::write(one.join("f"), "content").unwrap();
    let mount = Command::new("mount")
        .arg("--bind")
        .args([one, two])
        .output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        return eprintln!("NOT RUN: nothing can be mounted");
    }
    let config = LocalFsConfig::new(folder.clone(), [7; 16]);
    let files = LocalFs::open(config.with(|config| config.cross_mounts = true)).unwrap();
    let folder = folder.join("nothing to remove");
    let scene = Scene { files, folder };
    let found = |dir| {
        for _ in 0..5 {
            scene.files.shared.nodes.sweep();
        }
        let (dir, _) = scene.lookup(scene.root(), dir).unwrap();
        scene.lookup(dir, "f").unwrap().0
    };
    let open = |fh| {
        scene.ask(FsOp::Open {
            target: Target::Handle(fh),
            how: OpenHow::new(true, true, Creation::No),
        })
    };
    let (fh, other) = (found("one"), found("two"));
    open(found("one")).unwrap();
    assert_eq!(found("two"), fh, "it is open");
    assert_eq!(open(other).unwrap_err(), FsError::Stale);
    scene.files.release(fh);
    assert_eq!(found("two"), other, "it is not open any more");
    open(other).unwrap();
    drop((scene, twice));
}

/// More than anything here takes.
pub(super) const LONG: Duration = Duration::from_secs(20);
/// The time for something that must not happen.
const SHORT: Duration = Duration::from_millis(300);
