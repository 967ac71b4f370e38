//! OPEN. [RFC 8881 §18.16]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::consts::{
    OPEN4_RESULT_CONFIRM, OPEN4_RESULT_LOCKTYPE_POSIX, OPEN4_RESULT_MAY_NOTIFY_LOCK,
    OPEN4_SHARE_ACCESS_WRITE,
};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::creation;
use super::delegation::{self, Offered};
use super::delegation_result::{self, DELEGATION_LEN, Offer, OfferRefused};
use super::open_admission::{
    admit, admit_reclaim, admit_still, barred, may_change, rights, room_for,
};
use super::{flavor, names, reclaim};
use crate::callback::Promise;
use crate::compound::opening::Opening;
use crate::compound::{Cx, Established, Fetched, Stage, Step};
use crate::delegation_kind::DelegationKind;
use crate::fh::Fh;
use crate::fs::{
    Authority, Creation, DirChange, FsError, FsOp, FsReply, FsResult, OpenHow, Opened, SetAttrs,
    Target,
};
use crate::guards::Guard;
use crate::keys::{ClientKey, OpenKey};
use crate::ops::share::share;
use crate::principal::Principal;
use crate::state::claim::Claim;
use crate::state::file::Share;
use crate::state::table::Wanted;

/// One request finds or creates the file and holds it; shares are checked when the file is known. Errors
/// that do not depend on the file are returned before that request.
pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let current = cx.current()?;
    let args = args::Open::decode(args)?;
    let share = share(args.share_access, args.share_deny)?;
    flavor::admit(cx, current.export)?;
    let client = cx.client_of(args.owner.clientid)?;
    let claimed = delegation::claimed(cx, &args.claim, None)?;
    let reclaimed = delegation::reclaimed(&args.claim);
    if claimed.is_some() {
        reclaim::admit_delegated(cx, client)?;
    } else {
        reclaim::admit(cx, client, reclaimed.is_some(), &current)?;
    }
    if let Some(Some(_)) = reclaimed {
        // The delegation is granted in any case.
        cx.run.room_for(RESULT_LEN + DELEGATION_LEN)?;
    }
    let target = match args.claim {
        args::OpenClaim::Null(file) | args::OpenClaim::DelegateCur { file, .. } => {
            let name = names::component(cx, &current, file)?;
            Target::Name {
                dir: current.handle,
                name,
            }
        }
        args::OpenClaim::Fh | args::OpenClaim::DelegCurFh(_) | args::OpenClaim::Previous(_) => {
            Target::Handle(current.handle)
        }
        // No delegation outlives its client. [RFC 8881 §18.5.3]
        args::OpenClaim::DelegatePrev(_) | args::OpenClaim::DelegPrevFh => {
            return Err(Status::NOTSUPP);
        }
    };
    let mut create = creation::wanted(&args.openhow, &cx.served())?;
    let mut opening = Opening {
        barred: None,
        room: None,
        cut: creation::cuts(&create),
        by_owner: false,
        once: creation::happens_once(&create),
    };
    if create != Creation::No {
        if matches!(target, Target::Handle(_)) {
            return Err(Status::INVAL);
        }
        let owner = (client, args.owner.owner);
        let length = creation::length(&create);
        opening.barred = barred(cx, &current, length, owner, claimed.is_some());
        if cx.core.stores.is_delaying() {
            // There is room once a client is forgotten.
            return Err(Status::DELAY);
        }
        if opening.barred.is_some() {
            create = Creation::No;
        } else {
            cx.core.reserve_open(client);
            opening.room = Some(client);
            if opening.once {
                // The file is delegated to no client until the engine processes the answer: the
                // OPEN that has made it could not wait for a recall.
                if let args::OpenClaim::Null(name) = args.claim {
                    let place = names::place(cx, &current, name);
                    cx.guard(Guard::Names(place, place));
                }
            }
        }
    }
    let rights = rights(cx, claimed);
    let writes = may_change(share, opening.cut);
    let opens = opening.barred.is_none() || !creation::wants_new(&args.openhow);
    let how = OpenHow {
        read: opens && share.reads() && !rights.reads(),
        write: opens && writes && !rights.writes(),
        create,
    };
    cx.run.watch = cx.core.guards.watch();
    Ok(Step::Wait(
        current.export,
        FsOp::Open { target, how },
        Stage::OpenFound(opening),
    ))
}

pub(crate) fn resume<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let args = args::Open::decode(args)?;
    let opening = match cx.run.stage {
        Stage::OpenFound(opening) => opening,
        Stage::OpenCut { claim, dir, room } => {
            release_reserved(cx, room);
            return cut_done(cx, &args, claim, dir, result);
        }
        Stage::OpenLeased {
            open,
            kind,
            dir,
            set,
        } => {
            return leased(cx, &args, (open, kind), (dir, &set), result);
        }
        Stage::Last
        | Stage::Between
        | Stage::Anew
        | Stage::ReadDirStat
        | Stage::NameFound
        | Stage::OtherNameFound
        | Stage::Queried(_)
        | Stage::NameRemoved(_)
        | Stage::NameGone(_)
        | Stage::Asked
        | Stage::HolderAnswered(..)
        | Stage::Noted(..)
        | Stage::Kept { .. }
        | Stage::Locking(_)
        | Stage::Testing(_)
        | Stage::WithStat { .. } => return Err(Status::SERVERFAULT),
    };
    release_reserved(cx, opening.room);
    let export = cx.current()?.export;
    let opened = match &result {
        Ok(FsReply::Opened(opened)) => opened,
        Ok(_) => return Err(Status::SERVERFAULT),
        Err(FsError::AccessDenied)
            if !opening.by_owner && delegation::reclaimed(&args.claim).is_some() =>
        {
            return reclaim::open_as_owner(cx, opening);
        }
        Err(error) => return Err(opening.when_refused(&args.openhow, *error)),
    };
    let failed = match opening.when_there(&args.openhow) {
        Some(status) => status,
        None if opening.by_owner && !reclaim::is_owner(cx, &opened.attrs) => Status::ACCESS,
        None => match found(cx, &args, opened, &opening) {
            Ok(step) => return Ok(step),
            Err(status) => status,
        },
    };
    cx.core.release(export, opened.fh, cx.out);
    // A retryable error must not hide that the file was created: the retry would fail.
    Err(match failed {
        Status::SHARE_DENIED => failed,
        _ if opening.once && opened.created => Status::SERVERFAULT,
        _ => failed,
    })
}

fn release_reserved<S>(cx: &mut Cx<'_, S>, room: Option<ClientKey>) {
    if let Some(client) = room {
        cx.core.release_reserved(client);
    }
}

/// The file is held: takes the share and opens the file, or claims the share while the file is
/// truncated.
fn found<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    opened: &Opened,
    opening: &Opening,
) -> Result<Step, Status> {
    let fh = Fh {
        export: cx.current()?.export,
        handle: opened.fh,
    };
    let claimed = delegation::claimed(cx, &args.claim, Some(&fh))?;
    let share = share(args.share_access, args.share_deny)?;
    let writes = may_change(share, opening.cut) && !rights(cx, claimed).writes();
    admit_still(cx, fh.export, writes)?;
    // A truncation needs write access, whatever the file is opened for.
    let cut = opening.cut && !opened.created;
    let needed = if cut { share.union(WRITE) } else { share };
    let client = cx.client_of(args.owner.clientid)?;
    let wanted = cx.core.states.wanted(client, args.owner.owner, &fh);
    let own = match delegation::reclaimed(&args.claim) {
        Some(kind) => admit_reclaim(cx, &wanted, &fh, needed, kind)?,
        None => admit(cx, &wanted, &fh, needed, cut)?,
    };
    if own.is_none() && opening.room.is_none() {
        room_for(cx, client, args.owner.owner)?;
    }
    if let args::OpenClaim::Null(name) = args.claim
        && (cut || cx.core.guards.names_changed_since(&cx.run.watch))
    {
        let place = names::place(cx, &cx.current()?, name);
        cx.run.watch.set_name(place);
    }
    cx.run.set_current(fh);
    if cut {
        cx.guard(Guard::Change(cx.core.guards.of(&fh)));
        let claim = cx.core.states.claim(&fh, needed);
        let set = SetAttrs {
            size: Some(0),
            ..SetAttrs::default()
        };
        // The file system checked the right to write when it opened the file.
        let op = FsOp::SetAttrs {
            fh: fh.handle,
            set,
            authority: Authority::Open,
        };
        let (dir, room) = (opened.dir, opening.room);
        if let Some(client) = room {
            cx.core.reserve_open(client);
        }
        let stage = Stage::OpenCut { claim, dir, room };
        return Ok(Step::Wait(fh.export, op, stage));
    }
    let open = take(cx, &wanted, own, &fh, share)?;
    cx.run.fetched = Some(Fetched {
        fh,
        attrs: opened.attrs,
        stat: None,
    });
    let set = if opened.created {
        creation::given(&args.openhow, &opened.attrs)
    } else {
        Bitmap::default()
    };
    answer(cx, args, open, opened.dir, &set)
}

/// The file system has answered the truncation. If it failed, the OPEN takes no state.
fn cut_done<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    claim: Claim,
    dir: DirChange,
    result: FsResult,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let open = open_cut(cx, args, &fh, result);
    cx.core.states.unclaim(claim);
    match open {
        Ok(open) => {
            let mut set = Bitmap::default();
            set.insert(num::SIZE);
            answer(cx, args, open, dir, &set)
        }
        Err(status) => {
            cx.core.release(fh.export, fh.handle, cx.out);
            Err(status)
        }
    }
}

/// Opens a truncated file, whose share is claimed.
fn open_cut<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    fh: &Fh,
    result: FsResult,
) -> Result<OpenKey, Status> {
    let FsReply::Attrs { attrs, stat } = result? else {
        return Err(Status::SERVERFAULT);
    };
    let share = share(args.share_access, args.share_deny)?;
    admit_still(cx, fh.export, true)?;
    let client = cx.client_of(args.owner.clientid)?;
    if !cx.core.has_client(client) {
        return Err(Status::DELAY);
    }
    let wanted = cx.core.states.wanted(client, args.owner.owner, fh);
    let own = cx.core.states.find(&wanted);
    let open = take(cx, &wanted, own, fh, share)?;
    let fh = *fh;
    cx.run.fetched = Some(Fetched { fh, attrs, stat });
    Ok(open)
}

/// Opens a held file, or widens the open that the owner has of it.
///
/// # Errors
/// DELAY if there is no such client.
fn take<S: Established>(
    cx: &mut Cx<'_, S>,
    wanted: &Wanted<'_>,
    own: Option<OpenKey>,
    fh: &Fh,
    share: Share,
) -> Result<OpenKey, Status> {
    let opener = Principal::of(&cx.run.cred);
    if let Some(key) = own {
        cx.core.states.widen(key, share, opener);
        // An open needs one hold of its file.
        cx.core.release(fh.export, fh.handle, cx.out);
        return Ok(key);
    }
    let record = cx
        .core
        .clients
        .get_mut(wanted.client)
        .ok_or(Status::DELAY)?;
    let states = &mut cx.core.states;
    Ok(states.open(&mut record.opens, wanted, (share, opener)))
}

fn answer<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    open: OpenKey,
    dir: DirChange,
    attrset: &Bitmap,
) -> Result<Step, Status> {
    let roomy = cx.run.room_for(RESULT_LEN + DELEGATION_LEN).is_ok();
    let offer = match delegation::reclaimed(&args.claim) {
        Some(Some(kind)) => delegation::reclaim(cx, args, open, kind),
        Some(None) => Offer::Not(OfferRefused::Contention),
        None if roomy => match delegation::offer(cx, args, open) {
            Offered::Now(offer) => offer,
            Offered::IfLeased(fh, kind) => {
                let op = FsOp::Lease {
                    fh: fh.handle,
                    kind,
                };
                let set = *attrset;
                let stage = Stage::OpenLeased {
                    open,
                    kind,
                    dir,
                    set,
                };
                return Ok(Step::Wait(fh.export, op, stage));
            }
        },
        None => Offer::Not(OfferRefused::Resource),
    };
    Ok(opened(cx, args, open, (dir, attrset), offer))
}

/// The file system has leased the file, or has not.
fn leased<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    (open, kind): (OpenKey, DelegationKind),
    made: (DirChange, &Bitmap),
    result: FsResult,
) -> Result<Step, Status> {
    let lease = match result {
        Ok(FsReply::Leased(attrs)) => Some((attrs, kind)),
        Ok(_) | Err(_) => None,
    };
    let fh = cx.current()?;
    // The client may have gone, or may have been away for too long.
    let held = cx.core.states.get(open);
    let is_open = held.is_some_and(|open| !open.revoked);
    let granted = match lease {
        Some(lease) if is_open => delegation::grant_leased(cx, args, open, lease),
        Some(_) | None => Err(OfferRefused::Contention),
    };
    if lease.is_some() && granted.is_err() {
        cx.core.unlease(fh.export, fh.handle, cx.out);
    }
    if !is_open {
        return Err(Status::DELAY);
    }
    let offer = granted.map_or_else(Offer::Not, Offer::Granted);
    Ok(opened(cx, args, open, made, offer))
}

/// Writes the result of a successful OPEN.
fn opened<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    open: OpenKey,
    (dir, attrset): (DirChange, &Bitmap),
    offer: Offer,
) -> Step {
    let stateid = cx.core.states.advance(open);
    cx.run.current_stateid = stateid;
    if delegation::reclaimed(&args.claim).is_some() && cx.run.minor == 0 {
        // A reclaim needs no confirmation. [RFC 7530 §9.1.11]
        cx.core.states.confirm_owner_of(open);
    }
    let flags = flags(cx, open);
    let w = cx.body();
    stateid.encode(w);
    names::change_info(w, dir);
    w.u32(flags);
    attrset.encode(w);
    delegation_result::encode(cx, args.share_access, offer);
    Step::Done(Status::OK)
}

/// The `rflags` of OPEN4resok. [RFC 8881 §18.16.3]
fn flags<S: Established>(cx: &Cx<'_, S>, open: OpenKey) -> u32 {
    let client = cx.core.states.get(open).map(|open| open.client);
    let can_tell = |client| cx.core.can_call_back(client, Promise::NotifyLock);
    let current = cx.run.current.as_ref();
    let is_local = current.is_some_and(|fh| cx.core.exports.has_local_locks(fh.export));
    // Of the end of another process's lock no client can be told: all poll.
    let is_told = !is_local && cx.scope.session().is_some() && client.is_some_and(can_tell);
    let mut flags = OPEN4_RESULT_LOCKTYPE_POSIX;
    if is_told {
        flags |= OPEN4_RESULT_MAY_NOTIFY_LOCK;
    }
    if S::must_confirm(cx, open) {
        flags |= OPEN4_RESULT_CONFIRM;
    }
    flags
}

/// Maximum length of OPEN4resok without a delegation, in bytes.
pub(super) const RESULT_LEN: usize = 76;
const WRITE: Share = Share {
    access: OPEN4_SHARE_ACCESS_WRITE,
    deny: 0,
};
