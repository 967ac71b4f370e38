//! READ. [RFC 8881 §18.22]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::io::{self, Intent, Right};
use super::permission;
use crate::compound::permission_query::IntendedUse;
use crate::compound::{Cx, Established, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};

pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    read(cx, args, false)
}

fn read<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    permitted: bool,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::Read::decode(args)?;
    let authority = match io::authority(cx, args.stateid, &fh, Intent::Read, permitted)? {
        Right::Is(authority) => authority,
        Right::Asks(file) => return permission::ask(cx, IntendedUse::Read, file),
    };
    let count = fitting(cx, args.count)?;
    let op = FsOp::Read {
        fh: fh.handle,
        offset: args.offset,
        count,
        authority,
        payload: cx.run.reply.lend(),
    };
    Ok(Step::Wait(fh.export, op, Stage::Last))
}

pub(crate) fn resume<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    if let Stage::Queried(query) = cx.run.stage {
        return permission::answered(cx, query, result, |cx, _| read(cx, args, true));
    }
    let FsReply::Data { data, eof } = result? else {
        return Err(Status::SERVERFAULT);
    };
    if let Some(current) = &cx.run.current {
        cx.out.metrics.read(current.export, data.len());
    }
    cx.run.moved.read += data.len() as u32;
    cx.body().bool(eof);
    cx.run.reply.payload(data);
    Ok(Step::Done(Status::OK))
}

/// The number of requested bytes that fit into the reply.
///
/// # Errors
/// As [`room`](crate::compound::Compound::room), if not one byte fits.
fn fitting<S>(cx: &Cx<'_, S>, asked: u32) -> Result<u32, Status> {
    let least = if asked == 0 { 0 } else { 4 };
    // XDR pads the data to a multiple of four bytes.
    let room = (cx.run.room(RESULT_HEAD + least)? - RESULT_HEAD) & !3;
    let room = u32::try_from(room).unwrap_or(u32::MAX);
    Ok(asked.min(cx.core.config.max_io).min(room))
}

/// Length of the EOF flag and of the data's length field, in bytes.
const RESULT_HEAD: usize = 8;
