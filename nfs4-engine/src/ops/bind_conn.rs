//! BIND_CONN_TO_SESSION. [RFC 8881 §18.34]

use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::res::{self, ChannelDirFromServer};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::compound::Sessionless;
use crate::compound::{Cx, Step};
use crate::direction::Direction;
use crate::event::Event;

/// A rebind changes the direction; FORE_OR_BOTH and BACK_OR_BOTH get both.
pub(crate) fn start(cx: &mut Cx<'_, Sessionless>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::BindConnToSession::decode(args)?;
    let (conn, now) = (cx.run.conn, cx.out.now);
    if cx.core.connections.is_draining(conn) {
        return Err(Status::DELAY);
    }
    let key = cx
        .core
        .sessions
        .by_id(&args.sessid)
        .ok_or(Status::BADSESSION)?;
    let client = cx.core.sessions.get(key).ok_or(Status::BADSESSION)?.client;
    if !cx.core.is_own(client, &cx.run.cred) || cx.core.is_lost(client, now.mono) {
        return Err(Status::BADSESSION);
    }
    let direction = match args.dir {
        ChannelDirFromClient::Fore => Direction::Fore,
        ChannelDirFromClient::Back => Direction::Back,
        ChannelDirFromClient::ForeOrBoth | ChannelDirFromClient::BackOrBoth => Direction::Both,
    };
    cx.core.bind(key, conn, direction, cx.out)?;
    let dir = match direction {
        Direction::Fore => ChannelDirFromServer::Fore,
        Direction::Back => ChannelDirFromServer::Back,
        Direction::Both => ChannelDirFromServer::Both,
    };
    // RDMA is not supported.
    if args.use_conn_in_rdma_mode {
        let session = args.sessid;
        cx.out.event(Event::RdmaRefused { conn, session });
    }
    res::BindConnToSessionOk {
        sessid: args.sessid,
        dir,
        use_conn_in_rdma_mode: false,
    }
    .encode(cx.body());
    Ok(Step::Done(Status::OK))
}
