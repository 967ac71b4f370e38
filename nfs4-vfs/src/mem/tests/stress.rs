use std::time::{Duration, Instant};

use super::*;

/// A small generator of its own, so that a run depends on its seed only.
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
fn threads_that_tear_at_one_tree_leave_it_whole() {
    let user = with_capacity(8 * MIB);
    let before = user.used();
    let going = until(Duration::from_millis(1500));
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
            let create = Create::Unchecked(SetAttrs::default());
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
fn writers_readers_and_cutters_of_one_file_agree() {
    const BLOCK: usize = 10_000;
    let user = with_capacity(8 * MIB);
    let before = user.used();
    let opened = user
        .open_name(user.top(), "f", Create::Unchecked(SetAttrs::default()))
        .unwrap();
    let (file, going) = (opened.fh, until(Duration::from_millis(800)));
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
                            // A block is one writer's: a reader sees it, or a hole, or its end; a
                            // write may be seen half done, but nothing else.
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
