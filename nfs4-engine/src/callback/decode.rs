//! The result of a CB_COMPOUND. [RFC 8881 §19.2, §20.9]

use nfs4_proto::nfs4::attr::{AttrReader, AttrValue, FattrRaw, num};
use nfs4_proto::nfs4::basic::SessionId;
use nfs4_proto::nfs4::callback::res;
use nfs4_proto::nfs4::compound::CompoundReplyHeader;
use nfs4_proto::nfs4::opnum::{CbOp, CbOpNum};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader, XdrError};

/// The outcome of a callback, by its consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CbOutcome {
    /// CB_SEQUENCE succeeded, so the callback was executed.
    Executed {
        /// The status of the operation after CB_SEQUENCE; BADXDR if it cannot be read.
        status: Status,
        /// The attributes in the result of CB_GETATTR.
        attrs: Option<HeldAttrs>,
        /// The highest slot that the client wants used.
        target: u32,
    },
    /// The client executed something under this seqid, and takes it for another callback.
    FalseRetry,
    /// The client refuses for now.
    Delayed,
    /// The seqid is neither the last nor the next.
    Misordered,
    /// The client has no such slot.
    BadSlot,
    /// The client has no such session.
    BadSession,
    /// The client does not accept it on this connection.
    BadConnection,
    /// The client refuses for good.
    Refused,
    /// The reply cannot be decoded, and says nothing.
    Garbled,
}

/// The attributes of a file that the holder of a write delegation knows better. [RFC 8881 §10.4.3]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldAttrs {
    pub(crate) change: Option<u64>,
    pub(crate) size: Option<u64>,
}

/// The callback that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CbRequest {
    pub(crate) session: SessionId,
    pub(crate) slot: u32,
    pub(crate) seqid: u32,
    /// The operation after CB_SEQUENCE; none if the result is of no interest any more.
    pub(crate) op: Option<CbOp>,
}

/// Decodes CB_COMPOUND4res.
pub(crate) fn read(results: &[u8], request: &CbRequest) -> CbOutcome {
    let mut r = Reader::new(results);
    let Ok(head) = CompoundReplyHeader::decode(&mut r) else {
        return CbOutcome::Garbled;
    };
    if head.ops == 0 {
        // The client refused for good before it processed any operation.
        return match head.status {
            Status::OK => CbOutcome::Garbled,
            _ => CbOutcome::Refused,
        };
    }
    let (Ok(op), Ok(status)) = (CbOpNum::decode(&mut r), Status::decode(&mut r)) else {
        return CbOutcome::Garbled;
    };
    if op.known() != Some(CbOp::Sequence) {
        return match status {
            Status::OK => CbOutcome::Garbled,
            _ => CbOutcome::Refused,
        };
    }
    match status {
        Status::OK => sequenced(&mut r, head.ops, request),
        // This status is read also in place of the second result, where it belongs.
        Status::RETRY_UNCACHED_REP => CbOutcome::Executed {
            status: unseen(request.op),
            attrs: None,
            target: u32::MAX,
        },
        Status::SEQ_FALSE_RETRY => CbOutcome::FalseRetry,
        Status::DELAY => CbOutcome::Delayed,
        Status::SEQ_MISORDERED => CbOutcome::Misordered,
        Status::BADSLOT => CbOutcome::BadSlot,
        Status::BADSESSION | Status::DEADSESSION => CbOutcome::BadSession,
        Status::CONN_NOT_BOUND_TO_SESSION => CbOutcome::BadConnection,
        _ => CbOutcome::Refused,
    }
}

fn sequenced(r: &mut Reader<'_>, results: u32, request: &CbRequest) -> CbOutcome {
    let Ok(ok) = res::CbSequenceOk::decode(r) else {
        return CbOutcome::Garbled;
    };
    if (ok.sessionid, ok.slotid, ok.sequenceid) != (request.session, request.slot, request.seqid) {
        return CbOutcome::Garbled;
    }
    let (status, attrs) = match request.op {
        Some(op) if results > 1 => operation(r, op).unwrap_or((Status::BADXDR, None)),
        Some(_) => (Status::BADXDR, None),
        None => (Status::OK, None),
    };
    CbOutcome::Executed {
        status,
        attrs,
        target: ok.target_highest_slotid,
    }
}

pub(crate) fn operation(
    r: &mut Reader<'_>,
    expected: CbOp,
) -> Result<(Status, Option<HeldAttrs>), XdrError> {
    let op = CbOpNum::decode(r)?;
    let status = Status::decode(r)?;
    if status == Status::RETRY_UNCACHED_REP {
        return Ok((unseen(Some(expected)), None));
    }
    if op.known() != Some(expected) {
        // Most likely OP_CB_ILLEGAL; in any case no success.
        let status = if status == Status::OK {
            Status::BADXDR
        } else {
            status
        };
        return Ok((status, None));
    }
    if expected != CbOp::GetAttr || status != Status::OK {
        return Ok((status, None));
    }
    let attrs = FattrRaw::decode(r)?;
    Ok((status, Some(held(&attrs)?)))
}

/// The status of an operation whose result the client did not keep: it was executed, and an
/// operation without a body has no other result.
pub(crate) fn unseen(op: Option<CbOp>) -> Status {
    if op == Some(CbOp::GetAttr) {
        Status::RETRY_UNCACHED_REP
    } else {
        Status::OK
    }
}

fn held(raw: &FattrRaw<'_>) -> Result<HeldAttrs, XdrError> {
    let mut attrs = HeldAttrs::default();
    let mut reader = AttrReader::new(raw);
    while let Some(number) = reader.next_number() {
        if number > num::SIZE {
            // Some clients send more attributes than requested; they are not needed here.
            return Ok(attrs);
        }
        let value = AttrValue::decode_value(number, reader.reader())?;
        if let AttrValue::Change(change) = value {
            attrs.change = Some(change);
        } else if let AttrValue::Size(size) = value {
            attrs.size = Some(size);
        }
    }
    reader.finish()?;
    Ok(attrs)
}
