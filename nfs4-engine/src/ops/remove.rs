//! REMOVE. [RFC 8881 §18.25]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::names;
use crate::compound::{Cx, Scope, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};

pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let args = args::Remove::decode(args)?;
    let name = names::component(cx, &dir, args.target)?;
    let named = (&dir, args.target);
    if names::change(cx, named, named)? {
        return Ok(names::find(&dir, name, Stage::NameFound));
    }
    remove(cx, &args)
}

pub(crate) fn resume<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    if matches!(cx.run.stage, Stage::NameFound) {
        let dir = cx.current()?;
        names::touch(cx, &dir, result)?;
        return remove(cx, &args::Remove::decode(args)?);
    }
    let FsReply::Removed { dir } = result? else {
        return Err(Status::SERVERFAULT);
    };
    names::change_info(cx.body(), dir);
    Ok(Step::Done(Status::OK))
}

fn remove<S>(cx: &Cx<'_, S>, args: &args::Remove<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let op = FsOp::Remove {
        dir: dir.handle,
        name: names::component(cx, &dir, args.target)?,
    };
    Ok(Step::Wait(dir.export, op, Stage::Last))
}
