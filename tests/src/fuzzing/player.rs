//! Several clients of all versions, callbacks, dials, administration, file systems that answer late
//! and jumps of both clocks, against one engine.

use std::sync::Arc;
use std::time::Duration;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{Credential, FsError, FsReply};
use nfs4_engine::{
    Action, Admin, Boot, Call, CallbackOutcome, CallbackReply, Change, Config, ConnId, DialError,
    DialId, Engine, Export, Input, Mono, Now, Outbox, Segment, TableLengths, Wall,
};
use nfs4_proto::client::{CbReplyBuilder, CompoundBuilder};
use nfs4_proto::nfs4::{CbOp, Op, Status, args};
use nfs4_proto::rpc::{Fault, Mark};
use nfs4_vfs::{MemFs, MemFsConfig};

use super::compose;
use super::ids::Ids;
use super::ops;
use super::tape::Tape;
use super::work::Work;

/// Plays `data`, asks after every few steps whether the tables agree with each other, and in the
/// end, when all clients are silent, whether they are empty.
///
/// # Panics
/// The engine panics, or its tables are wrong.
pub fn engine_ops(data: &[u8]) -> Reached {
    let mut player = Player::new();
    let mut tape = Tape::new(data);
    let mut steps = 0;
    while !tape.is_over() && steps < MAX_STEPS {
        player.step(&mut tape);
        steps += 1;
        if steps % 8 == 0 {
            player.check();
        }
    }
    player.check();
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
    callbacks: Vec<(ConnId, u32)>,
    dials: Vec<DialId>,
    ids: Ids,
    /// The last record, to be sent again or with other bytes.
    last: Vec<u8>,
    xid: u32,
    reached: Reached,
}

impl Player {
    fn new() -> Player {
        let boot = Boot::new(7, [9; 16], b"fuzz");
        let config = Config::default().with(|config| {
            config.grace = Duration::ZERO;
            config.lease = LEASE;
            config.max_opens_per_client = 16;
            config.max_states = 64;
            config.max_clients = 16;
            config.max_reply_cache = 1 << 20;
        });
        let files = || {
            Arc::new(MemFs::new(
                MemFsConfig::new(7, 1 << 20).with(|files| files.root_mode = 0o777),
            ))
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
        let len = self.last.len() as u32 + HEADER;
        let call = Call::new(
            conn,
            self.xid,
            cred,
            Bytes::copy_from_slice(&self.last),
            len,
        );
        self.handle(Input::Call(call));
    }

    /// Carries a request of a file system out, or delivers its answer, or both.
    fn work(&mut self, tape: &mut Tape<'_>) {
        if self.work.is_empty() {
            return;
        }
        let at = tape.below(self.work.len().min(256));
        let how = tape.below(8);
        if self.work[at].result.is_none() {
            self.work[at].execute();
        }
        match how {
            // Carried out, and not heard of yet.
            0 | 1 => return,
            2 => self.work[at].result = Some(Err(tape.pick(FsError::ALL))),
            3 => self.work[at].result = Some(Ok(FsReply::Done)),
            _ => {}
        }
        self.deliver(at);
    }

    fn deliver(&mut self, at: usize) {
        let mut work = self.work.swap_remove(at);
        work.execute();
        let result = work.result.take().unwrap_or(Err(FsError::NoAnswer));
        self.handle(Input::FsDone {
            ticket: work.ticket,
            result,
        });
    }

    fn answer_callback(&mut self, tape: &mut Tape<'_>) {
        if self.callbacks.is_empty() {
            return;
        }
        let (conn, xid) = self
            .callbacks
            .swap_remove(tape.below(self.callbacks.len().min(256)));
        if !self.open.contains(&conn) {
            return;
        }
        let outcome = match tape.below(4) {
            0 => CallbackOutcome::Refused(Fault::ProgUnavail),
            1 => CallbackOutcome::Answered(Bytes::copy_from_slice(&tape.word().to_be_bytes())),
            2 => CallbackOutcome::Answered(Bytes::new()),
            _ => {
                let status = Status(tape.pick(&[0, 0, 10_008, 10_001, 10_025]));
                let op = tape.pick(&[CbOp::Recall, CbOp::GetAttr, CbOp::Sequence]);
                let record = CbReplyBuilder::reply(xid, b"")
                    .raw(op.number(), status, &[])
                    .finish();
                let results = record.get(Mark::LEN + RPC_REPLY..).unwrap_or_default();
                CallbackOutcome::Answered(Bytes::copy_from_slice(results))
            }
        };
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
        let admin = match tape.below(8) {
            0 => self.some_connection(tape).map(|conn| Admin::Drain { conn }),
            1 => {
                let conn = self.some_connection(tape);
                conn.map(|conn| Admin::StopDraining { conn })
            }
            2 => {
                let clients = [&self.ids.clients, &self.ids.clients_v40];
                let client = clients[tape.below(2)].pick(tape);
                client.map(|client| Admin::EvictClient { client })
            }
            3 => {
                let session = self.ids.sessions.pick(tape);
                session.map(|session| Admin::DestroySession { session })
            }
            4 => Some(Admin::Configure(Box::new(Change::default().with(
                |change| change.max_connections_per_session = Some(u32::from(tape.byte() % 4)),
            )))),
            5 => Some(Admin::Configure(Box::new(Change::default().with(
                |change| {
                    change.min_minor_version = Some(u32::from(tape.byte() % 3));
                    change.max_minor_version = Some(2);
                },
            )))),
            6 => Some(Admin::Configure(Box::new(Change::default().with(
                |change| change.lease = Some(Duration::from_secs(u64::from(tape.byte() % 30) + 1)),
            )))),
            _ => Some(Admin::Configure(Box::new(Change::default().with(
                |change| change.fore_slots = Some(u32::from(tape.byte()) + 1),
            )))),
        };
        if let Some(admin) = admin
            && self.engine.check_admin(&admin).is_ok()
        {
            self.handle(Input::Admin(admin));
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
                    self.callbacks.push((callback.conn, callback.xid));
                    self.reached.callbacks += 1;
                }
                Action::Dial { dial, .. } => self.dials.push(dial),
                Action::Fs {
                    ticket,
                    backend,
                    request,
                } => self.work.push(Work::new(ticket, backend, request)),
                Action::Release { backend, fh } => releases.push((backend, fh)),
                Action::Close { conn } => closing.push(conn),
                Action::Known { .. } | Action::Event(_) => {}
                other => unreachable!("{other:?} is not known here"),
            }
        }
        self.outbox.clear();
        for (backend, fh) in releases {
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
    }
}

const LEASE: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 6;
const MAX_STEPS: usize = 600;
/// Bytes of an RPC header with AUTH_SYS.
const HEADER: u32 = 60;
/// Bytes of the header of an accepted reply.
const RPC_REPLY: usize = 24;
