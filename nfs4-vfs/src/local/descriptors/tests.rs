use std::fs;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{Authority, Creation, FsHandle, FsOp, FsReply, OpenHow, Stability, Target};

use super::*;
use crate::local::tests::Scene;

fn scene(name: &str, descriptors: usize) -> Scene {
    Scene::with(name, |config| config.descriptors = descriptors)
}

fn made(scene: &Scene, name: &str) -> FsHandle {
    fs::write(scene.path(name), "content").unwrap();
    scene.lookup(scene.root(), name).unwrap().0
}

fn open(scene: &Scene, fh: FsHandle, write: bool) -> Result<()> {
    let how = OpenHow::new(true, write, Creation::No);
    let target = Target::Handle(fh);
    scene.ask(FsOp::Open { target, how }).map(drop)
}

fn read(scene: &Scene, fh: FsHandle) -> Result<()> {
    let op = FsOp::Read {
        fh,
        offset: 0,
        count: 10,
        authority: Authority::Open,
        payload: Default::default(),
    };
    match scene.submit(op)? {
        FsReply::Data { data, .. } => assert_eq!(data.len(), 7),
        other => panic!("{other:?}"),
    }
    Ok(())
}

fn write(scene: &Scene, fh: FsHandle, stability: Stability) -> Result<()> {
    let op = FsOp::Write {
        fh,
        offset: 0,
        data: Bytes::from_static(b"C"),
        stability,
        authority: Authority::Open,
    };
    scene.submit(op).map(drop)
}

fn commit(scene: &Scene, fh: FsHandle) -> Result<()> {
    let op = FsOp::Commit {
        fh,
        offset: 0,
        count: 0,
    };
    scene.submit(op).map(drop)
}

fn count(scene: &Scene) -> usize {
    let descriptors = &scene.files.shared.descriptors;
    let open = descriptors.len();
    // What is counted is what is there.
    let ring = lock(&descriptors.ring);
    let each = ring
        .files
        .iter()
        .map(|file| lock(&file.descriptors).count());
    assert_eq!(each.sum::<usize>(), open);
    open
}

#[test]
fn no_more_descriptors_are_kept_than_the_limit() {
    let scene = scene("limit", 64);
    let most = scene.files.shared.descriptors.room();
    assert_eq!(most, 32);
    for number in 0..200 {
        let fh = made(&scene, &format!("{number}"));
        read(&scene, fh).unwrap();
        assert!(count(&scene) <= most, "{}", count(&scene));
    }
}

#[test]
fn open_files_keep_theirs_and_no_more_are_opened_than_the_limit() {
    let scene = scene("held", 64);
    let most = scene.files.shared.descriptors.room();
    let held: Vec<_> = (0..most)
        .map(|number| made(&scene, &format!("held{number}")))
        .collect();
    for fh in &held {
        open(&scene, *fh, true).unwrap();
    }
    let one_more = made(&scene, "more");
    assert_eq!(open(&scene, one_more, false), Err(FsError::Busy));
    // Others are read, and open files lose nothing by it.
    for number in 0..50 {
        let fh = made(&scene, &format!("{number}"));
        read(&scene, fh).unwrap();
    }
    let nodes = &scene.files.shared;
    for fh in &held {
        let node = nodes.node(fh).unwrap();
        assert!(nodes.descriptors.kept(&node, Access::Write).is_some());
    }
    for fh in &held {
        drop(nodes.release(fh));
    }
    assert_eq!(nodes.descriptors.held.load(Ordering::SeqCst), 0);
    assert_eq!(open(&scene, one_more, false), Ok(()));
}

#[test]
fn a_file_is_held_until_its_last_release() {
    let scene = scene("holds", 64);
    let shared = &scene.files.shared;
    let fh = made(&scene, "file");
    open(&scene, fh, false).unwrap();
    open(&scene, fh, true).unwrap();
    let held = || shared.descriptors.held.load(Ordering::SeqCst);
    assert_eq!((held(), count(&scene)), (1, 1));
    shared.release(&fh);
    shared.descriptors.shed(usize::MAX, 0);
    assert_eq!((held(), count(&scene)), (1, 1));
    shared.release(&fh);
    shared.descriptors.shed(usize::MAX, 0);
    assert_eq!((held(), count(&scene)), (0, 0));
}

#[test]
fn the_writers_descriptor_replaces_the_readers() {
    let scene = scene("pair", 64);
    let fh = made(&scene, "file");
    read(&scene, fh).unwrap();
    assert_eq!(count(&scene), 1);
    write(&scene, fh, Stability::Unstable).unwrap();
    assert_eq!(count(&scene), 1);
    read(&scene, fh).unwrap();
    assert_eq!(count(&scene), 1);
}

#[test]
fn a_file_is_not_closed_before_its_bytes_are_durable() {
    let scene = scene("dirty", 64);
    let shared = &scene.files.shared;
    let fh = made(&scene, "file");
    write(&scene, fh, Stability::Unstable).unwrap();
    let node = shared.node(&fh).unwrap();
    assert!(shared.descriptors.file(&node).durability.is_dirty());
    assert_eq!(shared.descriptors.shed(usize::MAX, 0).len(), 1);
    assert_eq!(count(&scene), 1);
    // Another node of the same object finds the bytes.
    shared.nodes.remove(&node);
    let again = shared.node(&fh).unwrap();
    assert!(!Arc::ptr_eq(&node, &again));
    assert!(shared.descriptors.file(&again).durability.is_dirty());
    commit(&scene, fh).unwrap();
    assert!(!shared.descriptors.file(&node).durability.is_dirty());
    assert!(shared.descriptors.shed(usize::MAX, 0).is_empty());
    assert_eq!(count(&scene), 0);
    write(&scene, fh, Stability::File).unwrap();
    assert!(!shared.descriptors.file(&node).durability.is_dirty());
}

#[test]
fn what_is_not_used_is_made_durable_and_closed() {
    let scene = scene("sweep", 64);
    let shared = &scene.files.shared;
    let (read_only, written) = (made(&scene, "read"), made(&scene, "written"));
    read(&scene, read_only).unwrap();
    write(&scene, written, Stability::Unstable).unwrap();
    for expected in [2, 2, 1, 0] {
        shared.sweep();
        // A file with bytes that were not durable goes one time later.
        assert_eq!(count(&scene), expected);
    }
    assert_eq!(shared.losses.get(), 0);
}

#[test]
fn a_removed_file_frees_its_room() {
    // Nothing is kept of the directory.
    let scene = Scene::with("removed", |config| config.sync_metadata = false);
    let fh = made(&scene, "file");
    open(&scene, fh, true).unwrap();
    write(&scene, fh, Stability::Unstable).unwrap();
    let remove = FsOp::Remove {
        dir: scene.root(),
        name: Bytes::from_static(b"file"),
    };
    scene.ask(remove).unwrap();
    read(&scene, fh).unwrap();
    assert_eq!(count(&scene), 1);
    let shared = &scene.files.shared;
    let last = shared.release(&fh).unwrap();
    shared.let_go(&last);
    assert_eq!(count(&scene), 0);
    assert_eq!(read(&scene, fh), Err(FsError::Stale));
}

/// Threads that read, write, commit and remove, while others close what they can.
#[test]
fn what_is_counted_is_what_is_open_whatever_threads_do() {
    let scene = scene("threads", 40);
    let files: Vec<_> = (0..60)
        .map(|number| made(&scene, &format!("{number}")))
        .collect();
    std::thread::scope(|scope| {
        for thread in 0..6_usize {
            let (scene, files) = (&scene, &files);
            scope.spawn(move || {
                for round in 0..400_usize {
                    let fh = files[(round * (thread + 7)) % files.len()];
                    let done = match (thread + round) % 5 {
                        0 => read(scene, fh),
                        1 => write(scene, fh, Stability::Unstable),
                        2 => commit(scene, fh),
                        3 => write(scene, fh, Stability::Data),
                        _ => open(scene, fh, round % 2 == 0).map(|()| {
                            read(scene, fh).unwrap();
                            drop(scene.files.shared.release(&fh));
                        }),
                    };
                    assert!(matches!(done, Ok(()) | Err(FsError::Busy)), "{done:?}");
                    if round % 16 == 0 {
                        scene.files.shared.sweep();
                    }
                }
            });
        }
    });
    let shared = &scene.files.shared;
    assert!(count(&scene) > 0);
    assert_eq!(shared.descriptors.held.load(Ordering::SeqCst), 0);
    for fh in &files {
        commit(&scene, *fh).unwrap();
    }
    for _ in 0..4 {
        shared.sweep();
    }
    assert_eq!(count(&scene), 0);
    assert!(lock(&shared.descriptors.ring).files.is_empty());
    assert_eq!(shared.losses.get(), 0);
}
