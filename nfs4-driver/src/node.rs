//! A server: an engine that many connections share.

use std::fmt;
use std::sync::Arc;

use nfs4_engine::fs::FsHandle;
use nfs4_engine::metrics::{Metrics, Recorder};
use nfs4_engine::proto::nfs4::SessionId;
use nfs4_engine::snapshot::{
    ClientView, ConnectionInfo, Cursor, ExportView, GraceView, Page, SessionView,
};
use nfs4_engine::{Admin, Config, ConfigFaults, ConnId, Engine, Input, Mono, TableLengths, Touch};

use crate::batch::Batch;
use crate::clock::{Clock, SystemClock};
use crate::connection::Connection;
use crate::dialer::Dialer;
use crate::error::{AdminError, EngineDead, Refused};
use crate::events::Events;
use crate::limits::Limits;
use crate::log;
use crate::policy::DialPolicy;
#[cfg(feature = "record")]
use crate::recording::Recording;
use crate::roster::Initiator;
use crate::shared::Shared;
use crate::stable::StableStore;
use crate::sync::Ordering;
use crate::timer::Timer;

/// A server: an [`Engine`] that many connections share. Clones are handles of the same server.
///
/// One lock stands around the engine. A connection takes it once for all calls that arrived
/// together and once more for each round of file-system answers; file systems work outside it.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A server that uses the clocks of the operating system.
    ///
    /// # Errors
    /// All limits that are out of range, or too small for the engine's
    /// [`max_io`](nfs4_engine::Config::max_io).
    pub fn new(engine: Engine, limits: Limits) -> Result<Node, ConfigFaults> {
        Node::with_clock(engine, limits, Arc::new(SystemClock::new()))
    }

    /// A server that uses this clock, which also gave the engine the time of its start.
    ///
    /// # Errors
    /// All limits that are out of range, or too small for the engine's
    /// [`max_io`](nfs4_engine::Config::max_io).
    pub fn with_clock(
        engine: Engine,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Node, ConfigFaults> {
        limits.validate_for(engine.config().max_io)?;
        let shared = Shared::new(
            engine,
            limits,
            clock,
            #[cfg(feature = "record")]
            None,
        );
        Ok(Node { shared })
    }

    /// The same; and whatever enters the engine, with what comes of it, is written to a log from
    /// which `nfs4-replay` repeats it. The engine has been given nothing yet.
    ///
    /// The log has all that clients send, and all that file systems answer, contents and names
    /// included. If it cannot be written, or not fast enough, it ends with a line in the server's
    /// log, and the server goes on.
    ///
    /// # Errors
    /// As [`Node::with_clock`].
    #[cfg(feature = "record")]
    pub fn recorded(
        engine: Engine,
        limits: Limits,
        clock: Arc<dyn Clock>,
        recording: Recording,
    ) -> Result<Node, ConfigFaults> {
        limits.validate_for(engine.config().max_io)?;
        let shared = Shared::new(engine, limits, clock, Some(recording));
        Ok(Node { shared })
    }

    /// Ends the recording, if there is one, and waits until it is written. That also happens when
    /// the last handle of the node and its last connection are dropped.
    ///
    /// # Errors
    /// The log could not be written.
    #[cfg(feature = "record")]
    pub fn end_recording(&self) -> std::io::Result<()> {
        self.shared.end_recording()
    }

    /// The limits that the node was made with.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Registers a connection; `peer` is where it comes from: an address, with or without a port,
    /// or another name. If there are too many connections, of that peer or in all, one that serves
    /// no session is evicted: the one that has been idle for longest, of the peer that has the
    /// most.
    ///
    /// # Errors
    /// There are too many connections and none gives way, or the engine is dead.
    pub fn open(&self, peer: impl Into<String>) -> Result<Connection, Refused> {
        let peer = peer.into();
        let mailbox = self
            .shared
            .register(&peer, Initiator::Peer, |conn| Input::ConnOpened {
                conn,
                peer: peer.clone(),
            })
            .inspect_err(|why| log::refused(&peer, *why))?;
        log::opened(mailbox.id, &peer);
        let node = Arc::clone(&self.shared);
        Ok(Connection::new(node, mailbox, peer, Initiator::Peer))
    }

    /// Evicts a connection although there are not too many, because the system has no room for
    /// another; the choice is that of [`Node::open`]. Returns whether there was one; it closes
    /// soon.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn make_way(&self) -> Result<bool, EngineDead> {
        self.shared.make_way()
    }

    /// Number of connections, those included that are being evicted.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn connections(&self) -> Result<usize, EngineDead> {
        Ok(self.shared.lock()?.mailboxes.len())
    }

    /// Bytes that peers make the node hold, in connections whose client the engine does not know
    /// and in others: see [`Limits::max_held`].
    pub fn held_bytes(&self) -> (u64, u64) {
        self.shared.budget.held()
    }

    /// The lengths of the engine's tables.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn table_lengths(&self) -> Result<TableLengths, EngineDead> {
        Ok(self.shared.lock()?.engine.table_lengths())
    }

    /// Lends the metrics counted since the last call to `read`, under the engine's lock, and resets
    /// them.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn metrics<R>(&self, read: impl FnOnce(&Metrics) -> R) -> Result<R, EngineDead> {
        let mut locked = self.shared.lock()?;
        let seen = read(&locked.outbox.metrics);
        locked.outbox.metrics.clear();
        Ok(seen)
    }

    /// Adds what was counted since the last call to a recorder, with what the driver has measured, and the
    /// use of each session if the recorder asks for it. The engine is locked for one page at a time.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn record(&self, recorder: &mut impl Recorder) -> Result<(), EngineDead> {
        self.shared.record(recorder)?;
        if !recorder.wants_sessions() {
            return Ok(());
        }
        let mut loads = Vec::new();
        let mut next = Some(Cursor::default());
        while let Some(from) = next {
            next = self.shared.lock()?.engine.session_loads(from, &mut loads);
            recorder.sessions(&loads);
            loads.clear();
        }
        recorder.end();
        Ok(())
    }

    /// A page of at most `max` client records, from the start or from where the last page ended.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn clients(&self, from: Cursor, max: usize) -> Result<Page<ClientView>, EngineDead> {
        let locked = self.shared.lock()?;
        Ok(locked.engine.clients(self.shared.clock.now(), from, max))
    }

    /// A page of at most `max` sessions, from the start or from where the last page ended.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn sessions(&self, from: Cursor, max: usize) -> Result<Page<SessionView>, EngineDead> {
        Ok(self.shared.lock()?.engine.sessions(from, max))
    }

    /// The sessions of a client; none if there is no such client.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn sessions_of(&self, client_id: u64) -> Result<Option<Vec<SessionView>>, EngineDead> {
        Ok(self.shared.lock()?.engine.sessions_of(client_id))
    }

    /// A client record; none if there is no such client.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn client(&self, client_id: u64) -> Result<Option<ClientView>, EngineDead> {
        let locked = self.shared.lock()?;
        Ok(locked
            .engine
            .client_view(self.shared.clock.now(), client_id))
    }

    /// A session; none if there is no such session.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn session(&self, id: &SessionId) -> Result<Option<SessionView>, EngineDead> {
        Ok(self.shared.lock()?.engine.session_view(id))
    }

    /// A connection; none if it is closed.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn connection(&self, conn: ConnId) -> Result<Option<ConnectionInfo>, EngineDead> {
        Ok(self.shared.lock()?.engine.connection_view(conn))
    }

    /// At most `max` connections, bound to a session or not, in the order of their numbers, from the one
    /// after `after` on; fewer only if there are no more.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn all_connections(
        &self,
        after: Option<ConnId>,
        max: usize,
    ) -> Result<Vec<ConnectionInfo>, EngineDead> {
        let (mut found, mut after) = (Vec::new(), after);
        while found.len() < max {
            // Under one hold of the lock only a few.
            let locked = self.shared.lock()?;
            let few = CONNECTIONS_AT_ONCE.min(max - found.len());
            let numbers: Vec<_> = locked.mailboxes.after(after).take(few).collect();
            let Some(last) = numbers.last() else { break };
            after = Some(*last);
            let views = numbers
                .iter()
                .map(|conn| locked.engine.connection_view(*conn));
            found.extend(views.flatten());
        }
        Ok(found)
    }

    /// The exports: those that are served, and those that are removed and that requests still use.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn exports(&self) -> Result<Vec<ExportView>, EngineDead> {
        Ok(self.shared.lock()?.engine.exports())
    }

    /// The grace period.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn grace(&self) -> Result<GraceView, EngineDead> {
        let locked = self.shared.lock()?;
        Ok(locked.engine.grace(self.shared.clock.now()))
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        self.shared.events.read(None)
    }

    /// What has happened after the fact with this number, as far as it is among the last 1 024, and
    /// what happens from now on. If the number is of no fact of this node, only the latter.
    pub fn events_since(&self, number: u64) -> Events {
        self.shared.events.read(Some(number))
    }

    /// The settings in force.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn config(&self) -> Result<Config, EngineDead> {
        Ok(self.shared.lock()?.engine.config().clone())
    }

    /// Carries out a request of the administrator.
    ///
    /// # Errors
    /// It cannot be done, and nothing has changed; or the engine is dead.
    pub fn admin(&self, admin: Admin) -> Result<(), AdminError> {
        self.shared.admin(admin)
    }

    /// Whether a program that is no client of this server may read or change a file of the export with
    /// this number: whether no delegation conflicts. Conflicting delegations are
    /// recalled, and the program asks again until it may; after a lease at the latest, since a delegation
    /// that is not returned is revoked. [RFC 8881 §10.2]
    ///
    /// This is for file systems that other programs use, too; a [`Backend`](nfs4_engine::fs::Backend) that can
    /// keep those out by [leases](nfs4_engine::fs::Backend::leases) needs none of it. It must not be called from within
    /// [`Backend::submit`](nfs4_engine::fs::Backend::submit), which is the server's own access.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn may_touch(&self, export: u16, fh: FsHandle, touch: Touch) -> Result<bool, EngineDead> {
        let mut batch = Batch::default();
        batch.inputs.push_back(Input::Touched { export, fh, touch });
        self.shared.exchange(&mut batch, None)?;
        self.shared.finish(&mut batch)?;
        Ok(self.shared.lock()?.engine.may_touch(export, fh, touch))
    }

    /// A timer. Every transport runs one, and each serves the whole node.
    pub fn timer(&self) -> Timer {
        Timer::new(Arc::clone(&self.shared))
    }

    /// A dialer. Every transport that can make connections runs one, and each serves the whole
    /// node.
    pub fn dialer(&self) -> Dialer {
        Dialer::new(Arc::clone(&self.shared))
    }

    /// Sets which addresses may be dialled from now on; at first it is
    /// [`SameHost`](crate::SameHost).
    pub fn set_dial_policy(&self, policy: Arc<dyn DialPolicy>) {
        self.shared.dials.set_policy(policy);
    }

    /// Sets where the records of clients are stored from now on. It belongs to an engine that was started with
    /// the records in it, [`Boot::recovered`](nfs4_engine::Boot::recovered), and is set before the first
    /// connection; [`NodeBuilder::stable`](crate::NodeBuilder::stable) does both.
    pub fn set_stable_store(&self, store: Arc<dyn StableStore>) {
        self.shared.stores.set(store);
    }

    /// What `read` returns of the engine, under its lock.
    ///
    /// # Errors
    /// The engine is dead.
    #[cfg(feature = "__test")]
    #[doc(hidden)]
    pub fn look<R>(&self, read: impl FnOnce(&Engine) -> R) -> Result<R, EngineDead> {
        Ok(read(&self.shared.lock()?.engine))
    }

    /// The time by the node's clock, for a transport that has to know when a sleep is over.
    pub fn now(&self) -> Mono {
        self.shared.clock.now().mono
    }

    /// Number of handles of this server: nodes, connections, timers and dialers.
    #[cfg(feature = "conformance")]
    pub(crate) fn handles(&self) -> usize {
        Arc::strong_count(&self.shared)
    }

    /// Number of times that the engine's lock was taken since the start: it rises with all that the
    /// node does for a client.
    pub fn lock_acquisitions(&self) -> u64 {
        self.shared.acquisitions.load(Ordering::Relaxed)
    }
}

/// Number of connections that are looked at under one hold of the lock; each may be bound to 64 sessions.
const CONNECTIONS_AT_ONCE: usize = 16;
