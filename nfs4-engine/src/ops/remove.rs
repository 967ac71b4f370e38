//! REMOVE. [RFC 8881 §18.25]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::names::{self, Found};
use super::permission;
use crate::compound::permission_query::IntendedUse;
use crate::compound::{Cx, Scope, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};
use crate::keys::FileKey;

pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let args = args::Remove::decode(args)?;
    let name = names::component(cx, &dir, args.target)?;
    let named = (&dir, args.target);
    if names::change(cx, named, named)? {
        return Ok(names::find(&dir, name, Stage::NameFound));
    }
    remove(cx, &args, None)
}

pub(crate) fn resume<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    if matches!(cx.run.stage, Stage::NameFound) {
        let dir = cx.current()?;
        return match names::touch(cx, &dir, result) {
            Found::Free(held) => remove(cx, &args::Remove::decode(args)?, held),
            Found::Delegated(file) => permission::ask(cx, IntendedUse::Remove, file),
        };
    }
    if let Stage::Queried(query) = cx.run.stage {
        return permission::answered(cx, query, result, |cx, file| {
            permission::recall(cx, file)?;
            let dir = cx.current()?;
            let name = names::component(cx, &dir, args::Remove::decode(args)?.target)?;
            Ok(names::find(&dir, name, Stage::NameFound))
        });
    }
    if let Stage::NameGone(file) = cx.run.stage {
        return Ok(names::gone(cx, file, &result));
    }
    let FsReply::Removed { dir } = result? else {
        return Err(Status::SERVERFAULT);
    };
    names::change_info(cx.body(), dir);
    Ok(names::after(cx))
}

/// Sends the REMOVE; `held` is the named file if it is delegated to the caller.
fn remove<S>(
    cx: &Cx<'_, S>,
    args: &args::Remove<'_>,
    held: Option<FileKey>,
) -> Result<Step, Status> {
    let dir = cx.current()?;
    let op = FsOp::Remove {
        dir: dir.handle,
        name: names::component(cx, &dir, args.target)?,
    };
    Ok(Step::Wait(dir.export, op, Stage::losing(held)))
}
