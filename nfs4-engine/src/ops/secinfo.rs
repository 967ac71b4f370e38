//! SECINFO and SECINFO_NO_NAME. [RFC 8881 §18.29, §18.45]

use nfs4_proto::nfs4::args::{self, SecInfoStyle};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::AuthFlavor;
use nfs4_proto::xdr::{Decode, Reader, Writer};

use super::names;
use crate::compound::{Cx, Stage, Step};
use crate::fs::{FsOp, FsResult, Want};

/// SECINFO.
pub(crate) fn named<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let name = args::SecInfo::decode(args)?.name;
    let name = names::component(cx, &dir, name)?;
    let op = FsOp::Lookup {
        dir: dir.handle,
        name,
        want: Want::default(),
    };
    Ok(Step::Wait(dir.export, op, Stage::Last))
}

/// SECINFO_NO_NAME.
pub(crate) fn no_name<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let args = args::SecInfoNoName::decode(args)?;
    if args.style == SecInfoStyle::Parent && cx.core.exports.ascend(&dir).is_some() {
        // The parent is a directory of the engine, which needs no file system.
        return Ok(tell(cx));
    }
    let want = Want::default();
    let op = match args.style {
        SecInfoStyle::CurrentFh => FsOp::GetAttrs {
            fh: dir.handle,
            want,
        },
        SecInfoStyle::Parent => FsOp::LookupParent {
            dir: dir.handle,
            want,
        },
    };
    Ok(Step::Wait(dir.export, op, Stage::Last))
}

/// SECINFO and SECINFO_NO_NAME: the object exists.
pub(crate) fn found<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    result?;
    Ok(tell(cx))
}

/// Writes the flavours, and from minor version 1 on consumes the filehandle, so that the client
/// cannot continue under a wrong one.
fn tell<S>(cx: &mut Cx<'_, S>) -> Step {
    flavors(cx.body());
    if cx.run.minor > 0 {
        cx.run.current = None;
        cx.run.current_stateid = Stateid::ANONYMOUS;
    }
    Step::Done(Status::OK)
}

/// Encodes the accepted flavors, best first.
fn flavors(w: &mut Writer) {
    w.u32(2);
    w.u32(AuthFlavor::SYS.0);
    w.u32(AuthFlavor::NONE.0);
}
