//! Well-behaved clients: each has a directory, knows what is in it, and meets the others in files that
//! all may write.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nfs4_tests::sim::Rng;

use super::mount::{Identity, Mount, Opened};
use super::tally::Tally;

/// What a client has made, whatever becomes of its lease.
#[derive(Default)]
struct Files {
    dir: Vec<u8>,
    made: BTreeMap<String, File>,
    dirs: Vec<String>,
    named: u64,
}

#[derive(Default)]
struct File {
    data: Vec<u8>,
    /// Of this mount.
    open: Option<Opened>,
}

/// Plays one client until all is to end; one that meets a fault starts anew.
pub(crate) fn play(identity: &Identity, lease: Duration, rng: &mut Rng, tally: &Tally) {
    for life in 0.. {
        let dir = format!("{} {life}", identity.name);
        let lived = catch_unwind(AssertUnwindSafe(|| {
            live(identity, &dir, lease, rng, tally);
        }));
        match lived {
            Ok(()) => return,
            Err(why) => {
                let text = why.downcast_ref::<String>().map(String::as_str);
                let text = text.or(why.downcast_ref::<&str>().copied());
                tally.fault(format!("{dir}: {}", text.unwrap_or("a panic")));
            }
        }
        if tally.stopped() {
            return;
        }
    }
}

fn live(identity: &Identity, dir: &str, lease: Duration, rng: &mut Rng, tally: &Tally) {
    let mut incarnation = 1 + rng.below(200) as u8;
    let mut mount = Mount::new(identity, incarnation, tally);
    let root = mount.root();
    let mut files = Files {
        dir: mount.make_dir(&root, dir),
        ..Files::default()
    };
    let mut renewed = Instant::now();
    while tally.rest(Duration::from_millis(20 + rng.below(80))) {
        mount.give_back_recalled();
        if renewed.elapsed() > lease / 4 {
            mount.renew();
            renewed = Instant::now();
        }
        match rng.below(1_000) {
            0..=4 => {
                // It is away for longer than its lease, having given back what others may want.
                mount.give_back_all();
                let away = lease + Duration::from_millis(rng.below(4_000));
                if !tally.rest(away) {
                    return;
                }
                mount.reconnect_as_stranger();
                renewed = Instant::now();
                if mount.is_known() {
                    mount.reconnect();
                } else {
                    incarnation = incarnation.wrapping_add(1);
                    mount = Mount::new(identity, incarnation, tally);
                    files.forget_opens();
                }
            }
            5..=8 => {
                incarnation = incarnation.wrapping_add(1);
                mount = Mount::new(identity, incarnation, tally);
                files.forget_opens();
            }
            9..=12 => {
                files.close_all(&mut mount);
                mount.leave();
                if !tally.rest(Duration::from_millis(rng.below(2_000))) {
                    return;
                }
                incarnation = incarnation.wrapping_add(1);
                mount = Mount::new(identity, incarnation, tally);
            }
            13..=30 => mount.reconnect(),
            31..=45 => files.repeat(&mut mount),
            46..=250 => share(&mut mount, &root, identity, rng),
            _ => files.step(&mut mount, rng),
        }
    }
    files.close_all(&mut mount);
    mount.leave();
}

impl Files {
    fn forget_opens(&mut self) {
        for file in self.made.values_mut() {
            file.open = None;
        }
    }

    fn close_all(&mut self, mount: &mut Mount<'_>) {
        for file in self.made.values_mut() {
            if let Some(open) = file.open.take() {
                mount.close(&open);
            }
        }
    }

    /// Makes a directory by a request that is sent twice.
    fn repeat(&mut self, mount: &mut Mount<'_>) {
        if !mount.has_session() {
            return;
        }
        let name = self.name("dir");
        mount.make_dir_and_lose_the_reply(&self.dir, &name);
        self.dirs.push(name);
        if self.dirs.len() > MOST_DIRS {
            let name = self.dirs.remove(0);
            mount.remove(&self.dir, &name);
        }
    }

    fn step(&mut self, mount: &mut Mount<'_>, rng: &mut Rng) {
        let name = match self.made.len() {
            0 => None,
            count => self.made.keys().nth(rng.index(count)).cloned(),
        };
        let Some(name) = name.filter(|_| rng.below(12) > 0) else {
            return self.make(mount);
        };
        match rng.below(20) {
            0..=6 => self.write(mount, &name, rng),
            7..=11 => self.read(mount, &name, rng),
            12 => self.close(mount, &name),
            13 => {
                let file = &self.made[&name];
                if let Some(open) = &file.open {
                    let size = mount.size(&open.fh);
                    assert_eq!(size, file.data.len() as u64, "size of {name}");
                }
            }
            14 => {
                let to = self.name("renamed");
                mount.rename(&self.dir, &name, &to);
                let file = self.made.remove(&name).expect("it is there");
                self.made.insert(to, file);
            }
            15 => self.list(mount),
            16 | 17 => {
                let open = self.open(mount, &name);
                let range = (rng.below(1 << 20), 1 + rng.below(1 << 20));
                let locked = mount.lock(&open, range).expect("no other client locks it");
                mount.unlock(&open, &locked);
            }
            _ if self.made.len() > MOST_FILES || rng.below(4) == 0 => {
                self.close(mount, &name);
                mount.remove(&self.dir, &name);
                self.made.remove(&name);
            }
            _ => self.make(mount),
        }
    }

    fn make(&mut self, mount: &mut Mount<'_>) {
        let name = self.name("file");
        let open = mount.open(&self.dir, &name, Some(0o600));
        let file = File {
            data: Vec::new(),
            open: Some(open),
        };
        self.made.insert(name, file);
    }

    fn open(&mut self, mount: &mut Mount<'_>, name: &str) -> Opened {
        let file = self.made.get_mut(name).expect("it is there");
        let dir = &self.dir;
        file.open
            .get_or_insert_with(|| mount.open(dir, name, None))
            .clone()
    }

    fn close(&mut self, mount: &mut Mount<'_>, name: &str) {
        let file = self.made.get_mut(name).expect("it is there");
        if let Some(open) = file.open.take() {
            mount.close(&open);
        }
    }

    fn write(&mut self, mount: &mut Mount<'_>, name: &str, rng: &mut Rng) {
        let open = self.open(mount, name);
        let file = self.made.get_mut(name).expect("it is there");
        let offset = rng.index(file.data.len() + 1);
        let word = rng.next_u64().to_be_bytes();
        let data: Vec<u8> = word
            .into_iter()
            .cycle()
            .take(1 + rng.index(LONGEST))
            .collect();
        mount.write(&open, offset as u64, &data);
        let end = offset + data.len();
        if file.data.len() < end {
            file.data.resize(end, 0);
        }
        file.data[offset..end].copy_from_slice(&data);
        if end > LARGEST {
            self.close(mount, name);
            mount.remove(&self.dir, name);
            self.made.remove(name);
        }
    }

    fn read(&mut self, mount: &mut Mount<'_>, name: &str, rng: &mut Rng) {
        let open = self.open(mount, name);
        let data = &self.made[name].data;
        let offset = rng.index(data.len() + 1);
        let count = 1 + rng.index(LONGEST);
        let (read, eof) = mount.read(&open, offset as u64, count as u32);
        let end = data.len().min(offset + count);
        let made = &data[offset..end];
        let at = read.iter().zip(made).position(|(read, made)| read != made);
        assert!(
            read == made,
            "wrong bytes in {name}: {} of {} from {offset}, the first at {at:?}",
            read.len(),
            made.len()
        );
        let ends = offset + count >= data.len();
        assert_eq!(
            eof,
            ends,
            "the end of {name} {offset}+{count} of {}",
            data.len()
        );
    }

    fn list(&mut self, mount: &mut Mount<'_>) {
        let mut names = mount.names(&self.dir);
        names.sort_unstable();
        let mut made: Vec<_> = self.made.keys().chain(&self.dirs).cloned().collect();
        made.sort_unstable();
        assert_eq!(names, made, "names in the directory");
    }

    fn name(&mut self, what: &str) -> String {
        self.named += 1;
        format!("{what} {}", self.named)
    }
}

/// Writes and reads a range of a file that all write, while it has the lock of that.
fn share(mount: &mut Mount<'_>, root: &[u8], identity: &Identity, rng: &mut Rng) {
    let name = format!("shared {}", rng.below(SHARED));
    let open = mount.open(root, &name, None);
    let offset = 64 * rng.below(16);
    if let Some(locked) = mount.lock(&open, (offset, 64)) {
        let word = (rng.next_u64() ^ u64::from(identity.uid)).to_be_bytes();
        let data = word.repeat(8);
        mount.write(&open, offset, &data);
        let (read, _) = mount.read(&open, offset, 64);
        assert!(read == data, "another wrote under a lock of {name}");
        mount.unlock(&open, &locked);
    }
    mount.close(&open);
}

/// So many files there are that all may write.
pub(crate) const SHARED: u64 = 4;
const MOST_FILES: usize = 12;
const MOST_DIRS: usize = 4;
/// Bytes of a request, and of a file.
const LONGEST: usize = 16 << 10;
const LARGEST: usize = 128 << 10;
