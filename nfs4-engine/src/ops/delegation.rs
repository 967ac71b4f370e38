//! The delegation that an OPEN claims, reclaims or gets. [RFC 8881 §18.16.3]

use alloc::sync::Arc;

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::{DelegationType, Stateid};
use nfs4_proto::nfs4::consts::{
    OPEN4_SHARE_ACCESS_WANT_ANY_DELEG, OPEN4_SHARE_ACCESS_WANT_CANCEL,
    OPEN4_SHARE_ACCESS_WANT_DELEG_MASK, OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
    OPEN4_SHARE_ACCESS_WANT_NO_PREFERENCE, OPEN4_SHARE_ACCESS_WANT_READ_DELEG,
    OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG, OPEN4_SHARE_DENY_WRITE, WND4_CANCELLED,
    WND4_NOT_SUPP_DOWNGRADE, WND4_NOT_SUPP_FTYPE, WND4_NOT_WANTED,
};
use nfs4_proto::nfs4::status::Status;

use super::delegation_result::{Offer, OfferRefused};
use super::share::share;
use crate::callback::{Promise, Referred};
use crate::compound::{Cx, Established, Fetched};
use crate::delegation_kind::DelegationKind;
use crate::event::Event;
use crate::fh::Fh;
use crate::fs::{AccessMask, Attrs, Guarded};
use crate::guards::Candidate;
use crate::keys::{ClientKey, DelegationKey, OpenKey};
use crate::peer::LimitReached;
use crate::principal::Principal;
use crate::state::delegated::Obstacle;
use crate::state::delegation::{DelegationPhase, Grant};
use crate::state::file::Share;
use crate::state::stateid::Named;

/// The delegation that a claim names; if a file is given, the delegation must be of that file.
///
/// # Errors
/// Those of [`Cx::check`], and BAD_STATEID if the stateid names no delegation.
pub(super) fn claimed<S: Established>(
    cx: &mut Cx<'_, S>,
    claim: &args::OpenClaim<'_>,
    fh: Option<&Fh>,
) -> Result<Option<DelegationKey>, Status> {
    match claim {
        args::OpenClaim::DelegateCur {
            delegate_stateid: stateid,
            ..
        }
        | args::OpenClaim::DelegCurFh(stateid) => match named(cx, *stateid, fh) {
            Ok(key) => Ok(Some(key)),
            // The list of OPEN has only BAD_STATEID for these. [RFC 7530 §13.2, RFC 8881 §15.2]
            Err(Status::STALE_STATEID | Status::OLD_STATEID) => Err(Status::BAD_STATEID),
            Err(status) => Err(status),
        },
        args::OpenClaim::Null(_)
        | args::OpenClaim::Fh
        | args::OpenClaim::Previous(_)
        | args::OpenClaim::DelegatePrev(_)
        | args::OpenClaim::DelegPrevFh => Ok(None),
    }
}

/// The delegation that a stateid names.
pub(super) fn named<S: Established>(
    cx: &mut Cx<'_, S>,
    stateid: Stateid,
    fh: Option<&Fh>,
) -> Result<DelegationKey, Status> {
    let stateid = cx.meant(stateid)?;
    match cx.check(&stateid, fh)? {
        Named::Deleg(key) => Ok(key),
        Named::Open(_) | Named::Lock(_) => Err(Status::BAD_STATEID),
    }
}

/// Whether a claim is a reclaim, and the kind of delegation that it reclaims.
pub(super) fn reclaimed(claim: &args::OpenClaim<'_>) -> Option<Option<DelegationKind>> {
    let args::OpenClaim::Previous(kind) = claim else {
        return None;
    };
    Some(match kind {
        DelegationType::Read => Some(DelegationKind::Read),
        DelegationType::Write => Some(DelegationKind::Write),
        DelegationType::None | DelegationType::NoneExt => None,
    })
}

/// Checks that a client can have had a delegation of this file, which it reclaims.
///
/// # Errors
/// RECLAIM_CONFLICT if another client has reclaimed what conflicts, RECLAIM_BAD if the client has reclaimed
/// a delegation of another kind, and those of a limit.
pub(super) fn admit_reclaim<S>(
    cx: &mut Cx<'_, S>,
    client: ClientKey,
    fh: &Fh,
    kind: DelegationKind,
) -> Result<(), Status> {
    let minor = cx.run.minor;
    if let Some(own) = cx.core.states.delegation_to(client, fh) {
        let held = cx.core.states.delegation(own);
        let same = held.is_some_and(|held| held.kind == kind);
        return if same {
            Ok(())
        } else {
            Err(Status::RECLAIM_BAD)
        };
    }
    match cx.core.states.can_delegate(client, fh, kind) {
        Ok(()) => {}
        Err(Obstacle::Others) => return Err(Status::RECLAIM_CONFLICT),
        Err(Obstacle::Many) => return Err(LimitReached::Share.of_open(minor)),
    }
    let admitted = cx.core.admit_delegation(client, cx.out);
    admitted.map_err(|full| full.of_open(minor))
}

/// Gives a reclaimed delegation back. A client that must not keep it is told so by the reply, and has the
/// usual time to return it. [RFC 8881 §10.2.1]
pub(super) fn reclaim<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    open: OpenKey,
    kind: DelegationKind,
) -> Offer {
    let Some(opened) = cx.run.fetched else {
        return Offer::Not(OfferRefused::Resource);
    };
    let Some(client) = cx.core.states.get(open).map(|open| open.client) else {
        return Offer::Not(OfferRefused::Resource);
    };
    if let Some(own) = cx.core.states.delegation_to(client, &opened.fh) {
        return Offer::Granted(own);
    }
    let Ok(share) = share(args.share_access, args.share_deny) else {
        return Offer::Not(OfferRefused::Resource);
    };
    let choice = Choice {
        client,
        own: None,
        kind,
        share,
    };
    let key = match grant(cx, &opened, &choice, false) {
        Ok(key) => key,
        Err(why) => return Offer::Not(why),
    };
    if !may_keep(cx, &opened, client, open, kind) {
        cx.core.recall_by_reply(key, cx.out.now.mono);
    }
    Offer::Granted(key)
}

/// Whether a client may keep a delegation that it has reclaimed.
fn may_keep<S>(
    cx: &mut Cx<'_, S>,
    opened: &Fetched,
    client: ClientKey,
    open: OpenKey,
    kind: DelegationKind,
) -> bool {
    if kind == DelegationKind::Write && !is_writable(cx, &opened.fh) {
        return false;
    }
    let (core, now) = (&mut *cx.core, cx.out.now.mono);
    // Of a file that others can reach, no one knows what became of it while there was no server.
    let delegates =
        core.config.delegations && core.exports.guarded(opened.fh.export) == Guarded::Private;
    let candidate = core.states.hash_of(open).map(|hash| Candidate {
        hash,
        links: opened.attrs.links,
        for_writing: kind == DelegationKind::Write,
        own: cx.run.guard,
    });
    let is_quiet = |candidate: &Candidate| core.guards.admit(candidate, &cx.run.watch, now);
    delegates
        && candidate.as_ref().is_some_and(is_quiet)
        && core.can_call_back(client, Promise::Recall)
        && !core.is_barred_from_delegations(client, now)
}

/// Delegates the file of a successful OPEN to its client, if the rules allow it, or says what has to be
/// leased before.
pub(super) fn offer<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    open: OpenKey,
) -> Offered {
    let (opened, choice) = match choose(cx, args, open) {
        Ok(chosen) => chosen,
        Err(why) => return Offered::Now(Offer::Not(why)),
    };
    if cx.core.exports.guarded(opened.fh.export) == Guarded::Leases {
        return Offered::IfLeased(opened.fh, choice.kind);
    }
    Offered::Now(match grant(cx, &opened, &choice, false) {
        Ok(key) => Offer::Granted(key),
        Err(why) => Offer::Not(why),
    })
}

/// Delegates the file of a successful OPEN, which is leased for this kind and has these attributes.
///
/// # Errors
/// The rules do not allow it any more.
pub(super) fn grant_leased<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    open: OpenKey,
    (attrs, leased): (Attrs, DelegationKind),
) -> Result<DelegationKey, OfferRefused> {
    if let Some(fetched) = &mut cx.run.fetched {
        // What was read before the file was leased may not hold any more.
        fetched.attrs = attrs;
    }
    let (opened, choice) = choose(cx, args, open)?;
    if choice.kind != leased {
        return Err(OfferRefused::Contention);
    }
    grant(cx, &opened, &choice, true)
}

/// What an OPEN is offered, and the file that has to be leased for it.
pub(super) enum Offered {
    Now(Offer),
    IfLeased(Fh, DelegationKind),
}

/// The delegation that an OPEN may get.
struct Choice {
    client: ClientKey,
    /// The one that the client has, which becomes another.
    own: Option<DelegationKey>,
    kind: DelegationKind,
    share: Share,
}

/// Chooses the delegation of a successful OPEN.
///
/// # Errors
/// Why there is none.
fn choose<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &args::Open<'_>,
    open: OpenKey,
) -> Result<(Fetched, Choice), OfferRefused> {
    // The file system returned the attributes with the opened file.
    let opened = cx.run.fetched.ok_or(OfferRefused::Resource)?;
    let client = cx
        .core
        .states
        .get(open)
        .ok_or(OfferRefused::Resource)?
        .client;
    if S::must_confirm(cx, open) {
        // The owner is unconfirmed: the OPEN may be a replay of an old one. [RFC 7530 §16.18.5]
        return Err(OfferRefused::Resource);
    }
    if !S::stands(cx) || cx.terms(opened.fh.export).is_err() {
        // The session went while the OPEN waited: the client may never hear of a delegation. Or the export is
        // not for the client any more.
        return Err(OfferRefused::Resource);
    }
    let want = args.share_access & OPEN4_SHARE_ACCESS_WANT_DELEG_MASK;
    permits_wish(cx, opened.fh.export, want)?;
    let Ok(share) = share(args.share_access, args.share_deny) else {
        return Err(OfferRefused::Resource);
    };
    let kind = match wished(want, share).ok_or(OfferRefused::Contention)? {
        // Other clients get what the holder of a write delegation reports, and the file system
        // notes it.
        DelegationKind::Write if !may_write(cx, open, share) || !is_writable(cx, &opened.fh) => {
            DelegationKind::Read
        }
        kind @ (DelegationKind::Read | DelegationKind::Write) => kind,
    };
    let fh = opened.fh;
    let own = cx.core.states.delegation_to(client, &fh);
    if let Some(own) = own {
        permits_upgrade(cx, own, want, kind)?;
    }
    // A client claims a delegation while it returns it; a new delegation would cross the return.
    let anew = matches!(args.claim, args::OpenClaim::Null(_) | args::OpenClaim::Fh);
    let now = cx.out.now.mono;
    let candidate = Candidate {
        hash: cx.core.states.hash_of(open).ok_or(OfferRefused::Resource)?,
        links: opened.attrs.links,
        for_writing: kind == DelegationKind::Write,
        own: cx.run.guard,
    };
    let watch = &cx.run.watch;
    if !anew || cx.core.in_grace(now) || !cx.core.guards.admit(&candidate, watch, now) {
        return Err(OfferRefused::Contention);
    }
    if kind == DelegationKind::Read
        && cx.core.exports.guarded(fh.export) == Guarded::Leases
        && !cx.core.states.admits(&fh, UNWRITTEN)
    {
        // The server itself would be the writer that the lease keeps out.
        return Err(OfferRefused::Contention);
    }
    match cx.core.states.can_delegate(client, &fh, kind) {
        Ok(()) => {}
        Err(Obstacle::Others) => return Err(OfferRefused::Contention),
        Err(Obstacle::Many) => return Err(OfferRefused::Resource),
    }
    if !cx.core.can_call_back(client, Promise::Recall)
        || cx.core.is_barred_from_delegations(client, now)
    {
        return Err(OfferRefused::Resource);
    }
    if own.is_none() && cx.core.admit_delegation(client, cx.out).is_err() {
        cx.core.recall_some_for(client, cx.out);
        return Err(OfferRefused::Resource);
    }
    let choice = Choice {
        client,
        own,
        kind,
        share,
    };
    Ok((opened, choice))
}

/// Checks the wish of the client, and whether the server delegates at all.
fn permits_wish<S>(cx: &Cx<'_, S>, export: u16, want: u32) -> Result<(), OfferRefused> {
    match want {
        OPEN4_SHARE_ACCESS_WANT_NO_DELEG => Err(OfferRefused::Reason(WND4_NOT_WANTED)),
        OPEN4_SHARE_ACCESS_WANT_CANCEL => Err(OfferRefused::Reason(WND4_CANCELLED)),
        _ if !cx.core.delegates(export) => Err(OfferRefused::Reason(WND4_NOT_SUPP_FTYPE)),
        _ => Ok(()),
    }
}

/// Checks that the client's own delegation of the file can become one of this kind.
fn permits_upgrade<S>(
    cx: &Cx<'_, S>,
    own: DelegationKey,
    want: u32,
    kind: DelegationKind,
) -> Result<(), OfferRefused> {
    let held = cx.core.states.delegation(own);
    let held = held.ok_or(OfferRefused::Resource)?;
    match (held.kind, want) {
        (DelegationKind::Read, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG)
            if held.phase == DelegationPhase::Held
                && held.doomed.is_none()
                && kind == DelegationKind::Write =>
        {
            Ok(())
        }
        (DelegationKind::Write, OPEN4_SHARE_ACCESS_WANT_READ_DELEG) => {
            Err(OfferRefused::Reason(WND4_NOT_SUPP_DOWNGRADE))
        }
        // The client has the delegation already. If the reply contained it again, the client could
        // take a delegation that it is returning for a new one.
        _ => Err(OfferRefused::Contention),
    }
}

/// Delegates the file to the client, or upgrades the client's own delegation.
fn grant<S: Established>(
    cx: &mut Cx<'_, S>,
    opened: &Fetched,
    choice: &Choice,
    leased: bool,
) -> Result<DelegationKey, OfferRefused> {
    let Choice {
        client,
        own,
        kind,
        share,
    } = *choice;
    let grant = Grant {
        kind,
        rights: share,
        opener: Arc::clone(&cx.run.cred),
        leased,
        granted_by: granted_by(cx),
        change: opened.attrs.change,
        limit: opened.attrs.size.min(opened.attrs.space_used),
    };
    if let Some(own) = own {
        // The new kind has a lease of its own.
        cx.core.end_lease(own, cx.out);
    }
    let record = cx
        .core
        .clients
        .get_mut(client)
        .ok_or(OfferRefused::Resource)?;
    record.asked_for_delegations = None;
    let id = record.id;
    let states = &mut cx.core.states;
    let key = match own {
        Some(own) => {
            states.upgrade(own, grant);
            own
        }
        None => states.delegate(client, &mut record.delegations, &opened.fh, grant),
    };
    cx.out.event(Event::DelegationGranted { client: id, kind });
    Ok(key)
}

/// Whether the file system has allowed the user to write, for this share or for an earlier one.
fn may_write<S>(cx: &Cx<'_, S>, open: OpenKey, share: Share) -> bool {
    let user = Principal::of(&cx.run.cred);
    let held = cx.core.states.get(open);
    share.writes() || held.is_some_and(|open| open.rights_of(user).writes())
}

/// Whether the peer may change files of the export.
fn is_writable<S>(cx: &Cx<'_, S>, fh: &Fh) -> bool {
    cx.rights(fh.export).contains(AccessMask::MODIFY)
}

/// The kind of delegation for an open with this share. An open for writing only gets none without a
/// wish: the opener's right to read was not checked, and a delegation would help little.
fn wished(want: u32, share: Share) -> Option<DelegationKind> {
    let read = DelegationKind::Read;
    let write = DelegationKind::Write;
    match want {
        OPEN4_SHARE_ACCESS_WANT_READ_DELEG => Some(read),
        OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG => Some(write),
        OPEN4_SHARE_ACCESS_WANT_ANY_DELEG => Some(if share.writes() { write } else { read }),
        OPEN4_SHARE_ACCESS_WANT_NO_PREFERENCE => match (share.reads(), share.writes()) {
            (true, true) => Some(write),
            (true, false) => Some(read),
            (false, _) => None,
        },
        _ => None,
    }
}

fn granted_by<S: Established>(cx: &mut Cx<'_, S>) -> Option<Referred> {
    let scope = cx.run.sequenced?;
    let session = cx.core.sessions.get_mut(scope.session)?;
    let seqid = session.slots.get_mut(scope.slot)?.seqid();
    Some(Referred {
        session: scope.session,
        slot: scope.slot,
        seqid,
    })
}

/// Conflicts with any open for writing.
const UNWRITTEN: Share = Share {
    access: 0,
    deny: OPEN4_SHARE_DENY_WRITE,
};
