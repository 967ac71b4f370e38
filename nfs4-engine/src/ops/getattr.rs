//! GETATTR. [RFC 8881 §18.7]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader, Writer};

use super::attributes;
use crate::attr::{self, MaskOf, Object, Source};
use crate::compound::{Cx, Fetched, Scope, Step};
use crate::fs::{FsResult, Want};

pub(crate) fn start<S: Scope>(cx: &mut Cx<'_, S>, args: &mut Reader<'_>) -> Result<Step, Status> {
    let mask = args::GetAttr::decode(args)?.attr_request;
    if mask.intersects(&attr::WRITE_ONLY) {
        return Err(Status::INVAL);
    }
    attributes::look(cx, &mask, *args, |cx, node| answer(cx, node, &mask))
}

pub(crate) fn resume<S: Scope>(
    cx: &mut Cx<'_, S>,
    args: &mut Reader<'_>,
    result: FsResult,
) -> Result<Step, Status> {
    let mask = args::GetAttr::decode(args)?.attr_request;
    attributes::resume(cx, &mask, *args, result, |cx, node| answer(cx, node, &mask))
}

/// The attributes for a GETATTR that follows the operation whose arguments end at `next`. The file
/// system returns them with that operation, so that one request serves both.
pub(crate) fn wanted_next<S>(cx: &Cx<'_, S>, mut next: Reader<'_>) -> Want {
    // In 4.0 a request can have more operations than are executed.
    let count = cx.run.count.min(cx.core.config.max_operations);
    for _ in cx.run.begun..count {
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

/// Encodes the attributes of this mask as a fattr4.
pub(super) fn encode<S>(
    cx: &mut Cx<'_, S>,
    node: &Fetched,
    mask: &Bitmap,
    w: &mut Writer,
) -> Result<(), Status> {
    let fh = node.fh;
    let object = Object {
        export: fh.export,
        handle: &fh.handle,
        attrs: &node.attrs,
        covers: cx.core.exports.mounted_on(&fh),
    };
    let mask_of = MaskOf {
        requested: *mask,
        export: fh.export,
        minor: cx.run.minor,
    };
    // The space of a file system is another each time.
    let can_be_kept = node.stat.is_none();
    if can_be_kept
        && let Some(template) = cx.core.templates.of(mask_of)
        && template.encode(w, &object)
    {
        return Ok(());
    }
    let locations = cx.locations(fh, mask);
    let source = Source {
        view: &cx.view(fh)?,
        object,
        stat: node.stat.as_ref(),
        locations: locations.as_deref(),
    };
    match cx.core.templates.of(mask_of) {
        Some(template) if can_be_kept => template.learn(w, mask, &source),
        Some(_) | None => attr::encode(w, mask, &source),
    }
    Ok(())
}

fn answer<S>(cx: &mut Cx<'_, S>, node: &Fetched, mask: &Bitmap) -> Result<Step, Status> {
    // Moves the reply out while it is written: encoding borrows the rest of the context.
    let mut reply = core::mem::take(cx.run.reply.body());
    let encoded = encode(cx, node, mask, &mut reply);
    *cx.run.reply.body() = reply;
    encoded.map(|()| Step::Done(Status::OK))
}
