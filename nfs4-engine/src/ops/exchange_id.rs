//! EXCHANGE_ID: a client gets or updates its client record. [RFC 8881 §18.35]

use alloc::boxed::Box;
use alloc::string::String;

use nfs4_proto::nfs4::basic::ClientId;
use nfs4_proto::nfs4::consts::{
    EXCHGID4_FLAG_BIND_PRINC_STATEID, EXCHGID4_FLAG_CONFIRMED_R, EXCHGID4_FLAG_MASK_PNFS,
    EXCHGID4_FLAG_SUPP_FENCE_OPS, EXCHGID4_FLAG_SUPP_MOVED_MIGR, EXCHGID4_FLAG_SUPP_MOVED_REFER,
    EXCHGID4_FLAG_UPD_CONFIRMED_REC_A, EXCHGID4_FLAG_USE_NON_PNFS,
};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::client::{ClientIdentity, ClientInfo};
use crate::compound::{Cx, Scope, Step};
use crate::core::Core;
use crate::event::ClientGone;
use crate::keys::{ClientKey, SessionKey};
use crate::principal::Principal;
use crate::time::Now;

pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let args = args::ExchangeId::decode(args)?;
    if args.flags & !flags_of_client(cx.run.minor) != 0 {
        return Err(Status::INVAL);
    }
    match args.state_protect {
        args::StateProtect::None => {}
        // Both need RPCSEC_GSS, which is not supported.
        args::StateProtect::MachCred(_) => return Err(Status::INVAL),
        args::StateProtect::Ssv { .. } => return Err(Status::ENCR_ALG_UNSUPP),
    }
    let caller = Principal::of(&cx.run.cred);
    let now = cx.out.now;
    let key = if args.flags & EXCHGID4_FLAG_UPD_CONFIRMED_REC_A == 0 {
        introduce(cx, &args, caller)?
    } else {
        update(cx.core, &args, caller, now)?
    };
    let about = about(cx, args.client_impl_id.as_ref());
    let client = cx.core.clients.get_mut(key).ok_or(Status::SERVERFAULT)?;
    client.about = about;
    let boot = &cx.core.boot;
    res::ExchangeIdOk {
        clientid: ClientId(client.id),
        sequenceid: client.create.sequence.wrapping_add(1),
        flags: flags_of_server(cx.run.minor)
            | if client.confirmed {
                EXCHGID4_FLAG_CONFIRMED_R
            } else {
                0
            },
        state_protect: res::StateProtectOk::None,
        server_owner: res::ServerOwner {
            minor_id: boot.server_minor,
            major_id: &boot.server_major,
        },
        server_scope: &boot.server_scope,
        server_impl_id: None,
    }
    .encode(cx.run.reply.body());
    Ok(Step::Done(Status::OK))
}

/// The description of a client for the administrator.
pub(super) fn about<S: Scope>(
    cx: &Cx<'_, S>,
    implementation: Option<&args::ImplId<'_>>,
) -> ClientInfo {
    let shown = |name: &[u8]| Box::from(&*String::from_utf8_lossy(name));
    let connection = cx.core.connections.get(cx.run.conn);
    ClientInfo {
        address: connection.map(|found| found.peer.as_str().into()),
        minor: cx.run.minor,
        impl_name: implementation.map(|id| shown(id.name)),
        impl_domain: implementation.map(|id| shown(id.domain)),
    }
}

/// Creates or finds a client record; the cases are numbered as in §18.35.4.
fn introduce<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &args::ExchangeId<'_>,
    caller: Principal,
) -> Result<ClientKey, Status> {
    let (core, now) = (&mut *cx.core, cx.out.now);
    let owner = &args.clientowner;
    let records = core.clients.of_owner(1, owner.ownerid);
    if let Some(key) = records.confirmed
        && let Some(client) = core.clients.get(key)
    {
        let expired = core.is_expired(key, now.mono);
        if client.principal != caller {
            // 3: two clients under one name. One without state is replaced.
            if client.has_state() && !expired {
                return Err(Status::CLID_INUSE);
            }
            core.discard(key, ClientGone::Replaced, cx.out)?;
        } else if core.is_lost(key, now.mono) || expired && client.verifier != owner.verifier {
            // Of a client that has rebooted nothing is kept beyond its lease.
            core.discard(key, ClientGone::LeaseExpired, cx.out)?;
        } else if client.verifier == owner.verifier {
            // 2: the same incarnation repeats EXCHANGE_ID.
            return Ok(key);
        }
        // 5: a new incarnation; the old one stays until the new one is confirmed.
        if is_at_work(core, key, cx.scope.session()) {
            return Err(Status::DELAY);
        }
    }
    if let Some(key) = records.unconfirmed {
        // 4: an unconfirmed record is replaced.
        core.discard(key, ClientGone::Replaced, cx.out)?;
    }
    // 1
    let identity = ClientIdentity {
        minor: 1,
        owner: owner.ownerid,
        verifier: owner.verifier,
        principal: caller,
        replaces: core.clients.of_owner(1, owner.ownerid).confirmed,
    };
    core.new_client(identity, cx.run.conn, cx.out)
}

/// A client updates its confirmed record: cases 6 to 9.
fn update(
    core: &mut Core,
    args: &args::ExchangeId<'_>,
    caller: Principal,
    now: Now,
) -> Result<ClientKey, Status> {
    let owner = &args.clientowner;
    let key = core
        .clients
        .of_owner(1, owner.ownerid)
        .confirmed
        .ok_or(Status::NOENT)?;
    let client = core.clients.get(key).ok_or(Status::NOENT)?;
    if core.is_lost(key, now.mono) {
        Err(Status::NOENT)
    } else if client.verifier != owner.verifier {
        Err(Status::NOT_SAME)
    } else if client.principal != caller {
        Err(Status::PERM)
    } else {
        Ok(key)
    }
}

/// Whether EXCHANGE_ID must wait for requests of the client that still run, this one aside. A server
/// that sets SUPP_FENCE_OPS promises to finish the old incarnation's requests first. [RFC 7862 §14.1]
fn is_at_work(core: &Core, key: ClientKey, by: Option<SessionKey>) -> bool {
    let Some(client) = core.clients.get(key) else {
        return false;
    };
    let own = by.is_some_and(|session| client.sessions.contains(&session));
    let promised = flags_of_server(client.about.minor) & EXCHGID4_FLAG_SUPP_FENCE_OPS != 0;
    promised && core.lease_of(client).running() > u32::from(own)
}

/// The flags that the server sets; SUPP_FENCE_OPS is new in 4.2. [RFC 7862 §14.1]
fn flags_of_server(minor: u32) -> u32 {
    if minor >= 2 {
        EXCHGID4_FLAG_USE_NON_PNFS | EXCHGID4_FLAG_SUPP_FENCE_OPS
    } else {
        EXCHGID4_FLAG_USE_NON_PNFS
    }
}

/// The flags that a client may set; SUPP_FENCE_OPS is new in 4.2. [RFC 7862 §14.1]
fn flags_of_client(minor: u32) -> u32 {
    if minor >= 2 {
        FLAGS_OF_CLIENT | EXCHGID4_FLAG_SUPP_FENCE_OPS
    } else {
        FLAGS_OF_CLIENT
    }
}

/// The flags that a client may set in 4.1 and 4.2. [RFC 8881 §18.35.3]
const FLAGS_OF_CLIENT: u32 = EXCHGID4_FLAG_SUPP_MOVED_REFER
    | EXCHGID4_FLAG_SUPP_MOVED_MIGR
    | EXCHGID4_FLAG_BIND_PRINC_STATEID
    | EXCHGID4_FLAG_MASK_PNFS
    | EXCHGID4_FLAG_UPD_CONFIRMED_REC_A;
