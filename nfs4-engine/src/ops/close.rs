//! CLOSE. [RFC 8881 §18.2]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::compound::{Cx, Established, Step};
use crate::fs::FsResult;
use crate::state::ending::Ending;

pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::Close::decode(args)?;
    let stateid = cx.meant_exactly(args.open_stateid)?;
    let open = cx.check_open(&stateid, &fh)?;
    let most = cx.core.states.may_walk();
    if !cx.core.states.end_locks_under(open, Ending::Asked, most) {
        return Ok(Step::Yield);
    }
    cx.core.close(open, cx.out);
    // The returned stateid is invalid, and the client must not use it.
    cx.run.current_stateid = Stateid::INVALID;
    Stateid::INVALID.encode(cx.body());
    Ok(Step::Done(Status::OK))
}

/// Continues with CLOSE after others have been served.
pub(crate) fn resume<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    _: FsResult,
) -> Result<Step, Status> {
    start(cx, args)
}
