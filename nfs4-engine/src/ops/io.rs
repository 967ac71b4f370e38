//! The right by which READ, WRITE and SETATTR of a size access a file. [RFC 8881 §8.2.2, §8.2.3, §9.1.2]

use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;

use crate::compound::{Cx, Established};
use crate::core::contention::Way;
use crate::delegation_kind::DelegationKind;
use crate::delegation_kind::Touch;
use crate::fh::Fh;
use crate::fs::Authority;
use crate::guards::{Guard, GuardPlace};
use crate::keys::{DelegationKey, FileKey};
use crate::ops::permission;
use crate::principal::Principal;
use crate::state::file::Share;
use crate::state::open::Open;
use crate::state::stateid::Named;

/// The access of an operation to the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    Read,
    Write,
    /// Truncation to length zero.
    Cut,
}

/// The right by which an operation accesses a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Is(Authority),
    /// This file is delegated to another client; the file system must check the user's rights first.
    Asks(FileKey),
}

/// Checks that a file of this file system can have this size, before a delegation is recalled.
/// `None` is a length of 2^64 or more.
///
/// # Errors
/// FBIG if it cannot have that size.
pub(crate) fn fits<S>(cx: &Cx<'_, S>, fh: &Fh, length: Option<u64>) -> Result<(), Status> {
    let fits = |length| cx.core.exports.fits(fh.export, length);
    if fits(length.unwrap_or(u64::MAX)) {
        Ok(())
    } else {
        Err(Status::FBIG)
    }
}

/// The right by which an operation that names this stateid accesses the file; once the user is
/// `permitted`, the file system is not asked.
///
/// # Errors
/// DELAY while a delegation conflicts with a special stateid, or opens that do are being revoked, GRACE while a
/// reclaimed open may, LOCKED if an open denies a special stateid
/// the access, OPENMODE if the file was not opened for it, and those of a bad stateid.
pub(crate) fn authority<S: Established>(
    cx: &mut Cx<'_, S>,
    stateid: Stateid,
    fh: &Fh,
    intent: Intent,
    permitted: bool,
) -> Result<Right, Status> {
    if stateid == Stateid::ANONYMOUS || stateid == Stateid::READ_BYPASS {
        // A share that is still to be reclaimed may deny the access. [RFC 8881 §8.4.2.1]
        if cx.core.awaits_reclaims(cx.out.now.mono) {
            return Err(Status::GRACE);
        }
        // A special stateid conflicts as an open for this access would. [RFC 8881 §10.4.1]
        let touch = (intent.touch(), intent == Intent::Cut);
        if let Some(file) = permission::touch(cx, fh, touch, permitted)? {
            return Ok(Right::Asks(file));
        }
        let bypass = stateid == Stateid::READ_BYPASS && intent == Intent::Read;
        if bypass || cx.core.states.admits(fh, intent.share()) {
            return Ok(Right::Is(Authority::Credential));
        }
        return match cx.core.make_way_for_share(fh, intent.share(), cx.out) {
            Way::Free => Ok(Right::Is(Authority::Credential)),
            Way::Held(()) => Err(Status::LOCKED),
            Way::Soon => Err(Status::DELAY),
        };
    }
    let stateid = cx.meant(stateid)?;
    let named = cx.check(&stateid, Some(fh))?;
    let states = &cx.core.states;
    let open = match named {
        Named::Open(key) => Some(key),
        Named::Lock(key) => states.lock(key).map(|lock| lock.open),
        Named::Deleg(_) => None,
    };
    let (file, authority) = match (named, open.and_then(|key| states.get(key))) {
        (Named::Deleg(key), _) => by_delegation(cx, key, intent)?,
        (Named::Open(_) | Named::Lock(_), Some(open)) => by_open(cx, open, intent)?,
        (Named::Open(_) | Named::Lock(_), None) => return Err(Status::BAD_STATEID),
    };
    // The state can end before the file system answers; the guard outlasts it.
    let place = states.place_of(file).ok_or(Status::BAD_STATEID)?;
    cx.guard(intent.guard(place));
    Ok(Right::Is(authority))
}

/// Learns the sender from a stateid that grants no right, in 4.0: the sender's own delegations are not
/// recalled.
pub(crate) fn names_sender<S: Established>(cx: &mut Cx<'_, S>, stateid: Stateid, fh: &Fh) {
    if S::sender(cx).is_none() && !cx.core.states.is_nothing_delegated() {
        // The stateid grants nothing here, so a bad one is no error.
        let _ = cx.check(&stateid, Some(fh));
    }
}

/// The file of an open, and the authority that the open gives.
fn by_open<S>(cx: &Cx<'_, S>, open: &Open, intent: Intent) -> Result<(FileKey, Authority), Status> {
    let rights = open.rights_of(Principal::of(&cx.run.cred));
    let was_checked = match intent {
        // An open for writing may read, since clients read around what they write; the file system
        // then checks the user.
        Intent::Read => rights.reads(),
        Intent::Write | Intent::Cut if open.share.writes() => rights.writes(),
        Intent::Write | Intent::Cut => return Err(Status::OPENMODE),
    };
    Ok((open.file, authority_if(was_checked)))
}

/// The file system checks the credential of a user that it has not checked for this access before.
const fn authority_if(was_checked: bool) -> Authority {
    if was_checked {
        Authority::Open
    } else {
        Authority::Credential
    }
}

/// The file of a delegation, and the authority that the delegation gives. The kind limits the access.
/// The file system has checked only the opener, and only for a part of that access.
fn by_delegation<S>(
    cx: &Cx<'_, S>,
    key: DelegationKey,
    intent: Intent,
) -> Result<(FileKey, Authority), Status> {
    let held = cx.core.states.delegation(key).ok_or(Status::BAD_STATEID)?;
    let rights = held.rights_of(&cx.run.cred);
    let was_checked = match (intent, held.kind) {
        (Intent::Read, _) => rights.reads(),
        (Intent::Write | Intent::Cut, DelegationKind::Write) => rights.writes(),
        (Intent::Write | Intent::Cut, DelegationKind::Read) => return Err(Status::OPENMODE),
    };
    Ok((held.file, authority_if(was_checked)))
}

impl Intent {
    const fn touch(self) -> Touch {
        match self {
            Intent::Read => Touch::Read,
            Intent::Write | Intent::Cut => Touch::Change,
        }
    }

    const fn guard(self, place: GuardPlace) -> Guard {
        match self {
            Intent::Read => Guard::Read(place),
            Intent::Write | Intent::Cut => Guard::Change(place),
        }
    }

    const fn share(self) -> Share {
        match self {
            Intent::Read => Share { access: 1, deny: 0 },
            Intent::Write | Intent::Cut => Share { access: 2, deny: 0 },
        }
    }
}
