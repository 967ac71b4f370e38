//! DESTROY_SESSION and DESTROY_CLIENTID. [RFC 8881 §18.37, §18.50]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::compound::{Cx, Scope, Step};
use crate::count::Count;
use crate::event::{ClientGone, SessionGone};

/// DESTROY_SESSION.
pub(crate) fn session<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let id = args::DestroySession::decode(args)?.sessionid;
    let key = cx.core.sessions.by_id(&id).ok_or(Status::BADSESSION)?;
    let session = cx.core.sessions.get(key).ok_or(Status::BADSESSION)?;
    let client = session.client;
    if !cx.core.is_own(client, &cx.run.cred) || cx.core.is_lost(client, cx.out.now.mono) {
        return Err(Status::BADSESSION);
    }
    let own = cx.scope.session() == Some(key);
    if own && cx.run.begun < cx.run.count {
        return Err(Status::NOT_ONLY_OP);
    }
    if !session.bindings.contains(cx.run.conn) {
        return Err(Status::CONN_NOT_BOUND_TO_SESSION);
    }
    if session.running > u32::from(own) {
        return Err(Status::DELAY);
    }
    if own {
        // The reply is sent, but no slot is left to keep it for replay.
        cx.run.sequenced = None;
        let now = cx.out.now.mono;
        if let Some(session) = cx.core.sessions.get_mut(key) {
            session.running.lower(1);
            session.last_used = now;
            let took = now.nanos_since(cx.run.arrived);
            session.traffic.count(cx.run.begun, cx.run.moved, took);
        }
    }
    cx.core.destroy_session(key, SessionGone::Request, cx.out);
    Ok(Step::Done(Status::OK))
}

/// DESTROY_CLIENTID.
pub(crate) fn client<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let id = args::DestroyClientId::decode(args)?.clientid;
    let key = cx.core.clients.by_id(id.0).ok_or(Status::STALE_CLIENTID)?;
    let client = cx.core.clients.get(key).ok_or(Status::STALE_CLIENTID)?;
    let is_own = cx.core.is_own(key, &cx.run.cred);
    if client.about.minor == 0 || !is_own || cx.core.is_lost(key, cx.out.now.mono) {
        return Err(Status::STALE_CLIENTID);
    }
    if client.has_state() {
        return Err(Status::CLIENTID_BUSY);
    }
    let mut budget = 1;
    cx.core
        .remove_client(key, ClientGone::Request, &mut budget, cx.out);
    Ok(Step::Done(Status::OK))
}
