//! A log for people.

use std::fmt;
use std::io::{self, Read, Write};

use nfs4_engine::fs::{Flavor, FsReply};
use nfs4_engine::proto::dump::Dump;
use nfs4_engine::proto::rpc::reply::success_header;
use nfs4_engine::proto::rpc::{
    AuthFlavor, AuthSys, MessageType, NFS_V4, NFS4_PROGRAM, NFSPROC4_COMPOUND, OpaqueAuth,
    RPC_VERSION,
};
use nfs4_engine::proto::xdr::{Encode as _, List, Writer};
use nfs4_engine::record::{Cause, Entry, Frame, Recorded};
use nfs4_engine::{Call, CallbackOutcome, Input, Mono};

use crate::log::{Log, LogError, Next};
use crate::replay::ReplayError;

/// Writes entries of a log, from the entry of this number on, at most so many: a line for what the
/// engine was given, and one for each action.
///
/// # Errors
/// The log cannot be read; what could be read is written. The outer error is that of `out`.
pub fn show(
    mut log: Log<impl Read>,
    from: u64,
    count: u64,
    out: &mut impl Write,
) -> io::Result<Result<(), ReplayError>> {
    let start = match log.start() {
        Ok(Some(start)) => start,
        Ok(None) => return Ok(Err(ReplayError::Empty)),
        Err(why) => return Ok(Err(why.into())),
    };
    if from <= 1 {
        writeln!(out, "{start:?}")?;
    }
    let last = from.max(1).saturating_add(count);
    loop {
        match log.read() {
            Ok(Next::Frame(Frame::Entry(entry) | Frame::Panicked(entry))) => {
                if entry.number >= last {
                    return Ok(Ok(()));
                }
                if entry.number >= from {
                    show_entry(&entry, start.now.mono, out)?;
                }
            }
            // The decoder lets no start be elsewhere.
            Ok(Next::Frame(Frame::Start(_) | Frame::End | Frame::Gap)) => {}
            Ok(Next::End(end)) => {
                writeln!(out, "{end}")?;
                return Ok(Ok(()));
            }
            Err(why) => return Ok(Err(LogError::into(why))),
        }
    }
}

fn show_entry(entry: &Entry<'_>, started: Mono, out: &mut impl Write) -> io::Result<()> {
    let seconds = entry.now.mono.since(started).as_secs_f64();
    let cause = CauseLine(&entry.cause);
    writeln!(out, "{} @{} +{seconds:.6} {cause}", entry.number, entry.at)?;
    for action in entry.actions.iter() {
        writeln!(out, "    {}", Readable(&action))?;
    }
    Ok(())
}

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
            Cause::Input(
                input @ (Input::ConnOpened { .. }
                | Input::ConnClosed { .. }
                | Input::Dialed { .. }
                | Input::Touched { .. }
                | Input::Admin(_)
                | Input::ReleasePanicked),
            ) => write!(f, "{input:?}"),
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
        Flavor::None => AuthFlavor::NONE,
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
