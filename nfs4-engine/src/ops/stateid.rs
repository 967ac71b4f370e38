//! TEST_STATEID and FREE_STATEID. [RFC 8881 §18.48, §18.38]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::compound::{Cx, Sequenced, Step};
use crate::fs::FsResult;
use crate::state::stateid::Named;
use crate::state::table::Ending;

/// TEST_STATEID: a list as long as a request is gone through in parts.
pub(crate) fn test(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::TestStateid::decode(args)?;
    let count = args.stateids.len();
    cx.run.room_for(4 + 4 * count)?;
    // A list that was decoded from a record is bounded by it.
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    cx.run.reply.body().u32(count);
    Ok(test_some(cx, &args))
}

/// Goes on with TEST_STATEID after others have had their turn.
pub(crate) fn go_on_testing(
    cx: &mut Cx<'_, Sequenced>,
    args: &mut Reader<'_>,
    _: FsResult,
) -> Result<Step, Status> {
    let args = args::TestStateid::decode(args)?;
    Ok(test_some(cx, &args))
}

/// Tests the stateids that come after those whose status is in the reply.
fn test_some(cx: &mut Cx<'_, Sequenced>, args: &args::TestStateid<'_>) -> Step {
    let tested = cx.run.reply.op_body().len() / 4 - 1;
    let most = cx.core.states.may_walk() * TESTED_PER_STEP;
    let w = cx.run.reply.body();
    for stateid in args.stateids.iter().skip(tested).take(most) {
        let found = cx.core.states.check(&stateid, cx.scope.client, None);
        found.err().unwrap_or(Status::OK).encode(w);
    }
    let left = args.stateids.len() - tested;
    cx.core.states.walked += left.min(most) / TESTED_PER_STEP;
    if left > most {
        Step::Yield
    } else {
        Step::Done(Status::OK)
    }
}

/// FREE_STATEID.
pub(crate) fn free(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::FreeStateid::decode(args)?;
    let stateid = cx.meant(args.stateid)?;
    let named = match cx.check(&stateid, None) {
        // What was taken away, its client acknowledges so.
        Err(Status::DELEG_REVOKED) => {
            if let Named::Deleg(key) = cx.core.states.find_stateid(&stateid)?.named {
                cx.core.undelegate(key, Ending::Asked, cx.now.mono);
            }
            return Ok(Step::Done(Status::OK));
        }
        named => named?,
    };
    match named {
        // An open goes by CLOSE.
        Named::Open(_) => Err(Status::LOCKS_HELD),
        Named::Lock(key) if cx.core.states.holds_locks(key) => Err(Status::LOCKS_HELD),
        Named::Lock(key) => {
            cx.core.states.free_lock(key);
            Ok(Step::Done(Status::OK))
        }
        // A delegation goes by DELEGRETURN.
        Named::Deleg(_) => Err(Status::LOCKS_HELD),
    }
}

/// To test so many stateids costs as much as to remove one thing.
const TESTED_PER_STEP: usize = 8;
