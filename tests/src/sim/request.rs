//! A call that can be sent again.

use nfs4_engine::ConnId;
use nfs4_proto::nfs4::compound::CompoundHeader;
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::rpc::CallHeader;
use nfs4_proto::xdr::{Decode, Reader};

use super::codec::xid_of;
use super::reply::Reply;
use super::world::Sim;

/// A call that can be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The whole call with its record mark.
    pub record: Vec<u8>,
}

impl Request {
    /// The transaction id.
    pub fn xid(&self) -> u32 {
        xid_of(&self.record)
    }

    /// The same under another transaction id.
    #[must_use]
    pub fn again(&self, sim: &mut Sim) -> Request {
        let mut record = self.record.clone();
        record[4..8].copy_from_slice(&sim.xid().to_be_bytes());
        Request { record }
    }

    /// The same as Linux sends it again: under the same transaction id, slot and seqid, but encoded
    /// anew, with the highest slot that is in use by now and another stamp in the credential, which is
    /// one of AUTH_SYS. A call without SEQUENCE has no such slot.
    #[must_use]
    pub fn encoded_anew(&self, highest_slot: u32, stamp: u32) -> Request {
        let mut record = self.record.clone();
        record[STAMP_AT..STAMP_AT + 4].copy_from_slice(&stamp.to_be_bytes());
        if let Some(at) = highest_slot_at(&record) {
            record[at..at + 4].copy_from_slice(&highest_slot.to_be_bytes());
        }
        Request { record }
    }

    /// Sends it and returns the reply.
    #[track_caller]
    pub fn exchange(&self, sim: &mut Sim, conn: ConnId) -> Reply {
        sim.exchange(conn, self.record.clone())
    }

    /// Sends it.
    pub fn send(&self, sim: &mut Sim, conn: ConnId) {
        sim.send(conn, self.record.clone());
    }
}

/// Where `sa_highest_slotid` is, in a call that begins with SEQUENCE.
fn highest_slot_at(record: &[u8]) -> Option<usize> {
    let (_, body) = CallHeader::decode(&record[4..]).expect("a client's calls are calls");
    let mut reader = Reader::at(record, 4 + body);
    let head = CompoundHeader::decode(&mut reader).expect("a client's calls are COMPOUNDs");
    let op = OpNum(reader.u32().ok()?);
    // After the session id, the seqid and the slot.
    (head.minorversion > 0 && op.known() == Some(Op::Sequence))
        .then(|| reader.position() + 16 + 4 + 4)
}

/// After the record mark, six numbers, and flavour and length of the credential.
const STAMP_AT: usize = 4 + 6 * 4 + 2 * 4;
