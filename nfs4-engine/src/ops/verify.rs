//! VERIFY and NVERIFY. [RFC 8881 §18.31, §18.15]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::{FattrRaw, num};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader, Writer};

use super::attributes;
use super::getattr;
use crate::attr;
use crate::compound::{Cx, Fetched, Scope, Step};
use crate::fs::FsResult;

/// VERIFY: continue if the attributes are the same.
pub(crate) fn same<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    start(cx, args, Status::NOT_SAME)
}

/// NVERIFY: continue if they are not.
pub(crate) fn different<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    start(cx, args, Status::SAME)
}

/// Continues with VERIFY when the file system has answered.
pub(crate) fn same_looked<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    resume(cx, args, result, Status::NOT_SAME)
}

/// Continues with NVERIFY when the file system has answered.
pub(crate) fn different_looked<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    resume(cx, args, result, Status::SAME)
}

/// Looks for the attributes, as GETATTR does; `stops` is what the operation answers if the COMPOUND is
/// not to continue. Their arguments are the same.
fn start<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    stops: Status,
) -> Result<Step, Status> {
    let fattr = args::Verify::decode(args)?.obj_attributes;
    if !cx.served().contains_all(&fattr.mask) {
        return Err(Status::ATTRNOTSUPP);
    }
    if fattr.mask.intersects(&attr::WRITE_ONLY) || fattr.mask.contains(num::RDATTR_ERROR) {
        return Err(Status::INVAL);
    }
    attributes::look(cx, &fattr.mask, *args, |cx, node| {
        compare(cx, &fattr, node, stops)
    })
}

fn resume<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
    stops: Status,
) -> Result<Step, Status> {
    let fattr = args::Verify::decode(args)?.obj_attributes;
    attributes::resume(cx, &fattr.mask, *args, result, |cx, node| {
        compare(cx, &fattr, node, stops)
    })
}

/// Equal attributes have equal encodings.
fn compare<S>(
    cx: &mut Cx<'_, S>,
    fattr: &FattrRaw<'_>,
    node: &Fetched,
    stops: Status,
) -> Result<Step, Status> {
    let mut ours = Writer::new();
    getattr::encode(cx, node, &fattr.mask, &mut ours)?;
    let ours = FattrRaw::decode(&mut Reader::new(ours.as_slice()))?;
    if (ours.values == fattr.values) == (stops == Status::NOT_SAME) {
        Ok(Step::Done(Status::OK))
    } else {
        Err(stops)
    }
}
