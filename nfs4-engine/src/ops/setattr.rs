//! SETATTR. [RFC 8881 §18.30]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::io::{self, Intent, Right};
use super::{permission, reclaim};
use crate::attr;
use crate::compound::permission_query::IntendedUse;
use crate::compound::{Cx, Established, Stage, Step};
use crate::delegation_kind::Touch;
use crate::fs::SetAttrs;
use crate::fs::SetTime;
use crate::fs::{Authority, FsOp, FsReply, FsResult};

pub(crate) fn start<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
) -> Result<Step, Status> {
    set(cx, args, false)
}

fn set<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    permitted: bool,
) -> Result<Step, Status> {
    let fh = cx.current()?;
    let args = args::SetAttr::decode(args)?;
    let set = attr::decode_settable(&args.obj_attributes, &cx.served())?;
    io::fits(cx, &fh, set.size.or(Some(0)))?;
    // Only a change of the length needs a stateid, as a write does.
    let right = match set.size {
        None => {
            io::names_sender(cx, args.stateid, &fh);
            Right::Is(Authority::Credential)
        }
        Some(0) => io::authority(cx, args.stateid, &fh, Intent::Cut, permitted)?,
        Some(_) => io::authority(cx, args.stateid, &fh, Intent::Write, permitted)?,
    };
    let authority = match right {
        Right::Is(authority) => authority,
        Right::Asks(file) => return permission::ask(cx, wish(&set), file),
    };
    // A SETATTR of no attribute changes nothing.
    if !set.is_empty() {
        reclaim::admit_change_of(cx, &fh)?;
        let touch = (Touch::Change, set.size == Some(0));
        if let Some(file) = permission::touch(cx, &fh, touch, permitted)? {
            return permission::ask(cx, wish(&set), file);
        }
    }
    Ok(Step::Wait(
        fh.export,
        FsOp::SetAttrs {
            fh: fh.handle,
            set,
            authority,
        },
        Stage::Last,
    ))
}

/// The access of a SETATTR: only the owner of a file may make some changes, each user that may write the
/// file the others.
fn wish(set: &SetAttrs) -> IntendedUse {
    let is_clients = |time| matches!(time, SetTime::Client(_));
    let owners = set.mode.or(set.uid).or(set.gid).is_some() || set.created.is_some();
    if owners || is_clients(set.accessed) || is_clients(set.modified) {
        IntendedUse::Own
    } else {
        IntendedUse::Write
    }
}
pub(crate) fn resume<S: Established>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    if let Stage::Queried(query) = cx.run.stage {
        return permission::answered(cx, query, result, |cx, _| set(cx, args, true));
    }
    let args = args::SetAttr::decode(args)?;
    let FsReply::Attrs { .. } = result? else {
        return Err(Status::SERVERFAULT);
    };
    args.obj_attributes.mask.encode(cx.body());
    Ok(Step::Done(Status::OK))
}
