//! What a record is, and the answers that RPC itself gives. [RFC 5531 §9]

use nfs4_engine::bytes::{Buf, Bytes};
use nfs4_engine::proto::rpc::{
    CallError, CallHeader, Fault, Mark, NFS_V4, NFS4_PROGRAM, NFSPROC4_COMPOUND, NFSPROC4_NULL,
    reply, write_mark,
};
use nfs4_engine::proto::xdr::Writer;
use nfs4_engine::{Call, ConnId};

use crate::credentials::Credentials;
use crate::log;
use crate::output::Output;

/// What is to be done about a record.
pub(crate) enum Message {
    /// The engine answers.
    Call(Call),
    /// It is answered.
    Answered,
    /// The call was refused, and that is answered.
    Refused(Fault),
    /// The answer to a call of ours.
    Reply {
        /// The transaction id of our call.
        xid: u32,
    },
}

/// There is not even an RPC message to answer.
#[derive(Debug)]
pub(crate) struct NotRpc;

/// Looks into a record, and answers what needs no engine.
pub(crate) fn read(
    conn: ConnId,
    mut record: Bytes,
    credentials: &mut Credentials,
    output: &mut Output,
) -> Result<Message, NotRpc> {
    log::record(conn, &record);
    let (header, body) = match CallHeader::decode(&record) {
        Ok(decoded) => decoded,
        Err(CallError::NoHeader) => return Err(NotRpc),
        Err(CallError::NotACall { xid }) => return Ok(Message::Reply { xid }),
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
            // Nothing else looks at the header: passing it needs no second reference.
            record.advance(body);
            Ok(Message::Call(Call {
                conn,
                xid,
                cred,
                body: record,
                message_len,
            }))
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
    Message::Refused(fault)
}
