//! GETATTR. [RFC 8881 §18.7]

use alloc::sync::Arc;

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader, Writer};

use crate::attr::{self, Source};
use crate::compound::{Cx, Fetched, Scope, Stage, Step};
use crate::delegate::probe::Probed;
use crate::delegate::{Guard, RecallReason};
use crate::fs::{Attrs, Authority, FsError, FsOp, FsReply, FsResult, SetAttrs, SetTime, Want};
use crate::slab::Key;
use crate::state::delegation::{Answer, Delegation};

pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    look(cx, args, true)
}

/// Looks for the attributes. Who may wait a moment does so while the holder of a write delegation
/// is asked what he has made of the file.
fn look<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    may_wait: bool,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let mask = args::GetAttr::decode(args)?.attr_request;
    if mask.intersects(&attr::WRITE_ONLY) {
        return Err(Status::INVAL);
    }
    let want = attr::want(&mask);
    let op = FsOp::GetAttrs {
        fh: fh.handle,
        want,
    };
    if !cx.core.states.is_nothing_delegated() && mask.intersects(&attr::OF_DATA) {
        let who = S::sender_before(cx, *args);
        match cx.core.probe(&fh, who, cx.now, cx.out) {
            Probed::Clear => {}
            Probed::Answered(key, answer) => {
                return Ok(Step::Wait(fh.export, op, Stage::Told(key, answer)));
            }
            Probed::Asked(key) if may_wait && cx.core.may_hold() => {
                return Ok(Step::Hold(key, Stage::Asked));
            }
            Probed::Asked(_) | Probed::Recalled => return Err(Status::DELAY),
        }
    }
    if let Some(fetched) = cx.run.fetched
        && fetched.fh == fh
        && (fetched.stat.is_some() || !want.stat)
    {
        return answer(cx, &fetched, &mask);
    }
    Ok(Step::Wait(fh.export, op, Stage::Last))
}

pub(crate) fn resume<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    if !matches!(cx.run.stage, Stage::Last) {
        return resume_told(cx, args, result);
    }
    let fh = cx.current()?;
    let mask = args::GetAttr::decode(args)?.attr_request;
    match result {
        Ok(FsReply::Attrs { attrs, stat }) => answer(cx, &Fetched { fh, attrs, stat }, &mask),
        Ok(_) => Err(Status::SERVERFAULT),
        Err(error) => {
            if error == FsError::Stale {
                let who = S::sender_before(cx, *args);
                cx.core.file_is_stale(&fh, who, cx.now.mono);
            }
            Err(error.status())
        }
    }
}

/// Goes on where the holder of a write delegation has a say.
#[cold]
fn resume_told<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let stage = cx.run.stage;
    if matches!(stage, Stage::Asked) {
        // What came along with an earlier answer may have changed meanwhile.
        cx.run.fetched = None;
        return look(cx, args, false);
    }
    let fh = cx.current()?;
    let mask = args::GetAttr::decode(args)?.attr_request;
    let (mut attrs, stat) = match (result, stage) {
        (Ok(FsReply::Attrs { attrs, stat }), _) => (attrs, stat),
        (Ok(_), _) => return Err(Status::SERVERFAULT),
        (Err(_), Stage::Noted(key, _)) => {
            // Without that, only the holder knows.
            let reason = RecallReason::Conflict;
            cx.core.recall(key, false, reason, cx.now, cx.out);
            return Err(Status::DELAY);
        }
        (Err(error), _) => return Err(error.status()),
    };
    if let Stage::Told(key, told) = stage
        && is_changed(cx, key, &told, &attrs)
    {
        return note(cx, key, told);
    }
    if let Stage::Noted(_, told) = stage
        && attr::want(&mask).stat
    {
        let op = FsOp::GetAttrs {
            fh: fh.handle,
            want: attr::want(&mask),
        };
        return Ok(Step::Wait(fh.export, op, Stage::NotedWithStat(told)));
    }
    if let Stage::Noted(_, told) | Stage::NotedWithStat(told) = stage {
        attrs.size = told.size.unwrap_or(attrs.size);
    }
    answer(cx, &Fetched { fh, attrs, stat }, &mask)
}

fn is_changed<S>(cx: &Cx<'_, S>, key: Key<Delegation>, told: &Answer, attrs: &Attrs) -> bool {
    let held = cx.core.states.delegation(key);
    held.is_some_and(|held| told.tells_of_change(held, attrs))
}

/// The file of a write delegation has changed where its holder has it: its times and its change
/// attribute must never seem to go back, so they go on now, as if the holder had written.
/// [RFC 8881 §10.4.3]
fn note<S: Scope>(cx: &mut Cx<'_, S>, key: Key<Delegation>, told: Answer) -> Result<Step, Status> {
    let fh = cx.current()?;
    let held = cx.core.states.delegation(key).ok_or(Status::DELAY)?;
    let file = held.file;
    cx.run.acting = Some(Arc::clone(&held.opener));
    let place = cx.core.states.place_of(file).ok_or(Status::DELAY)?;
    cx.guard(Guard::Change(place));
    let op = FsOp::SetAttrs {
        fh: fh.handle,
        set: SetAttrs {
            modified: SetTime::Server,
            ..SetAttrs::default()
        },
        authority: Authority::Open,
    };
    Ok(Step::Wait(fh.export, op, Stage::Noted(key, told)))
}

/// What the file system should bring along for a GETATTR that follows the operation whose
/// arguments end at `next`, so that both take one request.
pub(crate) fn wanted_next<S>(cx: &Cx<'_, S>, mut next: Reader<'_>) -> Want {
    for _ in cx.run.begun..cx.run.count {
        let Ok(number) = next.u32() else { break };
        match OpNum(number).known() {
            Some(Op::GetFh) => {}
            Some(Op::GetAttr) => {
                return args::GetAttr::decode(&mut next)
                    .map_or(Want::default(), |args| attr::want(&args.attr_request));
            }
            _ => break,
        }
    }
    Want::default()
}

/// The attributes of this mask, as a fattr4.
pub(super) fn encode<S>(
    cx: &Cx<'_, S>,
    node: &Fetched,
    mask: &Bitmap,
    w: &mut Writer,
) -> Result<(), Status> {
    let fh = node.fh;
    let locations = cx.locations(fh, mask);
    let source = Source {
        view: &cx.view(fh)?,
        fh: &fh,
        attrs: &node.attrs,
        stat: node.stat.as_ref(),
        locations: locations.as_deref(),
        covers: cx.core.exports.mounted_on(&fh),
    };
    attr::encode(w, mask, &source);
    Ok(())
}

fn answer<S>(cx: &mut Cx<'_, S>, node: &Fetched, mask: &Bitmap) -> Result<Step, Status> {
    // The reply is taken out while it is written, since the rest of the context is read.
    let mut reply = core::mem::take(cx.run.reply.body());
    let encoded = encode(cx, node, mask, &mut reply);
    *cx.run.reply.body() = reply;
    encoded.map(|()| Step::Done(Status::OK))
}
