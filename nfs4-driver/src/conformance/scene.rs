//! A server of the transport, for one case.

use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::{Boot, Config, Engine, Export, TableLengths};

use super::Transport;
use super::client::{Client, PATIENCE};
use super::clock::SuiteClock;
use super::files::Files;
use crate::clock::Clock;
use crate::error::EngineDead;
use crate::limits::Limits;
use crate::node::Node;

/// A server of the transport, and the file system that it serves.
pub(super) struct Scene<'a, T: Transport> {
    transport: &'a T,
    /// None once it has ended.
    server: Option<T::Server>,
    pub(super) node: Node,
    pub(super) files: Arc<Files>,
    pub(super) clock: Arc<SuiteClock>,
    /// The longest time after which something that is left ends.
    longest: Duration,
}

impl<'a, T: Transport> Scene<'a, T> {
    pub(super) fn start(transport: &'a T) -> Scene<'a, T> {
        Scene::with(transport, Limits::default())
    }

    /// A server with these limits, and as large a READ and WRITE as they let pass.
    pub(super) fn with(transport: &'a T, limits: Limits) -> Scene<'a, T> {
        let message = limits.max_record.min(limits.max_reply);
        let config = Config::default().with(|config| {
            config.max_io = config.max_io.min(message - HEADERS);
            config.grace = Duration::ZERO;
            // What is left of a client goes with its lease.
            config.courtesy = Duration::ZERO;
        });
        let boot = Boot::new(1, [7; 16], *b"conformance");
        let longest = config.lease.max(config.callback_timeout);
        let longest = longest.max(config.delegation_pause);
        let clock = Arc::new(SuiteClock::default());
        let files = Arc::new(Files::new());
        let exports = vec![Export::new("/", Arc::clone(&files) as _)];
        let engine = Engine::new(boot, config, exports, clock.now());
        let engine = engine.expect("settings in their ranges");
        let node = Node::with_clock(engine, limits, Arc::clone(&clock) as _);
        let node = node.expect("limits in their ranges");
        Scene {
            transport,
            server: Some(transport.start(node.clone())),
            node,
            files,
            clock,
            longest,
        }
    }

    /// A client that has sent nothing yet; none if the server accepts no connection.
    pub(super) fn try_connect(&self) -> Option<Client<'a, T>> {
        let server = self.server.as_ref().expect("it has not ended");
        let stream = self.transport.connect(server).ok()?;
        Client::new(self.transport, stream).ok()
    }

    /// A client that has sent nothing yet.
    #[track_caller]
    pub(super) fn connect(&self) -> Client<'a, T> {
        self.try_connect().expect("a connection")
    }

    /// A client with a session.
    #[track_caller]
    pub(super) fn mounted(&self, name: &str) -> Client<'a, T> {
        let mut client = self.connect();
        client.mount(name);
        client
    }

    /// Waits until something is so.
    #[track_caller]
    pub(super) fn wait_for(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < PATIENCE, "in vain waited for {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until there are so many connections.
    #[track_caller]
    pub(super) fn has_connections(&self, count: usize) {
        self.wait_for("the number of connections", |scene| {
            scene.node.connections() == Ok(count)
        });
    }

    /// Waits until so many requests are held.
    #[track_caller]
    pub(super) fn has_waiting(&self, count: usize) {
        self.wait_for("held requests", |scene| scene.files.waiting() >= count);
    }

    /// The lengths of the engine's tables.
    pub(super) fn tables(&self) -> TableLengths {
        self.node.table_lengths().expect("the engine lives")
    }

    /// Begins a graceful stop.
    pub(super) fn stop(&mut self) {
        let server = self.server.as_mut().expect("it has not ended");
        self.transport.stop(server);
    }

    /// Stops the server and waits for its end, after which nothing of it may be left.
    #[track_caller]
    pub(super) fn join(&mut self) -> Result<(), EngineDead> {
        self.stop();
        let server = self.server.take().expect("it has not ended");
        let ended = self.transport.join(server);
        self.wait_for("the end of all that uses the node", |scene| {
            scene.node.handles() == 1
        });
        ended
    }

    /// After all clients have left: nothing of them is left once their leases have run out, which the
    /// transport's timer has to see, and nothing of the server after its stop.
    #[track_caller]
    pub(super) fn end(mut self) {
        self.has_connections(0);
        let start = Instant::now();
        while self.tables() != TableLengths::default() || self.files.open() > 0 {
            let left = self.tables();
            assert!(start.elapsed() < PATIENCE, "no timer removes {left:?}");
            self.clock.jump(self.longest);
            match self.server {
                Some(_) => thread::sleep(Duration::from_millis(5)),
                None => drop(self.node.timer().run(Waker::noop())),
            }
        }
        assert_eq!(self.node.held_bytes(), (0, 0), "no memory is held");
        let sound = self.node.look(|engine| engine.check_invariants(&[]));
        assert_eq!(sound, Ok(Ok(())), "the engine's tables agree");
        if self.server.is_some() {
            assert_eq!(self.join(), Ok(()), "a good end");
        }
    }
}

/// Room for the headers of a READ or WRITE, in bytes.
const HEADERS: u32 = 4 << 10;
