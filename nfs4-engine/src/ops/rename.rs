//! RENAME. [RFC 8881 §18.26]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::names;
use crate::compound::{Cx, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};

/// The saved filehandle is the directory of the old name, the current one of the new name.
pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let to_dir = cx.current()?;
    let from_dir = cx.run.saved.ok_or(Status::NOFILEHANDLE)?;
    let args = args::Rename::decode(args)?;
    let from = names::component(cx, &from_dir, args.oldname)?;
    let to = names::component(cx, &to_dir, args.newname)?;
    if from_dir.export != to_dir.export {
        return Err(Status::XDEV);
    }
    let op = FsOp::Rename {
        from_dir: from_dir.handle,
        from,
        to_dir: to_dir.handle,
        to,
    };
    Ok(Step::Wait(to_dir.export, op, Stage::Last))
}

pub(crate) fn resume<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let FsReply::Renamed { from, to } = result? else {
        return Err(Status::SERVERFAULT);
    };
    names::change_info(cx.body(), from);
    names::change_info(cx.body(), to);
    Ok(Step::Done(Status::OK))
}
