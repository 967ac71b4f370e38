//! RECLAIM_COMPLETE. [RFC 8881 §18.51]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::compound::{Cx, Sequenced, Step};
use crate::keys::ClientKey;

pub(crate) fn complete(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::ReclaimComplete::decode(args)?;
    if args.one_fs {
        // Of a file system that has moved here; none has.
        cx.current()?;
        return Ok(Step::Done(Status::OK));
    }
    let client = cx
        .core
        .clients
        .get_mut(cx.scope.client)
        .ok_or(Status::DELAY)?;
    if client.reclaim_complete {
        return Err(Status::COMPLETE_ALREADY);
    }
    client.reclaim_complete = true;
    Ok(Step::Done(Status::OK))
}

/// Whether an open or a lock of this client may be made now, as one that is reclaimed or a new one.
/// [RFC 8881 §8.4.2.1, §18.51.3]
///
/// # Errors
/// NO_GRACE for a reclaim: nothing outlives a restart yet, so there is nothing to reclaim. GRACE
/// for a new one while others may reclaim, or before the client has said that it reclaims no more.
pub(super) fn admit<S>(cx: &Cx<'_, S>, client: ClientKey, reclaims: bool) -> Result<(), Status> {
    if reclaims {
        return Err(Status::NO_GRACE);
    }
    let client = cx.core.clients.get(client).ok_or(Status::DELAY)?;
    if cx.core.in_grace(cx.now.mono) || !client.reclaim_complete {
        return Err(Status::GRACE);
    }
    Ok(())
}
