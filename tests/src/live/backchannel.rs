//! What a client answers when the server calls it.

use std::collections::BTreeMap;

use nfs4_proto::client::{CbCallReader, CbReplyBuilder};
use nfs4_proto::nfs4::any::{CbArgOp, CbResOp};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::callback::res;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Stateid, Status};
use nfs4_proto::rpc::reply::write_success;
use nfs4_proto::rpc::{CB_NULL, CallHeader, write_mark};
use nfs4_proto::xdr::Writer;

/// The backchannel of a client that does what it is asked: it agrees to every recall, and tells what
/// it knows of files.
#[derive(Debug, Default)]
pub struct BackChannel {
    /// What was recalled and has not been looked at.
    pub recalled: Vec<Recalled>,
    /// By filehandle, change attribute and size as CB_GETATTR is told: what comes with a write
    /// delegation.
    pub told: BTreeMap<Vec<u8>, [u64; 2]>,
    /// How many CB_RECALLs it has answered.
    pub recalls: u32,
}

/// A delegation that the server wants back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// The delegation.
    pub stateid: Stateid,
    /// The filehandle of its file.
    pub fh: Vec<u8>,
}

/// Whether a record, its mark taken off, is a call. [RFC 5531 §9]
pub(super) fn is_call(record: &[u8]) -> bool {
    record.get(4..8) == Some(&[0; 4])
}

impl BackChannel {
    /// The answer to a call, with its record mark.
    pub fn answer(&mut self, call: &[u8]) -> Vec<u8> {
        let (header, _) = CallHeader::decode(call).expect("the server makes calls");
        if header.proc == CB_NULL {
            let mut reply = Writer::new();
            write_success(&mut reply, header.xid);
            return [&write_mark(reply.len())[..], reply.as_slice()].concat();
        }
        let mut reader = CbCallReader::parse(call).expect("a callback is well formed");
        let mut reply = CbReplyBuilder::reply(header.xid, b"");
        while let Some(op) = reader.next_op().expect("an operation is well formed") {
            self.result(&op, &mut reply);
        }
        reply.finish()
    }

    fn result(&mut self, op: &CbArgOp<'_>, reply: &mut CbReplyBuilder) {
        match op {
            CbArgOp::Sequence(sequence) => {
                let ok = res::CbSequenceOk {
                    sessionid: sequence.sessionid,
                    sequenceid: sequence.sequenceid,
                    slotid: sequence.slotid,
                    highest_slotid: sequence.highest_slotid,
                    target_highest_slotid: sequence.highest_slotid,
                };
                reply.result(&CbResOp::Sequence(Outcome::Ok(ok)))
            }
            CbArgOp::Recall(recall) => {
                self.recalls += 1;
                self.recalled.push(Recalled {
                    stateid: recall.stateid,
                    fh: recall.fh.to_vec(),
                });
                reply.result(&CbResOp::Recall(Outcome::Ok(())))
            }
            CbArgOp::GetAttr(wanted) => match self.told.get(wanted.fh) {
                Some(values) => {
                    let values = values.map(u64::to_be_bytes).concat();
                    let obj_attributes = FattrRaw {
                        mask: Bitmap::of(&[num::CHANGE, num::SIZE]),
                        values: &values,
                    };
                    let ok = res::CbGetAttrOk { obj_attributes };
                    reply.result(&CbResOp::GetAttr(Outcome::Ok(ok)))
                }
                None => reply.raw(op.op().number(), Status::BADHANDLE, &[]),
            },
            CbArgOp::RecallSlot(_) | CbArgOp::RecallAny(_) => {
                reply.raw(op.op().number(), Status::OK, &[])
            }
            other => reply.raw(other.op().number(), Status::NOTSUPP, &[]),
        };
    }
}
