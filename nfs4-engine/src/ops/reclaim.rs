//! RECLAIM_COMPLETE. [RFC 8881 §18.51]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::compound::{Cx, Established, Step};

pub(crate) fn complete<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let args = args::ReclaimComplete::decode(args)?;
    if args.one_fs {
        // Of a file system that has moved here; none has.
        cx.current()?;
        return Ok(Step::Done(Status::OK));
    }
    let client = cx
        .core
        .clients
        .get_mut(cx.scope.client())
        .ok_or(Status::DELAY)?;
    if client.reclaim_complete {
        return Err(Status::COMPLETE_ALREADY);
    }
    client.reclaim_complete = true;
    Ok(Step::Done(Status::OK))
}
