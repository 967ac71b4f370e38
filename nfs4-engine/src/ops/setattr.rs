//! SETATTR. [RFC 8881 §18.30]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::io;
use crate::attr;
use crate::compound::{Cx, Established, Stage, Step};
use crate::fs::{Authority, FsOp, FsReply, FsResult};

pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::SetAttr::decode(args)?;
    let set = match attr::decode_settable(&args.obj_attributes, cx.run.minor) {
        Ok(set) => set,
        Err(status) => return Ok(nothing_set(cx, status)),
    };
    // Only a change of length is a kind of write and is bound to a stateid.
    let authority = match set.size {
        None => Ok(Authority::Credential),
        Some(_) => io::authority(cx, args.stateid, &fh, io::Intent::Write),
    };
    match authority {
        Ok(authority) => Ok(Step::Wait(
            fh.export,
            FsOp::SetAttrs {
                fh: fh.handle,
                set,
                authority,
            },
            Stage::Last,
        )),
        Err(status) => Ok(nothing_set(cx, status)),
    }
}

pub(crate) fn resume<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let args = args::SetAttr::decode(args)?;
    match result {
        Ok(FsReply::Attrs { .. }) => {
            args.obj_attributes.mask.encode(cx.body());
            Ok(Step::Done(Status::OK))
        }
        Ok(_) => Ok(nothing_set(cx, Status::SERVERFAULT)),
        Err(error) => Ok(nothing_set(cx, error.status())),
    }
}

/// SETATTR4res has a body whatever happened.
fn nothing_set<S>(cx: &mut Cx<'_, S>, status: Status) -> Step {
    Bitmap::default().encode(cx.body());
    Step::Failed(status)
}
