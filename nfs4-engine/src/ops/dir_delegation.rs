//! GET_DIR_DELEGATION. [RFC 8881 §18.39]

use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::compound::{Cx, Stage, Step};
use crate::fs::{FileKind, FsOp, FsReply, FsResult, Want};

/// Asks the file system whether the object is a directory.
pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let fh = cx.current()?;
    args::GetDirDelegation::decode(args)?;
    let want = Want {
        attrs: true,
        stat: false,
    };
    Ok(Step::Wait(
        fh.export,
        FsOp::GetAttrs {
            fh: fh.handle,
            want,
        },
        Stage::Last,
    ))
}

/// The server delegates no directory. That is an error only for a client that requests a signal when a
/// delegation becomes available.
pub(crate) fn found<S>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let args = args::GetDirDelegation::decode(args)?;
    let FsReply::Attrs { attrs, .. } = result? else {
        return Err(Status::SERVERFAULT);
    };
    if attrs.kind != FileKind::Directory {
        return Err(Status::NOTDIR);
    }
    if args.signal_deleg_avail {
        return Err(Status::DIRDELEG_UNAVAIL);
    }
    let none = res::GetDirDelegationOk::Unavailable(false);
    none.encode(cx.body());
    Ok(Step::Done(Status::OK))
}
