//! RENAME. [RFC 8881 §18.26]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::names::{self, Found};
use super::permission;
use crate::compound::permission_query::IntendedUse;
use crate::compound::{Cx, Scope, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};
use crate::guards::Guard;
use crate::keys::FileKey;

/// The saved filehandle is the directory of the old name, the current filehandle that of the new name.
pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let to_dir = cx.current()?;
    let from_dir = cx.run.saved.ok_or(Status::NOFILEHANDLE)?;
    let args = args::Rename::decode(args)?;
    let from = names::component(cx, &from_dir, args.oldname)?;
    names::component(cx, &to_dir, args.newname)?;
    if from_dir.export != to_dir.export {
        return Err(Status::XDEV);
    }
    let (old, new) = ((&from_dir, args.oldname), (&to_dir, args.newname));
    if names::change(cx, old, new)? {
        return Ok(names::find(&from_dir, from, Stage::NameFound));
    }
    rename(cx, &args, None)
}

pub(crate) fn resume<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let to_dir = cx.current()?;
    if matches!(cx.run.stage, Stage::NameFound) {
        return match names::touch(cx, &to_dir, result) {
            Found::Free(None) => find_other(cx, &args::Rename::decode(args)?),
            // RENAME recalls other clients' delegations of the file, or blocks other changes of its new
            // name: the file system first checks that the user is permitted.
            Found::Free(Some(file)) | Found::Delegated(file) => {
                permission::ask(cx, IntendedUse::Move, file)
            }
        };
    }
    if matches!(cx.run.stage, Stage::OtherNameFound) {
        return match names::touch(cx, &to_dir, result) {
            Found::Free(replaced) => rename(cx, &args::Rename::decode(args)?, replaced),
            Found::Delegated(file) => permission::ask(cx, IntendedUse::Replace, file),
        };
    }
    if let Stage::Queried(query) = cx.run.stage {
        return permission::answered(cx, query, result, |cx, file| {
            permission::recall(cx, file)?;
            let args = args::Rename::decode(args)?;
            if query.is_to(IntendedUse::Move) {
                give(cx, &args, file)?;
            }
            find_other(cx, &args)
        });
    }
    if let Stage::NameGone(file) = cx.run.stage {
        return Ok(names::gone(cx, file, &result));
    }
    let FsReply::Renamed { from, to } = result? else {
        return Err(Status::SERVERFAULT);
    };
    names::change_info(cx.body(), from);
    names::change_info(cx.body(), to);
    Ok(names::after(cx))
}

/// Looks up the new name.
fn find_other<S>(cx: &Cx<'_, S>, args: &args::Rename<'_>) -> Result<Step, Status> {
    let to_dir = cx.current()?;
    let to = names::component(cx, &to_dir, args.newname)?;
    Ok(names::find(&to_dir, to, Stage::OtherNameFound))
}

/// Guards the new name of the moved file, if that is delegated to the caller.
fn give<S>(cx: &mut Cx<'_, S>, args: &args::Rename<'_>, moved: FileKey) -> Result<(), Status> {
    let fh = cx.core.states.handle_of(moved);
    if fh
        .and_then(|fh| cx.core.states.delegated_file(&fh))
        .is_none()
    {
        return Ok(());
    }
    let to_dir = cx.current()?;
    let from_dir = cx.run.saved.ok_or(Status::NOFILEHANDLE)?;
    let old = names::place(cx, &from_dir, args.oldname);
    let new = names::place(cx, &to_dir, args.newname);
    names::give(cx, new, Guard::RenameOfDelegated(old, new))
}

/// Sends the RENAME; `held` is the replaced file if it is delegated to the caller.
fn rename<S>(
    cx: &Cx<'_, S>,
    args: &args::Rename<'_>,
    held: Option<FileKey>,
) -> Result<Step, Status> {
    let to_dir = cx.current()?;
    let from_dir = cx.run.saved.ok_or(Status::NOFILEHANDLE)?;
    let op = FsOp::Rename {
        from_dir: from_dir.handle,
        from: names::component(cx, &from_dir, args.oldname)?,
        to_dir: to_dir.handle,
        to: names::component(cx, &to_dir, args.newname)?,
    };
    Ok(Step::Wait(to_dir.export, op, Stage::losing(held)))
}
