//! WRITE. [RFC 8881 §18.32]

use nfs4_proto::nfs4::basic::{StableHow, Verifier};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::nfs4::{args, res};
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::io::{self, Intent, Right};
use super::permission;
use crate::compound::permission_query::IntendedUse;
use crate::compound::{Cx, Established, Stage, Step};
use crate::fs::{FsOp, FsReply, FsResult, Stability};

pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    write(cx, args, false)
}

fn write<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    permitted: bool,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::Write::decode(args)?;
    let stability = match args.stable {
        StableHow::Unstable => Stability::Unstable,
        StableHow::DataSync => Stability::Data,
        StableHow::FileSync => Stability::File,
    };
    io::fits(cx, &fh, args.offset.checked_add(args.data.len() as u64))?;
    let authority = match io::authority(cx, args.stateid, &fh, Intent::Write, permitted)? {
        Right::Is(authority) => authority,
        Right::Asks(file) => return permission::ask(cx, IntendedUse::Write, file),
    };
    // A WRITE beyond `max_io` is not refused but written in part. [RFC 8881 §18.32.3]
    let most = args.data.len().min(cx.core.config.max_io as usize);
    let data = cx
        .record
        .slice_ref(args.data.get(..most).unwrap_or_default());
    let op = FsOp::Write {
        fh: fh.handle,
        offset: args.offset,
        data,
        stability,
        authority,
    };
    Ok(Step::Wait(fh.export, op, Stage::Last))
}

pub(crate) fn resume<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    if let Stage::Queried(query) = cx.run.stage {
        return permission::answered(cx, query, result, |cx, _| write(cx, args, true));
    }
    let FsReply::Written {
        count,
        stability,
        losses,
    } = result?
    else {
        return Err(Status::SERVERFAULT);
    };
    let export = cx.current()?.export;
    cx.out.metrics.written(export, count);
    cx.run.moved.written += count;
    let committed = match stability {
        Stability::Unstable => StableHow::Unstable,
        Stability::Data => StableHow::DataSync,
        Stability::File => StableHow::FileSync,
    };
    let losses = cx.core.exports.losses_of(export, losses);
    let writeverf = Verifier(cx.core.boot.verifier_after(losses));
    res::WriteOk {
        count,
        committed,
        writeverf,
    }
    .encode(cx.body());
    Ok(Step::Done(Status::OK))
}
