//! How a COMPOUND begins: in which scope it runs, or why it does not.

use bytes::Bytes;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::compound::CompoundHeader;
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::reply::Fault;
use nfs4_proto::xdr::{Decode, Reader};

use crate::action::Outbox;
use crate::compound::Sequenced;
use crate::compound::handler::Row;
use crate::compound::state::Compound;
use crate::compound::wait::Wait;
use crate::core::Core;
use crate::guards::Guard;
use crate::input::Call;
use crate::ops::sequence::{self, SequenceOutcome};
use crate::ops::{errors, table};
use crate::run::v40;
use crate::slow_log::Reported;
use crate::time::Now;
use crate::traffic::Moved;

/// The scope in which a COMPOUND runs.
pub(crate) enum Begin {
    /// Its first operation is not a SEQUENCE, and runs without a session or is refused.
    Bare,
    /// It is of minor version 0.
    V40,
    /// Its SEQUENCE has succeeded.
    Sequenced(Sequenced),
    /// It does not run: the reply has this status, and the results so far.
    Refused(Status),
}

/// Decodes the head of the request and finds out in which scope it runs; `None` if it has been
/// answered.
pub(super) fn begin(
    core: &mut Core,
    run: &mut Compound,
    record: &Bytes,
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
    if run.minor == 0 {
        return v40::enter(core, run, record, out).then_some(Begin::V40);
    }
    match next_operation(&mut args, run.minor) {
        Ok((op, row)) if row.op == Op::Sequence && !core.blocked.contains(row.op) => {
            run.reply.begin_op(op);
            run.begun = 1;
            enter_session(core, run, args, out)
        }
        // The operation is executed alone, or refused.
        Ok(_) | Err(_) => Some(Begin::Bare),
    }
}

/// Executes the SEQUENCE that a COMPOUND begins with; `None` if the COMPOUND has been answered.
fn enter_session(
    core: &mut Core,
    run: &mut Compound,
    mut args: Reader<'_>,
    out: &mut Outbox,
) -> Option<Begin> {
    let (begin, status) = match sequence::enter(core, run, &mut args, out) {
        SequenceOutcome::Accepted(scope) => {
            run.next_at = args.position();
            // A draining connection gets no new work: the client comes by another connection.
            run.answers_delay = core.connections.is_draining(run.conn);
            (Begin::Sequenced(scope), Status::OK)
        }
        SequenceOutcome::Refused(status) => {
            debug_assert!(
                errors::permits(Op::Sequence, run.minor, status),
                "SEQUENCE may not answer {status}"
            );
            run.reply.end_op(status, false);
            (Begin::Refused(status), status)
        }
        SequenceOutcome::Replayed => return None,
    };
    out.metrics.operation(Op::Sequence, run.minor, status, None);
    Some(begin)
}

impl Compound {
    /// Takes a call in; everything of the request before is overwritten.
    ///
    /// All fields are named here, so that one that is added later cannot be forgotten, and with it a
    /// credential or a filehandle of another caller.
    pub(crate) fn accept(&mut self, now: Now, call: Call) -> Bytes {
        let Compound {
            conn,
            xid,
            cred,
            message_len,
            arrived,
            begun,
            op,
            current,
            saved,
            current_stateid,
            saved_stateid,
            sequenced,
            leased_by,
            owner_request,
            request,
            changes,
            answers_delay,
            has_waited,
            waits_since,
            moved,
            awaited,
            keep,
            max_reply,
            max_kept,
            cache_room,
            fetched,
            guard,
            not_stored,
            stores_awaited,
            known_terms,
            address,
            acting_as,
            longest,
            reported,
            // Written when the header is decoded, or before they are read.
            minor: _,
            count: _,
            args_at: _,
            next_at: _,
            stage: _,
            expected: _,
            waits_for: _,
            parked_at: _,
            sequence_values: _,
            watch: _,
            // Empty while the COMPOUND is not parked.
            record: _,
            // Begun anew when the header is decoded; its memory is kept.
            reply: _,
        } = self;
        *conn = call.conn;
        *xid = call.xid;
        *cred = call.cred;
        *message_len = call.message_len;
        *arrived = now.mono;
        *begun = 0;
        *op = Op::Illegal;
        (*current, *saved) = (None, None);
        (*current_stateid, *saved_stateid) = (Stateid::ANONYMOUS, Stateid::ANONYMOUS);
        (*sequenced, *leased_by, *owner_request, *request) = (None, None, None, None);
        (*changes, *answers_delay, *has_waited, *keep) = (false, false, false, false);
        *moved = Moved::default();
        *awaited = 0;
        debug_assert_eq!(*waits_since, None, "each operation ends its wait");
        *waits_since = None;
        (*max_reply, *max_kept, *cache_room) = (usize::MAX, usize::MAX, usize::MAX);
        *fetched = None;
        (*known_terms, *address) = (None, None);
        *acting_as = None;
        *not_stored = false;
        *stores_awaited = 0;
        (*longest, *reported) = (Wait::NONE, Reported::No);
        debug_assert_eq!(*guard, Guard::None, "each operation ends its guard");
        *guard = Guard::None;
        call.body
    }
}

/// The operation whose number is next in the arguments.
///
/// # Errors
/// The number that the result is sent under, and the status: BADXDR, OP_ILLEGAL.
#[inline]
pub(super) fn next_operation(
    args: &mut Reader<'_>,
    minor: u32,
) -> Result<(OpNum, &'static Row), (OpNum, Status)> {
    let Ok(number) = args.u32() else {
        return Err((Op::Illegal.number(), Status::BADXDR));
    };
    let op = OpNum(number);
    match table::find(op, minor) {
        Ok(row) => Ok((op, row)),
        Err(status) => Err((answered_as(op, status), status)),
    }
}

/// Operations that do not exist are answered under a number of their own. [RFC 8881 §16.2.3]
fn answered_as(op: OpNum, status: Status) -> OpNum {
    if status == Status::OP_ILLEGAL {
        Op::Illegal.number()
    } else {
        op
    }
}
