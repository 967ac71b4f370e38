//! What the caller of a request, which serves many clients, must not wait for.

use std::process::Command;
use std::time::{Duration, Instant};

use nfs4_engine::fs::{Authority, ByteLock, ByteRange, Creation, LockKind, OpenHow, Target};

use super::*;

/// A directory of a file system of which the system does not say that it never waits: one that is laid over two
/// others.
struct Overlay(PathBuf);

impl Overlay {
    /// None where this process may not mount.
    fn new(name: &str) -> Option<Overlay> {
        let folder = std::env::temp_dir().join(format!("nfs4-{name}-{}", std::process::id()));
        for part in ["on/upper", "on/work", "lower", "root"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let overlay = Overlay(folder);
        let on = overlay.0.join("on");
        // As an overlay cannot be laid over another one.
        let memory = Command::new("mount")
            .args(["-t", "tmpfs", "none"])
            .arg(&on)
            .output();
        let mounted = |output: std::io::Result<std::process::Output>| {
            output.is_ok_and(|output| output.status.success())
        };
        if !mounted(memory) {
            return None;
        }
        for part in ["upper", "work", "lower"] {
            fs::create_dir_all(on.join(part)).unwrap();
        }
        let part = |name: &str| on.join(name).display().to_string();
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            part("lower"),
            part("upper"),
            part("work")
        );
        let laid = Command::new("mount")
            .args(["-t", "overlay", "none", "-o", &options])
            .arg(overlay.0.join("root"))
            .output();
        mounted(laid).then_some(overlay)
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        for part in ["root", "on"] {
            let _ = Command::new("umount")
                .arg("-l")
                .arg(self.0.join(part))
                .output();
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn bytes_and_locks_of_a_file_system_that_may_wait_are_not_for_the_caller() {
    let Some(overlay) = Overlay::new("overlay") else {
        return eprintln!("NOT RUN: no overlay can be mounted");
    };
    let config = LocalFsConfig::new(overlay.0.join("root"), [7; 16]);
    let files = LocalFs::open(config.with(|config| config.local_locks = true)).unwrap();
    let scene = Scene {
        files,
        folder: overlay.0.join("nothing to remove"),
    };
    fs::write(scene.path("f"), "content").unwrap();
    let (fh, _) = scene.lookup(scene.root(), "f").unwrap();
    let target = Target::Handle(fh);
    let how = OpenHow::new(true, true, Creation::No);
    scene.ask(FsOp::Open { target, how }).unwrap();
    let authority = Authority::Open;
    let range = ByteRange { first: 0, last: 9 };
    let kind = LockKind::Write;
    let lock = ByteLock { range, kind };
    let at_the_end = FsOp::Read {
        fh,
        offset: 7,
        count: 10,
        authority,
        payload: nfs4_engine::fs::Payload::new(),
    };
    let nothing = FsOp::Write {
        fh,
        offset: 0,
        data: Bytes::new(),
        stability: nfs4_engine::fs::Stability::Unstable,
        authority,
    };
    for op in [at_the_end, nothing, FsOp::Lock { fh, lock }] {
        let what = op.call();
        let cred = Arc::new(Credential::sys(0, 0, &[]));
        let mut request = FsRequest::new(cred, now(), op);
        assert!(scene.files.at_once(&mut request).is_none(), "{what:?}");
        scene.ask(request.op).unwrap();
    }
    assert!(
        !scene
            .files
            .shared
            .unlock_bytes(&fh, &[lock], super::super::wait::Wait::No)
    );
    scene.files.unlock(fh, &[lock]);
    let began = Instant::now();
    while scene.files.shared.locks.get(&fh).is_some() {
        assert!(began.elapsed() < LONG, "it stays locked");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A local process may have removed a file of any size.
#[test]
fn the_space_of_a_file_without_a_name_is_not_freed_by_the_caller() {
    let scene = Scene::with("evicted", |config| config.descriptors = 64);
    let is_held = || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap();
        let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links
            .into_iter()
            .any(|link| link.ends_with("evicted file (deleted)"))
    };
    let mut number = 0;
    let mut is_left = || {
        fs::write(scene.path("evicted file"), "content").unwrap();
        let (fh, _) = scene.lookup(scene.root(), "evicted file").unwrap();
        fs::remove_file(scene.path("evicted file")).unwrap();
        assert!(is_held());
        let most = number + 10_000;
        while scene.files.shared.kept(&fh).is_some() {
            number += 1;
            let name = number.to_string();
            fs::write(scene.path(&name), "content").unwrap();
            scene.lookup(scene.root(), &name).unwrap();
            assert!(number < most, "it gives way to no other");
        }
        is_held()
    };
    // The thread that frees it each second may just have come by, but not each time.
    assert!((0..20).any(|_| is_left()), "the caller has freed it");
    let began = Instant::now();
    while is_held() {
        assert!(began.elapsed() < LONG, "it is kept");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(20);
