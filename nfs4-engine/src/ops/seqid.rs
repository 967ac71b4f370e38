//! The operations of 4.0 that the seqid of an owner orders, and their replay. [RFC 7530 §9.1.7 to 9.1.9]

use nfs4_proto::nfs4::args::{self, CreateHow, Locker, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_BOTH;
use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::res;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::{close, downgrade, lock, open, reclaim};
use crate::action::Outbox;
use crate::compound::owner_request::{OwnerRequest, SeqidOwner};
use crate::compound::v40::is_reserved;
use crate::compound::{Compound, Cx, Step, V40};
use crate::core::Core;
use crate::fingerprint;
use crate::keys::{ClientKey, OpenOwnerKey};
use crate::state::history::OwnerDid;
use crate::state::owner::Owner;
use crate::state::owner_seqid::{
    LastReply, OwnerSeqid, SeqidCheck, SeqidReply, SeqidRequest, counts,
};
use crate::state::stateid::Named;
use crate::time::Mono;

/// OPEN. [RFC 7530 §16.16]
pub(crate) fn open(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let mut ahead = *args;
    let decoded = args::Open::decode(&mut ahead)?;
    if !is_of_v40(&decoded) {
        return Err(Status::BADXDR);
    }
    if cx.run.owner_request.is_some() {
        return open::start(cx, args);
    }
    let asked = asked(cx, decoded.seqid, args, &ahead);
    let client = cx.client_of(decoded.owner.clientid)?;
    let name = decoded.owner.owner;
    if let Some(key) = cx.core.states.open_owners.find(client, name)
        && let Some(seqid) = seqid_of(cx.core.states.open_owners.get(key))
    {
        let (check, is_confirmed) = (seqid.judge(&asked), seqid.is_confirmed());
        match check {
            SeqidCheck::Running => return Err(Status::RESOURCE),
            SeqidCheck::Replay => {
                *args = ahead;
                return Ok(replay_open(cx, key));
            }
            SeqidCheck::New => cx.core.note_told(client, key),
            SeqidCheck::Bad if is_confirmed => return Err(Status::BAD_SEQID),
            SeqidCheck::Bad => {}
        }
        if !is_confirmed {
            forget_sequence(cx, key);
        }
    }
    let reclaims = matches!(decoded.claim, OpenClaim::Previous(_));
    if let Some(wait) = reclaim::record_opener(cx, client, reclaims)? {
        return Ok(wait);
    }
    let now = cx.out.now.mono;
    let owners = &mut cx.core.states.open_owners;
    let key = owners.named(client, name);
    owners.with_seqid(key, Some(now), OwnerSeqid::begin);
    take(cx, SeqidOwner::Open(key), asked);
    if decoded.share_access > OPEN4_SHARE_ACCESS_BOTH {
        return Err(Status::INVAL);
    }
    open::start(cx, args)
}

/// Whether the arguments have only the union arms of 4.0.
fn is_of_v40(open: &args::Open<'_>) -> bool {
    let claim = match open.claim {
        OpenClaim::Null(_)
        | OpenClaim::Previous(_)
        | OpenClaim::DelegateCur { .. }
        | OpenClaim::DelegatePrev(_) => true,
        OpenClaim::Fh | OpenClaim::DelegCurFh(_) | OpenClaim::DelegPrevFh => false,
    };
    let exclusive41 = matches!(
        open.openhow,
        OpenFlag::Create(CreateHow::Exclusive41 { .. })
    );
    claim && !exclusive41
}

/// CLOSE. [RFC 7530 §16.2]
pub(crate) fn close(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let mut ahead = *args;
    let decoded = args::Close::decode(&mut ahead)?;
    let asked = asked(cx, decoded.seqid, args, &ahead);
    if let Some(replayed) = enter_open(cx, &decoded.open_stateid, asked)? {
        *args = ahead;
        return Ok(replayed);
    }
    if let Ok(stated) = cx.core.states.find_stateid(&decoded.open_stateid)
        && let Named::Open(open) = stated.named
        && let Some(request) = &mut cx.run.owner_request
    {
        request.closes = Some(open);
    }
    close::start(cx, args)
}

/// OPEN_DOWNGRADE. [RFC 7530 §16.19]
pub(crate) fn downgrade(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let mut ahead = *args;
    let decoded = args::OpenDowngrade::decode(&mut ahead)?;
    let asked = asked(cx, decoded.seqid, args, &ahead);
    if let Some(replayed) = enter_open(cx, &decoded.open_stateid, asked)? {
        *args = ahead;
        return Ok(replayed);
    }
    downgrade::start(cx, args)
}

/// OPEN_CONFIRM. [RFC 7530 §16.18]
pub(crate) fn confirm(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let fh = cx.current()?;
    let from = *args;
    let decoded = args::OpenConfirm::decode(args)?;
    let asked = asked(cx, decoded.seqid, &from, args);
    if let Some(replayed) = enter_open(cx, &decoded.open_stateid, asked)? {
        return Ok(replayed);
    }
    let key = cx.check_open(&decoded.open_stateid, &fh)?;
    let states = &mut cx.core.states;
    if !states.is_unconfirmed(key) {
        return Err(Status::BAD_STATEID);
    }
    states.confirm_owner_of(key);
    let open_stateid = states.advance(key);
    res::OpenConfirmOk { open_stateid }.encode(cx.body());
    Ok(Step::Done(Status::OK))
}

/// LOCK. [RFC 7530 §16.10]
pub(crate) fn lock(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let mut ahead = *args;
    let decoded = args::Lock::decode(&mut ahead)?;
    match decoded.locker {
        Locker::New(new) => {
            let asked = asked(cx, new.open_seqid, args, &ahead);
            cx.client_of(new.lock_owner.clientid)?;
            if let Some(replayed) = enter_open(cx, &new.open_stateid, asked)? {
                *args = ahead;
                return Ok(replayed);
            }
            // The lock-owner is one of the client of the open, whatever client id the request names: a
            // client must not advance the seqid of another client's lock-owner.
            let client = cx.core.states.find_stateid(&new.open_stateid)?.client;
            let owners = &cx.core.states.lock_owners;
            let owner = owners.find(client, new.lock_owner.owner);
            if let Some(seqid) = owner.and_then(|key| seqid_of(owners.get(key))) {
                let own = SeqidRequest {
                    seqid: new.lock_seqid,
                    ..asked
                };
                if seqid.judge(&own) != SeqidCheck::New {
                    return Err(Status::BAD_SEQID);
                }
            }
            if let Some(request) = &mut cx.run.owner_request {
                request.lock = Some((owner, new.lock_seqid));
            }
        }
        Locker::Existing(existing) => {
            let asked = asked(cx, existing.lock_seqid, args, &ahead);
            if let Some(replayed) = enter_lock(cx, &existing.lock_stateid, asked)? {
                *args = ahead;
                return Ok(replayed);
            }
        }
    }
    lock::lock(cx, args)
}

/// LOCKU. [RFC 7530 §16.12]
pub(crate) fn unlock(cx: &mut Cx<'_, V40>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let mut ahead = *args;
    let decoded = args::LockU::decode(&mut ahead)?;
    let asked = asked(cx, decoded.seqid, args, &ahead);
    if let Some(replayed) = enter_lock(cx, &decoded.lock_stateid, asked)? {
        *args = ahead;
        return Ok(replayed);
    }
    lock::unlock(cx, args)
}

/// An operation has its result: the end of its owner's request.
pub(crate) fn settle<S>(cx: &mut Cx<'_, S>, status: Status) {
    let Some(request) = cx.run.owner_request.take() else {
        return;
    };
    let answer = counts(status).then(|| SeqidReply {
        status,
        body: cx.run.reply.op_body().into(),
        current: cx.run.current,
    });
    let made = match status {
        Status::OK => cx.core.states.find_stateid(&cx.run.current_stateid).ok(),
        _ => None,
    };
    let states = &mut cx.core.states;
    match request.whose {
        SeqidOwner::Open(key) => {
            let did = match (made.map(|made| made.named), request.closes) {
                _ if status != Status::OK => OwnerDid::Nothing,
                (_, Some(open)) => OwnerDid::Closed(open),
                (Some(Named::Open(open)), None) => OwnerDid::Opened(open),
                _ => OwnerDid::Nothing,
            };
            states.finish_owner_request(key, &request.asked, answer, did);
        }
        SeqidOwner::Lock(key) => {
            states
                .lock_owners
                .with_seqid(key, None, |seqid| match answer {
                    Some(answer) => seqid.end(&request.asked, answer),
                    None => seqid.undo(),
                });
        }
    }
    if let Some((known, seqid)) = request.lock
        && counts(status)
    {
        let made = match made.map(|made| made.named) {
            Some(Named::Lock(key)) => states.lock(key).map(|lock| lock.owner),
            _ => None,
        };
        if let Some(owner) = made.or(known) {
            states
                .lock_owners
                .with_seqid(owner, Some(cx.out.now.mono), |owner_seqid| {
                    owner_seqid.confirm();
                    owner_seqid.count(seqid);
                });
        }
    }
    if let Some(client) = cx.run.leased_by {
        cx.core.drop_excess_owners(client, cx.out);
    }
}

/// Begins the request of the owner of an open; the last reply if it is a retransmission. Nothing if the
/// request has begun, and begins anew after it has waited.
fn enter_open(
    cx: &mut Cx<'_, V40>,
    stateid: &Stateid,
    asked: SeqidRequest,
) -> Result<Option<Step>, Status> {
    if cx.run.owner_request.is_some() {
        return Ok(None);
    }
    let states = &cx.core.states;
    let (key, there) = match states.find_stateid(stateid) {
        _ if is_reserved(stateid) => return Err(Status::BAD_STATEID),
        Ok(stated) => match stated.named {
            Named::Open(open) => (states.get(open).map(|open| open.owner), true),
            Named::Lock(_) | Named::Deleg(_) => (None, false),
        },
        Err(Status::BAD_STATEID) => (states.closed_by(stateid), false),
        Err(status) => return Err(status),
    };
    let key = key.ok_or(Status::BAD_STATEID)?;
    let owner = states.open_owners.get(key).ok_or(Status::BAD_STATEID)?;
    let client = cx.core.client_of_state(owner.client(), cx.out.now.mono)?;
    let seqid = seqid_of(Some(owner)).ok_or(Status::BAD_STATEID)?;
    let check = seqid.judge(&asked);
    let confirmed = seqid.is_confirmed();
    cx.core.hold_lease(cx.run, client, cx.out);
    match check {
        SeqidCheck::Running => Err(Status::RESOURCE),
        SeqidCheck::Replay => Ok(Some(replay_open(cx, key))),
        SeqidCheck::Bad => {
            if asked.op == Op::OpenConfirm && !confirmed {
                // The OPEN_CONFIRM is not for the OPEN that the open-owner must confirm.
                forget_sequence(cx, key);
                cx.core.states.forget_open_owner(key);
            }
            Err(Status::BAD_SEQID)
        }
        // Only OPEN_CONFIRM can follow the first OPEN, and no request can follow a CLOSE.
        SeqidCheck::New if !there || !confirmed && asked.op != Op::OpenConfirm => {
            Err(Status::BAD_STATEID)
        }
        SeqidCheck::New => {
            cx.core.note_told(client, key);
            let now = cx.out.now.mono;
            let owners = &mut cx.core.states.open_owners;
            owners.with_seqid(key, Some(now), OwnerSeqid::begin);
            take(cx, SeqidOwner::Open(key), asked);
            Ok(None)
        }
    }
}

/// As [`enter_open`], for a lock-owner.
fn enter_lock(
    cx: &mut Cx<'_, V40>,
    stateid: &Stateid,
    asked: SeqidRequest,
) -> Result<Option<Step>, Status> {
    if cx.run.owner_request.is_some() {
        return Ok(None);
    }
    if is_reserved(stateid) {
        return Err(Status::BAD_STATEID);
    }
    let states = &cx.core.states;
    let key = match states.find_stateid(stateid)?.named {
        Named::Lock(lock) => states.lock(lock).map(|lock| lock.owner),
        Named::Open(_) | Named::Deleg(_) => None,
    };
    let key = key.ok_or(Status::BAD_STATEID)?;
    let owner = states.lock_owners.get(key).ok_or(Status::BAD_STATEID)?;
    let client = cx.core.client_of_state(owner.client(), cx.out.now.mono)?;
    let seqid = seqid_of(Some(owner)).ok_or(Status::BAD_STATEID)?;
    let check = seqid.judge(&asked);
    cx.core.hold_lease(cx.run, client, cx.out);
    match check {
        SeqidCheck::Running => Err(Status::RESOURCE),
        SeqidCheck::Replay => {
            let seqid = seqid_of(cx.core.states.lock_owners.get(key));
            Ok(Some(replay(cx.run, seqid.and_then(OwnerSeqid::last))))
        }
        SeqidCheck::Bad => Err(Status::BAD_SEQID),
        SeqidCheck::New => {
            let now = cx.out.now.mono;
            let owners = &mut cx.core.states.lock_owners;
            owners.with_seqid(key, Some(now), OwnerSeqid::begin);
            take(cx, SeqidOwner::Lock(key), asked);
            Ok(None)
        }
    }
}

fn take(cx: &mut Cx<'_, V40>, whose: SeqidOwner, asked: SeqidRequest) {
    cx.run.owner_request = Some(OwnerRequest {
        whose,
        asked,
        closes: None,
        lock: None,
    });
}

/// The request of an owner; its arguments lie between two readers.
fn asked(cx: &Cx<'_, V40>, seqid: u32, from: &Reader<'_>, to: &Reader<'_>) -> SeqidRequest {
    let args = cx.record.get(from.position()..to.position());
    SeqidRequest {
        op: cx.run.op,
        seqid,
        print: fingerprint::of_bytes(args.unwrap_or_default()),
    }
}

fn seqid_of<T>(owner: Option<&Owner<T>>) -> Option<&OwnerSeqid> {
    owner.and_then(Owner::seqid)
}

/// The client continues with another sequence than the one that it was to confirm: what was opened
/// in that is closed. [RFC 7530 §16.18.5]
fn forget_sequence(cx: &mut Cx<'_, V40>, key: OpenOwnerKey) {
    let owners = &mut cx.core.states.open_owners;
    let open = seqid_of(owners.get(key)).and_then(|seqid| seqid.unconfirmed);
    let client = owners.get(key).map(Owner::client);
    owners.with_seqid(key, None, OwnerSeqid::restart);
    if let Some(client) = client.and_then(|client| cx.core.clients.get_mut(client)) {
        client.recorded.untell(key);
    }
    if let Some(open) = open {
        cx.core.close(open, cx.out);
    }
}

fn replay_open(cx: &mut Cx<'_, V40>, key: OpenOwnerKey) -> Step {
    let seqid = seqid_of(cx.core.states.open_owners.get(key));
    replay(cx.run, seqid.and_then(OwnerSeqid::last))
}

/// Repeats the last reply. It may contain a delegation, for which no room was proved.
fn replay(run: &mut Compound, last: Option<&LastReply>) -> Step {
    let Some(last) = last else {
        return Step::Done(Status::SERVERFAULT);
    };
    if let Err(too_big) = run.room_for(last.body.len()) {
        return Step::Done(too_big);
    }
    run.reply.body().raw(&last.body);
    if last.status != Status::OK {
        return Step::Failed(last.status);
    }
    if let Some(fh) = last.current {
        run.set_current(fh);
    }
    Step::Done(Status::OK)
}

impl Core {
    /// Checks that the client of a state is a 4.0 client whose lease has not expired.
    fn client_of_state(&self, key: ClientKey, now: Mono) -> Result<ClientKey, Status> {
        let client = self.clients.get(key).ok_or(Status::EXPIRED)?;
        if client.about.minor != 0 {
            Err(Status::BAD_STATEID)
        } else if self.is_lost(key, now) {
            Err(Status::EXPIRED)
        } else {
            Ok(key)
        }
    }

    /// Removes the least recently used owners without state while the server remembers too many: those of
    /// the client's own peer, unless that has few. [RFC 7530 §9.1.10]
    fn drop_excess_owners(&mut self, client: ClientKey, out: &mut Outbox) {
        let most = OWNERS_REMEMBERED;
        while let Some(key) = self.states.open_owners.excess_owner(client, most) {
            self.forget_owner(key, out);
        }
        while let Some(key) = self.states.lock_owners.excess_owner(client, most) {
            self.states.lock_owners.remove(key);
        }
    }

    /// Removes a client's owners that have had no state and sent nothing for a lease, and unconfirmed opens;
    /// `false` if there was more to do than `budget` allows.
    /// [RFC 7530 §16.18.5]
    pub(crate) fn forget_silent_owners(
        &mut self,
        client: ClientKey,
        budget: &mut usize,
        out: &mut Outbox,
    ) -> bool {
        let since = out.now.mono.before(self.lease_length(client));
        while *budget > 0 {
            if let Some(key) = self.states.open_owners.silent_since(client, since) {
                // Its client has been there for a lease, and would have sent again what had no reply.
                self.note_told(client, key);
                self.forget_owner(key, out);
            } else if let Some(key) = self.states.lock_owners.silent_since(client, since) {
                self.states.lock_owners.remove(key);
            } else {
                return true;
            }
            *budget -= 1;
        }
        false
    }

    fn forget_owner(&mut self, key: OpenOwnerKey, out: &mut Outbox) {
        let seqid = seqid_of(self.states.open_owners.get(key));
        if let Some(open) = seqid.and_then(|seqid| seqid.unconfirmed) {
            self.close(open, out);
        }
        self.states.forget_open_owner(key);
    }
}

/// Maximum number of owners of either kind without state that are remembered, of all clients together.
const OWNERS_REMEMBERED: usize = 4_096;
