//! Inputs and actions on one line.

use std::fmt;

use nfs4_engine::fs::{Flavor, FsReply};
use nfs4_engine::proto::dump::Dump;
use nfs4_engine::proto::rpc::reply::success_header;
use nfs4_engine::proto::rpc::{
    AuthFlavor, AuthSys, MessageType, NFS_V4, NFS4_PROGRAM, NFSPROC4_COMPOUND, OpaqueAuth,
    RPC_VERSION,
};
use nfs4_engine::proto::xdr::{Encode as _, List, Writer};
use nfs4_engine::record::{Cause, Recorded};
use nfs4_engine::{Call, CallbackOutcome, Input};

/// What an engine is given, on one line.
pub(crate) struct CauseLine<'a>(pub(crate) &'a Cause);

impl fmt::Display for CauseLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cause::Timers { budget } => write!(f, "timers, at most {budget} steps"),
            Cause::Input(Input::Call(call)) => {
                let record = call_record(call);
                write!(f, "connection {}: {}", call.conn, Dump::new(&record))
            }
            Cause::Input(Input::CallbackReply(reply)) => {
                write!(f, "connection {}: ", reply.conn)?;
                match &reply.outcome {
                    CallbackOutcome::Answered(results) => {
                        let record = [&success_header(reply.xid), &**results].concat();
                        write!(f, "{}", Dump::callback(&record))
                    }
                    CallbackOutcome::Refused(fault) => {
                        write!(f, "callback {:#x} refused: {fault}", reply.xid)
                    }
                    other => write!(f, "{other:?}"),
                }
            }
            Cause::Input(Input::FsDone { ticket, result }) => {
                write!(f, "answer for connection {}: ", ticket.conn)?;
                match result {
                    Ok(FsReply::Data { data, eof }) => {
                        let (len, pieces) = (data.len(), data.piece_count());
                        write!(f, "{len} bytes in {pieces} pieces, eof {eof}")
                    }
                    Ok(reply) => write!(f, "{reply:?}"),
                    Err(error) => write!(f, "{error:?}"),
                }
            }
            Cause::Input(input) => write!(f, "{input:?}"),
        }
    }
}

/// An action, with the message that it sends, on one line.
pub(crate) struct Readable<'a>(pub(crate) &'a Recorded<'a>);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match self.0.message(MAX_CONTENTS) {
            Some(message) => write!(f, ": {}", Dump::new(&message)),
            None => Ok(()),
        }
    }
}

/// The RPC message of a call, of which a log has the parts.
fn call_record(call: &Call) -> Vec<u8> {
    let mut w = Writer::new();
    for word in [
        call.xid,
        MessageType::Call.number(),
        RPC_VERSION,
        NFS4_PROGRAM,
        NFS_V4,
        NFSPROC4_COMPOUND,
    ] {
        w.u32(word);
    }
    let mut body = Writer::new();
    let flavor = match call.cred.flavor() {
        Flavor::Sys => {
            let sys = AuthSys {
                stamp: 0,
                machinename: b"",
                uid: call.cred.uid,
                gid: call.cred.gid,
                gids: List::new(call.cred.groups()),
            };
            sys.encode(&mut body);
            AuthFlavor::SYS
        }
        // Of another flavour a log has the user alone.
        _ => AuthFlavor::NONE,
    };
    let body = body.as_slice();
    OpaqueAuth { flavor, body }.encode(&mut w);
    // The verifier, of flavor NONE.
    w.u64(0);
    w.raw(&call.body);
    w.into_vec()
}

/// Maximum number of bytes of a file for which there are zeros in a message that is shown.
const MAX_CONTENTS: u64 = 16 << 20;
