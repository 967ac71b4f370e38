//! CREATE, for all kinds of objects but regular files. [RFC 8881 §18.4]

use bytes::Bytes;
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::SpecData;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use super::names;
use crate::attr;
use crate::compound::{Cx, Fetched, Stage, Step};
use crate::fh::Fh;
use crate::fs::{Device, FsOp, FsReply, FsResult, NewNode};

pub(crate) fn start<S>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let dir = cx.current()?;
    let args = args::Create::decode(args)?;
    let name = names::component(cx, &dir, args.objname)?;
    let device = |spec: SpecData| Device {
        major: spec.major,
        minor: spec.minor,
    };
    let node = match args.objtype {
        args::CreateType::Directory => NewNode::Directory,
        args::CreateType::Symlink(target) => NewNode::Symlink(target_of(cx.record, target)?),
        args::CreateType::Block(spec) => NewNode::BlockDevice(device(spec)),
        args::CreateType::Character(spec) => NewNode::CharDevice(device(spec)),
        args::CreateType::Socket => NewNode::Socket,
        args::CreateType::Fifo => NewNode::Fifo,
        args::CreateType::Other(_) => return Err(Status::BADTYPE),
    };
    let set = attr::decode_settable(&args.createattrs, &cx.served())?;
    Ok(Step::Wait(
        dir.export,
        FsOp::Create {
            dir: dir.handle,
            name,
            node,
            set,
        },
        Stage::Last,
    ))
}

pub(crate) fn resume<S>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let dir = cx.current()?;
    let args = args::Create::decode(args)?;
    let FsReply::Created {
        fh,
        attrs,
        dir: change,
    } = result?
    else {
        return Err(Status::SERVERFAULT);
    };
    let fh = Fh {
        export: dir.export,
        handle: fh,
    };
    cx.run.set_current(fh);
    cx.run.fetched = Some(Fetched {
        fh,
        attrs,
        stat: None,
    });
    names::change_info(cx.body(), change);
    args.createattrs.mask.encode(cx.body());
    Ok(Step::Done(Status::OK))
}

/// The target of a new symbolic link. [RFC 8881 §18.4.3]
fn target_of(record: &Bytes, target: &[u8]) -> Result<Bytes, Status> {
    match target.len() {
        0 => Err(Status::INVAL),
        len if len > FsOp::MAX_TARGET => Err(Status::NAMETOOLONG),
        _ if target.contains(&0) => Err(Status::INVAL),
        _ => Ok(record.slice_ref(target)),
    }
}
