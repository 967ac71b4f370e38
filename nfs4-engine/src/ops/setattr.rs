//! SETATTR. [RFC 8881 §18.30]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::io;
use crate::attr;
use crate::compound::{Cx, Established, Stage, Step};
use crate::delegation_kind::Touch;
use crate::fs::{Authority, FsOp, FsReply, FsResult};

pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::SetAttr::decode(args)?;
    let set = attr::decode_settable(&args.obj_attributes, &cx.served())?;
    io::fits(cx, &fh, set.size.or(Some(0)))?;
    // Only a change of length is a kind of write and is bound to a stateid.
    let authority = match set.size {
        None => {
            io::tells_sender(cx, args.stateid, &fh);
            Authority::Credential
        }
        Some(0) => io::authority(cx, args.stateid, &fh, io::Intent::Cut)?,
        Some(_) => io::authority(cx, args.stateid, &fh, io::Intent::Write)?,
    };
    cx.touch(&fh, Touch::Change, set.size == Some(0))?;
    Ok(Step::Wait(
        fh.export,
        FsOp::SetAttrs {
            fh: fh.handle,
            set,
            authority,
        },
        Stage::Last,
    ))
}

pub(crate) fn resume<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let args = args::SetAttr::decode(args)?;
    let FsReply::Attrs { .. } = result? else {
        return Err(Status::SERVERFAULT);
    };
    args.obj_attributes.mask.encode(cx.body());
    Ok(Step::Done(Status::OK))
}
