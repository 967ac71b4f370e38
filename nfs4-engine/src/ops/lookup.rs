//! LOOKUP and LOOKUPP. [RFC 8881 §18.13, §18.14]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::{flavor, getattr, names};
use crate::compound::{Cx, Fetched, Stage, Step};
use crate::fh::Fh;
use crate::fs::{Expected, FsOp, FsReply, FsResult};

/// LOOKUP.
pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    flavor::admit(cx, dir.export)?;
    let name = args::Lookup::decode(args)?.objname;
    let name = names::component(cx, &dir, name)?;
    let want = getattr::wanted_next(cx, *args);
    Ok(Step::Wait(
        dir.export,
        FsOp::Lookup {
            dir: dir.handle,
            name,
            want,
        },
        Stage::Last,
    ))
}

/// LOOKUPP. The parent of an export's root is the directory above the export.
pub(crate) fn parent<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    if let Some(above) = cx.core.exports.ascend(&dir) {
        cx.run.set_current(above);
        return Ok(Step::Done(Status::OK));
    }
    flavor::admit(cx, dir.export)?;
    let want = getattr::wanted_next(cx, *args);
    Ok(Step::Wait(
        dir.export,
        FsOp::LookupParent {
            dir: dir.handle,
            want,
        },
        Stage::Last,
    ))
}

pub(crate) fn resume<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let dir = cx.current()?;
    let FsReply::Node { fh, attrs, stat } = result? else {
        return Err(Status::SERVERFAULT);
    };
    let found = Fh {
        export: dir.export,
        handle: fh,
    };
    let fh = cx.core.exports.descend(found);
    if fh.export != found.export {
        flavor::admit(cx, fh.export)?;
    }
    cx.run.set_current(fh);
    // Attributes that were not requested have no defined value.
    let wanted = matches!(cx.run.expected, Expected::Node(want) if want.attrs);
    if wanted && fh == found {
        cx.run.fetched = Some(Fetched { fh, attrs, stat });
    }
    Ok(Step::Done(Status::OK))
}
