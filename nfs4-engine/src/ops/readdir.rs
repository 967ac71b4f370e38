//! READDIR. [RFC 8881 §18.23]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::attr;
use crate::compound::{Cx, Stage, Step};
use crate::fs::{DirWriter, FsOp, FsReply, FsResult};

pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let args = args::ReadDir::decode(args)?;
    if matches!(args.cookie, 1 | 2) {
        return Err(Status::BAD_COOKIE);
    }
    if args.attr_request.intersects(&attr::WRITE_ONLY) {
        return Err(Status::INVAL);
    }
    // Any verifier will do: cookies stay good while entries come and go.
    let room = cx.run.room()?;
    let max = (args.maxcount as usize)
        .min(cx.core.config.max_io as usize)
        .min(room);
    let entries = DirWriter::new(max, args.attr_request, cx.view(dir)?, dir.export)
        .ok_or(Status::TOOSMALL)?;
    Ok(Step::Wait(
        dir.export,
        FsOp::ReadDir {
            dir: dir.handle,
            cookie: args.cookie,
            entries,
        },
        Stage::Last,
    ))
}

pub(crate) fn resume<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let FsReply::Entries(entries) = result.map_err(|error| error.status())? else {
        return Err(Status::SERVERFAULT);
    };
    let body = entries.finish().ok_or(Status::TOOSMALL)?;
    cx.body().raw(&body);
    Ok(Step::Done(Status::OK))
}
