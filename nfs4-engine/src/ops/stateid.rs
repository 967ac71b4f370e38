//! TEST_STATEID and FREE_STATEID. [RFC 8881 §18.48, §18.38]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::compound::{Cx, Sequenced, Step};
use crate::fs::FsResult;
use crate::state::ending::Ending;
use crate::state::stateid::Named;

/// TEST_STATEID: a long list is processed in parts.
pub(crate) fn test(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::TestStateid::decode(args)?;
    let count = args.stateids.len();
    cx.run.room_for(4 + 4 * count)?;
    // The record bounds the length of a decoded list.
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    cx.run.reply.body().u32(count);
    test_some(cx, &mut Reader::at(cx.record, cx.run.args_at))
}

/// Continues with TEST_STATEID after others have been served.
pub(crate) fn continue_test(
    cx: &mut Cx<'_, Sequenced>,
    args: &mut Reader<'_>,
    _: FsResult,
) -> Result<Step, Status> {
    test_some(cx, args)
}

/// Tests the next stateids of a list: those whose status is not in the reply yet.
fn test_some(cx: &mut Cx<'_, Sequenced>, list: &mut Reader<'_>) -> Result<Step, Status> {
    let count = list.u32()? as usize;
    let tested = cx.run.reply.op_body().len() / 4 - 1;
    list.skip(tested * STATEID_LEN)?;
    let left = count.saturating_sub(tested);
    let now = left.min(cx.core.states.may_walk() * TESTED_PER_STEP);
    let w = cx.run.reply.body();
    for _ in 0..now {
        let stateid = Stateid::decode(list)?;
        let found = cx.core.check_stateid(&stateid, cx.scope.client, None);
        found.err().unwrap_or(Status::OK).encode(w);
    }
    cx.core.states.walked += now / TESTED_PER_STEP;
    Ok(if now < left {
        Step::Yield
    } else {
        Step::Done(Status::OK)
    })
}

/// FREE_STATEID.
pub(crate) fn free(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::FreeStateid::decode(args)?;
    let stateid = cx.meant(args.stateid)?;
    let named = match cx.check(&stateid, None) {
        // FREE_STATEID acknowledges the revocation.
        Err(Status::DELEG_REVOKED | Status::ADMIN_REVOKED | Status::EXPIRED) => {
            match cx.core.named(&stateid)? {
                Named::Deleg(key) => {
                    let fh = cx.core.states.delegated_fh(key);
                    cx.core.undelegate(key, Ending::Asked, cx.out);
                    if let Some(fh) = fh {
                        cx.core.record_knowledge(cx.scope.client, Some(&fh), cx.out);
                    }
                }
                lost @ (Named::Open(_) | Named::Lock(_)) => {
                    cx.core.acknowledge_loss(cx.scope.client, lost);
                    cx.core.record_knowledge(cx.scope.client, None, cx.out);
                }
            }
            return Ok(Step::Done(Status::OK));
        }
        named => named?,
    };
    match named {
        // An open ends by CLOSE.
        Named::Open(_) => Err(Status::LOCKS_HELD),
        Named::Lock(key) if cx.core.states.holds_locks(key) => Err(Status::LOCKS_HELD),
        Named::Lock(key) => {
            cx.core.states.free_lock(key);
            Ok(Step::Done(Status::OK))
        }
        // A delegation ends by DELEGRETURN.
        Named::Deleg(_) => Err(Status::LOCKS_HELD),
    }
}

/// Number of stateids that are tested for one step of the walk.
const TESTED_PER_STEP: usize = 8;
/// Length of a stateid, in bytes.
const STATEID_LEN: usize = 16;
