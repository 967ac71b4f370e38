//! VERIFY and NVERIFY. [RFC 8881 §18.31, §18.15]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::{FattrRaw, num};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader, Writer};

use super::getattr;
use crate::attr;
use crate::compound::{Cx, Fetched, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult};

/// VERIFY and NVERIFY: their arguments are the same.
pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let fh = cx.current()?;
    let mask = args::Verify::decode(args)?.obj_attributes.mask;
    if !cx.served().contains_all(&mask) {
        return Err(Status::ATTRNOTSUPP);
    }
    if mask.intersects(&attr::WRITE_ONLY) || mask.contains(num::RDATTR_ERROR) {
        return Err(Status::INVAL);
    }
    let op = FsOp::GetAttrs {
        fh: fh.handle,
        want: attr::want(&mask),
    };
    Ok(Step::Wait(fh.export, op, Stage::Last))
}

/// VERIFY: go on if the attributes are the same.
pub(crate) fn same<S>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let fattr = args::Verify::decode(args)?.obj_attributes;
    if are_same(cx, &fattr, result)? {
        Ok(Step::Done(Status::OK))
    } else {
        Err(Status::NOT_SAME)
    }
}

/// NVERIFY: go on if they are not.
pub(crate) fn different<S>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let fattr = args::NVerify::decode(args)?.obj_attributes;
    if are_same(cx, &fattr, result)? {
        Err(Status::SAME)
    } else {
        Ok(Step::Done(Status::OK))
    }
}

/// Equal attributes have equal encodings.
fn are_same<S>(cx: &Cx<'_, S>, fattr: &FattrRaw<'_>, result: FsResult) -> Result<bool, Status> {
    let fh = cx.current()?;
    let FsReply::Attrs { attrs, stat } = result? else {
        return Err(Status::SERVERFAULT);
    };
    let mut ours = Writer::new();
    getattr::encode(cx, &Fetched { fh, attrs, stat }, &fattr.mask, &mut ours)?;
    let ours = FattrRaw::decode(&mut Reader::new(ours.as_slice()))?;
    Ok(ours.values == fattr.values)
}
