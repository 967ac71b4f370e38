//! TEST_STATEID and FREE_STATEID. [RFC 8881 §18.48, §18.38]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::compound::{Cx, Sequenced, Step};
use crate::state::stateid::Named;
use crate::state::table::Ending;

/// TEST_STATEID.
pub(crate) fn test(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::TestStateid::decode(args)?;
    let count = args.stateids.len();
    cx.run.room_for(4 + 4 * count)?;
    let w = cx.run.reply.body();
    // A list that was decoded from a record is bounded by it.
    w.u32(u32::try_from(count).unwrap_or(u32::MAX));
    for stateid in args.stateids.iter() {
        let found = cx.core.states.check(&stateid, cx.scope.client, None);
        found.err().unwrap_or(Status::OK).encode(w);
    }
    Ok(Step::Done(Status::OK))
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
