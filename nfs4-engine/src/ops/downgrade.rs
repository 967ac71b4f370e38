//! OPEN_DOWNGRADE. [RFC 8881 §18.18]

use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::share::share;
use crate::compound::{Cx, Established, Step};

pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::OpenDowngrade::decode(args)?;
    let stateid = cx.meant_exactly(args.open_stateid)?;
    let key = cx.check_open(&stateid, &fh)?;
    let share = share(args.share_access, args.share_deny)?;
    let open = cx.core.states.get(key).ok_or(Status::BAD_STATEID)?;
    if !open.narrows_to(share) {
        return Err(Status::INVAL);
    }
    cx.core.states.narrow(key, share);
    let stateid = cx.core.states.advance(key);
    cx.run.current_stateid = stateid;
    res::OpenDowngradeOk {
        open_stateid: stateid,
    }
    .encode(cx.body());
    Ok(Step::Done(Status::OK))
}
