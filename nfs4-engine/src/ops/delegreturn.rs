//! DELEGRETURN. [RFC 8881 §18.6]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::delegation::named;
use crate::compound::{Cx, Established, Step};
use crate::keys::DelegationKey;
use crate::principal::Principal;
use crate::state::ending::Ending;
use crate::state::stateid::Named;

/// DELEGRETURN.
pub(crate) fn return_delegation<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::DelegReturn::decode(args)?;
    match named(cx, args.deleg_stateid, Some(&fh)) {
        Ok(key) if !may_return(cx, key) => return Err(Status::BAD_STATEID),
        Ok(key) => cx.core.undelegate(key, Ending::Asked, cx.out),
        Err(Status::BAD_STATEID) if ended_with_file(cx, args.deleg_stateid)? => {}
        Err(status) => return Err(status),
    }
    Ok(Step::Done(Status::OK))
}

/// Whether the user of a request may return the delegation.
fn may_return<S: Established>(cx: &Cx<'_, S>, key: DelegationKey) -> bool {
    let held = cx.core.states.delegation(key);
    held.is_some_and(|held| S::may_change(cx, held.client, &Principal::of(&held.opener)))
}

/// Whether a stateid is of a delegation that ended because its file was removed.
fn ended_with_file<S: Established>(cx: &mut Cx<'_, S>, stateid: Stateid) -> Result<bool, Status> {
    let stateid = cx.meant(stateid)?;
    let Ok(Named::Deleg(key)) = Named::decode(&stateid, cx.core.boot.epoch) else {
        return Ok(false);
    };
    let sender = S::sender(cx).and_then(|sender| cx.core.clients.get_mut(sender));
    Ok(sender.is_some_and(|client| client.gives_back_gone(key)))
}
