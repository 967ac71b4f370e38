//! The names that requests bring. [RFC 8881 §14]

use bytes::Bytes;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Writer;

use crate::compound::{Cx, Scope, Stage, Step};
use crate::delegate::Guard;
use crate::exports::Fh;
use crate::fs::{DirChange, FsOp, FsReply, FsResult, MAX_NAME, Want};
use crate::state::delegation::Touch;

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

/// Says that the current operation changes what names mean; whether it must be found out first what
/// they do, because something is delegated. While it runs nothing is: what the names mean is not
/// known for sure.
pub(crate) fn change<S>(cx: &mut Cx<'_, S>) -> bool {
    cx.guard(Guard::Names);
    !cx.core.states.is_nothing_delegated()
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

/// Says that the current operation changes what was found in a directory, if anything was.
///
/// # Errors
/// DELAY while a delegation of another client is in the way.
pub(crate) fn touch<S: Scope>(cx: &mut Cx<'_, S>, dir: &Fh, found: FsResult) -> Result<(), Status> {
    // If it could not be looked for, the operation itself will say why.
    let Ok(FsReply::Node { fh, .. }) = found else {
        return Ok(());
    };
    let fh = Fh {
        export: dir.export,
        handle: fh,
    };
    let who = S::sender(cx);
    if cx.recalls(&fh, who, Touch::Change, false) {
        return Err(Status::DELAY);
    }
    Ok(())
}

/// change_info4. [RFC 8881 §3.3.5]
pub(crate) fn change_info(w: &mut Writer, change: DirChange) {
    w.bool(change.atomic);
    w.u64(change.before);
    w.u64(change.after);
}
