//! SECINFO and SECINFO_NO_NAME. [RFC 8881 §18.29, §18.45]

use nfs4_proto::nfs4::args::{self, SecInfoStyle};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::AuthFlavor;
use nfs4_proto::xdr::{Decode, Reader};

use super::names;
use crate::compound::{Cx, Stage, Step};
use crate::fh::Fh;
use crate::fs::{Flavor, FsOp, FsReply, FsResult, Want};

/// SECINFO.
pub(crate) fn named<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let name = args::SecInfo::decode(args)?.name;
    let name = names::component(cx, &dir, name)?;
    let op = FsOp::Lookup {
        dir: dir.handle,
        name,
        want: Want::default(),
    };
    Ok(Step::Wait(dir.export, op, Stage::Last))
}

/// SECINFO_NO_NAME.
pub(crate) fn no_name<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let args = args::SecInfoNoName::decode(args)?;
    if args.style == SecInfoStyle::Parent && cx.core.exports.ascend(&dir).is_some() {
        // The parent is a directory of the engine, which needs no file system, and has all flavours.
        return Ok(tell(cx, None));
    }
    let want = Want::default();
    let op = match args.style {
        SecInfoStyle::CurrentFh => FsOp::GetAttrs {
            fh: dir.handle,
            want,
        },
        SecInfoStyle::Parent => FsOp::LookupParent {
            dir: dir.handle,
            want,
        },
    };
    Ok(Step::Wait(dir.export, op, Stage::Last))
}

/// SECINFO and SECINFO_NO_NAME: the object exists.
pub(crate) fn found<S>(
    cx: &mut Cx<'_, S>,
    _: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let dir = cx.current()?;
    let reply = result?;
    let found = if let FsReply::Node { fh, .. } = reply {
        cx.core.exports.descend(Fh {
            export: dir.export,
            handle: fh,
        })
    } else {
        dir
    };
    Ok(tell(cx, Some(found.export)))
}

/// Writes the flavours of an export, or of the directories above all exports, and from minor version 1 on consumes the filehandle, so that the client
/// cannot continue under a wrong one.
fn tell<S>(cx: &mut Cx<'_, S>, export: Option<u16>) -> Step {
    let flavors = export.map_or(ALL, |export| cx.core.exports.flavors(export));
    let w = cx.run.reply.body();
    w.u32(u32::try_from(flavors.len()).unwrap_or(u32::MAX));
    for flavor in flavors {
        w.u32(number(*flavor).0);
    }
    if cx.run.minor > 0 {
        cx.run.current = None;
        cx.run.current_stateid = Stateid::ANONYMOUS;
    }
    Step::Done(Status::OK)
}

const fn number(flavor: Flavor) -> AuthFlavor {
    match flavor {
        Flavor::None => AuthFlavor::NONE,
        Flavor::Sys => AuthFlavor::SYS,
    }
}

/// The flavours of the directories above the exports.
const ALL: &[Flavor] = &[Flavor::Sys, Flavor::None];
