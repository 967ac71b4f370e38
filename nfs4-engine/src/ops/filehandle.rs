//! PUTFH, PUTROOTFH, PUTPUBFH, GETFH, SAVEFH, RESTOREFH. [RFC 8881 §18.19 to 18.21, 18.8, 18.28,
//! 18.27]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::opnum::OpNum;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::{flavor, table};
use crate::compound::{Cx, Stage, Step};
use crate::fh::Fh;
use crate::fs::{FsOp, FsResult, Want};
use crate::terms::Barrier;

/// PUTFH. The file system checks the handle, unless the next operation sends it the handle anyway. That of a
/// directory that an export covers, which a listing shows, means the root of the export, as its name does.
pub(crate) fn put<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let fh = Fh::decode(args::PutFh::decode(args)?.object)?;
    let fh = cx.core.exports.descend(fh);
    let is_denied = match cx.terms(fh.export) {
        Ok(_) => false,
        Err(Barrier::Gone) => return Err(Status::STALE),
        Err(Barrier::Denied) => true,
    };
    flavor::admit_put(cx, fh.export, *args)?;
    cx.run.set_current(fh);
    // PUTFH may not answer ACCESS: the operations that use the filehandle do.
    if is_denied || next_consults(cx, *args) {
        return Ok(Step::Done(Status::OK));
    }
    let op = FsOp::GetAttrs {
        fh: fh.handle,
        want: Want::default(),
    };
    Ok(Step::Wait(fh.export, op, Stage::Last))
}

pub(crate) fn put_checked<S>(
    _: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    match result {
        Ok(_) => Ok(Step::Done(Status::OK)),
        Err(error) => Err(error.status()),
    }
}

/// PUTROOTFH, and PUTPUBFH: the public filehandle is the root's.
pub(crate) fn put_root<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let root = cx.core.exports.root();
    flavor::admit_put(cx, root.export, *args)?;
    cx.run.set_current(root);
    Ok(Step::Done(Status::OK))
}

/// GETFH.
pub(crate) fn get<S>(cx: &mut Cx<'_, S>, _: &mut Reader<'_>) -> Result<Step, Status> {
    let fh = cx.current()?;
    fh.encode(cx.body());
    Ok(Step::Done(Status::OK))
}

/// SAVEFH.
pub(crate) fn save<S>(cx: &mut Cx<'_, S>, _: &mut Reader<'_>) -> Result<Step, Status> {
    cx.run.saved = Some(cx.current()?);
    cx.run.saved_stateid = cx.run.current_stateid;
    Ok(Step::Done(Status::OK))
}

/// RESTOREFH.
pub(crate) fn restore<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let saved = cx.run.saved.ok_or(Status::NOFILEHANDLE)?;
    if let Err(Barrier::Gone) = cx.terms(saved.export) {
        return Err(Status::STALE);
    }
    flavor::admit_put(cx, saved.export, *args)?;
    cx.run.current = Some(saved);
    cx.run.current_stateid = cx.run.saved_stateid;
    Ok(Step::Done(Status::OK))
}

fn next_consults<S>(cx: &Cx<'_, S>, mut next: Reader<'_>) -> bool {
    if cx.run.begun == cx.run.count {
        return false;
    }
    let row = next
        .u32()
        .map(|number| table::find(OpNum(number), cx.run.minor));
    matches!(row, Ok(Ok(row)) if row.flags.consults)
}
