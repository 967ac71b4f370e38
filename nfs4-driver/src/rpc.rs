//! What a record is, and the answers that RPC itself gives. [RFC 5531 §9]

use nfs4_engine::bytes::{Buf, Bytes};
use nfs4_engine::proto::rpc::{
    CallError, CallHeader, Fault, Mark, MessageType, NFS_V4, NFS4_PROGRAM, NFSPROC4_COMPOUND,
    NFSPROC4_NULL, ReplyHeader, peek_message_type, reply, write_mark,
};
use nfs4_engine::proto::xdr::Writer;
use nfs4_engine::{Call, CallbackOutcome, CallbackReply, ConnId};

use crate::credentials::Credentials;
use crate::log;
use crate::output::Output;

/// The outcome of reading a call.
pub(crate) enum Message {
    /// The engine executes it.
    Call(Call),
    /// RPC itself has answered it.
    Answered,
    /// The call with this transaction id was refused with this fault, and the refusal is the answer.
    Refused(u32, Fault),
}

/// The record is not an RPC message, so it has no answer.
#[derive(Debug)]
pub(crate) struct NotRpc;

/// Whether a record is a call or the reply to one of ours: callbacks and calls share a connection,
/// and their transaction ids may be the same. [RFC 8881 §2.10.3.1]
pub(crate) fn message_type(record: &[u8]) -> Result<MessageType, NotRpc> {
    match peek_message_type(record) {
        Ok((_, kind)) => Ok(kind),
        Err(_) => Err(NotRpc),
    }
}

/// Decodes a reply. Its verifier has no meaning with AUTH_NONE and AUTH_SYS.
pub(crate) fn read_reply(conn: ConnId, mut record: Bytes) -> Result<CallbackReply, NotRpc> {
    log::answer(conn, &record);
    let header = ReplyHeader::decode(&record).map_err(|_| NotRpc)?;
    let (xid, outcome) = (header.xid, header.outcome.map(|accepted| accepted.results));
    let outcome = match outcome {
        Ok(results) => {
            record.advance(results);
            CallbackOutcome::Answered(record)
        }
        Err(fault) => CallbackOutcome::Refused(fault),
    };
    Ok(CallbackReply::new(conn, xid, outcome))
}

/// Refuses a call: the server serves no program on connections that it made.
pub(crate) fn refuse_call(
    conn: ConnId,
    record: &Bytes,
    output: &mut Output,
) -> Result<Message, NotRpc> {
    log::call(conn, record);
    match CallHeader::decode(record) {
        Ok((header, _)) => Ok(refuse(output, header.xid, Fault::ProgUnavail)),
        Err(CallError::Answer { xid, fault }) => Ok(refuse(output, xid, fault)),
        Err(CallError::NoHeader | CallError::NotACall { .. }) => Err(NotRpc),
    }
}

/// Decodes a call, and answers it if it does not reach the engine.
pub(crate) fn read_call(
    conn: ConnId,
    mut record: Bytes,
    credentials: &mut Credentials,
    output: &mut Output,
) -> Result<Message, NotRpc> {
    log::call(conn, &record);
    let (header, body) = match CallHeader::decode(&record) {
        Ok(decoded) => decoded,
        Err(CallError::NoHeader | CallError::NotACall { .. }) => return Err(NotRpc),
        Err(CallError::Answer { xid, fault }) => return Ok(refuse(output, xid, fault)),
    };
    let xid = header.xid;
    let cred = match credentials.resolve(header.cred, header.verf) {
        Ok(cred) => cred,
        Err(why) => return Ok(refuse(output, xid, Fault::AuthError(why))),
    };
    if let Err(fault) = header.expect(NFS4_PROGRAM, NFS_V4, NFS_V4) {
        return Ok(refuse(output, xid, fault));
    }
    match header.proc {
        NFSPROC4_NULL => {
            output.push(&write_mark(reply::SUCCESS_HEADER_LEN));
            output.push(&reply::success_header(xid));
            Ok(Message::Answered)
        }
        NFSPROC4_COMPOUND => {
            let message_len = u32::try_from(record.len()).unwrap_or(u32::MAX);
            // The header is not needed any more: to skip it needs no second reference.
            record.advance(body);
            let call = Call::new(conn, xid, cred, record, message_len);
            Ok(Message::Call(call))
        }
        _ => Ok(refuse(output, xid, Fault::ProcUnavail)),
    }
}

fn refuse(output: &mut Output, xid: u32, fault: Fault) -> Message {
    output.write(|run| {
        let start = run.len();
        run.extend_from_slice(&[0; Mark::LEN]);
        let mut writer = Writer::from_vec(std::mem::take(run));
        reply::write_fault(&mut writer, xid, fault);
        *run = writer.into_vec();
        let mark = write_mark(run.len() - start - Mark::LEN);
        run[start..start + Mark::LEN].copy_from_slice(&mark);
    });
    Message::Refused(xid, fault)
}
