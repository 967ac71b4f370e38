//! LOCK, LOCKT and LOCKU. [RFC 8881 §18.10 to 18.12]

use alloc::vec;

use nfs4_proto::nfs4::args::Locker;
use nfs4_proto::nfs4::basic::{self, ClientId, LockType};
use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::permission;
use super::reclaim;
use crate::callback::Promise;
use crate::client::Clients;
use crate::compound::permission_query::IntendedUse;
use crate::compound::{Cx, Established, Stage, Step};
use crate::core::contention::Way;
use crate::delegation_kind::{DelegationKind, Touch};
use crate::fh::Fh;
use crate::fs::{ByteLock, ByteRange, FileKind, FsOp, FsReply, FsResult, LockKind, Want};
use crate::keys::FileKey;
use crate::keys::{ClientKey, LockKey, LockOwnerKey, OpenKey};
use crate::peer::LimitReached;
use crate::state::owner::Owner;
use crate::state::range::Conflict;
use crate::state::waiter::LockRequest;

/// LOCK. The engine decides between clients; a file system that has local locks is asked then, and what it
/// was asked for is decided once more when it has answered.
pub(crate) fn lock<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    take(cx, args, false)
}

/// Continues with LOCK when the file system has answered.
pub(crate) fn asked<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let FsReply::Lock { held } = result? else {
        return Err(Status::SERVERFAULT);
    };
    let Stage::Locking(lock) = cx.run.stage else {
        return Err(Status::SERVERFAULT);
    };
    if let Some(held) = held {
        return refuse(cx, args, &held);
    }
    let fh = cx.current()?;
    let taken = if S::stands(cx) {
        // The administrator may have changed the export since the file system was asked.
        let admitted = cx.admit(fh.export, Op::Lock);
        admitted.and_then(|()| take(cx, args, true))
    } else {
        // There is no slot any more to keep the reply in.
        Err(Status::DELAY)
    };
    if !matches!(taken, Ok(Step::Done(Status::OK))) {
        cx.core.unlock(&fh, vec![lock], cx.out);
    }
    taken
}

/// Another process has a lock that conflicts: DENIED, or RECLAIM_CONFLICT. The server does not learn of the end of
/// that lock: the client polls, and has no place in the line of waiters.
fn refuse<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    held: &ByteLock,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::Lock::decode(args)?;
    if args.reclaim {
        return Err(Status::RECLAIM_CONFLICT);
    }
    let Locking { open, by, .. } = locker(cx, &args.locker, &fh)?;
    let known = by.and_then(|by| cx.core.states.lock_owners.name(by));
    let client = cx.core.states.get(open).ok_or(Status::BAD_STATEID)?.client;
    let asker = LockRequest {
        client,
        peer: cx.core.clients.get(client).ok_or(Status::BAD_STATEID)?.peer,
        owner: owner(known.as_deref(), &args.locker),
        range: ByteRange::new(args.offset, args.length).ok_or(Status::INVAL)?,
        kind: kind(args.locktype),
    };
    cx.core.states.give_up(open, asker);
    deny_local(cx, held);
    Ok(Step::Failed(Status::DENIED))
}

/// `is_asked`: the file system has counted the lock.
fn take<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    is_asked: bool,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::Lock::decode(args)?;
    // The stateid comes before errors that count: another user's request must not advance the seqid.
    let Locking { open, held, by } = locker(cx, &args.locker, &fh)?;
    let range = ByteRange::new(args.offset, args.length).ok_or(Status::INVAL)?;
    let kind = kind(args.locktype);
    let record = cx.core.states.get(open).ok_or(Status::BAD_STATEID)?;
    let (client, share, file) = (record.client, record.share, record.file);
    if !args.reclaim && is_delegated(cx, client, &fh, kind) {
        reclaim::admit_delegated(cx, client)?;
    } else {
        reclaim::admit(cx, client, args.reclaim, &fh)?;
    }
    let allowed = match kind {
        LockKind::Read => share.reads(),
        LockKind::Write => share.writes(),
    };
    if !allowed {
        return Err(Status::OPENMODE);
    }
    let known = by.and_then(|by| cx.core.states.lock_owners.name(by));
    let owner = owner(known.as_deref(), &args.locker);
    let asker = LockRequest {
        client,
        peer: cx.core.clients.get(client).ok_or(Status::BAD_STATEID)?.peer,
        owner,
        range,
        kind,
    };
    if held
        .and_then(|held| cx.core.states.lock(held))
        .is_some_and(|held| held.revoked)
    {
        // It was taken from the client while the client was away, and is ending.
        return Err(cx.core.delay_until_lost(client));
    }
    if args.reclaim {
        // What conflicts was reclaimed by another client.
        cx.core.expire(cx.out);
        let conflict = cx.core.states.lock_conflict(file, range, kind, by);
        if conflict.is_some() {
            return Err(cx.core.or_delay(Status::RECLAIM_CONFLICT));
        }
    } else if let Some(Denial { holder }) = denial(cx, file, open, asker, by)? {
        if args.locktype.waits() {
            let session = cx.scope.session().filter(|_| {
                let polls = cx.core.exports.has_local_locks(fh.export);
                !polls && cx.core.can_call_back(client, Promise::NotifyLock)
            });
            // A peer beyond its share of state cannot queue a further waiter.
            let admitted = cx.core.admit_wait(open, owner).is_ok();
            if admitted || cx.core.states.is_waiting(open, asker) {
                let lease = cx.core.config.lease;
                let states = &mut cx.core.states;
                states.wait(open, asker, session, cx.out.now.mono, lease);
                if let Some(holder) = holder.filter(|_| session.is_some()) {
                    cx.core.watch_holder(file, holder, cx.out);
                }
            }
        } else {
            cx.core.states.give_up(open, asker);
        }
        return Ok(Step::Failed(Status::DENIED));
    }
    if by.is_some_and(|by| cx.core.states.swallows_too_many(file, by, range)) {
        return Err(LimitReached::Share.of_lock(cx.run.minor));
    }
    let anew = held.is_none().then_some(owner);
    let admitted = cx.core.admit_lock(open, anew, cx.out);
    admitted.map_err(|full| full.of_lock(cx.run.minor))?;
    if !is_asked && cx.core.exports.has_local_locks(fh.export) {
        let lock = ByteLock { range, kind };
        let op = FsOp::Lock {
            fh: fh.handle,
            lock,
        };
        return Ok(Step::Wait(fh.export, op, Stage::Locking(lock)));
    }
    let held = match held {
        Some(held) => held,
        None => {
            let added = cx.core.states.add_lock(open, owner);
            added.ok_or(Status::BAD_STATEID)?
        }
    };
    let stateid = cx.core.states.lock_range(held, range, kind, is_asked);
    cx.core.states.granted(open, asker);
    if kind == LockKind::Read {
        // The owner may have had a write lock, so waiting read locks may now be granted.
        cx.core.grant_locks(file, cx.out);
    }
    cx.run.current_stateid = stateid;
    res::LockOk {
        lock_stateid: stateid,
    }
    .encode(cx.body());
    Ok(Step::Done(Status::OK))
}

/// Whether a client may have locked a file itself, under a delegation. It locks so before it returns one.
/// [RFC 8881 §10.4.4]
fn is_delegated<S>(cx: &Cx<'_, S>, client: ClientKey, fh: &Fh, kind: LockKind) -> bool {
    let states = &cx.core.states;
    let held = states.delegation_to(client, fh);
    let held = held.and_then(|key| states.delegation(key));
    held.is_some_and(|held| {
        let permits = kind == LockKind::Read || held.kind == DelegationKind::Write;
        permits && held.doomed.is_none() && !held.is_revoked()
    })
}

/// LOCKT. The file system is asked whether the object is a regular file.
pub(crate) fn test<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    look(cx, args, false)
}

fn look<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    permitted: bool,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::LockT::decode(args)?;
    ByteRange::new(args.offset, args.length).ok_or(Status::INVAL)?;
    if cx.core.in_grace(cx.out.now.mono) {
        return Err(Status::GRACE);
    }
    // The holder of a write delegation grants locks locally. [RFC 8881 §10.4.2] In 4.0 the owner
    // shows whether the holder sends the LOCKT.
    let client = Some(cx.client_of(args.owner.clientid)?);
    if !permitted && let Some(file) = permission::delegated(cx, &fh, client, Touch::Read) {
        return permission::ask(cx, IntendedUse::TestLock, file);
    }
    if cx.core.recall_for_test(&fh, client, cx.out) {
        return Err(Status::DELAY);
    }
    let want = Want {
        attrs: true,
        stat: false,
    };
    Ok(Step::Wait(
        fh.export,
        FsOp::GetAttrs {
            fh: fh.handle,
            want,
        },
        Stage::Last,
    ))
}

pub(crate) fn tested<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    if let Stage::Queried(query) = cx.run.stage {
        return permission::answered(cx, query, result, |cx, _| look(cx, args, true));
    }
    let fh = cx.current()?;
    let args = args::LockT::decode(args)?;
    if let Stage::Testing(_) = cx.run.stage {
        let FsReply::Lock { held } = result? else {
            return Err(Status::SERVERFAULT);
        };
        return match held {
            Some(held) => {
                deny_local(cx, &held);
                Ok(Step::Failed(Status::DENIED))
            }
            None => Ok(Step::Done(Status::OK)),
        };
    }
    let FsReply::Attrs { attrs, .. } = result? else {
        return Err(Status::SERVERFAULT);
    };
    match attrs.kind {
        FileKind::Regular => {}
        FileKind::Directory => return Err(Status::ISDIR),
        FileKind::Symlink => return Err(Status::SYMLINK),
        FileKind::BlockDevice | FileKind::CharDevice | FileKind::Socket | FileKind::Fifo => {
            return Err(Status::WRONG_TYPE);
        }
    }
    let range = ByteRange::new(args.offset, args.length).ok_or(Status::INVAL)?;
    let client = cx.client_of(args.owner.clientid)?;
    let kind = kind(args.locktype);
    let by = cx.core.states.lock_owners.find(client, args.owner.owner);
    let file = cx.core.states.file_of(&fh);
    match file.and_then(|file| cx.core.lock_held(file, (range, kind), by, cx.out)) {
        Some(conflict) => {
            encode_conflict(cx, &conflict);
            Ok(Step::Failed(Status::DENIED))
        }
        None if cx.core.exports.has_local_locks(fh.export) => {
            let lock = ByteLock { range, kind };
            let op = FsOp::TestLock {
                fh: fh.handle,
                lock,
            };
            Ok(Step::Wait(fh.export, op, Stage::Testing(lock)))
        }
        None => Ok(Step::Done(Status::OK)),
    }
}

/// LOCKU.
pub(crate) fn unlock<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::LockU::decode(args)?;
    let stateid = cx.meant(args.lock_stateid)?;
    let held = cx.check_lock(&stateid, &fh)?;
    let range = ByteRange::new(args.offset, args.length).ok_or(Status::INVAL)?;
    // An unlock in the middle of a range leaves two ranges. An unlock that adds no range is never
    // refused: otherwise a file at its limit could not be unlocked.
    let states = &cx.core.states;
    let lock = states.lock(held).ok_or(Status::BAD_STATEID)?;
    let file = lock.file;
    if states.cuts(held, range) {
        let admitted = cx.core.admit_cut(held, cx.out);
        admitted.map_err(|full| full.of_lock(cx.run.minor))?;
    }
    let Some(stateid) = cx.core.states.unlock_range(held, range) else {
        return Ok(Step::Yield);
    };
    cx.core.grant_locks(file, cx.out);
    cx.run.current_stateid = stateid;
    res::LockUOk {
        lock_stateid: stateid,
    }
    .encode(cx.body());
    Ok(Step::Done(Status::OK))
}

/// Continues with LOCKU after others have been served.
pub(crate) fn continue_unlock<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    _: FsResult,
) -> Result<Step, Status> {
    unlock(cx, args)
}

/// The state that a LOCK names.
struct Locking {
    /// The open under which the lock is taken.
    open: OpenKey,
    /// The lock state of the lock-owner under that open, if it has a stateid.
    held: Option<LockKey>,
    /// The lock-owner, if it is known.
    by: Option<LockOwnerKey>,
}

fn locker<S: Established>(
    cx: &mut Cx<'_, S>,
    locker: &Locker<'_>,
    fh: &Fh,
) -> Result<Locking, Status> {
    match locker {
        Locker::New(new) => {
            let stateid = cx.meant(new.open_stateid)?;
            let open = cx.check_open(&stateid, fh)?;
            // The client is that of the open; the client id in the lock-owner is ignored.
            let states = &cx.core.states;
            let client = states.get(open).ok_or(Status::BAD_STATEID)?.client;
            let by = states.lock_owners.find(client, new.lock_owner.owner);
            let held = states.find_lock(open, by);
            Ok(Locking { open, held, by })
        }
        Locker::Existing(existing) => {
            let stateid = cx.meant(existing.lock_stateid)?;
            let held = cx.check_lock(&stateid, fh)?;
            let lock = cx.core.states.lock(held).ok_or(Status::BAD_STATEID)?;
            Ok(Locking {
                open: lock.open,
                held: Some(held),
                by: Some(lock.owner),
            })
        }
    }
}

/// The name of the lock-owner; `known` is the name in its record.
fn owner<'a>(known: Option<&'a [u8]>, locker: &Locker<'a>) -> &'a [u8] {
    match locker {
        Locker::New(new) => new.lock_owner.owner,
        Locker::Existing(_) => known.unwrap_or_default(),
    }
}

/// Why a lock is denied.
struct Denial {
    /// The client that has a conflicting lock; none if the range is reserved for an earlier waiter.
    holder: Option<ClientKey>,
}

/// Whether a lock is denied; if so, encodes LOCK4denied. Locks of clients with expired leases are revoked.
///
/// # Errors
/// DELAY while that is being done.
fn denial<S>(
    cx: &mut Cx<'_, S>,
    file: FileKey,
    open: OpenKey,
    asker: LockRequest<'_>,
    by: Option<LockOwnerKey>,
) -> Result<Option<Denial>, Status> {
    let wanted = (asker.range, asker.kind);
    match cx.core.make_way_for_lock(file, wanted, by, cx.out) {
        Way::Free => {}
        Way::Held(conflict) => {
            encode_conflict(cx, &conflict);
            let holder = cx.core.states.lock_owners.get(conflict.owner);
            return Ok(Some(Denial {
                holder: holder.map(Owner::client),
            }));
        }
        Way::Soon => return Err(Status::DELAY),
    }
    let states = &cx.core.states;
    let lease = cx.core.config.lease;
    let Some(waiter) = states.before(open, asker, cx.out.now.mono, lease) else {
        return Ok(None);
    };
    let (client, owner) = (Some(waiter.client), &waiter.owner);
    deny(&cx.core.clients, client, owner, waiter.range, waiter.kind).encode(cx.run.reply.body());
    Ok(Some(Denial { holder: None }))
}

/// Encodes LOCK4denied for a conflicting lock.
fn encode_conflict<S>(cx: &mut Cx<'_, S>, conflict: &Conflict<LockOwnerKey>) {
    let found = cx.core.states.lock_owners.get(conflict.owner);
    let client = found.map(Owner::client);
    let owner = found.map(Owner::name).unwrap_or_default();
    let clients = &cx.core.clients;
    deny(clients, client, owner, conflict.range, conflict.kind).encode(cx.run.reply.body());
}

/// Encodes LOCK4denied for a lock of a process that is no client: such an owner has no name, and the client
/// id 0, which no client has.
fn deny_local<S>(cx: &mut Cx<'_, S>, held: &ByteLock) {
    let denied = deny(&cx.core.clients, None, &[], held.range, held.kind);
    denied.encode(cx.run.reply.body());
}

fn deny<'a>(
    clients: &Clients,
    client: Option<ClientKey>,
    owner: &'a [u8],
    range: ByteRange,
    kind: LockKind,
) -> res::LockDenied<'a> {
    let client = client.and_then(|client| clients.get(client));
    res::LockDenied {
        offset: range.first,
        length: range.length(),
        locktype: match kind {
            LockKind::Read => LockType::Read,
            LockKind::Write => LockType::Write,
        },
        owner: basic::Owner {
            clientid: ClientId(client.map_or(0, |client| client.id)),
            owner,
        },
    }
}

fn kind(locktype: LockType) -> LockKind {
    if locktype.is_write() {
        LockKind::Write
    } else {
        LockKind::Read
    }
}
