//! The attributes of the current file, for a client that does not hold its write delegation.
//! [RFC 8881 §10.4.3]

use alloc::sync::Arc;

use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Reader;

use super::permission;
use crate::attr;
use crate::compound::permission_query::IntendedUse;
use crate::compound::{Cx, Fetched, Scope, Stage, Step};
use crate::core::delegation::probe::Probed;
use crate::delegation_kind::RecallReason;
use crate::delegation_kind::Touch;
use crate::fs::{Attrs, Authority, FsError, FsOp, FsReply, FsResult, FsStat, SetAttrs, SetTime};
use crate::guards::Guard;
use crate::keys::DelegationKey;
use crate::state::delegation::{HolderAnswer, ReportedSize};

/// Looks for the attributes that an operation wants whose arguments end at `next`, and continues with
/// them by `then`, now or when they have come.
#[inline]
pub(super) fn look<S: Scope>(
    cx: &mut Cx<'_, S>,
    mask: &Bitmap,
    next: Reader<'_>,
    then: impl FnOnce(&mut Cx<'_, S>, &Fetched) -> Result<Step, Status>,
) -> Result<Step, Status> {
    look_or_wait(cx, mask, next, (false, true), then)
}

/// Continues when they have come, or something that is known of them.
#[inline]
pub(super) fn resume<S: Scope>(
    cx: &mut Cx<'_, S>,
    mask: &Bitmap,
    next: Reader<'_>,
    result: FsResult,
    then: impl FnOnce(&mut Cx<'_, S>, &Fetched) -> Result<Step, Status>,
) -> Result<Step, Status> {
    if !matches!(cx.run.stage, Stage::Last) {
        return resume_told(cx, mask, next, result, then);
    }
    let fh = cx.current()?;
    match result {
        Ok(FsReply::Attrs { attrs, stat }) => {
            let mut found = Fetched { fh, attrs, stat };
            tell(cx, mask, next, &mut found)?;
            then(cx, &found)
        }
        Ok(_) => Err(Status::SERVERFAULT),
        Err(error) => {
            note_if_stale(cx, next, error)?;
            Err(error.status())
        }
    }
}

/// Ends the delegations of a file that no longer exists.
fn note_if_stale<S: Scope>(
    cx: &mut Cx<'_, S>,
    next: Reader<'_>,
    error: FsError,
) -> Result<(), Status> {
    if error == FsError::Stale {
        let (fh, sender) = (cx.current()?, S::sender_before(cx, next));
        cx.core.note_stale_file(&fh, sender, cx.out);
    }
    Ok(())
}

/// Gets the attributes. If the user is not `permitted` yet, the file system checks that first. A
/// request that `may_wait` waits for the holder of a write delegation to answer the probe.
#[inline]
fn look_or_wait<S: Scope>(
    cx: &mut Cx<'_, S>,
    mask: &Bitmap,
    next: Reader<'_>,
    (permitted, may_wait): (bool, bool),
    then: impl FnOnce(&mut Cx<'_, S>, &Fetched) -> Result<Step, Status>,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let want = attr::want(mask);
    let op = FsOp::GetAttrs {
        fh: fh.handle,
        want,
    };
    if cx.core.states.is_any_for_writing() && mask.intersects(&attr::OF_DATA) {
        let sender = S::sender_before(cx, next);
        let known = permitted || cx.run.fetched.is_some_and(|fetched| fetched.fh == fh);
        if !known && let Some(file) = permission::delegated(cx, &fh, sender, Touch::Read) {
            return permission::ask(cx, IntendedUse::Look, file);
        }
        match cx.core.probe(&fh, sender, cx.out) {
            Probed::Clear | Probed::Known => {}
            Probed::Answered(key, answer) => {
                cx.run.watch = cx.core.guards.watch();
                return Ok(Step::Wait(
                    fh.export,
                    op,
                    Stage::HolderAnswered(key, answer),
                ));
            }
            Probed::Asked(key) if may_wait && cx.core.may_hold(cx.run) => {
                return Ok(Step::AwaitHolder(key, Stage::Asked));
            }
            Probed::Asked(_) | Probed::Recalled => return Err(Status::DELAY),
        }
    }
    if let Some(mut fetched) = cx.run.fetched
        && fetched.fh == fh
        && (fetched.stat.is_some() || !want.stat)
    {
        tell(cx, mask, next, &mut fetched)?;
        return then(cx, &fetched);
    }
    cx.run.watch = cx.core.guards.watch();
    Ok(Step::Wait(fh.export, op, Stage::Last))
}

/// Replaces the file system's change attribute and size by those of the holder of a write delegation,
/// unless the file system has newer ones.
fn tell<S: Scope>(
    cx: &Cx<'_, S>,
    mask: &Bitmap,
    next: Reader<'_>,
    found: &mut Fetched,
) -> Result<(), Status> {
    let core = &*cx.core;
    let apart =
        core.states.is_any_for_writing() || !core.guards.has_no_size_note_since(&cx.run.watch);
    if apart && mask.intersects(&attr::OF_DATA) {
        let sender = S::sender_before(cx, next);
        let Attrs { change, size, .. } = &mut found.attrs;
        core.as_reported(&found.fh, sender, &cx.run.watch, (change, size))?;
    }
    Ok(())
}

/// Continues where the holder of a write delegation has a say.
#[cold]
fn resume_told<S: Scope>(
    cx: &mut Cx<'_, S>,
    mask: &Bitmap,
    next: Reader<'_>,
    result: FsResult,
    then: impl FnOnce(&mut Cx<'_, S>, &Fetched) -> Result<Step, Status>,
) -> Result<Step, Status> {
    let stage = cx.run.stage;
    if matches!(stage, Stage::Asked) {
        // Attributes from an earlier answer may have changed meanwhile.
        cx.run.fetched = None;
        return look_or_wait(cx, mask, next, (true, false), then);
    }
    if let Stage::Queried(query) = stage {
        if let Err(error) = result {
            note_if_stale(cx, next, error)?;
        }
        return permission::answered(cx, query, result, |cx, _| {
            look_or_wait(cx, mask, next, (true, true), then)
        });
    }
    let fh = cx.current()?;
    let (mut attrs, stat) = read_or_recall(cx, stage, result)?;
    if let Stage::HolderAnswered(key, answer) = stage {
        if is_changed(cx, key, &answer, &attrs) {
            return note(cx, key, Stage::Noted(key, answer.size));
        }
        if cx.core.guards.has_size_note_since(&fh, &cx.run.watch) {
            return Err(Status::DELAY);
        }
        report_as(cx, key, attrs.change, None);
    }
    if let Stage::Noted(key, size) = stage {
        if let Some(size) = size.filter(|size| *size != attrs.size) {
            // Never again with this change attribute: the change attribute advances to the next.
            let (held, change, former) = (key, attrs.change, attrs.size);
            let stage = Stage::Kept {
                held,
                change,
                size,
                former,
            };
            return note(cx, key, stage);
        }
        report_as(cx, key, attrs.change, None);
    }
    if let Stage::Kept {
        held,
        change,
        size,
        former,
    } = stage
    {
        let after = attrs.change;
        let reported = ReportedSize {
            size,
            change,
            after,
        };
        // The holder may have written meanwhile.
        report_as(cx, held, change, (attrs.size == former).then_some(reported));
    }
    if let Stage::Kept { change, size, .. } | Stage::WithStat { change, size } = stage {
        (attrs.change, attrs.size) = (change, size);
    }
    if stat.is_none() && attr::want(mask).stat {
        let op = FsOp::GetAttrs {
            fh: fh.handle,
            want: attr::want(mask),
        };
        let (change, size) = (attrs.change, attrs.size);
        return Ok(Step::Wait(fh.export, op, Stage::WithStat { change, size }));
    }
    then(cx, &Fetched { fh, attrs, stat })
}

/// The attributes that the file system returned.
///
/// # Errors
/// DELAY, with a recall, if the file system could not record the holder's change.
fn read_or_recall<S>(
    cx: &mut Cx<'_, S>,
    stage: Stage,
    result: FsResult,
) -> Result<(Attrs, Option<FsStat>), Status> {
    match (result, stage) {
        (Ok(FsReply::Attrs { attrs, stat }), _) => Ok((attrs, stat)),
        (Ok(_), _) => Err(Status::SERVERFAULT),
        (Err(_), Stage::Noted(key, _) | Stage::Kept { held: key, .. }) => {
            // Without the record, only the holder knows of the change.
            let reason = RecallReason::Conflict;
            cx.core.recall(key, false, reason, cx.out);
            Err(Status::DELAY)
        }
        (Err(error), _) => Err(error.status()),
    }
}

fn is_changed<S>(cx: &Cx<'_, S>, key: DelegationKey, answer: &HolderAnswer, attrs: &Attrs) -> bool {
    let held = cx.core.states.delegation(key);
    held.is_some_and(|held| answer.reports_change(held, attrs))
}

/// Sets the change attribute, and the size that the holder reports, that other clients get.
fn report_as<S>(
    cx: &mut Cx<'_, S>,
    key: DelegationKey,
    change: u64,
    reported: Option<ReportedSize>,
) {
    if let Some(held) = cx.core.states.delegation_mut(key) {
        held.set_reported(change, reported);
    }
}

/// The file of a write delegation has changed where its holder has it: its times and its change
/// attribute must never seem to go back, so they advance now, as if the holder had written.
fn note<S: Scope>(cx: &mut Cx<'_, S>, key: DelegationKey, stage: Stage) -> Result<Step, Status> {
    let fh = cx.current()?;
    let held = cx.core.states.delegation(key).ok_or(Status::DELAY)?;
    let file = held.file;
    let opener = Arc::clone(&held.opener);
    let place = cx.core.states.place_of(file).ok_or(Status::DELAY)?;
    cx.run.acting_as = Some(opener);
    cx.guard(Guard::SizeNote(place));
    let op = FsOp::SetAttrs {
        fh: fh.handle,
        set: SetAttrs {
            modified: SetTime::Server,
            ..SetAttrs::default()
        },
        authority: Authority::Open,
    };
    Ok(Step::Wait(fh.export, op, stage))
}
