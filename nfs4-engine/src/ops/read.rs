//! READ. [RFC 8881 §18.22]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::io::{self, Intent};
use crate::compound::{Cx, Established, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};

pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::Read::decode(args)?;
    let authority = io::authority(cx, args.stateid, &fh, Intent::Read)?;
    // What was asked must fit, so that nothing is read in vain.
    let count = args.count.min(cx.core.config.max_io);
    cx.run
        .room_for(RESULT_HEAD + (count as usize).next_multiple_of(4))?;
    let op = FsOp::Read {
        fh: fh.handle,
        offset: args.offset,
        count,
        authority,
    };
    Ok(Step::Wait(fh.export, op, Stage::Last))
}

pub(crate) fn resume<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let FsReply::Data { data, eof } = result? else {
        return Err(Status::SERVERFAULT);
    };
    cx.body().bool(eof);
    cx.run.reply.payload(data);
    Ok(Step::Done(Status::OK))
}

/// Whether it ends the file, and the length.
const RESULT_HEAD: usize = 8;
