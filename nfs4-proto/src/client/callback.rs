//! The client's side of the backchannel, and the reading of calls.

use alloc::vec::Vec;

use super::call::finish_record;
use crate::nfs4::any::{ArgOp, CbArgOp, CbResOp};
use crate::nfs4::compound::{CbCompoundHeader, CompoundHeader, CompoundReplyHeader};
use crate::nfs4::{CbOpNum, OpNum, Status};
use crate::rpc::reply::write_success;
use crate::rpc::{CallError, CallHeader};
use crate::xdr::{Decode, Encode, Reader, Writer, XdrError};

macro_rules! call_reader {
    ($(#[$doc:meta])* $name:ident $header:ident $op:ident $num:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'a> {
            rpc: CallHeader<'a>,
            header: $header<'a>,
            left: u32,
            reader: Reader<'a>,
        }

        impl<'a> $name<'a> {
            /// Starts on a whole call, without its record mark; program and procedure are the
            /// caller's to check.
            pub fn parse(record: &'a [u8]) -> Result<Self, CallReadError> {
                let (rpc, at) = CallHeader::decode(record)?;
                let mut reader = Reader::at(record, at);
                let header = $header::decode(&mut reader)?;
                Ok(Self { rpc, header, left: header.ops, reader })
            }

            /// The RPC header.
            pub const fn rpc(&self) -> &CallHeader<'a> {
                &self.rpc
            }

            /// What stands before the operations.
            pub const fn header(&self) -> &$header<'a> {
                &self.header
            }

            /// The number of the next operation, without going on.
            pub fn peek(&self) -> Result<Option<$num>, XdrError> {
                if self.left == 0 {
                    return Ok(None);
                }
                let mut r = self.reader;
                $num::decode(&mut r).map(Some)
            }

            /// The next operation.
            pub fn next_op(&mut self) -> Result<Option<$op<'a>>, XdrError> {
                if self.left == 0 {
                    return Ok(None);
                }
                self.left -= 1;
                $op::decode(&mut self.reader).map(Some)
            }

            /// Checks that nothing follows the last operation.
            pub fn finish(&self) -> Result<(), XdrError> {
                self.reader.finish()
            }
        }
    };
}

call_reader! {
    /// Goes over the operations of a COMPOUND, as a server would [RFC 8881 §16.2].
    CallReader CompoundHeader ArgOp OpNum
}

call_reader! {
    /// Goes over the operations of a CB_COMPOUND that a server sent [RFC 8881 §19.2].
    CbCallReader CbCompoundHeader CbArgOp CbOpNum
}

/// Why a record is not the call of a COMPOUND or CB_COMPOUND.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallReadError {
    /// It is not even a call.
    #[error(transparent)]
    Rpc(#[from] CallError),
    /// The arguments are not XDR.
    #[error("malformed call: {0}")]
    Xdr(#[from] XdrError),
}

/// Builds the reply to a CB_COMPOUND result by result; its status is that of the last result
/// [RFC 8881 §19.2].
#[derive(Debug, Clone)]
pub struct CbReplyBuilder {
    w: Writer,
    status_at: usize,
    count_at: usize,
    status: Status,
    count: u32,
}

impl CbReplyBuilder {
    /// Starts a whole reply with its record mark.
    pub fn reply(xid: u32, tag: &[u8]) -> Self {
        let mut w = Writer::with_capacity(128);
        w.reserve_u32();
        write_success(&mut w, xid);
        let status_at = w.len();
        CompoundReplyHeader {
            status: Status::OK,
            tag,
            ops: 0,
        }
        .encode(&mut w);
        let count_at = w.len() - 4;
        Self {
            w,
            status_at,
            count_at,
            status: Status::OK,
            count: 0,
        }
    }

    /// Appends a result.
    pub fn result(&mut self, result: &CbResOp<'_>) -> &mut Self {
        self.count += 1;
        self.status = result.status();
        result.encode(&mut self.w);
        self
    }

    /// Appends a result that is XDR already, or is not XDR at all.
    pub fn raw(&mut self, op: CbOpNum, status: Status, body: &[u8]) -> &mut Self {
        self.count += 1;
        self.status = status;
        op.encode(&mut self.w);
        status.encode(&mut self.w);
        self.w.raw(body);
        self
    }

    /// The reply; the builder is empty afterwards.
    pub fn finish(&mut self) -> Vec<u8> {
        self.w.patch_u32(self.status_at, self.status.0);
        self.w.patch_u32(self.count_at, self.count);
        finish_record(core::mem::take(&mut self.w), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nfs4::callback::{args, res};
    use crate::nfs4::res::Outcome;
    use crate::nfs4::{SessionId, Stateid};
    use crate::rpc::{NFS_CB, OpaqueAuth, ReplyHeader};
    use crate::xdr::List;

    #[test]
    fn a_recall_and_its_answer() {
        let sequence = args::CbSequence {
            sessionid: SessionId([1; 16]),
            sequenceid: 2,
            slotid: 0,
            highest_slotid: 0,
            cachethis: false,
            referring_call_lists: List::empty(),
        };
        let recall = args::CbRecall {
            stateid: Stateid::CURRENT,
            truncate: false,
            fh: b"fh",
        };
        let mut w = Writer::new();
        let (cred, verf) = (OpaqueAuth::NONE, OpaqueAuth::NONE);
        let rpc = CallHeader {
            xid: 8,
            prog: 0x4000_0000,
            vers: NFS_CB,
            proc: 1,
            cred,
            verf,
        };
        rpc.encode(&mut w);
        CbCompoundHeader {
            tag: b"",
            minorversion: 1,
            callback_ident: 0,
            ops: 2,
        }
        .encode(&mut w);
        CbArgOp::Sequence(sequence).encode(&mut w);
        CbArgOp::Recall(recall).encode(&mut w);

        let mut call = CbCallReader::parse(w.as_slice()).unwrap();
        assert_eq!(call.rpc(), &rpc);
        assert_eq!(call.next_op(), Ok(Some(CbArgOp::Sequence(sequence))));
        assert_eq!(call.next_op(), Ok(Some(CbArgOp::Recall(recall))));
        assert_eq!((call.next_op(), call.finish()), (Ok(None), Ok(())));

        let ok = res::CbSequenceOk {
            sessionid: sequence.sessionid,
            sequenceid: 2,
            slotid: 0,
            highest_slotid: 0,
            target_highest_slotid: 0,
        };
        let record = CbReplyBuilder::reply(call.rpc().xid, call.header().tag)
            .result(&CbResOp::Sequence(Outcome::Ok(ok)))
            .result(&CbResOp::Recall(Outcome::Err(Status::DELAY, ())))
            .finish();
        let header = ReplyHeader::decode(&record[4..]).unwrap();
        let mut r = Reader::at(&record[4..], header.outcome.unwrap().results);
        let compound = CompoundReplyHeader::decode(&mut r).unwrap();
        assert_eq!((compound.status, compound.ops), (Status::DELAY, 2));
        assert_eq!(
            CbResOp::decode(&mut r),
            Ok(CbResOp::Sequence(Outcome::Ok(ok)))
        );
    }
}
