//! The way of one COMPOUND through its operations.

mod administration;
mod begin;
mod drain;
mod fs_answer;
mod operations;
mod slow;
mod stable;
mod v40;
mod wait;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use nfs4_proto::nfs4::status::Status;

use crate::action::{Action, Outbox};
use crate::compound::state::Compound;
use crate::compound::{Cx, Scope, Sessionless, Stage, V40};
use crate::core::Core;
use crate::fs::{FsError, FsResult};
use crate::input::Call;
use crate::ops::sequence::{self};
use crate::run::begin::Begin;
use crate::run::operations::Pause;
use crate::slab::Slab;

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
    pub(crate) fn call(&mut self, call: Call, out: &mut Outbox) {
        let mut run = match self.idle.pop() {
            Some(run) => run,
            None => Box::new(Compound::new(Arc::clone(&call.cred))),
        };
        let record = run.accept(out.now, call);
        run.watch = self.core.guards.watch();
        match begin::begin(&mut self.core, &mut run, &record, out) {
            Some(Begin::Bare) => self.drive(run, record, Sessionless, &mut None, out),
            Some(Begin::V40) => self.drive(run, record, V40, &mut None, out),
            Some(Begin::Sequenced(scope)) => self.drive(run, record, scope, &mut None, out),
            Some(Begin::Refused(status)) => {
                run.reply.refuse(status);
                self.finish(run, out);
            }
            None => self.recycle(run),
        }
    }

    /// Continues with a COMPOUND that was parked.
    pub(crate) fn resume(
        &mut self,
        mut run: Box<Compound>,
        result: &mut Option<FsResult>,
        out: &mut Outbox,
    ) {
        let record = core::mem::take(&mut run.record);
        run.end_wait(out.now.mono);
        if let Some((session, bytes)) = run.promised() {
            self.core.sessions.redeem(session, bytes);
        }
        if matches!(run.stage, Stage::Between) {
            // The file system was asked nothing.
            *result = None;
        }
        if core::mem::take(&mut run.not_stored) {
            *result = Some(Err(FsError::Busy));
        }
        match run.sequenced {
            // The session is gone, and nothing was done yet.
            Some(scope)
                if run.stage.only_looked() && !self.core.sessions.contains(scope.session) =>
            {
                self.core.guards.release(core::mem::take(&mut run.guard));
                run.reply.end_op(Status::DELAY, false);
                let waited = run.end_operation(out.now.mono);
                out.metrics
                    .operation(run.op, run.minor, Status::DELAY, waited);
                self.finish(run, out);
            }
            // What the file system has done is reported, though there may be no slot to keep the reply
            // in: the client must not do it again.
            Some(scope) => self.drive(run, record, scope, result, out),
            None if run.minor == 0 => self.drive(run, record, V40, result, out),
            None => self.drive(run, record, Sessionless, result, out),
        }
    }

    fn drive<S: Scope>(
        &mut self,
        mut run: Box<Compound>,
        record: Bytes,
        scope: S,
        resumed: &mut Option<FsResult>,
        out: &mut Outbox,
    ) {
        let key = self.parked.next_key();
        let mut cx = Cx {
            core: &mut self.core,
            run: &mut run,
            out,
            record: &record,
            scope,
        };
        let pause = operations::execute(&mut cx, key, resumed);
        if let Pause::Done = pause {
            self.finish(run, out);
            return;
        }
        let conn = run.conn;
        self.core.connections.wait_for(conn, &mut run.awaited);
        if let Pause::Fs(export, _) = pause {
            self.core.exports.asked(export);
        }
        if self.core.exports.has_rules() && run.address.is_none() {
            let connection = self.core.connections.get(conn);
            run.address = connection.map(|found| found.address);
        }
        run.record = record;
        run.has_waited = true;
        if !matches!(run.stage, Stage::Between) {
            run.waits_since.get_or_insert(out.now.mono);
        }
        if let Some((session, bytes)) = run.promised() {
            self.core.sessions.promise(session, bytes);
        }
        run.begin_wait(pause.waits_for(), out.now.mono);
        self.core.arm_slow(out.now.mono);
        let parked = self.parked.insert(run);
        debug_assert_eq!(parked, key, "nothing else is parked meanwhile");
        match pause {
            Pause::Done | Pause::Fs(..) => {}
            Pause::Holder(asked) => self.park_for_holder(asked, key, out.now),
            Pause::Stable(ticket) => self.park_for_stable(ticket, key, out.now),
            Pause::Yield => self.park_yielded(key, out.now),
        }
    }

    /// Answers a COMPOUND; if its connection was only waiting for it, that is closed then.
    fn finish(&mut self, mut run: Box<Compound>, out: &mut Outbox) {
        self.core.answer(&mut run, out);
        let conn = run.conn;
        if run.has_waited && self.core.connections.answered(conn, run.awaited) {
            out.push(Action::Close { conn });
        }
        self.recycle(run);
    }

    /// Keeps the memory of a finished COMPOUND for the next one.
    fn recycle(&mut self, run: Box<Compound>) {
        if self.idle.len() < IDLE_KEPT && run.reply.capacity() <= REPLY_KEPT {
            self.idle.push(run);
        }
    }
}

impl Core {
    /// Sends the reply of a COMPOUND, unless its connection has gone, and ends its slot.
    fn answer(&mut self, run: &mut Compound, out: &mut Outbox) {
        let now = out.now;
        run.reply.finish();
        if run.has_waited {
            self.slow_request_ends(run, out);
        }
        if let Some(scope) = run.sequenced {
            sequence::leave(self, &scope, run, now);
        }
        if let Some(key) = run.leased_by
            && let Some(client) = self.clients.get_mut(key)
        {
            let took = now.mono.nanos_since(run.arrived);
            client.traffic.count(run.begun, run.moved, took);
        }
        self.end_hold(run, now.mono);
        self.end_request(run, out);
        out.metrics
            .compound(run.minor, now.mono.nanos_since(run.arrived));
        let (xid, conn) = (run.xid, run.conn);
        if run.has_waited && self.connections.get(conn).is_none() {
            run.reply.discard();
        } else {
            run.reply.send(conn, xid, out);
        }
    }
}

/// Maximum number of finished COMPOUNDs that keep their memory for the next ones.
const IDLE_KEPT: usize = 64;
/// A COMPOUND with a longer reply, in bytes, frees its memory.
const REPLY_KEPT: usize = 64 << 10;
