//! Whether an OPEN may be granted. [RFC 8881 §18.16]

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

use super::{delegation, flavor, io, reclaim};
use crate::compound::opening::Barred;
use crate::compound::{Cx, Established};
use crate::core::contention::Way;
use crate::delegation_kind::{DelegationKind, Touch};
use crate::fh::Fh;
use crate::fs::AccessMask;
use crate::keys::{ClientKey, DelegationKey, OpenKey};
use crate::state::file::Share;
use crate::state::table::Wanted;

/// What the file system need not check: a user may open the file of a delegation again for the access that was
/// allowed once, whatever the mode is now.
pub(super) fn rights<S>(cx: &Cx<'_, S>, claimed: Option<DelegationKey>) -> Share {
    let held = claimed.and_then(|key| cx.core.states.delegation(key));
    held.map_or(Share::default(), |held| held.rights_of(&cx.run.cred))
}

/// Whether an OPEN needs the right to write.
pub(super) fn may_change(share: Share, cut: bool) -> bool {
    share.writes() || share.denies_read() || cut
}

/// Checks that the export is still there for the peer, and still for this access: the administrator may have
/// changed it since the file system was asked.
///
/// # Errors
/// STALE, ACCESS, WRONGSEC, ROFS.
pub(super) fn admit_still<S>(cx: &mut Cx<'_, S>, export: u16, writes: bool) -> Result<(), Status> {
    cx.admit(export, Op::Open)?;
    flavor::admit(cx, export)?;
    if writes && !cx.rights(export).contains(AccessMask::MODIFY) {
        return Err(Status::ROFS);
    }
    Ok(())
}

/// Why the OPEN must not create a file, if there is a reason.
pub(super) fn barred<S>(
    cx: &mut Cx<'_, S>,
    dir: &Fh,
    length: u64,
    (client, owner): (ClientKey, &[u8]),
    claims: bool,
) -> Option<Barred> {
    if claims {
        return Some(Barred::Claims);
    }
    let rights = cx.rights(dir.export);
    if !rights.contains(AccessMask::MODIFY) {
        return Some(Barred::ReadOnly);
    }
    if io::fits(cx, dir, Some(length)).is_err() {
        return Some(Barred::TooLong);
    }
    room_for(cx, client, owner).err().map(Barred::Full)
}

/// Whether an open-owner may open one more file.
pub(super) fn room_for<S>(
    cx: &mut Cx<'_, S>,
    client: ClientKey,
    owner: &[u8],
) -> Result<(), Status> {
    let admitted = cx.core.admit_open(client, owner, cx.out);
    admitted.map_err(|full| full.of_open(cx.run.minor))
}

/// Checks the access of an OPEN against all delegations and shares, the owner's own share included
/// [RFC 8881 §18.16.3, RFC 7530 §9.9]. Returns the open of the owner, if it has the file open.
///
/// # Errors
/// DELAY if the client ended meanwhile, while a delegation conflicts, or while opens of clients with expired
/// leases are being revoked, and SHARE_DENIED.
pub(super) fn admit<S: Established>(
    cx: &mut Cx<'_, S>,
    wanted: &Wanted<'_>,
    fh: &Fh,
    needed: Share,
    cut: bool,
) -> Result<Option<OpenKey>, Status> {
    let client = wanted.client;
    if !cx.core.has_client(client) {
        return Err(Status::DELAY);
    }
    // Delegations come before shares: a holder reports its local opens when it returns the delegation.
    if cx.recalls(fh, Some(client), Touch::of(needed), cut) {
        return Err(Status::DELAY);
    }
    if !cx.core.states.admits_wanted(wanted, needed) {
        match cx.core.make_way_for_share(fh, needed, cx.out) {
            Way::Free => {}
            Way::Held(()) => return Err(Status::SHARE_DENIED),
            Way::Soon => return Err(Status::DELAY),
        }
    }
    let own = cx.core.states.find(wanted);
    // One that was taken from the client while the client was away is ending.
    match own.and_then(|key| cx.core.states.get(key)) {
        Some(open) if open.revoked => Err(cx.core.delay_until_lost(client)),
        Some(_) | None => Ok(own),
    }
}

/// As [`admit`], of a reclaim, which may have become impossible since it began. What conflicts was reclaimed
/// by another client, and one of the two had not had it. [RFC 8881 §8.4.2.1, §15.1.9.5]
///
/// # Errors
/// RECLAIM_CONFLICT, and those of [`reclaim::admit`] and [`delegation::admit_reclaim`].
pub(super) fn admit_reclaim<S: Established>(
    cx: &mut Cx<'_, S>,
    wanted: &Wanted<'_>,
    fh: &Fh,
    needed: Share,
    kind: Option<DelegationKind>,
) -> Result<Option<OpenKey>, Status> {
    let client = wanted.client;
    if !cx.core.has_client(client) {
        return Err(Status::DELAY);
    }
    reclaim::admit(cx, client, true, fh)?;
    let conflicts = |cx: &Cx<'_, S>| {
        let states = &cx.core.states;
        let mut held = states.in_the_way(fh, Some(client), Touch::of(needed));
        held.next().is_some() || !states.admits_wanted(wanted, needed)
    };
    if conflicts(cx) {
        cx.core.expire(cx.out);
        if conflicts(cx) {
            return Err(cx.core.or_delay(Status::RECLAIM_CONFLICT));
        }
    }
    if let Some(kind) = kind {
        delegation::admit_reclaim(cx, client, fh, kind)?;
    }
    Ok(cx.core.states.find(wanted))
}
