//! RPC headers of both directions.

use super::print;
use super::walk::inverse;
use crate::rpc::reply::{write_fault, write_success};
use crate::rpc::{
    AuthSys, CallError, CallHeader, MessageType, NFS_V4, NFS4_PROGRAM, OpaqueAuth, ReplyError,
    ReplyHeader, peek_message_type,
};
use crate::xdr::{Decode, Encode, Reader, Writer};

/// Headers and credentials of calls and replies decode to something that encodes to itself, or not at
/// all; and whatever a call is answered is a reply of the same xid.
pub fn rpc_header(data: &[u8]) {
    call(data);
    reply(data);
    inverse!(AuthSys<'_>, data);
    inverse!(OpaqueAuth<'_>, data);
    print::messages(data);
}

fn call(data: &[u8]) {
    let kind = peek_message_type(data);
    match CallHeader::decode(data) {
        Ok((header, at)) => {
            assert_eq!(kind, Ok((header.xid, MessageType::Call)));
            assert!(at <= data.len());
            let mut w = Writer::new();
            header.encode(&mut w);
            assert!(w.len() <= at, "it grows");
            assert_eq!(CallHeader::decode(w.as_slice()), Ok((header, w.len())));
            inverse!(AuthSys<'_>, header.cred.body);
            if let Ok(sys) = AuthSys::from_body(header.cred.body) {
                assert!(sys.gids.len() <= 16 && sys.machinename.len() <= 255);
            }
            match header.expect(NFS4_PROGRAM, NFS_V4, NFS_V4) {
                Ok(()) => assert_eq!((header.prog, header.vers), (NFS4_PROGRAM, NFS_V4)),
                Err(fault) => refused(header.xid, fault),
            }
        }
        Err(CallError::Answer { xid, fault }) => {
            assert_eq!(kind, Ok((xid, MessageType::Call)));
            refused(xid, fault);
        }
        Err(CallError::NotACall { xid }) => assert_eq!(kind, Ok((xid, MessageType::Reply))),
        Err(CallError::NoHeader) => assert!(kind.is_err()),
    }
}

fn reply(data: &[u8]) {
    match ReplyHeader::decode(data) {
        Ok(header) => {
            assert_eq!(
                peek_message_type(data),
                Ok((header.xid, MessageType::Reply))
            );
            match header.outcome {
                Ok(accepted) => {
                    assert!(accepted.results <= data.len());
                    accepted_again(header.xid, accepted.verf);
                }
                Err(fault) => refused(header.xid, fault),
            }
        }
        Err(ReplyError::NotAReply { xid }) => assert_eq!(Reader::new(data).u32(), Ok(xid)),
        Err(ReplyError::Xdr(_)) => {}
    }
}

/// The server's own header, and one with this verifier.
fn accepted_again(xid: u32, verf: OpaqueAuth<'_>) {
    let mut w = Writer::new();
    write_success(&mut w, xid);
    let own = ReplyHeader::decode(w.as_slice());
    let at = own.map(|header| (header.xid, header.outcome.map(|accepted| accepted.results)));
    assert_eq!(at, Ok((xid, Ok(w.len()))));
    w.clear();
    w.u32(xid);
    w.u32(MessageType::Reply.number());
    w.u32(0);
    verf.encode(&mut w);
    w.u32(0);
    let read = ReplyHeader::decode(w.as_slice());
    let read = read.map(|header| header.outcome.map(|accepted| accepted.verf));
    assert_eq!(read, Ok(Ok(verf)));
}

fn refused(xid: u32, fault: crate::rpc::Fault) {
    let mut w = Writer::new();
    write_fault(&mut w, xid, fault);
    let outcome = Err(fault);
    assert_eq!(
        ReplyHeader::decode(w.as_slice()),
        Ok(ReplyHeader { xid, outcome })
    );
}
