//! COMMIT. [RFC 8881 §18.3]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::compound::{Cx, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};

pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::Commit::decode(args)?;
    let op = FsOp::Commit {
        fh: fh.handle,
        offset: args.offset,
        count: args.count,
    };
    Ok(Step::Wait(fh.export, op, Stage::Last))
}

pub(crate) fn resume<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let FsReply::Committed { losses } = result? else {
        return Err(Status::SERVERFAULT);
    };
    let export = cx.current()?.export;
    let losses = cx.core.exports.losses_of(export, losses);
    let verifier = cx.core.boot.verifier_after(losses);
    cx.body().fixed(&verifier);
    Ok(Step::Done(Status::OK))
}
