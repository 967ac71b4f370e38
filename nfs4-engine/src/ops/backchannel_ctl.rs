//! BACKCHANNEL_CTL. [RFC 8881 §18.33]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::callback::channel;
use crate::compound::{Cx, Sequenced, Step};

/// Takes effect from the next callback on, retransmissions included.
pub(crate) fn start(cx: &mut Cx<'_, Sequenced>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::BackchannelCtl::decode(args)?;
    let session = cx.core.sessions.get_mut(cx.scope.session);
    let session = session.ok_or(Status::DELAY)?;
    // A session that has lost its callback connection still has a backchannel.
    if !session.back.wanted {
        return Err(Status::INVAL);
    }
    // RPCSEC_GSS is not supported, so a client cannot add a handle.
    let credential = channel::credential(&args.sec_parms).map_err(|_only_gss| Status::INVAL)?;
    session.back.control(args.cb_program, credential);
    Ok(Step::Done(Status::OK))
}
