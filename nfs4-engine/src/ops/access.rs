//! ACCESS. [RFC 8881 §18.1]

use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::compound::{Cx, Stage, Step};
use crate::fs::{AccessMask, FileKind, FsOp, FsReply, FsResult};

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
    let FsReply::Access { granted, kind } = result? else {
        return Err(Status::SERVERFAULT);
    };
    let rights = cx.rights(cx.current()?.export);
    let supported = asked.intersection(meaningful(kind));
    let granted = granted.intersection(supported).intersection(rights);
    res::AccessOk {
        supported: supported.0,
        access: granted.0,
    }
    .encode(cx.body());
    Ok(Step::Done(Status::OK))
}

/// The rights that apply to a kind of object: LOOKUP and DELETE only to directories, EXECUTE only to
/// other objects.
const fn meaningful(kind: FileKind) -> AccessMask {
    let common = AccessMask::READ
        .union(AccessMask::MODIFY)
        .union(AccessMask::EXTEND);
    match kind {
        FileKind::Directory => common.union(AccessMask::LOOKUP).union(AccessMask::DELETE),
        FileKind::Regular
        | FileKind::Symlink
        | FileKind::BlockDevice
        | FileKind::CharDevice
        | FileKind::Socket
        | FileKind::Fifo => common.union(AccessMask::EXECUTE),
    }
}

/// The rights that file systems check; the reply reports all others as not supported.
const KNOWN: AccessMask = AccessMask(0x3f);
