//! Requests of many threads at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::fs::{Creation, FsError, FsHandle, SetAttrs, Target};

use super::stage::Stage;
use super::subject::Subject;
use super::user::{User, room, unchecked};

/// A small random generator, so that a run depends only on its seed and on the order of threads.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn name(&mut self) -> String {
        self.roll(6).to_string()
    }
}

fn until(span: Duration) -> impl Fn() -> bool {
    let start = Instant::now();
    move || start.elapsed() < span
}

/// Changes of a few directories by several threads leave a tree: every name leads to an object, and every
/// directory to its parent.
pub fn concurrent_changes_leave_a_tree<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let user = &stage.user;
    let going = until(Duration::from_millis(1000));
    thread::scope(|scope| {
        for seed in 1..=4u64 {
            let going = &going;
            scope.spawn(move || {
                let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                let (mut dirs, mut held) = (vec![user.top()], Vec::new());
                while going() {
                    tear(user, &mut dice, &mut dirs, &mut held);
                }
                held.into_iter().for_each(|fh| user.fs.release(fh));
            });
        }
    });
    stage.check();
    walk(user, user.top(), 0);
    user.raze(user.top());
    assert!(user.names(user.top()).is_empty());
    stage.end();
}

fn walk(user: &User, dir: FsHandle, depth: u32) {
    assert!(depth < 2_000, "a tree has no loops");
    for entry in user.list(dir) {
        assert_eq!(user.lookup(dir, &entry.name), Ok(entry.fh));
        if entry.attrs.kind == nfs4_engine::fs::FileKind::Directory {
            assert_eq!(user.parent(entry.fh), Ok(dir));
            walk(user, entry.fh, depth + 1);
        }
    }
}

fn tear(user: &User, dice: &mut Dice, dirs: &mut Vec<FsHandle>, held: &mut Vec<FsHandle>) {
    let dir = dirs[dice.roll(dirs.len() as u64) as usize];
    let other = dirs[dice.roll(dirs.len() as u64) as usize];
    let (name, second) = (dice.name(), dice.name());
    match dice.roll(12) {
        0 | 1 => {
            if let Ok(fh) = user.mkdir(dir, &name).or_else(|_| user.lookup(dir, &name)) {
                dirs.push(fh);
            }
        }
        2 | 3 => {
            if let Ok(opened) = user.open_name(dir, &name, unchecked()) {
                let offset = dice.roll(200_000);
                let _ = user.write(opened.fh, offset, &[7; 5000]);
                held.push(opened.fh);
            }
        }
        4 => {
            if let Ok(fh) = user.lookup(dir, &name) {
                let _ = user.link(fh, other, &second);
                let _ = user.truncate(fh, dice.roll(100_000));
            }
        }
        5 | 6 => drop(user.remove(dir, &name)),
        7..=9 => drop(user.rename((dir, &name), (other, &second))),
        10 => drop(user.page(dir, 0, room(10))),
        _ => {
            if let Some(fh) = held.pop() {
                let _ = user.read_part(fh, 0, 100_000);
                user.fs.release(fh);
            }
            let _ = user.parent(dir);
        }
    }
    if dirs.len() > 30 {
        dirs.truncate(10);
    }
}

/// Readers see the bytes of a block's writer, a hole or the end of the file, and nothing else.
pub fn concurrent_writes_and_cuts_are_consistent<S: Subject>(subject: &S) {
    const BLOCK: usize = 10_000;
    let stage = Stage::new(subject);
    let user = &stage.user;
    let file = user.hold(user.top(), "f").unwrap();
    let going = until(Duration::from_millis(500));
    thread::scope(|scope| {
        for thread in 0..3u64 {
            let going = &going;
            scope.spawn(move || {
                let mut dice = Dice(thread + 77);
                while going() {
                    let block = dice.roll(30) * 3 + thread;
                    let offset = block * BLOCK as u64;
                    match dice.roll(8) {
                        0 => drop(user.truncate(file, dice.roll(90) * BLOCK as u64)),
                        1..=4 => user.write(file, offset, &[block as u8 + 1; BLOCK]).unwrap(),
                        _ => {
                            let (data, _) = user.read_part(file, offset, BLOCK as u32).unwrap();
                            let whole = [0, block as u8 + 1];
                            assert!(data.iter().all(|byte| whole.contains(byte)));
                        }
                    }
                }
            });
        }
    });
    let size = user.attrs(file).unwrap().size;
    for block in 0..size / BLOCK as u64 {
        let (data, _) = user
            .read_part(file, block * BLOCK as u64, BLOCK as u32)
            .unwrap();
        let whole = [0, block as u8 + 1];
        assert!(
            data.iter().all(|byte| whole.contains(byte)),
            "block {block}"
        );
    }
    user.fs.release(file);
    stage.end();
}

/// A listing has what stays while other threads add and remove names.
pub fn a_listing_goes_on_while_threads_change_the_directory<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let user = &stage.user;
    let dir = user.mkdir(user.top(), "d").unwrap();
    let stay: BTreeSet<String> = (0..1_000).map(|at| format!("s{at}")).collect();
    for name in &stay {
        user.touch(dir, name).unwrap();
    }
    thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                for at in 0..1_000 {
                    let name = format!("t{thread}-{at}");
                    user.touch(dir, &name).unwrap();
                    user.remove(dir, &name).unwrap();
                }
            });
        }
        for _ in 0..5 {
            let (mut cookie, mut seen) = (0, Vec::new());
            loop {
                let page = user.page(dir, cookie, room(333)).unwrap();
                cookie = page.entries.last().map_or(cookie, |entry| entry.cookie);
                let names = page.entries.into_iter().map(|entry| entry.name);
                let names = names.map(|name| String::from_utf8(name).unwrap());
                seen.extend(names.filter(|name| name.starts_with('s')));
                if page.ended {
                    break;
                }
            }
            let unique: BTreeSet<String> = seen.iter().cloned().collect();
            assert!(seen.len() == stay.len() && unique == stay);
        }
    });
    stage.end();
}

/// Removals and renames up and down one path end, whatever they lock.
pub fn removals_and_renames_along_one_path_end<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    // Lower directories are older, so that the order of their numbers is the wrong one to lock them in.
    let [low, middle, high] = ["l", "m", "h"].map(|name| user.mkdir(top, name).unwrap());
    user.rename((top, "m"), (high, "m")).unwrap();
    user.rename((top, "l"), (middle, "l")).unwrap();
    user.touch(low, "f").unwrap();
    user.mkdir(low, "d").unwrap();
    let going = until(Duration::from_millis(200));
    thread::scope(|scope| {
        scope.spawn(|| {
            while going() {
                assert_eq!(user.remove(high, "m"), Err(FsError::NotEmpty));
                assert_eq!(user.remove(middle, "l"), Err(FsError::NotEmpty));
            }
        });
        scope.spawn(|| {
            while going() {
                for (from, to) in [(low, middle), (middle, high), (high, low)] {
                    user.rename((from, "f"), (to, "f")).unwrap();
                }
            }
        });
        while going() {
            let refused = user.rename((low, "d"), (high, "m"));
            let is_full = matches!(refused, Err(FsError::Exists | FsError::NotEmpty));
            assert!(is_full, "onto its ancestor: {refused:?}");
        }
    });
    stage.end();
}

/// A file that is opened while its last name is removed is there or is stale, and nothing between.
pub fn an_open_meets_the_removal_of_the_last_name<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let links = user.fs.capabilities().hard_links;
    let going = until(Duration::from_millis(300));
    let (sender, receiver) = mpsc::channel::<FsHandle>();
    let (done, other) = mpsc::channel::<()>();
    let lost = AtomicU32::new(0);
    thread::scope(|scope| {
        let lost = &lost;
        scope.spawn(move || {
            for file in receiver {
                let opened = user.open(Target::Handle(file), (true, true), Creation::No);
                let linked = links && user.link(file, top, "g").is_ok();
                if opened.is_ok() {
                    lost.fetch_add(u32::from(user.write(file, 0, b"x").is_err()), Relaxed);
                    user.fs.release(file);
                }
                let gone = user.lookup(top, "g").is_err() || user.attrs(file).is_err();
                lost.fetch_add(u32::from(linked && gone), Relaxed);
                done.send(()).unwrap();
            }
        });
        while going() {
            let file = user.touch(top, "f").unwrap();
            sender.send(file).unwrap();
            user.remove(top, "f").unwrap();
            other.recv().expect("the other thread goes on");
            let _ = user.remove(top, "g");
            user.is_gone(file);
        }
        drop(sender);
    });
    assert_eq!(lost.load(Relaxed), 0);
    stage.end();
}

/// Of many threads that make one name, one makes it.
pub fn a_name_is_made_by_one_thread<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    for round in 0..50 {
        let name = round.to_string();
        let (barrier, made) = (Barrier::new(4), AtomicU32::new(0));
        thread::scope(|scope| {
            for thread in 0..4 {
                let (name, barrier, made) = (&name, &barrier, &made);
                scope.spawn(move || {
                    barrier.wait();
                    let done = match thread {
                        0 => user.mkdir(top, name),
                        1 => user.touch(top, name),
                        // It finds the file, or meets a directory.
                        2 => match user.open_name(top, name, unchecked()) {
                            Ok(opened) => {
                                user.fs.release(opened.fh);
                                opened.created.then_some(opened.fh).ok_or(FsError::Exists)
                            }
                            Err(error) => {
                                assert_eq!(error, FsError::IsDirectory);
                                Err(FsError::Exists)
                            }
                        },
                        _ => user.touch(top, name),
                    };
                    match done {
                        Ok(_) => drop(made.fetch_add(1, Relaxed)),
                        Err(error) => assert_eq!(error, FsError::Exists),
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), 1, "{name}");
    }
    stage.end();
}

/// An exclusive creation that is repeated before it is done finds its file, or is told to come again.
pub fn one_exclusive_creation_comes_twice_at_once<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let exclusive = Creation::Exclusive {
        verifier: [3; 8],
        set: SetAttrs::default().with(|set| set.mode = Some(0o600)),
    };
    for round in 0..200 {
        let name = round.to_string();
        let (barrier, made) = (Barrier::new(4), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    match user.open_name(top, &name, exclusive) {
                        Ok(opened) => {
                            assert!(opened.created);
                            user.fs.release(opened.fh);
                            made.fetch_add(1, Relaxed);
                        }
                        Err(error) => assert_eq!(error, FsError::Busy, "{name}"),
                    }
                });
            }
        });
        assert_ne!(made.into_inner(), 0, "{name}");
    }
    stage.end();
}
