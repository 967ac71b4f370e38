//! READDIR. [RFC 8881 §18.23]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::attr;
use crate::compound::{Cx, Scope, Stage, Step};
use crate::fh::Fh;
use crate::fs::{DirWriter, FsOp, FsReply, FsResult, FsStat};

pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let args = args::ReadDir::decode(args)?;
    if matches!(args.cookie, 1 | 2) {
        return Err(Status::BAD_COOKIE);
    }
    if args.attr_request.intersects(&attr::WRITE_ONLY) {
        return Err(Status::INVAL);
    }
    let want = attr::want(&args.attr_request);
    if want.stat {
        // The FsStat is the same for every entry, so it is requested once, before the listing.
        return Ok(Step::Wait(
            dir.export,
            FsOp::GetAttrs {
                fh: dir.handle,
                want,
            },
            Stage::ReadDirStat,
        ));
    }
    list(cx, &args, None)
}

pub(crate) fn resume<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let reply = result?;
    let args = args::ReadDir::decode(args)?;
    if let (Stage::ReadDirStat, FsReply::Attrs { stat, .. }) = (cx.run.stage, &reply) {
        return list(cx, &args, *stat);
    }
    let FsReply::Entries(mut entries) = reply else {
        return Err(Status::SERVERFAULT);
    };
    // Holders are not probed for each entry; the last answer of each is used.
    let (core, sender) = (&*cx.core, S::sender(cx));
    let dir = cx.current()?;
    if !entries.remembers() && !core.guards.has_no_size_note_since(&cx.run.watch) {
        // The listing began when no file was delegated for writing, so it kept no place to correct an
        // entry; its attributes may be out of date.
        if args.attr_request.intersects(&attr::OF_DATA) {
            return Err(Status::DELAY);
        }
    }
    entries.retell(|handle, change, size| {
        let fh = Fh {
            export: dir.export,
            handle,
        };
        core.as_reported(&fh, sender, &cx.run.watch, (change, size))
    })?;
    let body = entries.finish().map_err(|status| match status {
        Status::TOOSMALL => nothing_fits(cx, &args),
        status => status,
    })?;
    cx.run.reply.encoded(body);
    Ok(Step::Done(Status::OK))
}

fn list<S>(cx: &mut Cx<'_, S>, args: &args::ReadDir, stat: Option<FsStat>) -> Result<Step, Status> {
    let dir = cx.current()?;
    // The verifier is ignored: cookies stay valid while entries are created and removed.
    let max = (args.maxcount as usize)
        .min(cx.core.config.max_io as usize)
        .min(cx.run.room(0)?);
    let asked = args.attr_request;
    let number = cx.core.listings;
    cx.core.listings = number.wrapping_add(1);
    let entries = DirWriter::new(max, args.cookie, asked, cx.view(dir)?, dir.export)
        .ok_or_else(|| nothing_fits(cx, args))?
        .numbered(number)
        .with(stat, cx.locations(dir, &asked));
    cx.run.watch = cx.core.guards.watch();
    let core = &*cx.core;
    let apart =
        core.states.is_any_for_writing() || !core.guards.has_no_size_note_since(&cx.run.watch);
    let entries = if apart && asked.intersects(&attr::OF_DATA) {
        entries.remembering()
    } else {
        entries
    };
    let op = FsOp::ReadDir {
        dir: dir.handle,
        cookie: args.cookie,
        entries,
    };
    Ok(Step::Wait(dir.export, op, Stage::Last))
}

/// The status for a first entry that does not fit, by the limit of the reply or the client's own.
fn nothing_fits<S>(cx: &Cx<'_, S>, args: &args::ReadDir) -> Status {
    let wanted = args.maxcount.min(cx.core.config.max_io);
    let cut_by = cx.run.cut_by(wanted as usize);
    cut_by.unwrap_or(Status::TOOSMALL)
}
