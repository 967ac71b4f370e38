//! LINK and READLINK. [RFC 8881 §18.9, §18.24]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::names;
use super::{permission, reclaim};
use crate::compound::permission_query::IntendedUse;
use crate::compound::{Cx, Scope, Stage, Step};
use crate::delegation_kind::Touch;
use crate::fs::{FsOp, FsReply, FsResult};
use crate::guards::Guard;

/// LINK: the saved filehandle is the object, the current filehandle the directory of the new name.
pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    link(cx, args, false)
}

/// Sends the LINK. For a delegated file, the file system first checks that the user is permitted:
/// LINK recalls delegations and blocks other changes of the new name.
fn link<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    permitted: bool,
) -> Result<Step, Status> {
    let dir = cx.current()?;
    let fh = cx.run.saved.ok_or(Status::NOFILEHANDLE)?;
    let newname = args::Link::decode(args)?.newname;
    let name = names::component(cx, &dir, newname)?;
    if fh.export != dir.export {
        return Err(Status::XDEV);
    }
    reclaim::admit_change_of(cx, &fh)?;
    let held = cx.core.states.delegated_file(&fh);
    if !permitted && let Some(file) = held {
        return permission::ask(cx, IntendedUse::Link, file);
    }
    cx.touch(&fh, Touch::Change, false)?;
    let (file, place) = (cx.core.guards.of(&fh), names::place(cx, &dir, newname));
    if held.is_some() {
        names::give(cx, place, Guard::LinkToDelegated(file, place))?;
    }
    let op = FsOp::Link {
        fh: fh.handle,
        dir: dir.handle,
        name,
    };
    Ok(Step::Wait(dir.export, op, Stage::Last))
}

pub(crate) fn linked<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    if let Stage::Queried(query) = cx.run.stage {
        return permission::answered(cx, query, result, |cx, _| link(cx, args, true));
    }
    let FsReply::Linked { dir } = result? else {
        return Err(Status::SERVERFAULT);
    };
    names::change_info(cx.body(), dir);
    Ok(Step::Done(Status::OK))
}

/// READLINK.
pub(crate) fn read<S>(cx: &mut Cx<'_, S>, _: &mut Reader<'_>) -> Result<Step, Status> {
    let fh = cx.current()?;
    Ok(Step::Wait(
        fh.export,
        FsOp::ReadLink { fh: fh.handle },
        Stage::Last,
    ))
}

pub(crate) fn target<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let FsReply::Link(target) = result? else {
        return Err(Status::SERVERFAULT);
    };
    cx.body().opaque(&target);
    Ok(Step::Done(Status::OK))
}
