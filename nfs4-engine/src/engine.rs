//! The state machine.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::action::Outbox;
use crate::boot::{Boot, BootFault};
use crate::compound::Compound;
use crate::config::{Config, ConfigFault, ConfigFaults};
use crate::core::Core;
use crate::exports::{Export, ExportFault, Exports, Fh};
use crate::fs::{FsCall, FsError, FsFault, FsHandle};
use crate::ids::ConnId;
use crate::input::Input;
use crate::map::Keyed;
use crate::slab::Slab;
use crate::state::Touch;
use crate::time::{Mono, Now};
use crate::timer::Due;

/// An NFSv4 server without IO.
pub struct Engine {
    pub(crate) core: Core,
    /// COMPOUNDs that wait for a file system.
    pub(crate) parked: Slab<Box<Compound>>,
    /// COMPOUNDs that are done and lend their memory to the next ones.
    #[expect(clippy::vec_box, reason = "they are parked by moving the box")]
    pub(crate) idle: Vec<Box<Compound>>,
}

/// Why a timer is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerReason {
    /// A client's lease may have run out.
    Lease,
    /// A draining connection has had its time.
    Drain,
    /// A lock was kept for somebody who waited for it, and has not come.
    Turn,
    /// Memory for replies runs short, and slots must come back.
    Slots,
    /// A callback has waited for long enough, for an answer or for its turn.
    Callback,
    /// The callback path to a client of minor version 0 is to be looked at.
    Path,
    /// Replies of minor version 0 are old enough to be forgotten.
    Replies,
    /// A COMPOUND has waited long enough for what a client answers.
    Hold,
    /// A COMPOUND that walks over much goes on, after others have had their turn.
    Yielded,
    /// A recalled delegation has had its time, or its client must be told again.
    Recall,
}

/// Why an engine cannot start: all that is wrong with what it was given, not just the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct StartError {
    /// What cannot be so in [`Boot`].
    pub boot: Vec<BootFault>,
    /// Settings that are out of range.
    pub config: Vec<ConfigFault>,
    /// Why the exports cannot be served.
    pub exports: Vec<ExportFault>,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let mut tell = |fault: &dyn fmt::Display| {
            let told = write!(f, "{between}{fault}");
            between = "; ";
            told
        };
        self.boot.iter().try_for_each(|fault| tell(fault))?;
        self.config.iter().try_for_each(|fault| tell(fault))?;
        self.exports.iter().try_for_each(|fault| tell(fault))
    }
}

/// How long the engine's tables are, for tests and for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableLengths {
    /// Connections that are open.
    pub connections: usize,
    /// Client records, confirmed or not.
    pub clients: usize,
    /// Sessions.
    pub sessions: usize,
    /// Open owners and lock owners.
    pub owners: usize,
    /// Opens: one for each owner and file.
    pub opens: usize,
    /// Lock stateids: one for each lock owner and open.
    pub locks: usize,
    /// Files that somebody has open.
    pub files: usize,
    /// Locks that were denied to somebody who waits for them.
    pub waiting: usize,
    /// Callbacks that are accepted and not ended.
    pub callbacks: usize,
    /// Callbacks on the wire, those among them that nobody waits for any more.
    pub flights: usize,
    /// Delegations that clients have for reading.
    pub read_delegations: usize,
    /// Delegations that clients have for writing.
    pub write_delegations: usize,
    /// Delegations that were revoked, which their clients have not acknowledged.
    pub revoked_delegations: usize,
    /// COMPOUNDs that wait for a file system.
    pub parked: usize,
    /// Replies of minor version 0 kept for retries.
    pub kept_replies: usize,
    /// COMPOUNDs that wait for what a client answers.
    pub held: usize,
    /// COMPOUNDs that let others have their turn.
    pub yielded: usize,
    /// Bytes of replies kept for replay.
    pub cached_bytes: usize,
    /// Reminders that are set, those of what has gone since included.
    pub timers: usize,
}

impl Engine {
    /// A server of these file systems.
    ///
    /// # Errors
    /// All that is wrong with the boot's data, the settings and the exports.
    pub fn new(
        boot: Boot,
        config: Config,
        exports: Vec<Export>,
        now: Now,
    ) -> Result<Engine, StartError> {
        let wrong = StartError {
            boot: boot.faults(),
            config: config
                .validate()
                .map_or_else(|ConfigFaults(faults)| faults, |()| Vec::new()),
            ..StartError::default()
        };
        let exports = match Exports::new(exports, Keyed::new(boot.entropy)) {
            Ok(exports) if wrong == StartError::default() => exports,
            exports => {
                let exports = exports.err().unwrap_or_default();
                return Err(StartError { exports, ..wrong });
            }
        };
        let core = Core::new(boot, config, exports, now);
        Ok(Engine {
            core,
            parked: Slab::new(),
            idle: Vec::new(),
        })
    }

    /// Takes one input; all that it causes is in `out` on return.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        self.core.states.walked = 0;
        match input {
            Input::Call(call) => {
                self.call(now, call, out);
                self.core.after_request(now, out);
            }
            Input::FsDone { ticket, result } => self.fs_done(now, ticket, result, out),
            Input::ConnOpened { conn, peer } => self.core.connection_opened(conn, peer),
            Input::ReleasePanicked => {
                let fault = FsFault::Error(FsError::Panicked);
                let faults = &mut self.core.faults;
                faults.tell(None, FsCall::Release, fault, now.mono, out);
            }
            Input::ConnClosed { conn } => self.core.connection_closed(conn, now, out),
            Input::CallbackReply(reply) => self.core.callback_reply(reply, now, out),
            Input::Dialed { dial, result } => self.core.dialed(dial, result, now, out),
            Input::Touched { export, fh, touch } => {
                let fh = Fh { export, handle: fh };
                self.core.touched(&fh, touch, now, out);
            }
            Input::Admin(admin) => self.administer(now, admin, out),
        }
        if !self.core.holds.is_empty() {
            self.wake(now, out);
        }
    }

    /// The earliest timer and why it is set.
    pub fn next_timeout(&self) -> Option<(Mono, TimerReason)> {
        self.core.timers.next().map(|(at, due)| match due {
            Due::Lease(_) => (at, TimerReason::Lease),
            Due::Drain(_) => (at, TimerReason::Drain),
            Due::Turn(_) => (at, TimerReason::Turn),
            Due::Slots => (at, TimerReason::Slots),
            Due::Callback(_) => (at, TimerReason::Callback),
            Due::Path(_) => (at, TimerReason::Path),
            Due::Replies => (at, TimerReason::Replies),
            Due::Hold => (at, TimerReason::Hold),
            Due::Yielded => (at, TimerReason::Yielded),
            Due::Recall(_) => (at, TimerReason::Recall),
        })
    }

    /// Does what is due, at most `budget` steps of it and at least one; `true` if work is left.
    pub fn handle_timeout(&mut self, now: Now, mut budget: usize, out: &mut Outbox) -> bool {
        budget = budget.max(1);
        while budget > 0 {
            let Some(due) = self.core.timers.pop_due(now.mono) else {
                return false;
            };
            self.core.states.walked = 0;
            // A step for looking, taken after those for what is found, so that one is progress.
            let done = match due {
                Due::Lease(client) => self.core.look_at_lease(client, now, &mut budget, out),
                Due::Turn(file) => {
                    self.core.give_turns(file, now, out);
                    budget = budget.saturating_sub(self.core.states.walked);
                    true
                }
                Due::Yielded => {
                    self.take_up(now, out);
                    budget = budget.saturating_sub(self.core.states.walked);
                    true
                }
                Due::Replies => self.core.forget_replies(now.mono, &mut budget),
                Due::Drain(conn) => self.look_at_drain(conn, now, &mut budget, out),
                Due::Hold => {
                    self.wake(now, out);
                    true
                }
                Due::Recall(key) => {
                    self.core.look_at_recall(key, now, out);
                    true
                }
                Due::Slots => self.core.recall_slots(now, &mut budget, out),
                Due::Path(client) => {
                    self.core.look_at_path(client, now, out);
                    true
                }
                Due::Callback(call) => {
                    self.core.look_at_callback(call, now, out);
                    true
                }
            };
            budget = budget.saturating_sub(1);
            if !done {
                self.core.timers.set(now.mono, due);
            }
        }
        self.core
            .timers
            .next()
            .is_some_and(|(at, _)| at <= now.mono)
    }

    /// Whether nobody has a delegation that forbids something that is no client of this server to
    /// do this to a file. [RFC 8881 §10.2]
    ///
    /// The file system is named by its place in the list of exports. Delegations that are in the
    /// way are recalled by [`Input::Touched`], which comes first: the file is not delegated again
    /// for the time of [`Config::delegation_pause`].
    pub fn may_touch(&self, export: u16, fh: FsHandle, touch: Touch) -> bool {
        let fh = Fh { export, handle: fh };
        self.core
            .states
            .in_the_way(&fh, None, touch)
            .next()
            .is_none()
    }

    /// Whether a connection is bound to a session, or was made to call a client back: what a driver
    /// that runs short of connections lets go last. What a client of minor version 0 has does not
    /// hang on a connection. [RFC 8881 §2.10.3.1]
    pub fn is_bound(&self, conn: ConnId) -> bool {
        let connection = self.core.connections.get(conn);
        connection.is_some_and(|found| !found.sessions.is_empty() || found.serves.is_some())
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.core.config
    }

    /// How long the tables are.
    pub fn table_lengths(&self) -> TableLengths {
        let states = self.core.states.counts();
        let (_, kept_replies, kept_bytes) = self.core.duplicates.counts();
        let [read_delegations, write_delegations] = states.delegations;
        TableLengths {
            connections: self.core.connections.len(),
            clients: self.core.clients.len(),
            sessions: self.core.sessions.len(),
            owners: states.owners,
            opens: states.opens,
            locks: states.locks,
            files: states.files,
            waiting: states.waiting,
            read_delegations,
            write_delegations,
            revoked_delegations: states.revoked,
            callbacks: self.core.callbacks.calls.len() + self.core.callbacks.path_calls.len(),
            flights: self.core.callbacks.flights.len(),
            parked: self.parked.len() - self.core.holds.len() - self.core.yielded.len(),
            held: self.core.holds.len(),
            yielded: self.core.yielded.len(),
            kept_replies,
            cached_bytes: self.core.sessions.kept.all() + kept_bytes,
            timers: self.core.timers.len(),
        }
    }
}
