//! RECLAIM_COMPLETE, and what may be opened and locked in the grace period. [RFC 8881 §18.51, §8.4.2.1]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::permission;
use crate::compound::opening::Opening;
use crate::compound::owner_request::{OwnerRequest, SeqidOwner};
use crate::compound::{Cx, Sequenced, Stage, Step, V40};
use crate::core::stable::Durable;
use crate::fh::Fh;
use crate::fs::{Attrs, Creation, FsOp, OpenHow, Target};
use crate::keys::ClientKey;

/// RECLAIM_COMPLETE. From then on the client may get new state, which it can reclaim after a restart: it is
/// recorded before the reply.
pub(crate) fn complete(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::ReclaimComplete::decode(args)?;
    let key = cx.scope.client;
    if args.one_fs {
        // `one_fs` is for a file system that has moved here; no file system has.
        let export = cx.current()?.export;
        if cx.core.exports.get(export).is_none() {
            // The directories above the exports have no state, and a made-up filehandle names nothing.
            return Ok(Step::Done(Status::OK));
        }
        let client = cx.core.clients.get_mut(key).ok_or(Status::DELAY)?;
        if !client.reclaimed.insert(export) {
            return Err(Status::COMPLETE_ALREADY);
        }
        return Ok(Step::Done(Status::OK));
    }
    let client = cx.core.clients.get(key).ok_or(Status::DELAY)?;
    if client.reclaim_complete {
        return Err(Status::COMPLETE_ALREADY);
    }
    match cx.core.record_client(key, cx.out) {
        Durable::Yes => {}
        Durable::After(ticket) => return cx.begin_after(ticket),
        Durable::Never => return Err(Status::DELAY),
    }
    if let Some(client) = cx.core.clients.get_mut(key) {
        client.reclaim_complete = true;
    }
    cx.core.settle_reclaims(key, cx.out);
    Ok(Step::Done(Status::OK))
}

/// Whether this client may open or lock now, by a reclaim or anew; the file of a reclaim is `fh`.
/// [RFC 8881 §8.4.2.1, §18.51.3]
///
/// # Errors
/// NO_GRACE for a reclaim by a client that has nothing to reclaim, or has completed its reclaims; RECLAIM_BAD
/// for one of a file of which the client has lost its state. GRACE for a new open or lock in the grace
/// period, or before the client has sent RECLAIM_COMPLETE; DELAY for one that the client could not reclaim yet.
pub(super) fn admit<S>(
    cx: &mut Cx<'_, S>,
    client: ClientKey,
    reclaims: bool,
    fh: &Fh,
) -> Result<(), Status> {
    let now = cx.out.now.mono;
    let found = cx.core.clients.get(client).ok_or(Status::DELAY)?;
    if !reclaims {
        if cx.core.in_grace(now) || !found.reclaim_complete {
            return Err(Status::GRACE);
        }
        return cx.core.admit_recorded(client, cx.out);
    }
    let completed = found.about.minor > 0 && found.reclaim_complete;
    if completed || found.reclaimed.contains(fh.export) {
        return Err(Status::NO_GRACE);
    }
    let admitted = cx.core.may_reclaim(client, Some(fh), now);
    if let Err(Status::RECLAIM_BAD | Status::NO_GRACE) = admitted
        && let Some(OwnerRequest {
            whose: SeqidOwner::Open(owner),
            ..
        }) = cx.run.owner_request
        && let Some(client) = cx.core.clients.get_mut(client)
    {
        // The client knows once it has the reply. One of a later minor version knows all when it sends
        // RECLAIM_COMPLETE.
        client.recorded.tells(fh, owner);
    }
    admitted
}

/// Whether a client may open or lock now what is delegated to it: that conflicts with no reclaim of another
/// client, for the delegation does not. [RFC 8881 §8.4.2.1, §10.4.4]
///
/// # Errors
/// GRACE before the client has sent RECLAIM_COMPLETE. DELAY while its record is not certain.
pub(super) fn admit_delegated<S>(cx: &mut Cx<'_, S>, client: ClientKey) -> Result<(), Status> {
    let found = cx.core.clients.get(client).ok_or(Status::DELAY)?;
    if !found.reclaim_complete {
        return Err(Status::GRACE);
    }
    if cx.core.in_grace(cx.out.now.mono) {
        return Ok(());
    }
    cx.core.admit_recorded(client, cx.out)
}

/// Whether names and attributes of files may change: not while another client may reclaim an open or a
/// delegation that such a change breaks.
///
/// # Errors
/// GRACE; DELAY for LINK of 4.0, which has no GRACE. [RFC 7530 §13.2]
pub(super) fn admit_change<S>(cx: &Cx<'_, S>) -> Result<(), Status> {
    if !cx.core.awaits_reclaims(cx.out.now.mono) {
        Ok(())
    } else if cx.run.op == Op::Link && cx.run.minor == 0 {
        Err(Status::DELAY)
    } else {
        Err(Status::GRACE)
    }
}

/// As [`admit_change`], of what only a delegation forbids.
pub(super) fn admit_change_of<S>(cx: &Cx<'_, S>, fh: &Fh) -> Result<(), Status> {
    if cx.core.delegates(fh.export) {
        admit_change(cx)
    } else {
        Ok(())
    }
}

/// Opens a file that is reclaimed, and whose mode forbids the access. Its creator had the right to it all the
/// same, or its mode has changed since: the owner, which could change the mode anyway, gets the access again.
/// [RFC 8881 §8.4.2.1]
pub(super) fn open_as_owner<S>(cx: &Cx<'_, S>, opening: Opening) -> Result<Step, Status> {
    let fh = cx.current()?;
    let op = FsOp::Open {
        target: Target::Handle(fh.handle),
        how: OpenHow {
            read: false,
            write: false,
            create: Creation::No,
        },
    };
    let opening = Opening {
        by_owner: true,
        ..opening
    };
    Ok(Step::Wait(fh.export, op, Stage::OpenFound(opening)))
}

/// Whether the user of a request is the owner of the object with these attributes.
pub(super) fn is_owner<S>(cx: &mut Cx<'_, S>, attrs: &Attrs) -> bool {
    permission::user(cx).is_ok_and(|user| user.uid == attrs.uid)
}

/// Sees to a record of a client of 4.0 before it gets state: the OPEN waits for it.
/// [RFC 7530 §9.6.3.4.3]
///
/// # Errors
/// DELAY if the client goes.
pub(super) fn record_opener(
    cx: &mut Cx<'_, V40>,
    client: ClientKey,
    reclaims: bool,
) -> Result<Option<Step>, Status> {
    let now = cx.out.now.mono;
    let is_granted = if reclaims {
        cx.core.may_reclaim(client, None, now).is_ok()
    } else {
        !cx.core.in_grace(now)
    };
    if !is_granted {
        return Ok(None);
    }
    match cx.core.record_client(client, cx.out) {
        Durable::Yes => Ok(None),
        Durable::After(ticket) => cx.begin_after(ticket).map(Some),
        Durable::Never => Err(Status::DELAY),
    }
}
