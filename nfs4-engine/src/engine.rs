//! The state machine.

use alloc::vec::Vec;
use core::fmt;

use crate::action::Outbox;
use crate::admin::{Admin, AdminFault};
use crate::boot::{Boot, BootFault};
use crate::config::{Config, ConfigFault, ConfigFaults};
use crate::core::Core;
use crate::delegation_kind::Touch;
use crate::duplicates;
use crate::export::{Export, ExportFault};
use crate::exports::Exports;
use crate::fh::Fh;
use crate::fs::driver::{FsCall, FsFault};
use crate::fs::{FsError, FsHandle};
use crate::ids::ConnId;
use crate::input::Input;
use crate::map::Keyed;
use crate::metrics::{ExportLevel, Levels};
#[cfg(feature = "record")]
use crate::record::start::Start;
use crate::run::Runner;
use crate::table_lengths::TableLengths;
use crate::time::{Mono, Now};
use crate::timer::{Due, TimerReason};

/// An NFSv4 server without IO.
pub struct Engine {
    pub(crate) runner: Runner,
    #[cfg(feature = "record")]
    start: Start,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("tables", &self.table_lengths())
            .finish_non_exhaustive()
    }
}

/// Why an engine cannot start: all faults of its arguments, not just the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct StartError {
    /// Faults of the [`Boot`].
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

impl Engine {
    /// A server of these exports.
    ///
    /// # Errors
    /// All faults of the boot data, the settings and the exports.
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
        #[cfg(feature = "record")]
        let start = Start::new(boot.clone(), config.clone(), &exports, now);
        let exports = match Exports::new(exports, boot.epoch, Keyed::new(boot.entropy)) {
            Ok(exports) if wrong == StartError::default() => exports,
            exports => {
                let exports = exports.err().unwrap_or_default();
                return Err(StartError { exports, ..wrong });
            }
        };
        let mut core = Core::new(boot, config, exports, now);
        core.watch_grace();
        Ok(Engine {
            runner: Runner::new(core),
            #[cfg(feature = "record")]
            start,
        })
    }

    /// What it was started with.
    #[cfg(feature = "record")]
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// Processes one input; all actions that it causes are in `out` on return.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outbox) {
        out.now = now;
        self.runner.core.states.walked = 0;
        match input {
            Input::Call(call) => {
                self.runner.call(call, out);
                self.runner.core.after_request(out);
            }
            Input::FsDone { ticket, result } => {
                // A result is large: it is lent from here on, and moved once.
                self.runner.fs_done(ticket, &mut Some(result), out);
            }
            Input::ConnOpened { conn, peer } => {
                self.runner.core.connection_opened(conn, peer, now.wall);
            }
            Input::ReleasePanicked => {
                let fault = FsFault::Error(FsError::Panicked);
                let core = &mut self.runner.core;
                core.report_fs_fault(None, FsCall::Release, fault, None, out);
            }
            Input::ConnHalfClosed { conn } => self.runner.core.connection_half_closed(conn, out),
            Input::ConnClosed { conn } => self.runner.core.connection_closed(conn, out),
            Input::CallbackReply(reply) => self.runner.core.callback_reply(reply, out),
            Input::Dialed { dial, result } => self.runner.core.dialed(dial, result, out),
            Input::Touched { export, fh, touch } => {
                let fh = Fh { export, handle: fh };
                self.runner.core.touched(&fh, touch, out);
            }
            Input::LeaseLost { export, fh, touch } => {
                let fh = Fh { export, handle: fh };
                self.runner.core.lease_lost(&fh, touch, out);
            }
            Input::Admin(admin) => self.runner.administer(admin, out),
            Input::StableDone { ticket, result } => self.runner.stable_done(ticket, result, out),
        }
        if !self.runner.core.callback_waits.is_empty() {
            self.runner.wake(out);
        }
        self.return_unlocked(out);
    }

    #[inline]
    fn return_unlocked(&mut self, out: &mut Outbox) {
        if !self.runner.core.states.unlocked.is_empty() {
            self.runner.core.return_unlocked(out);
        }
    }

    /// The deadline of the earliest timer, and why it is set.
    pub fn next_timeout(&self) -> Option<(Mono, TimerReason)> {
        let (at, due) = self.runner.core.timers.next()?;
        Some((at, due.reason()))
    }

    /// Runs timers that are due, at most `budget` steps and at least one; `true` if work is left.
    pub fn handle_timeout(&mut self, now: Now, mut budget: usize, out: &mut Outbox) -> bool {
        out.now = now;
        budget = budget.max(1);
        while budget > 0 {
            let Some((_, due)) = self.runner.core.timers.pop_due(now.mono) else {
                return false;
            };
            self.runner.core.states.walked = 0;
            // One step for the check itself, taken after those for what it finds, so that one is progress.
            let done = match due {
                Due::Lease(client) => self.runner.core.on_lease_timer(client, &mut budget, out),
                Due::LockGrant(file) => {
                    self.runner.core.on_lock_grant_timer(file, out);
                    budget = budget.saturating_sub(self.runner.core.states.walked);
                    true
                }
                Due::Yielded => {
                    self.runner.resume_yielded(out);
                    budget = budget.saturating_sub(self.runner.core.states.walked);
                    true
                }
                Due::Replies => self.runner.core.forget_replies(now.mono, &mut budget),
                Due::Drain(conn) => self.runner.on_drain_timer(conn, &mut budget, out),
                Due::CallbackWait => {
                    self.runner.wake(out);
                    true
                }
                Due::Recall(key) => {
                    self.runner.core.on_recall_timer(key, out);
                    true
                }
                Due::Stores => self.runner.core.on_stores_timer(&mut budget, out),
                Due::Grace => self.runner.core.on_grace_timer(&mut budget, out),
                Due::Courtesy => self.runner.core.on_courtesy_timer(&mut budget, out),
                Due::Revocation => self.runner.core.on_revocation_timer(&mut budget, out),
                Due::Slots => self.runner.core.recall_slots(&mut budget, out),
                Due::Exports => self.runner.core.search_exports(&mut budget, out),
                Due::Path(client) => {
                    self.runner.core.on_path_timer(client, out);
                    true
                }
                Due::Slow => {
                    self.runner.on_slow_timer(out);
                    true
                }
                Due::Callback(call) => {
                    self.runner.core.on_callback_timer(call, out);
                    true
                }
            };
            budget = budget.saturating_sub(1);
            self.return_unlocked(out);
            if !done {
                self.runner.core.timers.set(now.mono, due);
            }
        }
        self.runner
            .core
            .timers
            .next()
            .is_some_and(|(at, _)| at <= now.mono)
    }

    /// Whether the administrator's request can be carried out.
    ///
    /// # Errors
    /// There is nothing of that name, or settings would be out of their range: then all of those.
    pub fn check_admin(&self, admin: &Admin) -> Result<(), AdminFault> {
        self.runner.core.check_admin(admin)
    }

    /// Whether no delegation conflicts with an access to a file by a program that is no client of this
    /// server. [RFC 8881 §10.2]
    ///
    /// The file system is named by the number of its export. Conflicting delegations are recalled
    /// by [`Input::Touched`], which comes first: the file is not delegated again for the time of
    /// [`Config::delegation_pause`].
    pub fn may_touch(&self, export: u16, fh: FsHandle, touch: Touch) -> bool {
        let fh = Fh { export, handle: fh };
        self.runner
            .core
            .states
            .in_the_way(&fh, None, touch)
            .next()
            .is_none()
    }

    /// Whether a connection is bound to a session, or was made to call a client back: a driver that runs
    /// short of connections closes such a connection last. State of a client of 4.0 does not depend on
    /// a connection. [RFC 8881 §2.10.3.1]
    pub fn is_bound(&self, conn: ConnId) -> bool {
        let connection = self.runner.core.connections.get(conn);
        connection.is_some_and(|found| !found.sessions.is_empty() || found.serves().is_some())
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.runner.core.config
    }

    /// What there is at the moment, and what there may be at most: for a [`Recorder`](crate::metrics::Recorder).
    pub fn levels(&self) -> Levels<'_> {
        let core = &self.runner.core;
        let config = &core.config;
        let exports = core.exports.all().filter(|served| !served.is_ending());
        let max_cached = config.max_reply_cache;
        let max_cached = max_cached.saturating_add(duplicates::MAX_BYTES as u64);
        Levels {
            tables: self.table_lengths(),
            connections: core.connections.levels(),
            max_clients: config.max_clients as usize,
            max_sessions: config.max_sessions as usize,
            max_states: config.max_states as usize,
            max_delegations: config.max_delegations as usize,
            max_cached_bytes: max_cached,
            started: core.started.wall,
            exports: exports
                .map(|served| {
                    let (path, number) = (served.export.path.as_str(), served.number());
                    ExportLevel::new(path, number, core.clients.visitors(number))
                })
                .collect(),
        }
    }

    /// The lengths of the tables.
    pub fn table_lengths(&self) -> TableLengths {
        let states = self.runner.core.states.counts();
        let (_, kept_replies, kept_bytes) = self.runner.core.duplicates.counts();
        let [read_delegations, write_delegations] = states.delegations;
        TableLengths {
            connections: self.runner.core.connections.len(),
            clients: self.runner.core.clients.len(),
            courteous_clients: self.runner.core.clients.courteous_len(),
            sessions: self.runner.core.sessions.len(),
            owners: states.owners,
            opens: states.opens,
            locks: states.locks,
            files: states.files,
            waiting: states.waiting,
            states: states.all,
            read_delegations,
            write_delegations,
            revoked_delegations: states.revoked,
            lost_states: states.remembered,
            callbacks: self.runner.core.callbacks.calls.len()
                + self.runner.core.callbacks.path_calls.len(),
            flights: self.runner.core.callbacks.flights.len(),
            parked: self.runner.parked.len()
                - self.runner.core.callback_waits.len()
                - self.runner.core.stores.waiting()
                - self.runner.core.yielded.len(),
            stores: self.runner.core.stores.len(),
            storing: self.runner.core.stores.waiting(),
            held: self.runner.core.callback_waits.len(),
            yielded: self.runner.core.yielded.len(),
            kept_replies,
            cached_bytes: self.runner.core.sessions.reply_memory().0.all() + kept_bytes,
            timers: self.runner.core.timers.len(),
        }
    }
}
