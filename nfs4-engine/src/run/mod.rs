//! The way of one COMPOUND through its operations.

mod administration;
mod drain;
mod fs_answer;
mod v40;
mod wait;

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::compound::CompoundHeader;
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::reply::Fault;
use nfs4_proto::xdr::{Decode, Reader};

use crate::action::{Action, Outbox};
use crate::compound::V40;
use crate::compound::state::Compound;
use crate::compound::{Bare, Cx, Scope, Sequenced, Stage, Step};
use crate::core::Core;
use crate::exports::Route;
use crate::fs::{Backend, Expected, FsRequest, FsResult, FsTicket};
use crate::guards::Guard;
use crate::input::Call;
use crate::keys::DelegationKey;
use crate::ops::sequence::{self, Entry};
use crate::ops::{errors, seqid, table};
use crate::run::v40::begin_v40;
use crate::slab::Slab;
use crate::time::Now;
use alloc::vec::Vec;

/// The tables, and the COMPOUNDs under way.
pub(crate) struct Runner {
    pub(crate) core: Core,
    /// COMPOUNDs that wait for a file system.
    pub(crate) parked: Slab<Box<Compound>>,
    /// COMPOUNDs that are done and lend their memory to the next ones.
    #[expect(clippy::vec_box, reason = "they are parked by moving the box")]
    idle: Vec<Box<Compound>>,
}

impl Runner {
    pub(crate) fn new(core: Core) -> Runner {
        Runner {
            core,
            parked: Slab::new(),
            idle: Vec::new(),
        }
    }

    /// Executes a COMPOUND until it is answered or has to wait.
    pub(crate) fn call(&mut self, now: Now, call: Call, out: &mut Outbox) {
        let mut run = match self.idle.pop() {
            Some(run) => run,
            None => Box::new(Compound::new(Arc::clone(&call.cred))),
        };
        let record = run.accept(now, call);
        run.watch = self.core.guards.watch();
        match begin(&mut self.core, &mut run, &record, now, out) {
            Some(Begin::Bare) => self.drive(run, record, now, Bare, None, out),
            Some(Begin::V40) => self.drive(run, record, now, V40, None, out),
            Some(Begin::Sequenced(scope)) => self.drive(run, record, now, scope, None, out),
            Some(Begin::Refused(status)) => {
                run.reply.refuse(status);
                self.finish(run, now, out);
            }
            None => self.rest(run),
        }
    }

    /// Goes on with a COMPOUND that was parked.
    pub(crate) fn go_on(
        &mut self,
        mut run: Box<Compound>,
        result: FsResult,
        now: Now,
        out: &mut Outbox,
    ) {
        let record = core::mem::take(&mut run.record);
        if let Some((session, bytes)) = run.promised() {
            self.core.sessions.redeem(session, bytes);
        }
        // Nothing was asked between two operations.
        let result = (!matches!(run.stage, Stage::Between)).then_some(result);
        match run.sequenced {
            // The session went, and nothing was done yet.
            Some(scope)
                if run.stage.only_looked() && !self.core.sessions.contains(scope.session) =>
            {
                self.core.guards.give_back(core::mem::take(&mut run.guard));
                run.reply.end_op(Status::DELAY, false);
                out.metrics.operation(run.op, run.minor, Status::DELAY);
                self.finish(run, now, out);
            }
            // What the file system has done is told, though there may be no slot to keep the reply
            // in: the client must not do it again.
            Some(scope) => self.drive(run, record, now, scope, result, out),
            None if run.minor == 0 => self.drive(run, record, now, V40, result, out),
            None => self.drive(run, record, now, Bare, result, out),
        }
    }

    fn drive<S: Scope>(
        &mut self,
        mut run: Box<Compound>,
        record: Bytes,
        now: Now,
        scope: S,
        resumed: Option<FsResult>,
        out: &mut Outbox,
    ) {
        let mut cx = Cx {
            core: &mut self.core,
            run: &mut run,
            out,
            record: &record,
            now,
            scope,
        };
        let pause = operations(&mut cx, resumed);
        if let Pause::Done = pause {
            self.finish(run, now, out);
            return;
        }
        let conn = run.conn;
        if run.put_off && !run.has_waited {
            self.core.connections.wait_for_one_more(conn);
        }
        run.record = record;
        run.has_waited = true;
        if let Some((session, bytes)) = run.promised() {
            self.core.sessions.promise(session, bytes);
        }
        let key = self.parked.insert(run);
        match pause {
            Pause::Done => {}
            Pause::Fs(export, backend, request) => out.push(Action::Fs {
                ticket: FsTicket {
                    conn,
                    index: key.index,
                    generation: key.generation,
                    export,
                    call: request.op.call(),
                },
                backend,
                request,
            }),
            Pause::Hold(asked) => self.hold(asked, key, now),
            Pause::Yield => self.yield_turn(key, now),
        }
    }

    /// Answers a COMPOUND; if its connection was only waiting for it, that is closed then.
    fn finish(&mut self, mut run: Box<Compound>, now: Now, out: &mut Outbox) {
        self.core.answer(&mut run, now, out);
        let conn = run.conn;
        if run.has_waited && self.core.connections.answered(conn) {
            out.push(Action::Close { conn });
        }
        self.rest(run);
    }

    /// Keeps the memory of a finished COMPOUND for the next one.
    fn rest(&mut self, run: Box<Compound>) {
        if self.idle.len() < IDLE_KEPT && run.reply.capacity() <= REPLY_KEPT {
            self.idle.push(run);
        }
    }
}

/// Why a COMPOUND does not go on now.
#[expect(
    clippy::large_enum_variant,
    reason = "a request is moved once; boxing it would allocate"
)]
enum Pause {
    /// It is done.
    Done,
    /// It waits for the file system of an export.
    Fs(u16, Arc<dyn Backend>, FsRequest),
    /// It waits for what a client answers.
    Hold(DelegationKey),
    /// Others have their turn.
    Yield,
}

/// How a COMPOUND begins.
pub(crate) enum Begin {
    /// With an operation that needs no session.
    Bare,
    /// In minor version 0.
    V40,
    /// With a SEQUENCE that succeeded.
    Sequenced(Sequenced),
    /// Not at all: it is answered with this status and the results that it has.
    Refused(Status),
}

/// Decodes the head of the request and finds out in which scope it runs; `None` if it has been
/// answered.
fn begin(
    core: &mut Core,
    run: &mut Compound,
    record: &Bytes,
    now: Now,
    out: &mut Outbox,
) -> Option<Begin> {
    let mut args = Reader::new(record);
    let Ok(head) = CompoundHeader::decode(&mut args) else {
        out.fault(run.conn, run.xid, Fault::GarbageArgs);
        return None;
    };
    run.minor = head.minorversion;
    run.count = head.ops;
    run.next_at = args.position();
    run.reply.begin(head.tag);
    if !(core.config.min_minor_version..=core.config.max_minor_version).contains(&run.minor) {
        return Some(Begin::Refused(Status::MINOR_VERS_MISMATCH));
    }
    if core::str::from_utf8(head.tag).is_err() {
        return Some(Begin::Refused(Status::INVAL));
    }
    if run.count == 0 {
        return Some(Begin::Refused(Status::OK));
    }
    let Ok(number) = args.u32() else {
        run.reply.begin_op(Op::Illegal.number());
        return Some(refuse(run, Op::Illegal, Status::BADXDR, out));
    };
    let op = OpNum(number);
    if run.minor == 0 {
        return begin_v40(core, run, record, out);
    }
    let row = match table::find(op, run.minor) {
        Ok(row) => row,
        Err(status) => {
            run.reply.begin_op(answered_as(op, status));
            return Some(refuse(run, Op::Illegal, status, out));
        }
    };
    if core.blocked.contains(row.op) {
        run.reply.begin_op(op);
        return Some(refuse(run, row.op, Status::NOTSUPP, out));
    }
    if row.op == Op::Sequence {
        run.begun = 1;
        run.reply.begin_op(op);
        return match sequence::enter(core, run, &mut args, now, out) {
            Entry::Accepted(scope) => {
                run.next_at = args.position();
                out.metrics.operation(row.op, run.minor, Status::OK);
                // No new work by this connection: the client comes back by another.
                run.put_off = core.connections.is_draining(run.conn);
                Some(Begin::Sequenced(scope))
            }
            Entry::Refused(status) => Some(refuse(run, row.op, status, out)),
            Entry::Replayed => None,
        };
    }
    if row.bare.is_none() {
        run.reply.begin_op(op);
        let status = if row.v41.is_some() {
            Status::OP_NOT_IN_SESSION
        } else {
            Status::NOTSUPP
        };
        return Some(refuse(run, row.op, status, out));
    }
    if run.count != 1 {
        run.reply.begin_op(op);
        return Some(refuse(run, row.op, Status::NOT_ONLY_OP, out));
    }
    Some(Begin::Bare)
}

fn refuse(run: &mut Compound, op: Op, status: Status, out: &mut Outbox) -> Begin {
    debug_assert!(
        errors::permits(op, run.minor, status),
        "{op} may not answer {status}"
    );
    out.metrics.operation(op, run.minor, status);
    run.reply.end_op(status, false);
    Begin::Refused(status)
}

/// Executes operations until the last, the first that fails, or one that must wait.
fn operations<S: Scope>(cx: &mut Cx<'_, S>, mut resumed: Option<FsResult>) -> Pause {
    loop {
        let step = match resumed.take() {
            Some(result) => resume(cx, result),
            None if cx.run.begun == cx.run.count => return Pause::Done,
            None if cx.core.states.is_due_to_others() => {
                cx.run.stage = Stage::Between;
                return Pause::Yield;
            }
            None => start(cx),
        };
        let (status, keep_body) = match step {
            Ok(Step::Wait(export, op, stage)) => {
                cx.run.stage = stage;
                cx.run.expected = Expected::of(&op);
                let acting = cx.run.acting.take();
                let cred = acting.as_ref().unwrap_or(&cx.run.cred);
                match cx.core.exports.route(export, cred, &op) {
                    Route::Backend(backend, cred) => {
                        let now = cx.now;
                        return Pause::Fs(export, backend, FsRequest { cred, now, op });
                    }
                    Route::Pseudo(tree) => resumed = Some(tree.answer(op)),
                    Route::Refused(error) => resumed = Some(Err(error)),
                }
                continue;
            }
            Ok(Step::Hold(asked, stage)) => {
                cx.run.stage = stage;
                return Pause::Hold(asked);
            }
            Ok(Step::Yield) => {
                cx.run.stage = Stage::Last;
                return Pause::Yield;
            }
            Ok(Step::Done(status)) | Err(status) => (status, false),
            Ok(Step::Failed(status)) => (status, true),
        };
        let status = end(cx, status, keep_body);
        cx.unguard();
        if cx.run.turn.is_some() {
            seqid::settle(cx, status);
        }
        let (op, minor) = (cx.run.op, cx.run.minor);
        debug_assert!(
            errors::permits(op, minor, status),
            "{op} may not answer {status}"
        );
        cx.out.metrics.operation(cx.run.op, cx.run.minor, status);
        if status != Status::OK {
            return Pause::Done;
        }
    }
}

fn start<S: Scope>(cx: &mut Cx<'_, S>) -> Result<Step, Status> {
    let mut args = Reader::at(cx.record, cx.run.next_at);
    cx.run.begun += 1;
    let Ok(number) = args.u32() else {
        cx.run.op = Op::Illegal;
        cx.run.reply.begin_op(Op::Illegal.number());
        return Err(Status::BADXDR);
    };
    let op = OpNum(number);
    let row = match table::find(op, cx.run.minor) {
        Ok(row) => row,
        Err(status) => {
            cx.run.op = Op::Illegal;
            cx.run.reply.begin_op(answered_as(op, status));
            return Err(status);
        }
    };
    cx.run.op = row.op;
    cx.run.args_at = args.position();
    cx.run.reply.begin_op(op);
    if cx.run.minor == 0 && cx.run.begun > cx.core.config.max_operations {
        // Elsewhere the session has its own limit.
        return Err(Status::TOO_MANY_OPS);
    }
    if row.flags.first_only && cx.run.begun > 1 {
        // Whatever becomes of it, it is one.
        cx.out.metrics.sequence();
        return Err(Status::SEQUENCE_POS);
    }
    if row.flags.alone && cx.run.count > 1 {
        return Err(Status::NOT_ONLY_OP);
    }
    if cx.core.blocked.contains(row.op) {
        return Err(Status::NOTSUPP);
    }
    let handler = S::handler(row).ok_or(Status::NOTSUPP)?;
    if cx.run.put_off && errors::permits(row.op, cx.run.minor, Status::DELAY) {
        // Those before it, which may not answer that, do no work to speak of.
        return Err(Status::DELAY);
    }
    if row.flags.needs_current && cx.run.current.is_none() {
        return Err(Status::NOFILEHANDLE);
    }
    if !row.flags.keeps_fetched {
        cx.run.fetched = None;
    }
    if let Some(bound) = row.reply_bound {
        if cx.run.has_waited && !S::stands(cx) {
            // The session went while an operation before this one waited.
            return Err(Status::DELAY);
        }
        cx.run.room_for(bound)?;
        cx.run.changes = true;
    }
    let step = (handler.start)(cx, &mut args);
    cx.run.next_at = args.position();
    step
}

fn resume<S: Scope>(cx: &mut Cx<'_, S>, result: FsResult) -> Result<Step, Status> {
    let row = table::row(cx.run.op);
    // It was started, so it has a handler.
    let handler = S::handler(row).ok_or(Status::SERVERFAULT)?;
    let mut args = Reader::at(cx.record, cx.run.args_at);
    (handler.resume)(cx, &mut args, result)
}

/// Closes the result of an operation; one that does not fit becomes an error.
fn end<S: Scope>(cx: &mut Cx<'_, S>, status: Status, keep_body: bool) -> Status {
    let (op, minor) = (cx.run.op, cx.run.minor);
    let status = errors::named_in(minor, op, status);
    let status = match cx.run.room_for(0) {
        Err(too_big) if status == Status::OK || keep_body => {
            debug_assert!(
                status != Status::OK || table::row(cx.run.op).reply_bound.is_none(),
                "what has effects was bounded before them"
            );
            let too_big = errors::named_in(minor, op, too_big);
            cx.run.reply.end_op(too_big, false);
            return too_big;
        }
        _ => status,
    };
    cx.run.reply.end_op(status, keep_body);
    status
}

/// Operations that do not exist are answered under a number of their own. [RFC 8881 §16.2.3]
fn answered_as(op: OpNum, status: Status) -> OpNum {
    if status == Status::OP_ILLEGAL {
        Op::Illegal.number()
    } else {
        op
    }
}

impl Compound {
    /// Takes a call in; everything of the COMPOUND before is forgotten.
    fn accept(&mut self, now: Now, call: Call) -> Bytes {
        let Call {
            conn,
            xid,
            cred,
            body,
            message_len,
        } = call;
        self.conn = conn;
        self.xid = xid;
        self.cred = cred;
        self.message_len = message_len;
        self.arrived = now.mono;
        self.begun = 0;
        self.put_off = false;
        self.op = Op::Illegal;
        self.current = None;
        self.saved = None;
        self.current_stateid = Stateid::ANONYMOUS;
        self.saved_stateid = Stateid::ANONYMOUS;
        self.sequenced = None;
        self.holds = None;
        self.turn = None;
        self.request = None;
        self.changes = false;
        self.has_waited = false;
        self.keep = false;
        self.max_reply = usize::MAX;
        self.max_kept = usize::MAX;
        self.spare = usize::MAX;
        self.fetched = None;
        self.acting = None;
        debug_assert_eq!(self.guard, Guard::None, "each operation ends its guard");
        body
    }
}

impl Core {
    /// Sends the reply of a COMPOUND, unless its connection has gone, and ends its slot.
    fn answer(&mut self, run: &mut Compound, now: Now, out: &mut Outbox) {
        run.reply.finish();
        if let Some(scope) = run.sequenced {
            sequence::leave(self, &scope, run, now);
        }
        self.end_hold(run, now.mono);
        self.end_request(run, now.mono, out);
        out.metrics.compound(run.minor, now.mono.since(run.arrived));
        let (xid, conn) = (run.xid, run.conn);
        if run.has_waited && self.connections.get(conn).is_none() {
            run.reply.discard();
        } else {
            run.reply.send(conn, xid, out);
        }
    }
}

/// So many finished COMPOUNDs keep their memory for the next ones.
const IDLE_KEPT: usize = 64;
/// A COMPOUND with a longer reply, in bytes, gives its memory back.
const REPLY_KEPT: usize = 64 << 10;
