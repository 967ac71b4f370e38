//! The way of a COMPOUND through its operations.

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Reader;

use crate::action::Action;
use crate::compound::handler::Row;
use crate::compound::{Cx, Scope, Stage, Step};
use crate::exports::Route;
use crate::fs::driver::{FsCall, FsTicket};
use crate::fs::{Expected, FsRequest, FsResult};
use crate::keys::{CompoundKey, DelegationKey};
use crate::ops::{errors, seqid, table};
use crate::run::begin::next_operation;
use crate::slow::WaitsFor;
use crate::stable::StableTicket;

/// Why a COMPOUND does not continue now.
pub(super) enum Pause {
    /// It is done.
    Done,
    /// It waits for the file system of an export, which is asked.
    Fs(u16, FsCall),
    /// It waits for what a client answers.
    Holder(DelegationKey),
    /// It waits for stable storage.
    Stable(StableTicket),
    /// Others are served first.
    Yield,
}

impl Pause {
    /// What the COMPOUND waits for.
    pub(super) fn waits_for(&self) -> WaitsFor {
        match *self {
            Pause::Fs(export, call) => WaitsFor::FileSystem { export, call },
            Pause::Holder(_) => WaitsFor::Holder,
            Pause::Stable(_) => WaitsFor::StableStorage,
            Pause::Done | Pause::Yield => WaitsFor::Others,
        }
    }
}

/// Executes operations until the last, the first that fails, or one that must wait. A request to a file
/// system has the name of `key`, under which the COMPOUND is parked then: the request is large, and
/// goes from here to the queue without another move.
pub(super) fn execute<S: Scope>(
    cx: &mut Cx<'_, S>,
    key: CompoundKey,
    resumed: &mut Option<FsResult>,
) -> Pause {
    loop {
        // Timers and other operations have noted theirs.
        cx.core.stores.take_delaying();
        let step = match resumed.take() {
            Some(result) => resume(cx, result),
            None if cx.run.begun == cx.run.count => return Pause::Done,
            None if cx.core.states.must_yield() => {
                cx.run.stage = Stage::Between;
                return Pause::Yield;
            }
            None => start(cx),
        };
        let (status, keep_body) = match step {
            Ok(Step::Done(status)) => (status, false),
            Ok(Step::Wait(export, op, stage)) => {
                cx.run.stage = stage;
                cx.run.expected = Expected::of(&op);
                let acting_as = cx.run.acting_as.take();
                let route = match cx.terms(export) {
                    Ok(terms) => {
                        let cred = acting_as.as_ref().unwrap_or(&cx.run.cred);
                        cx.core.exports.route(export, terms, cred, &op)
                    }
                    Err(barrier) => Route::Refused(barrier.into()),
                };
                match route {
                    Route::Backend(backend, cred) => {
                        let (now, call) = (cx.out.now, op.call());
                        cx.out.push(Action::Fs {
                            ticket: FsTicket {
                                conn: cx.run.conn,
                                index: key.index,
                                generation: key.generation,
                                export,
                                call,
                            },
                            backend,
                            request: FsRequest { cred, now, op },
                        });
                        return Pause::Fs(export, call);
                    }
                    Route::Pseudo => {
                        let viewer = cx.viewer();
                        let (answer, steps) = cx.core.exports.answer(op, viewer);
                        cx.core.states.walked += steps;
                        *resumed = Some(answer);
                    }
                    Route::Refused(error) => *resumed = Some(Err(error)),
                }
                continue;
            }
            Ok(Step::AwaitHolder(asked, stage)) => {
                cx.run.stage = stage;
                return Pause::Holder(asked);
            }
            Ok(Step::Durable(ticket, stage)) => {
                cx.run.stage = stage;
                return Pause::Stable(ticket);
            }
            Ok(Step::Yield) => {
                cx.run.stage = Stage::Last;
                return Pause::Yield;
            }
            Ok(Step::Failed(status)) => (status, true),
            Err(status) => {
                if status == Status::DELAY
                    && let Some(ticket) = wait_instead(cx)
                {
                    return Pause::Stable(ticket);
                }
                (status, false)
            }
        };
        let status = end(cx, status, keep_body);
        cx.unguard();
        if cx.run.owner_request.is_some() {
            seqid::settle(cx, status);
        }
        let (op, minor) = (cx.run.op, cx.run.minor);
        debug_assert!(
            errors::permits(op, minor, status),
            "{op} may not answer {status}"
        );
        let waited = cx.run.end_operation(cx.out.now.mono);
        cx.out.metrics.operation(op, minor, status, waited);
        if status != Status::OK {
            return Pause::Done;
        }
    }
}

/// The write that the current operation waits for instead of answering DELAY: it has changed nothing, and begins
/// anew then. In 4.0, DELAY would count as the owner's reply.
fn wait_instead<S>(cx: &mut Cx<'_, S>) -> Option<StableTicket> {
    let ticket = cx.core.stores.take_delaying()?;
    if cx.run.stores_awaited >= MOST_STORES_AWAITED || !cx.core.stores.admits(ticket) {
        return None;
    }
    cx.run.stores_awaited += 1;
    cx.run.reply.drop_body();
    cx.unguard();
    cx.run.stage = Stage::Anew;
    Some(ticket)
}

pub(super) fn start<S: Scope>(cx: &mut Cx<'_, S>) -> Result<Step, Status> {
    let mut args = Reader::at(cx.record, cx.run.next_at);
    cx.run.begun += 1;
    let (op, row) = match next_operation(&mut args, cx.run.minor) {
        Ok(found) => found,
        Err((op, status)) => {
            cx.run.op = Op::Illegal;
            cx.run.reply.begin_op(op);
            return Err(status);
        }
    };
    cx.run.op = row.op;
    cx.run.args_at = args.position();
    cx.run.reply.begin_op(op);
    if cx.run.minor == 0 && cx.run.begun > cx.core.config.max_operations {
        // In later minor versions the session has its own limit.
        return Err(Status::TOO_MANY_OPS);
    }
    if cx.core.blocked.contains(row.op) {
        return Err(Status::NOTSUPP);
    }
    if row.flags.first_only && cx.run.begun > 1 {
        // Whatever becomes of it, it is one.
        cx.out.metrics.sequence();
        return Err(Status::SEQUENCE_POS);
    }
    let handler = S::handler(row).ok_or_else(|| S::unserved(row))?;
    if S::ALONE && cx.run.count > 1 {
        return Err(Status::NOT_ONLY_OP);
    }
    if cx.run.answers_delay && errors::permits(row.op, cx.run.minor, Status::DELAY) {
        // The operations before it, which may not answer DELAY, cost little.
        return Err(Status::DELAY);
    }
    admit_current(cx, row)?;
    if !row.flags.keeps_fetched {
        cx.run.fetched = None;
    }
    if let Some(bound) = row.reply_bound {
        if !S::stands(cx) {
            // The session went while an operation before this one waited, or through a CREATE_SESSION
            // for a new incarnation: the reply could not be kept for replay.
            return Err(Status::DELAY);
        }
        cx.run.room_for(bound)?;
        cx.run.changes = true;
    }
    let step = (handler.start)(cx, &mut args);
    cx.run.next_at = args.position();
    step
}

/// Checks that an operation may be executed on the current filehandle, if it needs one.
fn admit_current<S>(cx: &mut Cx<'_, S>, row: &Row) -> Result<(), Status> {
    if row.flags.needs_current {
        let current = cx.run.current.as_ref().ok_or(Status::NOFILEHANDLE)?;
        cx.admit(current.export, row.op)?;
    }
    Ok(())
}

pub(super) fn resume<S: Scope>(cx: &mut Cx<'_, S>, result: FsResult) -> Result<Step, Status> {
    let row = table::row(cx.run.op);
    // It was started, so it has a handler.
    let handler = S::handler(row).ok_or(Status::SERVERFAULT)?;
    let mut args = Reader::at(cx.record, cx.run.args_at);
    if let Stage::Anew = cx.run.stage {
        result?;
        admit_current(cx, row)?;
        let step = (handler.start)(cx, &mut args);
        cx.run.next_at = args.position();
        return step;
    }
    (handler.resume)(cx, &mut args, result)
}

/// Closes the result of an operation; one that does not fit becomes an error.
pub(super) fn end<S: Scope>(cx: &mut Cx<'_, S>, status: Status, keep_body: bool) -> Status {
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

/// Maximum number of times that a COMPOUND waits for stable storage instead of answering DELAY.
const MOST_STORES_AWAITED: u8 = 32;
