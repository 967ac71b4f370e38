//! When the process has no descriptor left, or the kernel no room for signals.

use std::fs::File;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nfs4_engine::Touch;
use nfs4_engine::fs::{Creation, NewNode, OpenHow, SetAttrs, Target};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::leases::{News, Play, READ, WRITE};
use super::*;

/// Whether the test has a process of its own, as it changes the limits of one; else it is run in one.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some_and(|alone| alone == test) {
        return true;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let run = command
        .args(["--exact", &format!("{module}::{test}")])
        .env(ALONE, test)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
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

/// Another process that reads the file in a moment.
fn reader(play: &Play) -> std::process::Child {
    let mut command = Command::new("sh");
    let path = play.scene.path("f");
    let command = command.args(["-c", "sleep 0.5; cat \"$0\""]).arg(path);
    command.stdout(std::process::Stdio::null()).spawn().unwrap()
}

#[test]
fn a_lease_is_wanted_also_where_no_signal_can_wait() {
    if !is_alone("a_lease_is_wanted_also_where_no_signal_can_wait") {
        return;
    }
    limit(Resource::Sigpending, 0);
    let play = Play::new(true, true);
    play.lease(WRITE).unwrap();
    play.unlease();
    for _ in 0..2 {
        // The thread of the leases has nothing to do meanwhile.
        thread::sleep(Duration::from_millis(1500));
        play.lease(WRITE).unwrap();
        let mut reader = reader(&play);
        assert_eq!(play.news(), News::Wanted(play.fh, Touch::Read));
        play.unlease();
        assert!(reader.wait().unwrap().success());
    }
    // Its thread ends.
    drop(play);
}

#[test]
fn a_lease_is_wanted_also_where_there_is_no_descriptor() {
    if !is_alone("a_lease_is_wanted_also_where_there_is_no_descriptor") {
        return;
    }
    let play = Play::new(true, true);
    play.lease(WRITE).unwrap();
    let mut reader = reader(&play);
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
    // As the kernel's time is known, it is not lost yet.
    assert_eq!(play.news(), News::Wanted(play.fh, Touch::Read));
    play.unlease();
    assert!(reader.wait().unwrap().success());
    drop(taken);
}

#[test]
fn without_a_descriptor_there_is_no_lease_until_there_is_one() {
    if !is_alone("without_a_descriptor_there_is_no_lease_until_there_is_one") {
        return;
    }
    let play = Play::new(true, false);
    for free in [0, 1] {
        let taken = leave(free);
        assert_eq!(play.lease(READ), Err(FsError::Busy), "{free}");
        drop(taken);
    }
    play.lease(READ).unwrap();
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

#[test]
fn a_change_that_is_answered_busy_has_not_happened() {
    if !is_alone("a_change_that_is_answered_busy_has_not_happened") {
        return;
    }
    let scene = Scene::new("exhausted");
    let root = scene.root();
    for at in 0..3 {
        let name = ["file", "directory", "link"][at];
        ask_until_there_is_room(&scene, || making(root, name).into_iter().nth(at).unwrap());
        assert!(fs::symlink_metadata(scene.path(name)).is_ok(), "{name}");
    }
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

/// The test that this process is for.
const ALONE: &str = "NFS4_ALONE";
