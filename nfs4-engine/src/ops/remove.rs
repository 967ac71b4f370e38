//! REMOVE. [RFC 8881 §18.25]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::names;
use crate::compound::{Cx, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};

pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let name = args::Remove::decode(args)?.target;
    let name = names::component(cx, &dir, name)?;
    Ok(Step::Wait(
        dir.export,
        FsOp::Remove {
            dir: dir.handle,
            name,
        },
        Stage::Last,
    ))
}

pub(crate) fn resume<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let FsReply::Removed { dir } = result? else {
        return Err(Status::SERVERFAULT);
    };
    names::change_info(cx.body(), dir);
    Ok(Step::Done(Status::OK))
}
