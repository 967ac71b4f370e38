//! Callbacks and their replies.

use super::print;
use super::walk::{inverse, inverse_message};
use crate::client::{CbCallReader, CbReplyBuilder};
use crate::nfs4::any::{CbArgOp, CbResOp};
use crate::nfs4::callback::args;
use crate::nfs4::compound::{CbCompoundHeader, CompoundReplyHeader};
use crate::rpc::{CB_COMPOUND, CallHeader, Mark, NFS_CB, OpaqueAuth, ReplyHeader};
use crate::xdr::{Decode, Encode, Reader, Writer};

/// Arguments and results of all callback operations, and the notifications in them, decode to what
/// encodes to them, or not at all; and the client's codec and the server's read the same.
pub fn callback(data: &[u8]) {
    inverse_message!(CbCompoundHeader<'_>, CbArgOp<'_>, data);
    inverse_message!(CompoundReplyHeader<'_>, CbResOp<'_>, data);
    inverse!(CbArgOp<'_>, data);
    inverse!(CbResOp<'_>, data);
    inverse!(args::NotifyRemove<'_>, data);
    inverse!(args::NotifyAdd<'_>, data);
    inverse!(args::NotifyAttr<'_>, data);
    inverse!(args::NotifyRename<'_>, data);
    inverse!(args::NotifyVerifier, data);
    inverse!(args::DeviceDeleted, data);
    inverse!(args::DeviceChanged, data);
    call(data);
    reply(data);
    print::messages(data);
}

/// A client reads the callback behind an RPC header.
fn call(data: &[u8]) {
    let mut r = Reader::new(data);
    let Ok(header) = CbCompoundHeader::decode(&mut r) else {
        return;
    };
    let mut w = Writer::new();
    CallHeader {
        xid: 1,
        prog: 0x4000_0000,
        vers: NFS_CB,
        proc: CB_COMPOUND,
        cred: OpaqueAuth::NONE,
        verf: OpaqueAuth::NONE,
    }
    .encode(&mut w);
    w.raw(data);
    let parsed = CbCallReader::parse(w.as_slice());
    assert!(parsed.is_ok(), "a callback that the client does not read");
    let Ok(mut reader) = parsed else { return };
    assert_eq!(reader.header(), &header);
    for _ in 0..header.ops {
        let (Ok(Some(op)), Ok(same)) = (reader.next_op(), CbArgOp::decode(&mut r)) else {
            return;
        };
        assert_eq!(op, same);
    }
    assert_eq!(reader.next_op(), Ok(None));
}

/// A client builds the same reply, and a server reads it.
fn reply(data: &[u8]) {
    let mut r = Reader::new(data);
    let Ok(header) = CompoundReplyHeader::decode(&mut r) else {
        return;
    };
    let mut reply = CbReplyBuilder::reply(1, header.tag);
    let mut results = r;
    let mut count = 0;
    let mut status = crate::nfs4::Status::OK;
    while count < header.ops
        && let Ok(result) = CbResOp::decode(&mut results)
    {
        reply.result(&result);
        status = result.status();
        count += 1;
    }
    let record = reply.finish();
    let record = record.get(Mark::LEN..).unwrap_or_default();
    let rpc = ReplyHeader::decode(record).map(|rpc| rpc.outcome.map(|accepted| accepted.results));
    assert!(
        matches!(rpc, Ok(Ok(_))),
        "a reply that the server does not read"
    );
    let Ok(Ok(at)) = rpc else { return };
    let mut again = Reader::at(record, at);
    let want = CompoundReplyHeader {
        status,
        tag: header.tag,
        ops: count,
    };
    assert_eq!(CompoundReplyHeader::decode(&mut again), Ok(want));
    for _ in 0..count {
        assert_eq!(CbResOp::decode(&mut again), CbResOp::decode(&mut r));
    }
    assert!(again.is_empty(), "something is left");
}
