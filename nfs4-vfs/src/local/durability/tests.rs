use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::*;

#[derive(Default)]
struct Scene {
    file: Durability,
    losses: Losses,
}

/// A call in a thread that has begun, and ends when it is told how.
struct Call<T> {
    end: Sender<Result<T>>,
    begun: Receiver<()>,
}

/// What a thread calls, and its other end.
fn call<T>() -> (impl FnOnce() -> Result<T>, Call<T>) {
    let (end, ends) = channel();
    let (begin, begun) = channel();
    let run = move || {
        let _ = begin.send(());
        ends.recv().unwrap()
    };
    (run, Call { end, begun })
}

impl<T> Call<T> {
    fn has_begun(&self) -> bool {
        self.begun.recv_timeout(Duration::from_millis(30)).is_ok()
    }

    fn await_begin(&self) {
        self.begun.recv().unwrap();
    }

    fn end(self, result: Result<T>) {
        self.end.send(result).unwrap();
    }
}

fn sync(scene: &Arc<Scene>) -> (JoinHandle<Result<Synced>>, Call<()>) {
    let (run, call) = call();
    let scene = Arc::clone(scene);
    (
        thread::spawn(move || scene.file.sync(&scene.losses, run)),
        call,
    )
}

fn write(scene: &Arc<Scene>) -> (JoinHandle<Result<usize>>, Call<usize>) {
    let (run, call) = call();
    let scene = Arc::clone(scene);
    let write = move || scene.file.write_durably(&scene.losses, run);
    (thread::spawn(write), call)
}

#[test]
fn a_file_is_dirty_from_an_unstable_write_to_the_sync_after_it() {
    let scene = Arc::new(Scene::default());
    assert!(!scene.file.is_dirty());
    scene.file.note_unstable();
    assert!(scene.file.is_dirty());
    let (thread, running) = sync(&scene);
    running.await_begin();
    // The sync may not have seen these bytes.
    scene.file.note_unstable();
    running.end(Ok(()));
    assert_eq!(thread.join().unwrap(), Ok(Synced::All));
    assert!(scene.file.is_dirty());
    assert_eq!(scene.file.sync(&scene.losses, || Ok(())), Ok(Synced::All));
    assert!(!scene.file.is_dirty());
    assert_eq!(scene.losses.get(), 0);
}

#[test]
fn those_that_wait_for_a_sync_share_the_next_one() {
    let scene = Arc::new(Scene::default());
    let (first, running) = sync(&scene);
    running.await_begin();
    let (second, next) = sync(&scene);
    let (third, other) = sync(&scene);
    assert!(!next.has_begun() && !other.has_begun());
    running.end(Ok(()));
    first.join().unwrap().unwrap();
    // One of the two began it, and it is the last.
    let (begun, idle) = if next.has_begun() {
        (next, other)
    } else {
        other.await_begin();
        (other, next)
    };
    assert!(!idle.has_begun());
    begun.end(Ok(()));
    assert_eq!(second.join().unwrap(), Ok(Synced::All));
    assert_eq!(third.join().unwrap(), Ok(Synced::All));
    assert_eq!(lock(&scene.file.calls).begun, 2);
}

#[test]
fn an_error_of_a_sync_is_a_loss_of_all_who_shared_it() {
    let scene = Arc::new(Scene::default());
    scene.file.note_unstable();
    let (first, running) = sync(&scene);
    running.await_begin();
    let (second, next) = sync(&scene);
    thread::sleep(Duration::from_millis(30));
    running.end(Err(Errno::IO));
    assert_eq!(first.join().unwrap(), Err(Errno::IO));
    // It takes no error, as the kernel reports it once: the losses tell.
    next.await_begin();
    assert_eq!(scene.losses.get(), 1);
    next.end(Ok(()));
    assert_eq!(second.join().unwrap(), Ok(Synced::NotAll));
    assert_eq!(scene.losses.get(), 1);
    assert!(!scene.file.is_dirty(), "the bytes are given up");
}

#[test]
fn a_sync_waits_for_a_durable_write_that_may_have_taken_its_error() {
    let scene = Arc::new(Scene::default());
    scene.file.note_unstable();
    let (writer, writing) = write(&scene);
    writing.await_begin();
    let (syncer, syncing) = sync(&scene);
    syncing.await_begin();
    syncing.end(Ok(()));
    thread::sleep(Duration::from_millis(30));
    assert!(!syncer.is_finished());
    // A later write has nothing to do with it.
    let (later, still_writing) = write(&scene);
    still_writing.await_begin();
    writing.end(Err(Errno::IO));
    assert_eq!(writer.join().unwrap(), Err(Errno::IO));
    assert_eq!(syncer.join().unwrap(), Ok(Synced::NotAll));
    assert_eq!(scene.losses.get(), 1);
    still_writing.end(Ok(1));
    assert_eq!(
        later.join().unwrap(),
        Err(Errno::IO),
        "it ran at the same time"
    );
}

#[test]
fn a_durable_write_waits_for_a_sync_that_may_have_taken_its_error() {
    for (error, expected) in [(None, Ok(5)), (Some(Errno::IO), Err(Errno::IO))] {
        let scene = Arc::new(Scene::default());
        let (syncer, syncing) = sync(&scene);
        syncing.await_begin();
        let (writer, writing) = write(&scene);
        writing.await_begin();
        writing.end(Ok(5));
        thread::sleep(Duration::from_millis(30));
        assert!(!writer.is_finished());
        syncing.end(error.map_or(Ok(()), Err));
        let _ = syncer.join().unwrap();
        assert_eq!(writer.join().unwrap(), expected);
    }
}

#[test]
fn a_full_device_loses_only_what_was_not_durable() {
    let scene = Scene::default();
    let full = || {
        scene
            .file
            .write_durably(&scene.losses, || Err(Errno::NOSPC))
    };
    assert_eq!(full(), Err(Errno::NOSPC));
    assert_eq!(scene.losses.get(), 0);
    scene.file.note_unstable();
    assert_eq!(full(), Err(Errno::NOSPC));
    assert_eq!(scene.losses.get(), 1);
}
