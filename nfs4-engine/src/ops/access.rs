//! ACCESS. [RFC 8881 §18.1]

use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::compound::{Cx, Stage, Step};
use crate::fs::{AccessMask, FsOp, FsReply, FsResult};

pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let fh = cx.current()?;
    let mask = AccessMask(args::Access::decode(args)?.access).intersection(KNOWN);
    Ok(Step::Wait(
        fh.export,
        FsOp::Access {
            fh: fh.handle,
            mask,
        },
        Stage::Last,
    ))
}

pub(crate) fn resume<S>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let asked = AccessMask(args::Access::decode(args)?.access).intersection(KNOWN);
    let FsReply::Access(granted) = result? else {
        return Err(Status::SERVERFAULT);
    };
    let rights = cx.core.exports.rights(cx.current()?.export);
    let granted = granted.intersection(asked).intersection(rights);
    res::AccessOk {
        supported: asked.0,
        access: granted.0,
    }
    .encode(cx.body());
    Ok(Step::Done(Status::OK))
}

/// The rights that a file system is asked for; the client learns that others are not supported.
const KNOWN: AccessMask = AccessMask(0x3f);
