//! CREATE_SESSION. [RFC 8881 §18.36]

use alloc::string::String;

use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, CREATE_SESSION4_FLAG_CONN_RDMA,
    CREATE_SESSION4_FLAG_PERSIST,
};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::callback::{BackChannel, channel};
use crate::compound::{Cx, Scope, Step};
use crate::config::Config;
use crate::core::stable::Durable;
use crate::direction::Direction;
use crate::event::{ClientGone, Event};
use crate::keys::ClientKey;
use crate::peer::LimitReached;
use crate::principal::Principal;
use crate::session::table::Fore;

pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::CreateSession::decode(args)?;
    if cx.core.connections.is_draining(cx.run.conn) {
        return Err(Status::DELAY);
    }
    let key = cx
        .core
        .clients
        .by_id(args.clientid.0)
        .ok_or(Status::STALE_CLIENTID)?;
    let client = cx.core.clients.get(key).ok_or(Status::STALE_CLIENTID)?;
    if client.about.minor == 0 || cx.core.is_lost(key, cx.out.now.mono) {
        return Err(Status::STALE_CLIENTID);
    }
    let is_own = client.principal == Principal::of(&cx.run.cred);
    // The replay comes before the checks of the arguments. [RFC 8881 §18.36.4, phase 2]
    if args.sequence == client.create.sequence
        && let Some(reply) = &client.create.reply
    {
        if !is_own {
            // The reply contains the session id, which another client must not learn.
            return Err(Status::CLID_INUSE);
        }
        cx.run.reply.body().raw(reply);
        bind_again(cx, key);
        return Ok(Step::Done(Status::OK));
    }
    if args.sequence != client.create.sequence.wrapping_add(1) {
        return Err(Status::SEQ_MISORDERED);
    }
    if !is_own {
        return Err(Status::CLID_INUSE);
    }
    if args.flags & !FLAGS != 0 {
        return Err(Status::INVAL);
    }
    let credential =
        channel::credential(&args.sec_parms).map_err(|_only_gss| Status::ENCR_ALG_UNSUPP)?;
    let back = &args.back_chan_attrs;
    if back.maxrequestsize < LEAST_CALLBACK || back.maxresponsesize < LEAST_CALLBACK {
        return Err(Status::TOOSMALL);
    }
    let mut back = BackChannel::new(back, args.cb_program, cx.run.minor, credential);
    if args.flags & CREATE_SESSION4_FLAG_CONN_BACK_CHAN != 0 {
        if !back.has_place() {
            return Err(Status::TOOSMALL);
        }
        // Without a usable callback credential, the session has no backchannel.
        back.wanted = back.is_secured();
    }
    let fore = grant(&args.fore_chan_attrs, &cx.core.config)?;
    // The confirmation of this incarnation ends the sessions of the previous one.
    let own = cx.core.clients.of_owner(client.about.minor, &client.owner);
    let (confirmed, replaced) = (client.confirmed, own.confirmed.filter(|old| *old != key));
    cx.core
        .admit_session(key, replaced, cx.out)
        .map_err(LimitReached::of_session)?;
    if !confirmed && let Some(wait) = confirm(cx, key)? {
        return Ok(wait);
    }
    create(cx, key, &args, fore, back)
}

/// Binds the connection of a retry to the session, in the direction that the first reply stated: the
/// client takes the connection for bound.
fn bind_again<S: Scope>(cx: &mut Cx<'_, S>, key: ClientKey) {
    let core = &mut *cx.core;
    let latest = core.clients.get(key).and_then(|client| client.create.made);
    let Some((session, found)) = latest.and_then(|key| Some((key, core.sessions.get(key)?))) else {
        return;
    };
    let direction = if found.flags & CREATE_SESSION4_FLAG_CONN_BACK_CHAN != 0 {
        Direction::Both
    } else {
        Direction::Fore
    };
    core.associate(session, cx.run.conn, direction, cx.out);
}

/// Confirms a client record; the owner's previous incarnation ends with all its state.
/// [RFC 8881 §18.36.4, phase 3]
fn confirm<S: Scope>(cx: &mut Cx<'_, S>, key: ClientKey) -> Result<Option<Step>, Status> {
    let core = &mut *cx.core;
    let client = core.clients.get(key).ok_or(Status::STALE_CLIENTID)?;
    let id = client.id;
    if let Some(old) = core
        .clients
        .of_owner(client.about.minor, &client.owner)
        .confirmed
    {
        if let Durable::After(ticket) = core.forget_record(old, cx.out) {
            return cx.begin_after(ticket).map(Some);
        }
        let comebacks = core.clients.note_replacement(old, key);
        core.discard(old, ClientGone::Replaced, cx.out)?;
        if let Some(times) = comebacks
            && let Some(client) = core.clients.get(key)
        {
            let owner = client.owner.to_vec();
            cx.out.event(Event::SharedOwner { owner, times });
        }
    }
    core.clients.confirm(key);
    core.recognise(key, cx.out);
    let conn = cx.run.conn;
    let peer = core
        .connections
        .get(conn)
        .map_or_else(String::new, |open| open.peer.clone());
    cx.out.event(Event::ClientConfirmed {
        client: id,
        conn,
        peer,
    });
    Ok(None)
}

fn create<S: Scope>(
    cx: &mut Cx<'_, S>,
    key: ClientKey,
    args: &args::CreateSession<'_>,
    fore: Fore,
    back: BackChannel,
) -> Result<Step, Status> {
    let core = &mut *cx.core;
    let with_back = back.wanted;
    let client = core.clients.get(key).ok_or(Status::SERVERFAULT)?;
    let (peer, client_id) = (client.peer, client.id);
    let session = core.sessions.insert((key, peer), fore, back, cx.out.now);
    let id = core.sessions.get(session).ok_or(Status::SERVERFAULT)?.id;
    cx.out.event(Event::SessionCreated {
        session: id,
        client: client_id,
        conn: cx.run.conn,
        slots: fore.slots,
    });
    // Best effort: the session is valid even without this connection.
    let direction = if with_back {
        Direction::Both
    } else {
        Direction::Fore
    };
    core.associate(session, cx.run.conn, direction, cx.out);
    let bindings = &core
        .sessions
        .get(session)
        .ok_or(Status::SERVERFAULT)?
        .bindings;
    let conn = cx.run.conn;
    let bound = bindings.find(conn);
    if bound.is_none() {
        cx.out.event(Event::NotBound { conn, session: id });
    }
    if args.flags & CREATE_SESSION4_FLAG_CONN_RDMA != 0 {
        cx.out.event(Event::RdmaRefused { conn, session: id });
    }
    let bound_back = bound.is_some_and(|found| found.direction.is_back());
    // PERSIST is never granted; the binding says whether the connection carries callbacks.
    let flags = if bound_back {
        CREATE_SESSION4_FLAG_CONN_BACK_CHAN
    } else {
        0
    };
    if let Some(session) = core.sessions.get_mut(session) {
        session.flags = flags;
    }
    let client = core.clients.get_mut(key).ok_or(Status::SERVERFAULT)?;
    client.sessions.push(session);
    client.lease.renew(cx.out.now.mono);
    core.end_courtesy(key, conn, cx.out);
    let client = core.clients.get_mut(key).ok_or(Status::SERVERFAULT)?;
    let asked = &args.fore_chan_attrs;
    let ok = res::CreateSessionOk {
        sessionid: id,
        sequence: args.sequence,
        flags,
        fore_chan_attrs: args::ChannelAttrs {
            headerpadsize: 0,
            maxrequestsize: fore.max_request,
            maxresponsesize: fore.max_response,
            maxresponsesize_cached: fore.max_response_cached,
            maxoperations: fore.max_operations,
            maxrequests: fore.slots,
            rdma_ird: asked.rdma_ird,
        },
        back_chan_attrs: args::ChannelAttrs {
            headerpadsize: 0,
            ..args.back_chan_attrs
        },
    };
    let w = cx.run.reply.body();
    let from = w.len();
    ok.encode(w);
    client.create.sequence = args.sequence;
    client.create.made = Some(session);
    client.create.reply = w.as_slice().get(from..).map(Into::into);
    Ok(Step::Done(Status::OK))
}

/// The attributes that the server grants for a fore channel.
///
/// # Errors
/// TOOSMALL if the client's limits allow no useful request.
fn grant(asked: &args::ChannelAttrs, config: &Config) -> Result<Fore, Status> {
    if asked.maxrequestsize < LEAST_REQUEST
        || asked.maxresponsesize < LEAST_RESPONSE
        || asked.maxoperations < LEAST_OPERATIONS
        || asked.maxrequests == 0
    {
        return Err(Status::TOOSMALL);
    }
    let most = config.max_io + HEADERS;
    let max_response = asked.maxresponsesize.min(most);
    Ok(Fore {
        max_request: asked.maxrequestsize.min(most),
        max_response,
        max_response_cached: asked.maxresponsesize_cached.min(config.max_cached_reply),
        max_operations: asked.maxoperations.min(config.max_operations),
        slots: asked.maxrequests.min(config.fore_slots),
    })
}

/// Length of the RPC header, credential and other operations around the largest READ or WRITE, in bytes.
const HEADERS: u32 = 4096;
/// Minimum length of requests that a client must allow, in bytes: room for SEQUENCE and an operation.
const LEAST_REQUEST: u32 = 256;
/// Minimum length of replies that a client must allow, in bytes.
const LEAST_RESPONSE: u32 = 256;
/// Minimum length of callbacks and of their replies that a client must allow, in bytes.
const LEAST_CALLBACK: u32 = 128;
/// Minimum number of operations that a client must allow: SEQUENCE and one more.
const LEAST_OPERATIONS: u32 = 2;
/// The flags that a client may set.
const FLAGS: u32 = CREATE_SESSION4_FLAG_PERSIST
    | CREATE_SESSION4_FLAG_CONN_BACK_CHAN
    | CREATE_SESSION4_FLAG_CONN_RDMA;
