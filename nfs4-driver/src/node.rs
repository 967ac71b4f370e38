//! The engine behind its lock.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use nfs4_engine::fs::{CompletionSink, FsHandle, FsResult, FsTicket};
use nfs4_engine::metrics::{Metrics, Recorder};
use nfs4_engine::snapshot::{ClientView, Cursor, Page, SessionView};
use nfs4_engine::{
    Action, Admin, AdminFault, Config, ConfigFaults, ConnId, Engine, Input, Mono, Outbox, Reply,
    Segment, TableLengths, Touch,
};

use crate::clock::{Clock, SystemClock};
use crate::connection::{Connection, Side};
use crate::dial::{Dialer, Dials, Wanted};
use crate::limits::Limits;
use crate::log;
use crate::mailbox::Mailbox;
use crate::policy::DialPolicy;
use crate::pool::BufferPool;
use crate::timer::{Timer, Timers};
use crate::turn::{Turn, Work};

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

pub(crate) struct Shared {
    locked: Mutex<Locked>,
    acquisitions: AtomicU64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) pool: Arc<BufferPool>,
    pub(crate) timers: Timers,
    pub(crate) dials: Dials,
    self_sink: Arc<dyn CompletionSink>,
}

struct Locked {
    engine: Engine,
    outbox: Outbox,
    mailboxes: HashMap<ConnId, Arc<Mailbox>>,
    next_id: ConnId,
    /// What the timers sleep for; [`Mono::NEVER`] without a deadline.
    armed: Mono,
}

/// The engine panicked once and is never called again: no half-alive server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine is dead")]
pub struct EngineDead;

/// Why nothing was done of what whoever is in charge asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// It cannot be done.
    #[error(transparent)]
    Fault(#[from] AdminFault),
    /// See [`EngineDead`].
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
}

/// Why a connection is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There are [`Limits::max_connections`] already.
    #[error("too many connections")]
    TooManyConnections,
    /// See [`EngineDead`].
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
}

impl Node {
    /// A server on the clocks of the operating system.
    ///
    /// # Errors
    /// All limits that are out of range, or too small for the engine's
    /// [`max_io`](nfs4_engine::Config::max_io).
    pub fn new(engine: Engine, limits: Limits) -> Result<Node, ConfigFaults> {
        Node::with_clock(engine, limits, Arc::new(SystemClock::new()))
    }

    /// A server on this clock: the one that told the engine the time of its start.
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
        let armed = engine.next_timeout().map_or(Mono::NEVER, |(at, _)| at);
        let shared = Arc::new_cyclic(|this: &std::sync::Weak<Shared>| Shared {
            locked: Mutex::new(Locked {
                engine,
                outbox: Outbox::new(),
                mailboxes: HashMap::new(),
                next_id: ConnId::FIRST,
                armed,
            }),
            acquisitions: AtomicU64::new(0),
            clock,
            pool: BufferPool::new(limits.max_pooled),
            dials: Dials::new(limits.max_dials),
            limits,
            timers: Timers::default(),
            self_sink: Arc::new(Orphans { node: this.clone() }),
        });
        Ok(Node { shared })
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Takes a connection in; `peer` is where it comes from, for people.
    ///
    /// # Errors
    /// There are too many connections, or the engine is dead.
    pub fn open(&self, peer: impl Into<String>) -> Result<Connection, Refused> {
        let peer = peer.into();
        let mailbox = self
            .shared
            .register(|conn| Input::ConnOpened {
                conn,
                peer: peer.clone(),
            })
            .inspect_err(|why| log::refused(&peer, *why))?;
        log::opened(mailbox.id, &peer);
        let node = Arc::clone(&self.shared);
        Ok(Connection::new(node, mailbox, peer, Side::Accepted))
    }

    /// How many connections there are.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn connections(&self) -> Result<usize, EngineDead> {
        Ok(self.shared.lock()?.mailboxes.len())
    }

    /// How long the engine's tables are.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn table_lengths(&self) -> Result<TableLengths, EngineDead> {
        Ok(self.shared.lock()?.engine.table_lengths())
    }

    /// Shows what was counted since the last time, under the engine's lock, and sets it to zero.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn metrics<R>(&self, read: impl FnOnce(&Metrics) -> R) -> Result<R, EngineDead> {
        let mut locked = self.shared.lock()?;
        let seen = read(&locked.outbox.metrics);
        locked.outbox.metrics.clear();
        Ok(seen)
    }

    /// Gives a recorder what was counted since the last time, and how busy each session is if it
    /// wants to know. The engine is held page by page.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn record(&self, recorder: &mut impl Recorder) -> Result<(), EngineDead> {
        let mut locked = self.shared.lock()?;
        let tables = locked.engine.table_lengths();
        recorder.counted(&locked.outbox.metrics, &tables);
        locked.outbox.metrics.clear();
        drop(locked);
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

    /// At most `max` client records from a place on: the start, or where the last page ended.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn clients(&self, from: Cursor, max: usize) -> Result<Page<ClientView>, EngineDead> {
        let locked = self.shared.lock()?;
        Ok(locked.engine.clients(self.shared.clock.now(), from, max))
    }

    /// At most `max` sessions from a place on: the start, or where the last page ended.
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

    /// The settings in force.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn config(&self) -> Result<Config, EngineDead> {
        Ok(self.shared.lock()?.engine.config().clone())
    }

    /// Asks for something on behalf of whoever is in charge.
    ///
    /// # Errors
    /// It cannot be done, and nothing has changed; or the engine is dead.
    pub fn admin(&self, admin: Admin) -> Result<(), AdminError> {
        let mut turn = Turn::default();
        let mut locked = self.shared.lock()?;
        locked.engine.check_admin(&admin)?;
        log::admin(&admin);
        let now = self.shared.clock.now();
        let Locked { engine, outbox, .. } = &mut *locked;
        engine.handle(now, Input::Admin(admin), outbox);
        self.shared.settle(locked, &mut turn, None);
        Ok(self.shared.finish(&mut turn)?)
    }

    /// Whether something that is no client of this server may read or change a file of the export
    /// at this place in the engine's list: no client is assured of the contrary by a delegation.
    /// Such delegations are recalled, and whoever asks comes again until he may; after a lease at
    /// the latest, since what does not come back is revoked. [RFC 8881 §10.2]
    ///
    /// This is for file systems that are used by others, too. It must not be called from within
    /// [`Backend::submit`](nfs4_engine::fs::Backend::submit), for that is the server's own doing.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn may_touch(&self, export: u16, fh: FsHandle, touch: Touch) -> Result<bool, EngineDead> {
        let mut turn = Turn::default();
        turn.inputs.push(Input::Touched { export, fh, touch });
        self.shared.exchange(&mut turn, None)?;
        self.shared.finish(&mut turn)?;
        Ok(self.shared.lock()?.engine.may_touch(export, fh, touch))
    }

    /// A timer: every transport runs one, and any of them serves the whole node.
    pub fn timer(&self) -> Timer {
        Timer::new(Arc::clone(&self.shared))
    }

    /// A dialer: every transport that can make connections runs one.
    pub fn dialer(&self) -> Dialer {
        Dialer::new(Arc::clone(&self.shared))
    }

    /// Decides from now on which addresses may be dialled; at first it is
    /// [`SameHost`](crate::SameHost).
    pub fn set_dial_policy(&self, policy: Arc<dyn DialPolicy>) {
        self.shared.dials.set_policy(policy);
    }

    /// Looks at the engine, which is held meanwhile.
    #[doc(hidden)]
    pub fn look<R>(&self, read: impl FnOnce(&Engine) -> R) -> Result<R, EngineDead> {
        Ok(read(&self.shared.lock()?.engine))
    }

    /// How often the lock was taken.
    #[doc(hidden)]
    pub fn lock_acquisitions(&self) -> u64 {
        self.shared.acquisitions.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Tells the engine all inputs of `turn` under one hold of the lock. What they cause for the
    /// connection of `own`, and all work, is in `turn` on return; the rest is in its mailboxes.
    pub(crate) fn exchange(
        &self,
        turn: &mut Turn,
        own: Option<&Mailbox>,
    ) -> Result<(), EngineDead> {
        let mut locked = self.lock()?;
        if let Some(own) = own {
            own.collect(&mut turn.mail);
        }
        let now = self.clock.now();
        let Locked {
            engine,
            outbox,
            mailboxes,
            ..
        } = &mut *locked;
        // A loop of its own: to look at an input on its way costs two copies of it.
        for input in &turn.inputs {
            if let Input::ConnClosed { conn } = input {
                mailboxes.remove(conn);
            }
        }
        for input in turn.inputs.drain(..) {
            engine.handle(now, input, outbox);
        }
        self.settle(locked, turn, own);
        Ok(())
    }

    /// Does what is due, at most a budget of it; says when to come back.
    pub(crate) fn due(&self, turn: &mut Turn) -> Result<Due, EngineDead> {
        let budget = self.limits.timer_budget as usize;
        let mut locked = self.lock()?;
        let now = self.clock.now();
        let Locked {
            engine,
            outbox,
            armed,
            ..
        } = &mut *locked;
        let left = engine.handle_timeout(now, budget, outbox);
        let next = engine.next_timeout().map_or(Mono::NEVER, |(at, _)| at);
        *armed = next;
        self.settle(locked, turn, None);
        Ok(match next {
            _ if left => Due::Now,
            Mono::NEVER => Due::Never,
            at => Due::In(at.since(now.mono)),
        })
    }

    /// Sees a turn without a connection through: its work, and what that causes.
    pub(crate) fn finish(&self, turn: &mut Turn) -> Result<(), EngineDead> {
        loop {
            turn.run_work(&self.self_sink);
            if turn.inputs.is_empty() {
                return Ok(());
            }
            self.exchange(turn, None)?;
        }
    }

    /// Delivers the answer of a file system for a connection that is gone.
    pub(crate) fn complete(&self, ticket: FsTicket, result: FsResult) {
        let mut turn = Turn::default();
        turn.inputs.push(Input::FsDone { ticket, result });
        // A dead engine has no use for it.
        let _ = self
            .exchange(&mut turn, None)
            .and_then(|()| self.finish(&mut turn));
    }

    /// Forgets a connection, whose unhandled answers are in `turn`.
    pub(crate) fn close(&self, mailbox: &Mailbox, turn: &mut Turn) {
        let done = mailbox.close();
        turn.inputs.extend(
            done.into_iter()
                .map(|(ticket, result)| Input::FsDone { ticket, result }),
        );
        turn.inputs.push(Input::ConnClosed { conn: mailbox.id });
        // A dead engine has no use for it.
        let _ = self.exchange(turn, None).and_then(|()| self.finish(turn));
    }

    /// Takes a connection in, of which the engine hears by what `opened` makes.
    pub(crate) fn register(
        self: &Arc<Shared>,
        opened: impl FnOnce(ConnId) -> Input,
    ) -> Result<Arc<Mailbox>, Refused> {
        let mut turn = Turn::default();
        let mut locked = self.lock()?;
        if locked.mailboxes.len() >= self.limits.max_connections as usize {
            return Err(Refused::TooManyConnections);
        }
        let id = locked.next_id;
        locked.next_id = id.next();
        let mailbox = Mailbox::new(id, Arc::downgrade(self));
        locked.mailboxes.insert(id, Arc::clone(&mailbox));
        let now = self.clock.now();
        let Locked { engine, outbox, .. } = &mut *locked;
        engine.handle(now, opened(id), outbox);
        self.settle(locked, &mut turn, None);
        self.finish(&mut turn)?;
        Ok(mailbox)
    }

    /// Moves every action to where it belongs before it releases the lock, and wakes afterwards.
    fn settle(&self, mut locked: MutexGuard<'_, Locked>, turn: &mut Turn, own: Option<&Mailbox>) {
        locked.route(turn, own.map(|own| own.id));
        let next = locked
            .engine
            .next_timeout()
            .map_or(Mono::NEVER, |(at, _)| at);
        let earlier = next < locked.armed;
        if earlier {
            locked.armed = next;
        }
        drop(locked);
        if earlier {
            self.timers.wake();
        }
        turn.after_lock();
        self.dials.take_in(turn);
    }

    fn lock(&self) -> Result<MutexGuard<'_, Locked>, EngineDead> {
        let locked = self.locked.lock().map_err(|_poisoned| EngineDead)?;
        self.acquisitions.fetch_add(1, Ordering::Relaxed);
        Ok(locked)
    }
}

impl Locked {
    fn route(&mut self, turn: &mut Turn, own: Option<ConnId>) {
        while let Some(action) = self.outbox.pop() {
            if log::records() {
                turn.traced.extend(traced(&self.outbox, &action));
            }
            match action {
                Action::Reply(reply) if Some(reply.conn) == own => {
                    turn.mail.output.push_reply(&self.outbox, &reply);
                    turn.mail.answered += 1;
                }
                // Without a mailbox the connection is gone, and nobody misses the reply.
                Action::Reply(reply) => {
                    if let Some(mailbox) = self.mailboxes.get(&reply.conn) {
                        turn.wakers.extend(mailbox.put_reply(&self.outbox, &reply));
                    }
                }
                Action::Callback(callback) => {
                    let call = self.outbox.call(&callback);
                    if Some(callback.conn) == own {
                        turn.mail.output.push(call);
                        turn.mail.called += 1;
                    } else if let Some(mailbox) = self.mailboxes.get(&callback.conn) {
                        turn.wakers.extend(mailbox.put_call(call));
                    }
                }
                Action::Dial { dial, target, peer } => {
                    turn.dials.push(Wanted { dial, target, peer });
                }
                Action::Close { conn } if Some(conn) == own => turn.mail.close = true,
                Action::Close { conn } => {
                    if let Some(mailbox) = self.mailboxes.get(&conn) {
                        turn.wakers.extend(mailbox.put_close());
                    }
                }
                Action::Fs {
                    ticket,
                    backend,
                    request,
                } => {
                    turn.work.push_back(Work::Request {
                        ticket,
                        backend,
                        request,
                    });
                }
                Action::Release { backend, fh } => {
                    turn.work.push_back(Work::Release { backend, fh });
                }
                Action::Event(event) => turn.events.push(event),
            }
        }
        self.outbox.clear();
    }
}

/// When a timer has to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    In(std::time::Duration),
    Never,
}

/// Takes the answers for requests that no connection of this node's submitted.
struct Orphans {
    node: std::sync::Weak<Shared>,
}

impl CompletionSink for Orphans {
    fn complete(&self, ticket: FsTicket, result: FsResult) {
        if let Some(node) = self.node.upgrade() {
            node.complete(ticket, result);
        }
    }
}

/// The bytes that an action sends, and where.
fn traced(outbox: &Outbox, action: &Action) -> Option<(ConnId, Vec<u8>)> {
    match action {
        Action::Reply(reply) => Some((reply.conn, joined(outbox, reply))),
        Action::Callback(callback) => Some((callback.conn, outbox.call(callback).to_vec())),
        Action::Dial { .. }
        | Action::Fs { .. }
        | Action::Release { .. }
        | Action::Close { .. }
        | Action::Event(_) => None,
    }
}

/// The bytes of a reply in one piece.
fn joined(outbox: &Outbox, reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in outbox.segments(reply) {
        bytes.extend_from_slice(match segment {
            Segment::Bytes(part) => part,
            Segment::Payload(part) => part,
        });
    }
    bytes
}
