//! A reply as a client got it.

use std::fmt;

use nfs4_engine::ConnId;
use nfs4_proto::client::ReplyReader;
use nfs4_proto::dump::Dump;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::{Op, Status};

/// A whole RPC reply, its record mark taken off; a failing test prints it on one line.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The connection that it came by.
    pub conn: ConnId,
    record: Vec<u8>,
}

impl Reply {
    /// One whole record that came by a connection.
    ///
    /// # Panics
    /// If it is not.
    pub fn new(conn: ConnId, record: &[u8]) -> Reply {
        let (mark, record) = record.split_at(4);
        let len = u32::try_from(record.len()).expect("a record is short");
        assert_eq!(mark, (len | 1 << 31).to_be_bytes(), "one whole record");
        Reply {
            conn,
            record: record.to_vec(),
        }
    }

    /// The transaction id.
    pub fn xid(&self) -> u32 {
        let bytes = self.record.first_chunk().expect("a reply has an id");
        u32::from_be_bytes(*bytes)
    }

    /// All of it but the transaction id: what a replay must repeat.
    pub fn body(&self) -> &[u8] {
        &self.record[4..]
    }

    /// Length of the RPC message in bytes: what `ca_maxresponsesize` counts.
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// Never: there is always a header.
    pub fn is_empty(&self) -> bool {
        self.record.is_empty()
    }

    /// A reader before the first result.
    pub fn reader(&self) -> ReplyReader<'_> {
        ReplyReader::parse(&self.record).expect("the reply is well formed")
    }

    /// The status of the COMPOUND.
    pub fn status(&self) -> Status {
        self.reader().status()
    }

    /// All results; there must be nothing after them.
    pub fn results(&self) -> Vec<ResOp<'_>> {
        let mut reader = self.reader();
        let mut results = Vec::new();
        while let Some(result) = reader.next_result().expect("a well-formed result") {
            results.push(result);
        }
        if reader.status() == Status::OK {
            reader.finish().expect("nothing follows");
        }
        results
    }

    /// Operation and status of all results.
    pub fn statuses(&self) -> Vec<(Op, Status)> {
        let results = self.results();
        results.iter().map(|res| (res.op(), res.status())).collect()
    }

    /// Operation and status of the last result.
    pub fn last(&self) -> (Op, Status) {
        *self.statuses().last().expect("there is a result")
    }

    /// The last result of an operation.
    pub fn result(&self, op: Op) -> ResOp<'_> {
        let found = self.results().into_iter().rev().find(|res| res.op() == op);
        found.unwrap_or_else(|| panic!("no {op} in {self:?}"))
    }

    /// Itself, if every operation succeeded.
    #[track_caller]
    pub fn all_ok(self) -> Reply {
        assert_eq!(self.status(), Status::OK, "{self:?}");
        self
    }

    /// Whether it has exactly one result, of this operation and status.
    pub fn is_only(&self, op: Op, status: Status) -> bool {
        self.status() == status && self.statuses() == [(op, status)]
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.conn, Dump::new(&self.record))
    }
}

/// The results of an operation that succeeded, out of a reply.
#[macro_export]
macro_rules! ok {
    ($reply:expr, $op:ident) => {
        match $reply.result($crate::Op::$op) {
            $crate::ResOp::$op($crate::Outcome::Ok(ok)) => ok,
            other => panic!("not a success: {other:?}"),
        }
    };
}
