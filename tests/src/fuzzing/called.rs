//! Callbacks as clients get them, and what they answer.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::{CallbackOutcome, ConnId};
use nfs4_proto::client::{CbCallReader, CbReplyBuilder};
use nfs4_proto::nfs4::any::{CbArgOp, CbResOp};
use nfs4_proto::nfs4::attr::{Bitmap, FattrRaw, num, write_fattr};
use nfs4_proto::nfs4::callback::{args, res};
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{CbOp, Status};
use nfs4_proto::rpc::{Fault, Mark};
use nfs4_proto::xdr::{Decode, Reader, Writer};

use super::tape::Tape;

/// A call of the server that waits for its reply.
pub(super) struct CallbackCall {
    pub(super) conn: ConnId,
    pub(super) xid: u32,
    /// Without its mark.
    record: Vec<u8>,
}

impl CallbackCall {
    /// The call in a whole record, its mark included.
    pub(super) fn new(conn: ConnId, xid: u32, record: &[u8]) -> CallbackCall {
        CallbackCall {
            conn,
            xid,
            record: record.get(Mark::LEN..).unwrap_or_default().to_vec(),
        }
    }

    /// What the client answers: mostly what was asked, in the right form.
    pub(super) fn outcome(&self, tape: &mut Tape<'_>) -> CallbackOutcome {
        match tape.below(8) {
            0 => CallbackOutcome::Refused(tape.pick(&[Fault::ProgUnavail, Fault::SystemErr])),
            1 => CallbackOutcome::Answered(Bytes::copy_from_slice(&tape.word().to_be_bytes())),
            2 => CallbackOutcome::Answered(Bytes::new()),
            3 => {
                let op = tape.pick(&[CbOp::Recall, CbOp::GetAttr, CbOp::Sequence]);
                let mut reply = CbReplyBuilder::reply(self.xid, b"");
                reply.raw(op.number(), status(tape), &[]);
                results(&mut reply)
            }
            _ => self.answer(tape),
        }
    }

    /// A result for each operation, up to the first that fails.
    fn answer(&self, tape: &mut Tape<'_>) -> CallbackOutcome {
        let Ok(mut call) = CbCallReader::parse(&self.record) else {
            // CB_NULL.
            return CallbackOutcome::Answered(Bytes::new());
        };
        let mut reply = CbReplyBuilder::reply(self.xid, b"");
        while let Ok(Some(op)) = call.next_op() {
            let status = status(tape);
            match op {
                CbArgOp::Sequence(args) if status.is_ok() => {
                    let ok = CbResOp::Sequence(Outcome::Ok(sequence(&args, tape)));
                    reply.result(&ok);
                }
                CbArgOp::GetAttr(args) if status.is_ok() => {
                    attributes(&mut reply, args.attr_request, tape);
                }
                op => {
                    reply.raw(op.op().number(), status, &[]);
                }
            }
            if !status.is_ok() {
                break;
            }
        }
        results(&mut reply)
    }
}

/// Success twice in three times.
fn status(tape: &mut Tape<'_>) -> Status {
    if tape.below(3) < 2 {
        return Status::OK;
    }
    tape.pick(&[
        Status::DELAY,
        Status::BADHANDLE,
        Status::BAD_STATEID,
        Status::BADSESSION,
        Status::SEQ_MISORDERED,
        Status::RETRY_UNCACHED_REP,
        Status::NOTSUPP,
        Status::RESOURCE,
    ])
}

fn sequence(args: &args::CbSequence<'_>, tape: &mut Tape<'_>) -> res::CbSequenceOk {
    let mut ok = res::CbSequenceOk {
        sessionid: args.sessionid,
        sequenceid: args.sequenceid,
        slotid: args.slotid,
        highest_slotid: args.highest_slotid,
        target_highest_slotid: tape.pick(&[0, 1, 7, u32::MAX]),
    };
    match tape.below(32) {
        0 => ok.sequenceid = ok.sequenceid.wrapping_add(1),
        1 => ok.slotid ^= 1,
        2 => ok.sessionid.0[tape.below(16)] ^= 1,
        _ => {}
    }
    ok
}

/// A size and a change attribute, or others than were asked for.
fn attributes(reply: &mut CbReplyBuilder, asked: Bitmap, tape: &mut Tape<'_>) {
    let known = Bitmap::of(&[num::CHANGE, num::SIZE]);
    let mut w = Writer::new();
    let mask = if tape.one_in(8) {
        Bitmap::of(&[num::SIZE])
    } else {
        asked & known
    };
    let change = u64::from(tape.byte());
    let size = tape.pick(&[0, 10, 4_096, 1 << 40, u64::MAX]);
    write_fattr(&mut w, mask, |number, w| {
        w.u64(if number == num::SIZE { size } else { change });
    });
    if let Ok(obj_attributes) = FattrRaw::decode(&mut Reader::new(w.as_slice())) {
        let ok = res::CbGetAttrOk { obj_attributes };
        reply.result(&CbResOp::GetAttr(Outcome::Ok(ok)));
    }
}

fn results(reply: &mut CbReplyBuilder) -> CallbackOutcome {
    let record = reply.finish();
    let results = record.get(Mark::LEN + RPC_REPLY..).unwrap_or_default();
    CallbackOutcome::Answered(Bytes::copy_from_slice(results))
}

/// Bytes of the header of an accepted reply.
const RPC_REPLY: usize = 24;
