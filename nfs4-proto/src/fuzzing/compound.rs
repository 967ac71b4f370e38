//! COMPOUNDs and their results.

use super::print;
use super::walk::{inverse, inverse_message};
use crate::client::{CallCredential, CallReader, CompoundBuilder, ReplyReader};
use crate::nfs4::any::{ArgOp, ResOp};
use crate::nfs4::compound::{CompoundHeader, CompoundReplyHeader};
use crate::rpc::Mark;
use crate::xdr::{Decode, Encode, Reader, Writer};

/// Arguments and results of all operations decode to what encodes to them, or not at all; and the
/// client's codec and the server's read the same.
pub fn compound(data: &[u8]) {
    inverse_message!(CompoundHeader<'_>, ArgOp<'_>, data);
    inverse_message!(CompoundReplyHeader<'_>, ResOp<'_>, data);
    inverse!(ArgOp<'_>, data);
    inverse!(ResOp<'_>, data);
    call(data);
    reply(data);
    print::messages(data);
}

/// A client builds the same call, and a server reads it.
fn call(data: &[u8]) {
    let mut r = Reader::new(data);
    let Ok(header) = CompoundHeader::decode(&mut r) else {
        return;
    };
    let minor = header.minorversion;
    let mut call = CompoundBuilder::call(1, &CallCredential::None, header.tag, minor);
    let mut ops = r;
    while call.count() < header.ops
        && let Ok(op) = ArgOp::decode(&mut ops)
    {
        call.op(&op);
    }
    let count = call.count();
    let record = call.finish();
    let Ok(mut reader) = CallReader::parse(record.get(Mark::LEN..).unwrap_or_default()) else {
        assert!(record.is_empty(), "a call that no server reads");
        return;
    };
    let want = CompoundHeader {
        ops: count,
        ..header
    };
    assert_eq!(reader.header(), &want);
    for _ in 0..count {
        assert_eq!(reader.next_op(), ArgOp::decode(&mut r).map(Some));
    }
    assert_eq!(reader.next_op(), Ok(None));
    assert_eq!(reader.finish(), Ok(()));
}

/// A client reads what the decoder reads.
fn reply(data: &[u8]) {
    let mut r = Reader::new(data);
    let header = CompoundReplyHeader::decode(&mut r);
    let Ok(mut reader) = ReplyReader::body(data) else {
        assert!(header.is_err(), "a reply that the client does not read");
        return;
    };
    let same = header.is_ok_and(|header| {
        (header.status, header.tag, header.ops) == (reader.status(), reader.tag(), reader.count())
    });
    assert!(same, "another header");
    for _ in 0..reader.count() {
        let peeked = reader.peek();
        let (Ok(Some(result)), Ok(same)) = (reader.next_result(), ResOp::decode(&mut r)) else {
            return;
        };
        assert_eq!(result, same);
        assert_eq!(peeked, Ok(Some((same.op().number(), same.status()))));
    }
    assert_eq!(reader.next_result(), Ok(None));
}
