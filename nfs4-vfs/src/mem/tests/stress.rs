use std::time::{Duration, Instant};

use super::*;

/// A small random generator, so that a run depends only on its seed.
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

#[test]
fn concurrent_changes_of_a_full_file_system_leave_a_tree_consistent() {
    let user = with_capacity(8 * MIB);
    let before = user.used();
    let going = until(Duration::from_millis(1000));
    std::thread::scope(|scope| {
        for seed in 1..=4u64 {
            let (user, going) = (&user, &going);
            scope.spawn(move || {
                let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                let mut dirs = vec![user.top()];
                let mut held = Vec::new();
                while going() {
                    tear(user, &mut dice, &mut dirs, &mut held);
                }
                held.into_iter().for_each(|fh| user.fs.release(fh));
            });
        }
    });
    check_invariants(&user.fs);
    user.raze(user.top());
    check_invariants(&user.fs);
    assert_eq!(user.used(), before);
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
            let create = Creation::Unchecked(SetAttrs::default());
            if let Ok(opened) = user.open_name(dir, &name, create) {
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
        10 => drop(user.page(dir, 0, 10)),
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

#[test]
fn concurrent_writes_reads_and_truncations_are_consistent() {
    const BLOCK: usize = 10_000;
    let user = with_capacity(8 * MIB);
    let before = user.used();
    let opened = user
        .open_name(user.top(), "f", Creation::Unchecked(SetAttrs::default()))
        .unwrap();
    let (file, going) = (opened.fh, until(Duration::from_millis(500)));
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let (user, going) = (&user, &going);
            scope.spawn(move || {
                let mut dice = Dice(thread + 77);
                while going() {
                    let block = dice.roll(30) * 3 + thread;
                    let offset = block * BLOCK as u64;
                    match dice.roll(8) {
                        0 => drop(user.truncate(file, dice.roll(90) * BLOCK as u64)),
                        1..=4 => user.write(file, offset, &[block as u8 + 1; BLOCK]).unwrap(),
                        _ => {
                            // Each block has one writer: a reader sees its bytes, a hole or the end of the
                            // file. It may see a part of a write, but no other bytes.
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
        let first = data[0];
        assert!(first == 0 || first == block as u8 + 1);
        assert!(
            data.iter().all(|byte| *byte == first),
            "block {block} is torn"
        );
    }
    check_invariants(&user.fs);
    user.remove(user.top(), "f").unwrap();
    user.fs.release(file);
    assert_eq!(user.used(), before);
}

#[test]
fn a_reader_sees_a_file_before_or_after_its_truncation() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    let going = until(Duration::from_millis(200));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while going() {
                user.write(file, 0, &[1; 600_000]).unwrap();
                // Long enough that the reader is likely to read during the truncation.
                (0..3).for_each(|_| drop(user.read(file)));
                user.truncate(file, 0).unwrap();
            }
        });
        while going() {
            let (data, _) = user.read_part(file, 0, 600_000).unwrap();
            assert!(data.iter().all(|byte| *byte == 1), "{} bytes", data.len());
        }
    });
}
