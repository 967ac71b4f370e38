//! The names that requests bring. [RFC 8881 §14]

use bytes::Bytes;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Writer;

use super::permission;
use crate::compound::{Cx, Scope, Stage, Step};
use crate::delegation_kind::Touch;
use crate::fh::Fh;
use crate::fs::{DirChange, FsError, FsOp, FsReply, FsResult, MAX_NAME, Want};
use crate::guards::{Guard, GuardPlace};
use crate::keys::FileKey;

/// A name in a directory, as a slice of the record. Any bytes are taken but those that cannot be
/// in a name; they need not be UTF-8.
///
/// # Errors
/// INVAL if empty, NAMETOOLONG, BADNAME for "." and "..", BADCHAR for '/' and NUL.
pub(crate) fn component<S>(cx: &Cx<'_, S>, dir: &Fh, name: &[u8]) -> Result<Bytes, Status> {
    let capabilities = cx
        .core
        .exports
        .capabilities(dir.export)
        .ok_or(Status::STALE)?;
    if name.is_empty() {
        return Err(Status::INVAL);
    }
    if name.len() > capabilities.max_name.min(MAX_NAME) as usize {
        return Err(Status::NAMETOOLONG);
    }
    if name == b"." || name == b".." {
        return Err(Status::BADNAME);
    }
    if name.iter().any(|byte| *byte == b'/' || *byte == 0) {
        return Err(Status::BADCHAR);
    }
    Ok(cx.record.slice_ref(name))
}

/// Says that the current operation changes what two names mean, which can be the same; whether it
/// must be found out first what they do, because something is delegated. While it runs, no file is
/// delegated that may have one of them.
///
/// # Errors
/// DELAY while a file that is delegated is getting one of these names.
pub(crate) fn change<S>(
    cx: &mut Cx<'_, S>,
    one: (&Fh, &[u8]),
    other: (&Fh, &[u8]),
) -> Result<bool, Status> {
    let (one, other) = (place(cx, one.0, one.1), place(cx, other.0, other.1));
    if cx.core.guards.is_given(one) || cx.core.guards.is_given(other) {
        return Err(Status::DELAY);
    }
    cx.guard(Guard::Names(one, other));
    Ok(!cx.core.states.is_nothing_delegated())
}

/// Guards that the current operation gives a file that is delegated to the caller a new name: no other
/// operation may be changing what that name means.
///
/// # Errors
/// DELAY while another operation is.
pub(crate) fn give<S>(cx: &mut Cx<'_, S>, name: GuardPlace, guard: Guard) -> Result<(), Status> {
    let guards = &cx.core.guards;
    if guards.is_given(name) || guards.is_changed_beside(name, cx.run.guard) {
        return Err(Status::DELAY);
    }
    cx.guard(guard);
    Ok(())
}

/// Where it is noted that a name changes.
pub(crate) fn place<S>(cx: &Cx<'_, S>, dir: &Fh, name: &[u8]) -> GuardPlace {
    let capabilities = cx.core.exports.capabilities(dir.export);
    let folds = capabilities.is_none_or(|found| found.case_insensitive);
    cx.core.guards.of_name(dir, name, folds)
}

/// Finds out what a name means.
pub(crate) fn find(dir: &Fh, name: Bytes, stage: Stage) -> Step {
    let op = FsOp::Lookup {
        dir: dir.handle,
        name,
        want: Want::default(),
    };
    Step::Wait(dir.export, op, stage)
}

/// What stands against changing what was found under a name.
pub(crate) enum Found {
    /// Nothing; which file it is, if it is one that is delegated to the caller.
    Free(Option<FileKey>),
    /// This file is delegated to another client.
    Delegated(FileKey),
}

/// Says that the current operation changes what was found in a directory.
pub(crate) fn touch<S: Scope>(cx: &Cx<'_, S>, dir: &Fh, found: FsResult) -> Found {
    // If it could not be looked for, the operation itself will say why.
    let Ok(FsReply::Node { fh, .. }) = found else {
        return Found::Free(None);
    };
    let fh = Fh {
        export: dir.export,
        handle: fh,
    };
    match permission::delegated(cx, &fh, S::sender(cx), Touch::Change) {
        Some(file) => Found::Delegated(file),
        None => Found::Free(cx.core.states.delegated_file(&fh)),
    }
}

/// A name was removed that a file had which is delegated to the caller: finds out whether that file
/// is still there, if it is one.
pub(crate) fn after<S>(cx: &Cx<'_, S>) -> Step {
    let Stage::NameRemoved(key) = cx.run.stage else {
        return Step::Done(Status::OK);
    };
    let Some(fh) = cx.core.states.handle_of(key) else {
        return Step::Done(Status::OK);
    };
    let want = Want {
        attrs: true,
        stat: false,
    };
    let op = FsOp::GetAttrs {
        fh: fh.handle,
        want,
    };
    Step::Wait(fh.export, op, Stage::NameGone(key))
}

/// What a file is that has lost a name; its delegations end with it.
pub(crate) fn gone<S>(cx: &mut Cx<'_, S>, file: FileKey, result: &FsResult) -> Step {
    let is_gone = match result {
        Ok(FsReply::Attrs { attrs, .. }) => attrs.links == 0,
        Err(error) => *error == FsError::Stale,
        Ok(_) => false,
    };
    if is_gone {
        cx.core.file_is_gone(file, cx.now.mono);
    }
    Step::Done(Status::OK)
}

/// change_info4. [RFC 8881 §3.3.5]
pub(crate) fn change_info(w: &mut Writer, change: DirChange) {
    w.bool(change.atomic);
    w.u64(change.before);
    w.u64(change.after);
}
