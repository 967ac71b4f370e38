//! RENEW and RELEASE_LOCKOWNER. [RFC 7530 §16.28, §16.37]

use alloc::vec::Vec;

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::callback::CallbackPath;
use crate::compound::{Cx, Step, V40};
use crate::fs::FsResult;
use crate::keys::LockKey;

/// RENEW.
pub(crate) fn start(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::Renew::decode(args)?;
    let key = cx.client_of(args.clientid)?;
    // CB_PATH_DOWN renews the lease too. A client without delegations needs no callback path. [RFC 7530 §10.4.6]
    let client = cx.core.clients.get(key);
    let holds = client.is_some_and(|client| client.delegations.len() > client.revoked as usize);
    let is_down = cx.core.path(key).is_none_or(CallbackPath::is_down);
    Ok(Step::Done(if holds && is_down {
        Status::CB_PATH_DOWN
    } else {
        Status::OK
    }))
}

/// RELEASE_LOCKOWNER: the client will not use the lock-owner again.
pub(crate) fn release(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let owner = args::ReleaseLockOwner::decode(args)?.lock_owner;
    let client = cx.client_of(owner.clientid)?;
    let states = &mut cx.core.states;
    let Some(key) = states.lock_owners.find(client, owner.owner) else {
        return Ok(Step::Done(Status::OK));
    };
    let Some(found) = states.lock_owners.get(key) else {
        return Ok(Step::Done(Status::OK));
    };
    if found.held().len() > MOST_RELEASED {
        return Err(Status::RESOURCE);
    }
    let held: Vec<LockKey> = found.held().iter().collect();
    if held.iter().any(|lock| states.holds_locks(*lock)) {
        return Err(Status::LOCKS_HELD);
    }
    let most = states.may_walk();
    for lock in held.iter().take(most) {
        states.free_lock(*lock);
    }
    if held.len() > most {
        return Ok(Step::Yield);
    }
    states.lock_owners.remove(key);
    Ok(Step::Done(Status::OK))
}

/// Continues with RELEASE_LOCKOWNER after others have been served.
pub(crate) fn continue_release(
    cx: &mut Cx<'_, V40>,
    args: &mut Reader<'_>,
    _: FsResult,
) -> Result<Step, Status> {
    release(cx, args)
}

/// Maximum number of files of a lock-owner that RELEASE_LOCKOWNER checks at once.
const MOST_RELEASED: usize = 2_048;
