//! An attack on a server in this process, with a probe beside it.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_driver::{Limits, Node};
use nfs4_engine::{Config, TableLengths};
use nfs4_vfs::{MemFs, MemFsConfig};

use super::apart;
use super::clock::JumpingClock;
use super::latency::Latencies;
use super::memory::Memory;
use super::probe::Probe;
use super::server::{Serving, Transport, engine_of};

/// A server of a file system in memory, and a probe, which has 127.0.0.1 and user 1 for itself:
/// attackers come from other addresses.
pub struct Scene {
    name: &'static str,
    on: Transport,
    node: Node,
    clock: Arc<JumpingClock>,
    /// The longest time after which something that is left ends.
    longest: Duration,
    server: Serving,
    probe: Probe,
    before: Memory,
    quiet: Latencies,
    under: Latencies,
    /// What is measured is the whole process's.
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    /// Starts the server and the probe, when all other scenes of the process have ended.
    pub fn start(name: &'static str, on: Transport, config: Config, limits: Limits) -> Scene {
        let alone = ALONE
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let clock = JumpingClock::new();
        let root = MemFs::new(MemFsConfig::new(1, CAPACITY).with(|files| files.root_mode = 0o777));
        // A client with state has courtesy after its lease.
        let longest = (config.lease + config.courtesy).max(config.callback_timeout);
        let longest = longest.max(config.delegation_pause);
        let engine = engine_of(config, Arc::new(root), &*clock);
        let node = Node::with_clock(engine, limits, Arc::clone(&clock) as _);
        let node = node.expect("limits in their ranges");
        let start = || Serving::start(on, node.clone());
        let server = match apart::is_wanted() {
            true => apart::server(start),
            false => start(),
        };
        let probe = Probe::start(server.address, IpAddr::from([127, 0, 0, 1]), 1);
        if apart::is_wanted() {
            apart::attackers();
        }
        Scene {
            name,
            on,
            node,
            clock,
            longest,
            before: Memory::now(),
            server,
            probe,
            quiet: Latencies::default(),
            under: Latencies::default(),
            _alone: alone,
        }
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The server.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Attacks until the time that `attack` is given, while the probe works, and returns what the
    /// attack does. The probe must not wait much longer than without it: a machine that does much
    /// else gets several tries, each an attack of its own.
    pub fn attack<T>(&mut self, mut attack: impl FnMut(&Scene, Instant) -> T) -> T {
        let (quiet, slack) = match apart::is_wanted() {
            true => (QUIET.max(attack_time()), APART),
            false => (QUIET, SLACK),
        };
        for left in (0..TRIES).rev() {
            self.quiet = self.probe.quiet(quiet);
            let until = Instant::now() + attack_time();
            let (done, under) = self.probe.during(|| attack(self, until));
            self.under = under;
            let (quiet, under) = (self.quiet.percentile(99.0), self.under.percentile(99.0));
            if under <= (3 * quiet).max(quiet + slack) {
                return done;
            }
            assert!(
                left > 0,
                "the probe waits {}, without the attack {}",
                self.under,
                self.quiet
            );
        }
        unreachable!("the last try returns or panics")
    }

    /// Waits until something is so.
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&Node) -> bool) {
        let start = Instant::now();
        while !is_so(&self.node) {
            assert!(start.elapsed() < PATIENCE, "no {what} on {:?}", self.on);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// After the attackers have closed their connections: says what stopped them and what they were
    /// told, and sees to it that nothing of them is left once their leases have run out.
    pub fn end(self, limit: impl Display, told: impl Display) {
        println!(
            "attack {} {}: limit={limit} told={told} memory before/after={}/{} p50/p99/max quiet={} under={}",
            self.name,
            self.on.driver(),
            self.before,
            Memory::now(),
            self.quiet,
            self.under,
        );
        let Scene {
            node,
            clock,
            longest,
            server,
            probe,
            _alone,
            ..
        } = self;
        probe.end();
        if apart::is_wanted() {
            apart::end();
        }
        let start = Instant::now();
        while node.connections() != Ok(0) {
            assert!(start.elapsed() < PATIENCE, "connections stay");
            thread::sleep(Duration::from_millis(1));
        }
        // Once for what was active now, and once for the timers to find that out.
        for _ in 0..2 {
            clock.jump(2 * longest);
            while node.timer().run(Waker::noop()) == Ok(Some(Duration::ZERO)) {}
        }
        assert_eq!(node.table_lengths(), Ok(TableLengths::default()));
        server.end();
    }
}

/// How long an attack lasts: short, or as many seconds as `NFS4_ATTACK_SECONDS` says.
pub fn attack_time() -> Duration {
    let text = std::env::var("NFS4_ATTACK_SECONDS").ok();
    let seconds = text.map(|text| text.parse().expect("seconds"));
    seconds.map_or(SHORT, Duration::from_secs)
}

static ALONE: Mutex<()> = Mutex::new(());

const SHORT: Duration = Duration::from_millis(400);
/// How long the probe works alone before.
const QUIET: Duration = Duration::from_millis(300);
/// What the probe may wait longer, however little it waits without an attack.
const SLACK: Duration = Duration::from_millis(50);
/// The same if the server has a core of its own.
const APART: Duration = Duration::from_millis(1);
const TRIES: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that the file system holds.
const CAPACITY: u64 = 64 << 20;
