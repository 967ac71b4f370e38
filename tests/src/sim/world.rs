//! The server, the network and time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use nfs4_engine::fs::driver::FsTicket;
use nfs4_engine::fs::{FsHandle, FsResult};
use nfs4_engine::metrics::{Metrics, Recorder};
use nfs4_engine::snapshot::Cursor;
use nfs4_engine::{
    Action, Config, ConnId, Direction, Engine, Event as EngineEvent, Export, Input, Mono, Now,
    Outbox, TableLengths, Touch, Wall,
};
use nfs4_proto::nfs4::SessionId;
use nfs4_proto::rpc::MessageType;

use super::bound::Bound;
use super::callback::Callback;
use super::codec::{decode, kind_of, record, xid_of};
use super::dial::{Dial, Dialling};
use super::engine_log::EngineLog;
use super::excess::Excess;
use super::fs::{Fs, Job};
use super::held::Held;
use super::network::{Event, Network};
use super::reply::Reply;
use super::stable::Stable;
use super::stopwatch::{self, Stopwatch};

/// When the file system answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// After a delay, if there are delays.
    Delayed,
    /// When the scenario says so: [`Sim::complete`], [`Sim::refuse`], or [`Sim::execute`] and later
    /// [`Sim::deliver`].
    Held,
}

/// A server on a simulated network; all time is its own.
pub struct Sim {
    pub(super) engine: Engine,
    pub(super) outbox: Outbox,
    pub(super) engine_log: EngineLog,
    pub(super) fs: Vec<Arc<Fs>>,
    pub(super) exports: Vec<Export>,
    pub(super) boots: u32,
    pub(super) network: Network,
    pub(super) now: u64,
    pub(super) pace: Pace,
    /// Timers that are due do not run.
    pub(super) late: bool,
    pub(super) held: Held,
    /// Stable storage, if the server has any.
    pub(super) stable: Option<Stable>,
    /// Connections that the engine was told of and not told that they are gone.
    pub(super) known: Vec<ConnId>,
    /// How often the tables were to be checked.
    pub(super) checks: u64,
    /// File-system requests that the engine waits for.
    pub(super) outstanding: usize,
    pub(super) inbox: Vec<Reply>,
    pub(super) callbacks: Vec<Callback>,
    pub(super) dialling: Dialling,
    pub(super) dials: Vec<Dial>,
    pub(super) events: Vec<EngineEvent>,
    /// What a file system does that it may not do ends the scenario, until this is set.
    pub(super) may_do_wrong: bool,
    pub(super) bound: Bound,
    pub(super) excess: Excess,
    pub(super) trace: Vec<u8>,
    /// Number of seconds by which the clock on the wall was set back.
    pub(super) wall_back: i64,
    pub(super) stopwatch: Stopwatch,
    pub(super) xid: u32,
}

impl Sim {
    /// The file system, or the first of them.
    pub fn fs(&self) -> &Fs {
        &self.fs[0]
    }

    /// What a start of the server serves.
    pub fn exports(&self) -> &[Export] {
        &self.exports
    }

    /// The connections.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How long the engine's tables are.
    pub fn tables(&self) -> TableLengths {
        self.engine.table_lengths()
    }

    /// What the engine has counted.
    pub fn metrics(&self) -> &Metrics {
        &self.outbox.metrics
    }

    /// The engine, to be looked at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What time it is.
    pub fn clock(&self) -> Now {
        let mut now = at(self.now);
        now.wall.seconds -= self.wall_back;
        now
    }

    /// The clock on the wall is set back by so many seconds; the other goes on.
    pub fn set_back(&mut self, seconds: i64) {
        self.wall_back += seconds;
    }

    /// Gives a recorder all that was counted since this was last called, as a driver does.
    pub fn record(&mut self, recorder: &mut impl Recorder) {
        recorder.counted(&self.outbox.metrics, &self.engine.levels());
        self.outbox.metrics.clear();
        if !recorder.wants_sessions() {
            return;
        }
        let mut loads = Vec::new();
        let mut next = Some(Cursor::default());
        while let Some(from) = next {
            next = self.engine.session_loads(from, &mut loads);
        }
        recorder.sessions(&loads);
        recorder.end();
    }

    /// The engine's settings.
    pub fn settings(&self) -> &Config {
        self.engine.config()
    }

    /// What the engine told of, since this was last called.
    pub fn take_events(&mut self) -> Vec<EngineEvent> {
        std::mem::take(&mut self.events)
    }

    /// Everything that the engine did, in the order and at the times that it did it.
    pub fn trace(&self) -> &[u8] {
        &self.trace
    }

    /// Forgets what it has noted so far: the trace, events, and what file systems were asked.
    pub fn forget(&mut self) {
        self.trace = Vec::new();
        self.events = Vec::new();
        for fs in &self.fs {
            fs.forget();
        }
    }

    /// Changes when the file system answers.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// A transaction id that was not used before.
    pub fn xid(&mut self) -> u32 {
        self.xid += 1;
        self.xid
    }

    /// A new connection, from the same host as all others.
    pub fn connect(&mut self) -> ConnId {
        self.connect_from("192.0.2.1")
    }

    /// A new connection from this host.
    pub fn connect_from(&mut self, host: &str) -> ConnId {
        let conn = self.network.connect();
        let peer = format!("{host}:{conn}");
        self.handle(Input::ConnOpened { conn, peer });
        conn
    }

    /// Whether something that is no client may do this to the file of this handle; if not, that is
    /// seen to.
    ///
    /// # Panics
    /// If the handle is none of the server's.
    pub fn touch(&mut self, fh: &[u8], touch: Touch) -> bool {
        let (export, fh) = parts(fh);
        self.handle(Input::Touched { export, fh, touch });
        self.engine.may_touch(export, fh, touch)
    }

    /// The file system gives up its lease of the file of this handle, as another process does this.
    ///
    /// # Panics
    /// If the handle is none of the server's.
    pub fn lose_lease(&mut self, fh: &[u8], touch: Touch) {
        let (export, fh) = parts(fh);
        self.handle(Input::LeaseLost { export, fh, touch });
    }

    /// A connection dies: what is under way on it is lost, and the server learns of it later.
    pub fn kill(&mut self, conn: ConnId) {
        self.network.kill(conn, self.now);
    }

    /// A client ends its half of a connection, and the server learns of it at once.
    pub fn end_half(&mut self, conn: ConnId) {
        self.handle(Input::ConnHalfClosed { conn });
    }

    /// Sends a record; nothing happens if the connection is dead.
    pub fn send(&mut self, conn: ConnId, record: Vec<u8>) {
        self.network.send_up(conn, record, self.now);
    }

    /// Sends a record, lets things happen until the reply to it has come, and returns that.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn exchange(&mut self, conn: ConnId, record: Vec<u8>) -> Reply {
        let xid = xid_of(&record);
        self.send(conn, record);
        loop {
            if let Some(reply) = self.take_reply(xid) {
                return reply;
            }
            assert!(self.step(), "the call is not answered");
        }
    }

    /// The reply to a call, if it has come.
    pub fn take_reply(&mut self, xid: u32) -> Option<Reply> {
        let at = self.inbox.iter().position(|reply| reply.xid() == xid)?;
        Some(self.inbox.remove(at))
    }

    /// All calls of the server's that have come.
    pub fn take_callbacks(&mut self) -> Vec<Callback> {
        std::mem::take(&mut self.callbacks)
    }

    /// All replies that have come.
    pub fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.inbox)
    }

    /// Lets everything happen that is under way, timers too while time goes on.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Lets one thing happen that is under way; `false` if there is nothing.
    pub fn step(&mut self) -> bool {
        if let Some((ticket, write)) = self.stable.as_mut().and_then(Stable::next) {
            self.stored(ticket, write, Ok(()));
            return true;
        }
        let Some(at) = self.network.next_time() else {
            // What the engine has put off, so that others have their turn, goes on.
            let next = self.engine.next_timeout();
            let is_due = next.is_some_and(|(due, _)| due.as_nanos() <= self.now);
            if is_due && !self.late {
                self.run_timers_until(self.now);
            }
            return is_due && !self.late;
        };
        if !self.late {
            self.run_timers_until(at);
        }
        self.now = self.now.max(at);
        if let Some(event) = self.network.pop() {
            self.happen(event);
        }
        true
    }

    /// Time goes on, with all that is under way and with timers.
    pub fn sleep(&mut self, span: Duration) {
        self.late = false;
        let until = self.now + nanos(span);
        // One after the other: what a timer sets off may happen within the time.
        loop {
            while let Some((ticket, write)) = self.stable.as_mut().and_then(Stable::next) {
                self.stored(ticket, write, Ok(()));
            }
            let timer = self.engine.next_timeout().map(|(due, _)| due.as_nanos());
            let event = self.network.next_time();
            match (event, timer) {
                (Some(at), due) if at <= until && due.is_none_or(|due| at <= due) => {
                    self.step();
                }
                (_, Some(due)) if due <= until => self.run_timers_until(due.max(self.now)),
                _ => break,
            }
        }
        self.now = until;
    }

    /// Time goes on, and no timer runs until [`Sim::run_timers`] or [`Sim::sleep`].
    pub fn jump(&mut self, span: Duration) {
        self.late = true;
        self.now += nanos(span);
    }

    /// Lets everything happen that takes no time, and no timer run.
    pub fn settle(&mut self) {
        while self.network.next_time().is_some_and(|at| at <= self.now) {
            if let Some(event) = self.network.pop() {
                self.happen(event);
            }
        }
    }

    /// Lets the timers run that are due, and what they cause happen.
    pub fn run_timers(&mut self) {
        self.late = false;
        self.run_timers_until(self.now);
        self.settle();
    }

    /// Lets the timers that are due take so many steps; `true` if there is more to do.
    pub fn step_timers(&mut self, budget: usize) -> bool {
        let now = self.clock();
        let (engine, outbox) = (&mut self.engine, &mut self.outbox);
        self.engine_log.timers(now, budget, outbox);
        let step = || engine.handle_timeout(now, budget, outbox);
        let is_left = self.stopwatch.time("timer", step);
        self.engine_log.caused(&mut self.outbox);
        self.carry_out();
        is_left
    }

    /// The time since the start.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// What the engine's turns since this was last asked were for, and how long they took by the
    /// clock of the machine; of a server that is [`Sim::measured`].
    pub fn turns(&mut self) -> Vec<(&'static str, Duration)> {
        self.stopwatch.take()
    }

    /// Which connections are bound to which sessions, as the tables have it.
    pub fn bindings(&self) -> Vec<(SessionId, ConnId, Direction)> {
        self.engine.bindings()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToServer { conn, record } => self.handle(decode(conn, &record)),
            Event::ToClient { conn, record } => match kind_of(&record) {
                MessageType::Reply => self.inbox.push(Reply::new(conn, &record)),
                MessageType::Call => self.callbacks.push(Callback::new(conn, &record)),
            },
            Event::Dialed { dial, result } => self.handle(Input::Dialed { dial, result }),
            Event::Closed { conn } => self.handle(Input::ConnClosed { conn }),
            Event::Shut { conn } => self.network.kill(conn, self.now),
            Event::Submit(job) => {
                let (ticket, result) = job.carry_out();
                self.network.done(ticket, result, self.now);
            }
            Event::Done { ticket, result } => self.done(ticket, *result),
        }
    }

    pub(super) fn done(&mut self, ticket: FsTicket, result: FsResult) {
        self.outstanding -= 1;
        self.handle(Input::FsDone { ticket, result });
    }

    pub(super) fn handle(&mut self, input: Input) {
        match &input {
            Input::ConnOpened { conn, .. } => self.known.push(*conn),
            Input::ConnClosed { conn } => self.known.retain(|known| known != conn),
            Input::Dialed { result, .. } => self.known.extend(result.ok()),
            _ => {}
        }
        let now = self.clock();
        let (engine, outbox) = (&mut self.engine, &mut self.outbox);
        let kind = stopwatch::kind_of(&input);
        self.engine_log.input(now, &input, outbox);
        self.stopwatch
            .time(kind, || engine.handle(now, input, outbox));
        self.engine_log.caused(&mut self.outbox);
        self.carry_out();
    }

    fn run_timers_until(&mut self, until: u64) {
        while let Some((due, _)) = self.engine.next_timeout() {
            if due.as_nanos() > until {
                break;
            }
            self.now = self.now.max(due.as_nanos());
            while self.step_timers(TIMER_BUDGET) {}
        }
    }

    fn carry_out(&mut self) {
        let mut answered = BTreeSet::new();
        while let Some(action) = self.outbox.pop() {
            self.note(&action);
            match action {
                Action::Reply(reply) => {
                    self.assert_open(reply.conn);
                    answered.insert(reply.conn);
                    let record = record(&self.outbox, &reply);
                    if !self.stopwatch.is_running() {
                        self.trace.extend_from_slice(&record);
                    }
                    self.network.send_down(reply.conn, record, self.now);
                }
                Action::Fs {
                    ticket,
                    backend,
                    request,
                } => {
                    self.outstanding += 1;
                    let job = Job {
                        ticket,
                        backend,
                        request,
                    };
                    match self.pace {
                        Pace::Delayed => self.network.submit(job, self.now),
                        Pace::Held => self.held.wait(job),
                    }
                }
                Action::Callback(callback) => {
                    self.assert_open(callback.conn);
                    let record = self.outbox.call(&callback).to_vec();
                    self.check_callback(callback.conn, &record);
                    self.trace.extend_from_slice(&record);
                    self.network.send_down(callback.conn, record, self.now);
                }
                Action::Dial { dial, target, peer } => self.dial(dial, target, peer),
                Action::Release { backend, fh, .. } => backend.release(fh),
                Action::Unlease { backend, fh, .. } => backend.unlease(fh),
                Action::Unlock {
                    backend, fh, locks, ..
                } => backend.unlock(fh, &locks),
                Action::Forget { backend, .. } => drop(backend),
                Action::Known { conn } => self.assert_open(conn),
                Action::Stable { ticket, write } => {
                    let stable = self.stable.as_mut();
                    stable.expect("there is stable storage").ask(ticket, write);
                }
                // Nothing else holds the file system here.
                Action::Close { conn } => {
                    self.assert_open(conn);
                    self.network.close(conn, self.now);
                }
                Action::Event(event) => {
                    if let EngineEvent::Bound { conn, .. } = event {
                        assert!(!answered.contains(&conn), "{conn}: answered, then bound");
                    }
                    let is_fault = matches!(event, EngineEvent::FileSystemFault { .. });
                    assert!(self.may_do_wrong || !is_fault, "MemFs did wrong: {event:?}");
                    self.bound.hear(&event);
                    self.events.push(event);
                }
                other => unreachable!("{other:?} is not known here"),
            }
        }
        self.outbox.clear();
        let parked = self.tables().parked;
        assert_eq!(parked, self.outstanding, "each waits for one answer");
        self.check();
    }

    fn note(&mut self, action: &Action) {
        if self.stopwatch.is_running() {
            return;
        }
        let mut line = format!("{} ", self.now);
        // Writing to a string cannot fail.
        let _ = match action {
            Action::Reply(reply) => write!(line, "reply {}", reply.conn),
            Action::Callback(callback) => write!(line, "callback {}", callback.conn),
            Action::Dial { dial, target, .. } => write!(line, "dial {dial:?} {target}"),
            Action::Fs {
                ticket, request, ..
            } => write!(line, "fs {ticket:?} {request:?}"),
            Action::Release { fh, .. } => write!(line, "release {fh:?}"),
            Action::Unlease { fh, .. } => write!(line, "unlease {fh:?}"),
            Action::Unlock { fh, locks, .. } => write!(line, "unlock {fh:?} {locks:?}"),
            Action::Forget { export, .. } => write!(line, "forget {export}"),
            Action::Known { conn } => write!(line, "known {conn}"),
            Action::Stable { ticket, write } => write!(line, "store {ticket:?} {write:?}"),
            Action::Close { conn } => write!(line, "close {conn}"),
            Action::Event(event) => write!(line, "event {event:?}"),
            other => unreachable!("{other:?} is not known here"),
        };
        line.push('\n');
        self.trace.extend_from_slice(line.as_bytes());
    }
}

impl Default for Sim {
    fn default() -> Sim {
        Sim::new()
    }
}

pub(super) fn at(nanos: u64) -> Now {
    Now {
        mono: Mono::from_nanos(nanos),
        wall: Wall {
            seconds: 1_700_000_000 + (nanos / 1_000_000_000) as i64,
            nanos: (nanos % 1_000_000_000) as u32,
        },
    }
}

pub(super) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("a scenario is short")
}

/// Small, so that long cleanups are cut into slices.
const TIMER_BUDGET: usize = 3;

/// The export of a filehandle, and what names the file there.
fn parts(fh: &[u8]) -> (u16, FsHandle) {
    // A byte for the format, and two for the export.
    let [_, export @ ..] = fh.first_chunk::<3>().expect("a handle has a head");
    let fh = FsHandle::new(&fh[3..]).expect("a handle is short");
    (u16::from_be_bytes(*export), fh)
}
