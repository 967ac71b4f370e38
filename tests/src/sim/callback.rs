//! A call of the server's as a client got it, and what may be answered.

use std::fmt;

use nfs4_engine::ConnId;
use nfs4_proto::client::{CbCallReader, CbReplyBuilder};
use nfs4_proto::dump::Dump;
use nfs4_proto::nfs4::any::{CbArgOp, CbResOp};
use nfs4_proto::nfs4::callback::{args, res};
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{CbOp, Status};
use nfs4_proto::rpc::reply::{write_fault, write_success};
use nfs4_proto::rpc::{CB_NULL, CallHeader, Fault, write_mark};
use nfs4_proto::xdr::Writer;

/// A whole RPC call of CB_COMPOUND, its record mark taken off; a failing test prints it on one line.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// The connection that it came by.
    pub conn: ConnId,
    record: Vec<u8>,
}

impl Callback {
    /// The call in a whole record, its mark included.
    pub fn new(conn: ConnId, record: &[u8]) -> Callback {
        let (mark, record) = record.split_at(4);
        assert_eq!(mark, write_mark(record.len()), "one whole record");
        Callback {
            conn,
            record: record.to_vec(),
        }
    }

    /// A reader before the first operation.
    pub fn reader(&self) -> CbCallReader<'_> {
        CbCallReader::parse(&self.record).expect("the callback is well formed")
    }

    /// The transaction id.
    pub fn xid(&self) -> u32 {
        self.header().xid
    }

    /// Length of the RPC message in bytes: what `ca_maxrequestsize` counts.
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// Never: there is always a header.
    pub fn is_empty(&self) -> bool {
        self.record.is_empty()
    }

    /// The RPC header.
    pub fn header(&self) -> CallHeader<'_> {
        let (header, _) = CallHeader::decode(&self.record).expect("a call");
        header
    }

    /// Whether it is CB_NULL.
    pub fn is_null(&self) -> bool {
        self.header().proc == CB_NULL
    }

    /// Whether it is for a client of minor version 0, which has no session.
    pub fn is_by_path(&self) -> bool {
        self.is_null() || self.reader().header().minorversion == 0
    }

    /// The answer to a callback of minor version 0, whose one operation came to this.
    pub fn alone(&self, status: Status) -> Vec<u8> {
        let op = *self.ops().first().expect("an operation");
        CbReplyBuilder::reply(self.xid(), b"")
            .raw(op.op().number(), status, &[])
            .finish()
    }

    /// The arguments of CB_COMPOUND: what a retry must repeat.
    pub fn body(&self) -> &[u8] {
        let (_, at) = CallHeader::decode(&self.record).expect("a call");
        &self.record[at..]
    }

    /// All operations; there must be nothing after them.
    pub fn ops(&self) -> Vec<CbArgOp<'_>> {
        let mut reader = self.reader();
        let mut ops = Vec::new();
        while let Some(op) = reader.next_op().expect("a well-formed operation") {
            ops.push(op);
        }
        reader.finish().expect("nothing follows");
        ops
    }

    /// The CB_SEQUENCE that it begins with.
    pub fn sequence(&self) -> args::CbSequence<'_> {
        match self.ops().first() {
            Some(CbArgOp::Sequence(sequence)) => *sequence,
            other => panic!("a callback begins with CB_SEQUENCE, not {other:?}"),
        }
    }

    /// The answer of a client that does what it is asked: OK to all of it.
    pub fn ok(&self) -> Vec<u8> {
        self.with(Status::OK)
    }

    /// An answer of CB_SEQUENCE with success and of the operation after it with `status`.
    pub fn with(&self, status: Status) -> Vec<u8> {
        let sequence = self.sequence();
        let ok = res::CbSequenceOk {
            sessionid: sequence.sessionid,
            sequenceid: sequence.sequenceid,
            slotid: sequence.slotid,
            highest_slotid: 15,
            target_highest_slotid: 15,
        };
        let ops = self.ops();
        let op = ops.get(1).expect("an operation after CB_SEQUENCE").op();
        CbReplyBuilder::reply(self.xid(), b"")
            .result(&CbResOp::Sequence(Outcome::Ok(ok)))
            .raw(op.number(), status, &[])
            .finish()
    }

    /// An answer of the RPC layer's with success, and these results.
    pub fn answered(&self, results: &[u8]) -> Vec<u8> {
        let mut w = Writer::new();
        write_success(&mut w, self.xid());
        w.raw(results);
        let mut record = write_mark(w.len()).to_vec();
        record.extend_from_slice(w.as_slice());
        record
    }

    /// An answer of CB_SEQUENCE with this error, and nothing after it.
    pub fn refused(&self, status: Status) -> Vec<u8> {
        CbReplyBuilder::reply(self.xid(), b"")
            .raw(CbOp::Sequence.number(), status, &[])
            .finish()
    }

    /// An answer of the RPC layer's.
    pub fn fault(&self, fault: Fault) -> Vec<u8> {
        let mut w = Writer::new();
        write_fault(&mut w, self.xid(), fault);
        let mut record = write_mark(w.len()).to_vec();
        record.extend_from_slice(w.as_slice());
        record
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.conn, Dump::new(&self.record))
    }
}
