//! Records as inputs of the engine, and its actions as records.

use std::sync::Arc;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::Credential;
use nfs4_engine::{Call, CallbackOutcome, CallbackReply, ConnId, Input, Outbox, Segment};
use nfs4_proto::rpc::{
    AuthFlavor, AuthSys, CallHeader, MessageType, ReplyHeader, peek_message_type,
};

/// The transaction id of a record with its mark.
pub(super) fn xid_of(record: &[u8]) -> u32 {
    let bytes = record[4..].first_chunk().expect("a call has an id");
    u32::from_be_bytes(*bytes)
}

/// What a driver does with a record.
pub(super) fn decode(conn: ConnId, record: &[u8]) -> Input {
    match kind_of(record) {
        MessageType::Call => Input::Call(decode_call(conn, record)),
        MessageType::Reply => Input::CallbackReply(decode_reply(conn, record)),
    }
}

pub(super) fn kind_of(record: &[u8]) -> MessageType {
    let (_, kind) = peek_message_type(&record[4..]).expect("a record is a message");
    kind
}

pub(super) fn decode_reply(conn: ConnId, record: &[u8]) -> CallbackReply {
    let record = Bytes::copy_from_slice(&record[4..]);
    let header = ReplyHeader::decode(&record).expect("the client's replies are replies");
    let outcome = match header.outcome {
        Ok(accepted) => CallbackOutcome::Answered(record.slice(accepted.results..)),
        Err(fault) => CallbackOutcome::Refused(fault),
    };
    CallbackReply::new(conn, header.xid, outcome)
}

pub(super) fn decode_call(conn: ConnId, record: &[u8]) -> Call {
    let record = Bytes::copy_from_slice(&record[4..]);
    let (header, body) = CallHeader::decode(&record).expect("the client's calls are calls");
    let cred = if header.cred.flavor == AuthFlavor::SYS {
        let sys = AuthSys::from_body(header.cred.body).expect("the client's credential is good");
        let groups: Vec<u32> = sys.gids.iter().collect();
        Credential::sys(sys.uid, sys.gid, &groups)
    } else {
        Credential::none()
    };
    let len = u32::try_from(record.len()).expect("a record is short");
    Call::new(conn, header.xid, Arc::new(cred), record.slice(body..), len)
}

pub(super) fn record(outbox: &Outbox, reply: &nfs4_engine::Reply) -> Vec<u8> {
    let mut record = Vec::new();
    for segment in outbox.segments(reply) {
        match segment {
            Segment::Bytes(bytes) => record.extend_from_slice(bytes),
            Segment::Payload(bytes) => record.extend_from_slice(bytes),
        }
    }
    record
}
