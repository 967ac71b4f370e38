//! Cycles over TCP, on each transport.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_driver::engine::proto::client::{CallCredential, CompoundBuilder};
use nfs4_driver::engine::proto::nfs4::{OpNum, args};
use nfs4_driver::engine::{Config, Now, TableLengths};
use nfs4_driver::{Limits, ManualClock, Node};
use nfs4_tests::counting::live_bytes;
use nfs4_tests::live::{Client, Connection, Serving, Transport, engine_of};
use nfs4_vfs::{MemFs, MemFsConfig};

use crate::{alone, cycles};

#[test]
fn over_tokio_nothing_is_left() {
    soak(Transport::Tokio);
}

#[test]
fn over_threads_nothing_is_left() {
    soak(Transport::Threads);
}

/// `Limits::max_pooled`: what the buffer of a large record leaves behind, for a while.
#[test]
fn buffers_rest_as_far_as_the_limit_lets_them() {
    let _alone = alone();
    let left: Vec<i64> = [0, 8 << 20]
        .into_iter()
        .map(|max_pooled| {
            let clock = Arc::new(ManualClock::new(Now::default()));
            let node = node(Arc::clone(&clock), max_pooled);
            let serving = Serving::start(Transport::Threads, node.clone());
            let before = live_bytes();
            let mut client = Connection::new(serving.address);
            // Refused, but read to its end before.
            let mut call = CompoundBuilder::call(7, &CallCredential::None, b"", 1);
            let call = call.raw(OpNum(0), &[0; 1 << 20]).finish();
            client.exchange(&call).unwrap();
            drop((client, call));
            wait_for(
                || "connections".to_owned(),
                || node.connections().unwrap() == 0,
            );
            let left = live_bytes() - before;
            while let Some(next) = node.timer().run(Waker::noop()).unwrap() {
                clock.advance(next);
            }
            let rest = live_bytes() - before;
            assert!(rest < 256 << 10, "{rest} bytes for good");
            serving.end();
            left
        })
        .collect();
    let (none, some) = (left[0], left[1]);
    assert!(none < 256 << 10, "{none} bytes");
    assert!((1 << 20..3 << 20).contains(&some), "{some} bytes");
}

fn soak(on: Transport) {
    let _alone = alone();
    // What the first runtime of a process opens for signals, if it can, stays open.
    drop(
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build(),
    );
    wait_for_one_lock();
    let before = Taken::now();
    let clock = Arc::new(ManualClock::new(Now::default()));
    // Buffers that rest would be as many as were in use at once, which is chance.
    let node = node(Arc::clone(&clock), 0);
    let serving = Serving::start(on, node.clone());
    let cycles = cycles(SOCKET_CYCLES);
    let mut first = None;
    for number in 1..=cycles {
        cycle(serving.address, number);
        // Tables are as large as they had to be once: not as many at once as chance has it.
        wait_for(
            || "connections".to_owned(),
            || node.connections().unwrap() == 0,
        );
        if number.is_multiple_of(10) {
            expire(&node, &clock);
        }
        if number == cycles / 10 {
            first = Some((Taken::now(), live_bytes()));
        }
    }
    expire(&node, &clock);
    let (first, first_bytes) = first.unwrap();
    first.is_not_exceeded();
    // Less than one byte in a cycle: what rests in which thread is chance, and one may still end.
    let more = (cycles - cycles / 10) as i64;
    let what = || format!("{} bytes of {first_bytes}", live_bytes() - first_bytes);
    wait_for(what, || live_bytes() - first_bytes < more);
    let bytes = live_bytes();
    println!("{bytes} bytes are live after {cycles} cycles, {first_bytes} after a tenth");
    serving.end();
    drop(node);
    before.comes_back();
}

/// Has more threads wait for a lock at once than ever do later: locks have one table of those, which
/// grows with them and stays, and how many wait at once is chance.
fn wait_for_one_lock() {
    let lock = parking_lot::Mutex::new(());
    let held = lock.lock();
    let arrived = std::sync::Barrier::new(WAITING + 1);
    thread::scope(|threads| {
        for _ in 0..WAITING {
            threads.spawn(|| {
                arrived.wait();
                drop(lock.lock());
            });
        }
        arrived.wait();
        // Until they all sleep.
        thread::sleep(Duration::from_millis(100));
        drop(held);
    });
}

const WAITING: usize = 64;

/// What the process has of the system's.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    descriptors: usize,
    /// Those of the server; the test harness has its own.
    threads: usize,
}

impl Taken {
    fn now() -> Taken {
        Taken {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            threads: threads(),
        }
    }

    /// Waits until there is no more than that. It may be less: when this was looked at, what served
    /// a connection that was gone may just have been ending.
    fn is_not_exceeded(&self) {
        let is_more =
            |now: &Taken| now.descriptors > self.descriptors || now.threads > self.threads;
        wait_for(|| format!("{:?}", Taken::now()), || !is_more(&Taken::now()));
    }

    /// Waits until it is so again.
    fn comes_back(&self) {
        wait_for(|| format!("{:?}", Taken::now()), || Taken::now() == *self);
    }
}

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One that has ended meanwhile has no name.
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("nfs4") || name.starts_with("tokio"))
        .count()
}

/// A client mounts, loses its connection and reboots while it has a file open, and unmounts;
/// another vanishes at some point.
fn cycle(server: SocketAddr, number: usize) {
    let name = format!("client {number:05}");
    let mut client = Client::connect(server);
    client.mount(&name, 1);
    client.open("file");
    let mut client = Client::connect(server);
    client.mount(&name, 2);
    let open_stateid = client.open("file");
    let close = args::Close {
        seqid: 0,
        open_stateid,
    };
    let object = &client.file.clone()[..];
    client.call(|c| c.putfh(args::PutFh { object }).close(close));
    client.unmount();

    let name = format!("ghost {number:05}");
    let mut ghost = Client::connect(server);
    ghost.introduce(&name, 1);
    let stage = number % 3;
    if stage > 0 {
        ghost.enter();
    }
    if stage > 1 {
        ghost.open("file");
        // It does not wait for the reply to this.
        let call = ghost.compose().putrootfh().getfh().finish();
        ghost.connection.send(&call).unwrap();
    }
}

/// Lets the leases of all that vanished run out.
fn expire(node: &Node, clock: &ManualClock) {
    // Once for what was active now, and once for the timers to find that out.
    for _ in 0..2 {
        let config = Config::default();
        clock.advance(2 * config.lease + config.courtesy);
        while node.timer().run(Waker::noop()).unwrap() == Some(Duration::ZERO) {}
    }
    assert_eq!(node.table_lengths().unwrap(), TableLengths::default());
}

/// Waits until something is given back.
fn wait_for(what: impl Fn() -> String, is_given_back: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_given_back() {
        assert!(start.elapsed() < PATIENCE, "{} stay", what());
        thread::sleep(Duration::from_micros(100));
    }
}

fn node(clock: Arc<ManualClock>, max_pooled: u64) -> Node {
    let root = MemFs::new(MemFsConfig::new(1, 1 << 20).with(|files| files.root_mode = 0o777));
    let limits = Limits::default().with(|limits| limits.max_pooled = max_pooled);
    let engine = engine_of(Config::default(), Arc::new(root), &*clock);
    Node::with_clock(engine, limits, clock).unwrap()
}

const SOCKET_CYCLES: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);
