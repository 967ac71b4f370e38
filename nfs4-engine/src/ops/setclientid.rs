//! SETCLIENTID and SETCLIENTID_CONFIRM: a 4.0 client gets or updates its client record.
//! [RFC 7530 §16.33, §16.34]

use alloc::boxed::Box;
use alloc::string::String;

use nfs4_proto::nfs4::basic::{ClientId, NetAddr, Verifier};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::exchange_id::about;
use crate::client::{CallbackTarget, ClientIdentity, SetClientIdRecord};
use crate::compound::{Cx, Step, V40};
use crate::core::stable::Durable;
use crate::event::{ClientGone, Event};
use crate::keys::ClientKey;
use crate::principal::Principal;

/// SETCLIENTID: the state of a confirmed client changes only when it confirms.
pub(crate) fn start(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::SetClientId::decode(args)?;
    let (id, verifier) = (args.client.id, args.client.verifier);
    let caller = Principal::of(&cx.run.cred);
    let callback = CallbackTarget {
        program: args.callback.cb_program,
        netid: args.callback.cb_location.netid.into(),
        address: args.callback.cb_location.addr.into(),
        ident: args.callback_ident,
    };
    let records = cx.core.clients.of_owner(0, id);
    let now = cx.out.now.mono;
    if let Some(key) = records.confirmed
        && let Some(client) = cx.core.clients.get(key)
    {
        let expired = cx.core.is_expired(key, now);
        if client.principal != caller {
            // One without state is replaced. [RFC 7530 §9.1.2]
            if cx.core.has_state_of_its_own(key, now) && !expired {
                return Ok(in_use(cx, key));
            }
            cx.core.discard(key, ClientGone::Replaced, cx.out)?;
        } else if cx.core.is_lost(key, now) || expired && client.verifier != verifier {
            // Of a client that has rebooted nothing is kept beyond its lease.
            cx.core.discard(key, ClientGone::LeaseExpired, cx.out)?;
        } else if client.verifier == verifier {
            // The same incarnation may have another callback address.
            let confirm = cx.core.clients.mint_confirm();
            let client = cx.core.clients.get_mut(key).ok_or(Status::SERVERFAULT)?;
            client.update = Some(Box::new(SetClientIdRecord { confirm, callback }));
            return Ok(introduced(cx, key, confirm));
        }
        // Another incarnation; the old one stays until the new one is confirmed.
    }
    if let Some(key) = records.unconfirmed {
        cx.core.discard(key, ClientGone::Replaced, cx.out)?;
    }
    let identity = ClientIdentity {
        minor: 0,
        owner: id,
        verifier,
        principal: caller,
        replaces: cx.core.clients.of_owner(0, id).confirmed,
    };
    let key = cx.core.new_client(identity, cx.run.conn, cx.out)?;
    let confirm = cx.core.clients.mint_confirm();
    let about = about(cx, None);
    let client = cx.core.clients.get_mut(key).ok_or(Status::SERVERFAULT)?;
    client.about = about;
    client.introduction = Some(Box::new(SetClientIdRecord { confirm, callback }));
    // 4.0 has no RECLAIM_COMPLETE.
    client.reclaim_complete = true;
    Ok(introduced(cx, key, confirm))
}

fn introduced(cx: &mut Cx<'_, V40>, key: ClientKey, confirm: Verifier) -> Step {
    let id = cx.core.clients.get(key).map_or(0, |client| client.id);
    res::SetClientIdOk {
        clientid: ClientId(id),
        setclientid_confirm: confirm,
    }
    .encode(cx.body());
    Step::Done(Status::OK)
}

/// CLID_INUSE: a client of another principal has this name and state. The reply contains its address.
fn in_use(cx: &mut Cx<'_, V40>, key: ClientKey) -> Step {
    let client = cx.core.clients.get(key);
    let callback = client.and_then(|client| client.introduction.as_deref());
    let client_using = callback.map_or(
        NetAddr {
            netid: b"",
            addr: b"",
        },
        |known| NetAddr {
            netid: &known.callback.netid,
            addr: &known.callback.address,
        },
    );
    res::ClientIdInUse { client_using }.encode(cx.run.reply.body());
    Step::Failed(Status::CLID_INUSE)
}

/// SETCLIENTID_CONFIRM.
pub(crate) fn confirm(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::SetClientIdConfirm::decode(args)?;
    let now = cx.out.now.mono;
    let found = cx.core.clients.by_id(args.clientid.0);
    let key = found.ok_or(Status::STALE_CLIENTID)?;
    let lost = cx.core.is_lost(key, now);
    let client = cx.core.clients.get_mut(key).ok_or(Status::STALE_CLIENTID)?;
    if client.about.minor != 0 || lost {
        return Err(Status::STALE_CLIENTID);
    }
    let asked = args.setclientid_confirm;
    let is_asked = |known: &SetClientIdRecord| known.confirm == asked;
    let updates = client.update.as_deref().is_some_and(is_asked);
    if !updates && !client.introduction.as_deref().is_some_and(is_asked) {
        return Err(Status::STALE_CLIENTID);
    }
    if client.principal != Principal::of(&cx.run.cred) {
        return Err(Status::CLID_INUSE);
    }
    if updates {
        client.introduction = client.update.take();
    } else if client.confirmed {
        return Ok(Step::Done(Status::OK));
    } else if let Some(wait) = establish(cx, key)? {
        return Ok(wait);
    }
    let conn = cx.run.conn;
    cx.core.open_path(key, conn, cx.out);
    Ok(Step::Done(Status::OK))
}

/// The first confirmation of an incarnation; the previous incarnation ends with all its state.
fn establish(cx: &mut Cx<'_, V40>, key: ClientKey) -> Result<Option<Step>, Status> {
    let core = &mut *cx.core;
    let client = core.clients.get(key).ok_or(Status::STALE_CLIENTID)?;
    let id = client.id;
    if let Some(old) = core.clients.of_owner(0, &client.owner).confirmed {
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
    if let Some(client) = core.clients.get_mut(key) {
        client.lease.renew(cx.out.now.mono);
    }
    let conn = cx.run.conn;
    let known = core.connections.get(conn);
    let peer = known.map_or_else(String::new, |open| open.peer.clone());
    cx.out.event(Event::ClientConfirmed {
        client: id,
        conn,
        peer,
    });
    Ok(None)
}
