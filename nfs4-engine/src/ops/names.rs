//! The names in requests. [RFC 8881 §14]

use bytes::Bytes;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Writer;

use super::{permission, reclaim};
use crate::compound::{Cx, Scope, Stage, Step};
use crate::delegation_kind::Touch;
use crate::fh::Fh;
use crate::fs::{DirChange, FsError, FsOp, FsReply, FsResult, MAX_NAME, Want};
use crate::guards::{Guard, GuardPlace};
use crate::keys::FileKey;

/// Checks a name in a directory, and returns it as a slice of the record. The name need not be UTF-8.
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

/// Guards two names that the current operation changes; they can be the same. While it runs, no file
/// that may have one of the names is delegated. Returns whether the names must be looked up first,
/// because a file is delegated.
///
/// # Errors
/// DELAY while another operation gives one of these names to a delegated file, GRACE while files that have
/// these names may be reclaimed.
pub(crate) fn change<S>(
    cx: &mut Cx<'_, S>,
    one: (&Fh, &[u8]),
    other: (&Fh, &[u8]),
) -> Result<bool, Status> {
    reclaim::admit_change(cx)?;
    let (one, other) = (place(cx, one.0, one.1), place(cx, other.0, other.1));
    if cx.core.guards.is_renamed_onto(one) || cx.core.guards.is_renamed_onto(other) {
        return Err(Status::DELAY);
    }
    cx.guard(Guard::Names(one, other));
    Ok(!cx.core.states.is_nothing_delegated())
}

/// Guards a name that the current operation gives to a file which is delegated to the caller.
///
/// # Errors
/// DELAY while another operation changes that name.
pub(crate) fn give<S>(cx: &mut Cx<'_, S>, name: GuardPlace, guard: Guard) -> Result<(), Status> {
    let guards = &cx.core.guards;
    if guards.is_renamed_onto(name) || guards.is_changed_by_other(name, cx.run.guard) {
        return Err(Status::DELAY);
    }
    cx.guard(guard);
    Ok(())
}

/// The guard place of a name.
pub(crate) fn place<S>(cx: &Cx<'_, S>, dir: &Fh, name: &[u8]) -> GuardPlace {
    let capabilities = cx.core.exports.capabilities(dir.export);
    let folds = capabilities.is_none_or(|found| found.case_insensitive);
    cx.core.guards.place_of_name(dir, name, folds)
}

/// Looks up a name, and continues at `stage`.
pub(crate) fn find(dir: &Fh, name: Bytes, stage: Stage) -> Step {
    let op = FsOp::Lookup {
        dir: dir.handle,
        name,
        want: Want::default(),
    };
    Step::Wait(dir.export, op, stage)
}

/// Whether a delegation conflicts with a change of the object that has a name.
pub(crate) enum Found {
    /// No delegation conflicts; the file, if it is delegated to the caller.
    Free(Option<FileKey>),
    /// This file is delegated to another client.
    Delegated(FileKey),
}

/// Checks whether a delegation conflicts with a change of the object that a lookup found.
pub(crate) fn touch<S: Scope>(cx: &Cx<'_, S>, dir: &Fh, found: FsResult) -> Found {
    // If the lookup failed, the operation itself reports the error.
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

/// After a file that is delegated to the caller has lost a name, asks the file system whether the file
/// still exists.
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

/// Ends the delegations of a file that has lost its last name.
pub(crate) fn gone<S>(cx: &mut Cx<'_, S>, file: FileKey, result: &FsResult) -> Step {
    let is_gone = match result {
        Ok(FsReply::Attrs { attrs, .. }) => attrs.links == 0,
        Err(error) => *error == FsError::Stale,
        Ok(_) => false,
    };
    if is_gone {
        cx.core.file_is_gone(file, cx.out);
    }
    Step::Done(Status::OK)
}

/// change_info4. [RFC 8881 §3.3.5]
pub(crate) fn change_info(w: &mut Writer, change: DirChange) {
    w.bool(change.atomic);
    w.u64(change.before);
    w.u64(change.after);
}
