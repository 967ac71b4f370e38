//! OPEN. [RFC 8881 §18.16]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::args::CreateHow;
use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::basic::Owner;
use nfs4_proto::nfs4::consts::{
    OPEN4_RESULT_CONFIRM, OPEN4_RESULT_LOCKTYPE_POSIX, OPEN4_RESULT_MAY_NOTIFY_LOCK,
    OPEN4_SHARE_ACCESS_WANT_DELEG_MASK, OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS,
    OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION,
    OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED,
    OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL, OPEN4_SHARE_ACCESS_WRITE,
};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::delegation::{self, DELEGATION_LEN, Offer, Why};
use super::{names, reclaim};
use crate::attr;
use crate::client::Principal;
use crate::compound::{Cx, Established, Fetched, Stage, Step};
use crate::exports::Fh;
use crate::fs::{
    Authority, Create, DirChange, FsOp, FsReply, FsResult, OpenHow, Opened, SetAttrs, Target,
};
use crate::slab::Key;
use crate::state::delegation::Touch;
use crate::state::file::Share;
use crate::state::open::Open;

/// The file is looked for or made, and held, by one request; shares are checked when it is known.
pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    let current = cx.current()?;
    let args = args::Open::decode(args)?;
    let share = share(args.share_access, args.share_deny)?;
    let client = cx.client_of(args.owner.clientid)?;
    let claimed = delegation::claimed(cx, &args.claim, None)?;
    if claimed.is_none() {
        // A delegation was granted when nobody could reclaim any more.
        let reclaims = matches!(args.claim, args::OpenClaim::Previous(_));
        reclaim::admit(cx, client, reclaims)?;
    }
    let target = match args.claim {
        args::OpenClaim::Null(file) | args::OpenClaim::DelegateCur { file, .. } => {
            let name = names::component(cx, &current, file)?;
            Target::Name {
                dir: current.handle,
                name,
            }
        }
        args::OpenClaim::Fh | args::OpenClaim::DelegCurFh(_) => Target::Handle(current.handle),
        args::OpenClaim::Previous(_) => return Err(Status::NO_GRACE),
        // No delegation outlives its client. [RFC 8881 §18.5.3]
        args::OpenClaim::DelegatePrev(_) | args::OpenClaim::DelegPrevFh => {
            return Err(Status::NOTSUPP);
        }
    };
    let create = create(&args, &cx.served())?;
    if create != Create::No && matches!(target, Target::Handle(_)) {
        return Err(Status::INVAL);
    }
    // What the client was let in for, it may open whatever has become of the mode since.
    let rights = claimed
        .and_then(|key| cx.core.states.delegation(key))
        .map_or(Share::default(), |held| held.rights);
    let how = OpenHow {
        read: share.reads() && !rights.reads(),
        write: share.writes() && !rights.writes(),
        create,
    };
    Ok(Step::Wait(
        current.export,
        FsOp::Open { target, how },
        Stage::OpenFound,
    ))
}

pub(crate) fn resume<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let args = args::Open::decode(args)?;
    if let Stage::OpenTruncated { open, dir } = cx.run.stage {
        return truncated(cx, &args, open, dir, result);
    }
    let FsReply::Opened(opened) = result? else {
        return Err(Status::SERVERFAULT);
    };
    found(cx, &args, opened)
}

/// The file is held: take the share, or give the file back.
fn found<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    opened: Opened,
) -> Result<Step, Status> {
    let export = cx.current()?.export;
    let fh = Fh {
        export,
        handle: opened.fh,
    };
    // Cutting writes, whatever the file is opened for.
    let cut = if cuts(args, &opened, &cx.served()) {
        WRITE
    } else {
        Share::default()
    };
    let taken = delegation::claimed(cx, &args.claim, Some(&fh))
        .and_then(|_| share(args.share_access, args.share_deny))
        .and_then(|share| take(cx, args.owner, &fh, share, cut));
    let (open, held_before) = match taken {
        Ok(taken) => taken,
        Err(status) => {
            cx.core.release(export, opened.fh, cx.out);
            return Err(status);
        }
    };
    if held_before {
        // One hold is enough for what one owner has of a file.
        cx.core.release(export, opened.fh, cx.out);
    }
    cx.run.set_current(fh);
    if cuts(args, &opened, &cx.served()) {
        cx.guard(cx.core.guards.of(&fh));
        let set = SetAttrs {
            size: Some(0),
            ..SetAttrs::default()
        };
        let op = FsOp::SetAttrs {
            fh: fh.handle,
            set,
            authority: Authority::Credential,
        };
        return Ok(Step::Wait(
            export,
            op,
            Stage::OpenTruncated {
                open,
                dir: opened.dir,
            },
        ));
    }
    cx.run.fetched = Some(Fetched {
        fh,
        attrs: opened.attrs,
        stat: None,
    });
    let set = if opened.created {
        created_with(args)
    } else {
        Bitmap::default()
    };
    answer(cx, args, open, opened.dir, &set)
}

/// The file was cut to length zero, or could not be.
fn truncated<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    open: Key<Open>,
    dir: DirChange,
    result: FsResult,
) -> Result<Step, Status> {
    // The state may have gone while the file system worked, with its lease or by a CLOSE.
    let fh = cx.current()?;
    if cx.core.states.get(open).is_none() {
        return Err(Status::DELAY);
    }
    cx.unguard();
    match result {
        Ok(FsReply::Attrs { attrs, stat }) => {
            cx.run.fetched = Some(Fetched { fh, attrs, stat });
            let mut set = Bitmap::default();
            set.insert(num::SIZE);
            answer(cx, args, open, dir, &set)
        }
        refused => {
            // An OPEN that fails leaves nothing open that was not open before.
            undo(cx, open);
            Err(refused
                .err()
                .map_or(Status::SERVERFAULT, |error| error.status()))
        }
    }
}

/// Takes back an open that nobody has been told of. One that was only widened stays wide until
/// it is closed: its stateid has not changed.
fn undo<S: Established>(cx: &mut Cx<'_, S>, open: Key<Open>) {
    if cx.core.states.get(open).is_some_and(|open| open.seqid == 0) {
        cx.core.close(open, cx.now, cx.out);
    }
    cx.run.current_stateid = None;
}

/// Checks the share, and what is done at once beside it, against everybody's delegations and
/// shares, the owner's own share included [RFC 8881 §18.16.3, RFC 7530 §9.9], and records the share;
/// also says whether the owner had the file open before.
fn take<S: Established>(
    cx: &mut Cx<'_, S>,
    owner: Owner<'_>,
    fh: &Fh,
    share: Share,
    cut: Share,
) -> Result<(Key<Open>, bool), Status> {
    let client = cx.client_of(owner.clientid)?;
    let owner = owner.owner;
    let opener = Principal::of(&cx.run.cred);
    let needed = share.union(cut);
    // First: what their holders have open by themselves, they tell when they give them back.
    if cx.recalls(fh, Some(client), Touch::of(needed), cut.writes()) {
        return Err(Status::DELAY);
    }
    if !cx.core.states.admits(fh, needed) {
        cx.core.expire(cx.now, cx.out);
    }
    let states = &mut cx.core.states;
    let own = states.find(client, owner, fh);
    if !states.admits(fh, needed) {
        return Err(Status::SHARE_DENIED);
    }
    if let Some(key) = own {
        states.widen(key, share);
        return Ok((key, true));
    }
    let record = cx.core.clients.get_mut(client).ok_or(Status::DELAY)?;
    let config = &cx.core.config;
    if record.opens.len() >= config.max_opens_per_client as usize
        || states.weight() >= config.max_states as usize
    {
        return Err(Status::DELAY);
    }
    Ok((
        states.open(client, &mut record.opens, owner, fh, (share, opener)),
        false,
    ))
}

fn answer<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    open: Key<Open>,
    dir: DirChange,
    attrset: &Bitmap,
) -> Result<Step, Status> {
    let roomy = cx.run.room_for(RESULT_LEN + DELEGATION_LEN).is_ok();
    let stateid = cx.core.states.advance(open);
    cx.run.current_stateid = Some(stateid);
    let flags = flags(cx, open);
    let offer = if roomy {
        delegation::offer(cx, args, open)
    } else {
        Offer::Not(Why::Resource)
    };
    let w = cx.body();
    stateid.encode(w);
    names::change_info(w, dir);
    w.u32(flags);
    attrset.encode(w);
    delegation::encode(cx, args.share_access, offer);
    Ok(Step::Done(Status::OK))
}

/// What holds for the open. [RFC 8881 §18.16.3]
fn flags<S: Established>(cx: &Cx<'_, S>, open: Key<Open>) -> u32 {
    let client = cx.core.states.get(open).map(|open| open.client);
    let is_told =
        cx.scope.session().is_some() && client.is_some_and(|client| cx.core.can_call_back(client));
    let mut flags = OPEN4_RESULT_LOCKTYPE_POSIX;
    if is_told {
        flags |= OPEN4_RESULT_MAY_NOTIFY_LOCK;
    }
    if S::must_confirm(cx, open) {
        flags |= OPEN4_RESULT_CONFIRM;
    }
    flags
}

/// The access and deny bits, without what is said of delegations.
pub(super) fn share(access: u32, deny: u32) -> Result<Share, Status> {
    let share = Share {
        access: access & !WANT_BITS,
        deny,
    };
    if (1..=3).contains(&share.access) && share.deny <= 3 {
        Ok(share)
    } else {
        Err(Status::INVAL)
    }
}

fn create(args: &args::Open<'_>, served: &Bitmap) -> Result<Create, Status> {
    let args::OpenHow::Create(how) = &args.openhow else {
        return Ok(Create::No);
    };
    Ok(match how {
        CreateHow::Unchecked(attrs) => Create::Unchecked(attr::decode_settable(attrs, served)?),
        CreateHow::Guarded(attrs) => Create::Guarded(attr::decode_settable(attrs, served)?),
        CreateHow::Exclusive(verifier) => Create::Exclusive {
            verifier: verifier.0,
            set: SetAttrs::default(),
        },
        CreateHow::Exclusive41 { verf, attrs } => {
            if !attr::exclusive_create().contains_all(&attrs.mask) {
                return Err(Status::INVAL);
            }
            Create::Exclusive {
                verifier: verf.0,
                set: attr::decode_settable(attrs, served)?,
            }
        }
    })
}

/// An UNCHECKED creation with size 0 cuts a file that is there.
fn cuts(args: &args::Open<'_>, opened: &Opened, served: &Bitmap) -> bool {
    let args::OpenHow::Create(CreateHow::Unchecked(attrs)) = &args.openhow else {
        return false;
    };
    // Of a length other than zero nothing is said for a file that is there.
    let cuts = attr::decode_settable(attrs, served).is_ok_and(|set| set.size == Some(0));
    !opened.created && opened.attrs.size != 0 && cuts
}

/// The attributes that a new file was given.
fn created_with(args: &args::Open<'_>) -> Bitmap {
    match &args.openhow {
        args::OpenHow::Create(
            CreateHow::Unchecked(attrs)
            | CreateHow::Guarded(attrs)
            | CreateHow::Exclusive41 { attrs, .. },
        ) => attrs.mask,
        args::OpenHow::NoCreate | args::OpenHow::Create(CreateHow::Exclusive(_)) => {
            Bitmap::default()
        }
    }
}

/// The most bytes of OPEN4resok without a delegation.
pub(super) const RESULT_LEN: usize = 76;
const WRITE: Share = Share {
    access: OPEN4_SHARE_ACCESS_WRITE,
    deny: 0,
};
/// What a client says of delegations in `share_access`. Who wants what `open_arguments` does not
/// promise is served as if he had not.
pub(super) const WANT_BITS: u32 = OPEN4_SHARE_ACCESS_WANT_DELEG_MASK
    | OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL
    | OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED
    | OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS
    | OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION;
