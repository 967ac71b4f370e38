//! RECLAIM_COMPLETE. [RFC 8881 §18.51]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::compound::{Cx, Sequenced, Step};
use crate::keys::ClientKey;

pub(crate) fn complete(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::ReclaimComplete::decode(args)?;
    if args.one_fs {
        // `one_fs` is for a file system that has moved here; no file system has.
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

/// Whether this client may open or lock now, by a reclaim or anew. [RFC 8881 §8.4.2.1, §18.51.3]
///
/// # Errors
/// NO_GRACE for a reclaim: no state outlives a restart yet, so a client cannot reclaim any. GRACE for a
/// new open or lock in the grace period, or before the client has sent RECLAIM_COMPLETE.
pub(super) fn admit<S>(cx: &Cx<'_, S>, client: ClientKey, reclaims: bool) -> Result<(), Status> {
    if reclaims {
        return Err(Status::NO_GRACE);
    }
    let client = cx.core.clients.get(client).ok_or(Status::DELAY)?;
    if cx.core.in_grace(cx.out.now.mono) || !client.reclaim_complete {
        return Err(Status::GRACE);
    }
    Ok(())
}
