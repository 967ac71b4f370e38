//! Several clients of all versions, callbacks, dials, administration, file systems that answer late
//! and jumps of both clocks, against one engine.

use std::sync::Arc;
use std::time::Duration;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{Credential, FsError, FsReply};
use nfs4_engine::{
    Action, Boot, Call, CallbackReply, ConnId, DialError, DialId, Engine, Export, Input, Mono, Now,
    Outbox, Segment, TableLengths, Wall,
};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::{Op, args};
use nfs4_vfs::{MemFs, MemFsConfig};

use super::administration::{self, Order};
use super::called::CallbackCall;
use super::compose;
use super::ids::Ids;
use super::ops;
use super::settings;
use super::tape::Tape;
use super::work::Work;

/// Plays `data`, asks after every step whether the tables agree with each other, and in the end, when
/// all clients are silent, whether they are empty. The first byte chooses the settings.
///
/// # Panics
/// The engine panics, or its tables are wrong.
pub fn engine_ops(data: &[u8]) -> Reached {
    let mut tape = Tape::new(data);
    let mut player = Player::new(&mut tape);
    let mut steps = 0;
    while !tape.is_over() && steps < MAX_STEPS {
        player.step(&mut tape);
        steps += 1;
        player.check();
    }
    player.end();
    player.reached
}

/// How far the clients came: the greatest lengths of the tables, and what was sent and replayed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    /// Sessions at once.
    pub sessions: usize,
    /// Opens at once.
    pub opens: usize,
    /// Lock stateids at once.
    pub locks: usize,
    /// Delegations at once.
    pub delegations: usize,
    /// Callbacks, CB_NULL included.
    pub callbacks: usize,
    /// Requests that were answered from a slot or another cache.
    pub replays: u64,
}

struct Player {
    engine: Engine,
    outbox: Outbox,
    now: Now,
    newest: u64,
    open: Vec<ConnId>,
    work: Vec<Work>,
    callbacks: Vec<CallbackCall>,
    /// Files that the engine knows to be open, and has not released.
    held: i64,
    dials: Vec<DialId>,
    ids: Ids,
    /// The last record, to be sent again or with other bytes.
    last: Vec<u8>,
    xid: u32,
    reached: Reached,
}

impl Player {
    fn new(tape: &mut Tape<'_>) -> Player {
        let boot = Boot::new(7, [9; 16], b"fuzz");
        let config = settings::chosen(tape);
        let files = || {
            Arc::new(MemFs::new(MemFsConfig::new(7, 1 << 20).with(|files| {
                files.root_mode = 0o777;
            })))
        };
        let exports = vec![Export::new("/a", files()), Export::new("/dir/b", files())];
        let now = Now {
            mono: Mono::ZERO,
            wall: Wall::default(),
        };
        let engine = Engine::new(boot, config, exports, now);
        let mut player = Player {
            engine: engine.expect("the settings are in range"),
            outbox: Outbox::new(),
            now,
            newest: 0,
            open: Vec::new(),
            work: Vec::new(),
            callbacks: Vec::new(),
            held: 0,
            dials: Vec::new(),
            ids: Ids::default(),
            last: Vec::new(),
            xid: 0,
            reached: Reached::default(),
        };
        player.connect();
        player
    }

    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.below(32) {
            0..=8 | 24..=31 => self.call(tape),
            20 => self.introduce(tape),
            21 => self.introduce_v40(tape),
            22 | 23 => self.answer_all(),
            9 => self.send_again(tape),
            10..=12 => self.work(tape),
            13 => self.answer_callback(tape),
            14 => self.dialled(tape),
            15 => self.pass(tape),
            16 => self.administer(tape),
            17 => self.connect(),
            18 => self.disconnect(tape),
            _ => self.timers(tape),
        }
    }

    /// A COMPOUND of a few operations, mostly in a session.
    fn call(&mut self, tape: &mut Tape<'_>) {
        let minor = tape.pick(&[0, 1, 1, 1, 2]);
        let mut call = CompoundBuilder::body(b"", minor);
        compose::operations(&mut call, minor, tape, &self.ids);
        self.last = call.finish();
        self.xid = self.xid.wrapping_add(1);
        self.send(tape);
    }

    /// A client introduces itself, and makes a session if it can.
    fn introduce(&mut self, tape: &mut Tape<'_>) {
        for op in [Op::ExchangeId, Op::CreateSession] {
            let mut call = CompoundBuilder::body(b"", 1);
            ops::append_one(&mut call, op, tape, &self.ids);
            self.last = call.finish();
            self.send_as(tape, 0);
        }
        if let Some(session) = self.ids.sessions.pick(tape) {
            let mut call = CompoundBuilder::body(b"", 1);
            compose::sequence(&mut call, session, tape, &self.ids);
            call.reclaim_complete(args::ReclaimComplete { one_fs: false });
            self.last = call.finish();
            self.send_as(tape, 0);
        }
    }

    /// The same in minor version 0.
    fn introduce_v40(&mut self, tape: &mut Tape<'_>) {
        for op in [Op::SetClientId, Op::SetClientIdConfirm] {
            let mut call = CompoundBuilder::body(b"", 0);
            ops::append_one(&mut call, op, tape, &self.ids);
            self.last = call.finish();
            self.xid = self.xid.wrapping_add(1);
            self.send_as(tape, 0);
        }
    }

    /// All file systems answer.
    fn answer_all(&mut self) {
        while !self.work.is_empty() {
            self.deliver(0);
        }
    }

    /// The last record once more, as it was or with some bytes changed.
    fn send_again(&mut self, tape: &mut Tape<'_>) {
        for _ in 0..tape.below(4) {
            let at = usize::from(u16::from_be_bytes([tape.byte(), tape.byte()]));
            let len = self.last.len();
            if let Some(byte) = self.last.get_mut(at % len.max(1)) {
                *byte ^= tape.byte();
            }
        }
        if tape.one_in(4) {
            let len = usize::from(tape.byte()) * 2;
            self.last.truncate(len);
        }
        self.send(tape);
    }

    fn send(&mut self, tape: &mut Tape<'_>) {
        let uid = tape.pick(&[0, 0, 0, 1000]);
        self.send_as(tape, uid);
    }

    fn send_as(&mut self, tape: &mut Tape<'_>, uid: u32) {
        let Some(conn) = self.some_connection(tape) else {
            return;
        };
        let cred = Arc::new(Credential::sys(uid, uid, &[]));
        let body = Bytes::copy_from_slice(&self.last);
        let length = self.last.len() as u32 + HEADER;
        let call = Call::new(conn, self.xid, cred, body, length);
        self.handle(Input::Call(call));
    }

    /// Carries a request of a file system out, or delivers its answer, or both; or delivers another.
    fn work(&mut self, tape: &mut Tape<'_>) {
        if self.work.is_empty() {
            return;
        }
        let at = tape.below(self.work.len().min(256));
        let how = tape.below(16);
        self.work[at].execute();
        match how {
            // Carried out, and not heard of yet.
            0..4 => return,
            4 => self.work[at].instead(Err(tape.pick(FsError::ALL))),
            5 => self.work[at].instead(Ok(FsReply::Done)),
            6 => {
                // What another request is answered.
                let with = tape.below(self.work.len().min(256));
                self.work[with].execute();
                let answers = [at, with].map(|at| self.work[at].result.take());
                let [first, second] = answers;
                self.work[with].result = first;
                if second.is_some() {
                    self.work[at].result = second;
                }
            }
            _ => {}
        }
        self.deliver(at);
    }

    fn deliver(&mut self, at: usize) {
        let mut work = self.work.swap_remove(at);
        work.execute();
        let result = work.result.take().unwrap_or(Err(FsError::NoAnswer));
        let opened = matches!(result, Ok(FsReply::Opened(_)));
        self.held += i64::from(work.opens && opened);
        self.handle(Input::FsDone {
            ticket: work.ticket,
            result,
        });
    }

    fn answer_callback(&mut self, tape: &mut Tape<'_>) {
        if self.callbacks.is_empty() {
            return;
        }
        let at = tape.below(self.callbacks.len().min(256));
        let call = self.callbacks.swap_remove(at);
        let conn = call.conn;
        if !self.open.contains(&conn) {
            return;
        }
        let xid = call.xid;
        let outcome = call.outcome(tape);
        if tape.one_in(16) {
            // It will be answered once more.
            self.callbacks.push(call);
        }
        self.handle(Input::CallbackReply(CallbackReply::new(conn, xid, outcome)));
    }

    fn dialled(&mut self, tape: &mut Tape<'_>) {
        let Some(dial) = self.dials.pop() else {
            return;
        };
        let result = match tape.below(4) {
            0 => Err(DialError::Refused),
            1 => Err(DialError::Failed),
            2 => Err(DialError::TimedOut),
            _ => {
                let conn = self.next_connection();
                self.open.push(conn);
                Ok(conn)
            }
        };
        self.handle(Input::Dialed { dial, result });
    }

    /// Time goes on; the clock on the wall may jump either way.
    fn pass(&mut self, tape: &mut Tape<'_>) {
        let millis = u64::from(tape.byte()) * u64::from(tape.pick(&[0_u8, 1, 1, 4, 10, 255]));
        self.now.mono = self.now.mono.after(Duration::from_millis(millis));
        self.now.wall.seconds = match tape.below(8) {
            0 => i64::from(tape.word()),
            1 => self.now.wall.seconds - 1_000,
            _ => self.now.wall.seconds + millis as i64 / 1_000,
        };
        self.timers(tape);
    }

    fn timers(&mut self, tape: &mut Tape<'_>) {
        let budget = tape.below(32);
        self.engine
            .handle_timeout(self.now, budget, &mut self.outbox);
        self.carry_out();
    }

    fn administer(&mut self, tape: &mut Tape<'_>) {
        let conn = self.some_connection(tape);
        match administration::of(tape, conn, &self.ids) {
            Some(Order::Admin(admin)) if self.engine.check_admin(&admin).is_ok() => {
                self.handle(Input::Admin(admin));
            }
            Some(Order::Admin(_)) | None => {}
            Some(Order::Touch { export, fh, touch }) => {
                self.handle(Input::Touched { export, fh, touch });
                let _ = self.engine.may_touch(export, fh, touch);
            }
            Some(Order::ReleasePanicked) => self.handle(Input::ReleasePanicked),
        }
    }

    fn next_connection(&mut self) -> ConnId {
        self.newest += 1;
        ConnId::new(self.newest).expect("it is not zero")
    }

    fn connect(&mut self) {
        if self.open.len() >= MAX_CONNECTIONS {
            return;
        }
        let conn = self.next_connection();
        let peer = format!("192.0.2.{}:700", self.newest % 3);
        self.open.push(conn);
        self.handle(Input::ConnOpened { conn, peer });
    }

    fn disconnect(&mut self, tape: &mut Tape<'_>) {
        if let Some(conn) = self.some_connection(tape) {
            self.close(conn);
        }
    }

    fn close(&mut self, conn: ConnId) {
        self.open.retain(|open| *open != conn);
        self.handle(Input::ConnClosed { conn });
    }

    fn some_connection(&self, tape: &mut Tape<'_>) -> Option<ConnId> {
        let at = tape.below(self.open.len().max(1));
        self.open.get(at).copied()
    }

    fn handle(&mut self, input: Input) {
        self.engine.handle(self.now, input, &mut self.outbox);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let mut closing = Vec::new();
        let mut releases = Vec::new();
        while let Some(action) = self.outbox.pop() {
            match action {
                Action::Reply(reply) => {
                    let mut record = Vec::new();
                    for segment in self.outbox.segments(&reply) {
                        record.extend_from_slice(match segment {
                            Segment::Bytes(bytes) => bytes,
                            Segment::Payload(bytes) => bytes,
                        });
                    }
                    self.ids.learn(&record);
                }
                Action::Callback(callback) => {
                    assert!(
                        self.open.contains(&callback.conn),
                        "a callback by a connection that is closed"
                    );
                    let record = self.outbox.call(&callback);
                    let call = CallbackCall::new(callback.conn, callback.xid, record);
                    self.callbacks.push(call);
                    self.reached.callbacks += 1;
                }
                Action::Dial { dial, .. } => self.dials.push(dial),
                Action::Fs {
                    ticket,
                    backend,
                    request,
                } => self.work.push(Work::new(ticket, backend, request)),
                Action::Release { backend, fh, .. } => releases.push((backend, fh)),
                Action::Unlease { backend, fh, .. } => backend.unlease(fh),
                Action::Unlock {
                    backend, fh, locks, ..
                } => backend.unlock(fh, &locks),
                Action::Close { conn } => closing.push(conn),
                Action::Forget { backend, .. } => drop(backend),
                Action::Known { .. } | Action::Event(_) => {}
                other => unreachable!("{other:?} is not known here"),
            }
        }
        self.outbox.clear();
        for (backend, fh) in releases {
            self.held -= 1;
            backend.release(fh);
        }
        for conn in closing {
            if self.open.contains(&conn) {
                self.close(conn);
            }
        }
    }

    fn check(&mut self) {
        let tables = self.engine.table_lengths();
        let reached = &mut self.reached;
        reached.sessions = reached.sessions.max(tables.sessions);
        reached.opens = reached.opens.max(tables.opens);
        reached.locks = reached.locks.max(tables.locks);
        let delegations = tables.read_delegations + tables.write_delegations;
        reached.delegations = reached.delegations.max(delegations);
        reached.replays = self.outbox.metrics.replay_hits;
        if let Err(why) = self.engine.check_invariants(&self.open) {
            panic!("{why}");
        }
    }

    /// All connections are lost, file systems answer, leases end: nothing may be left.
    fn end(&mut self) {
        for conn in self.open.clone() {
            self.close(conn);
        }
        for _ in 0..1_000 {
            while !self.work.is_empty() {
                self.deliver(0);
            }
            for dial in std::mem::take(&mut self.dials) {
                self.handle(Input::Dialed {
                    dial,
                    result: Err(DialError::Failed),
                });
            }
            match self.engine.next_timeout() {
                Some((at, _)) => self.now.mono = self.now.mono.max(at),
                None => break,
            }
            self.engine.handle_timeout(self.now, 64, &mut self.outbox);
            self.carry_out();
        }
        self.check();
        let mut left = self.engine.table_lengths();
        left.timers = 0;
        assert_eq!(
            left,
            TableLengths::default(),
            "state of clients that are gone"
        );
        assert_eq!(self.held, 0, "files that are held for no client");
    }
}

const MAX_CONNECTIONS: usize = 6;
const MAX_STEPS: usize = 600;
/// Bytes of an RPC header with AUTH_SYS.
const HEADER: u32 = 60;
