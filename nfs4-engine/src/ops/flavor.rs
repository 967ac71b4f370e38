//! Which operation answers WRONGSEC. [RFC 8881 §2.6.3.1]

use nfs4_proto::nfs4::args::{Open, OpenClaim};
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use crate::compound::Cx;

/// Checks the flavour of the credential where an operation sets a filehandle. The operations that follow
/// begin at `next`: one that goes on by a name, or asks for the flavours, answers for itself.
///
/// # Errors
/// WRONGSEC.
pub(super) fn admit_put<S>(cx: &Cx<'_, S>, export: u16, next: Reader<'_>) -> Result<(), Status> {
    if accepts(cx, export) || !uses_handle(cx, next) {
        return Ok(());
    }
    Err(Status::WRONGSEC)
}

/// Checks the flavour of the credential where an operation leads to an object of an export.
///
/// # Errors
/// WRONGSEC.
#[inline]
pub(super) fn admit<S>(cx: &Cx<'_, S>, export: u16) -> Result<(), Status> {
    if accepts(cx, export) {
        Ok(())
    } else {
        Err(Status::WRONGSEC)
    }
}

fn accepts<S>(cx: &Cx<'_, S>, export: u16) -> bool {
    cx.core.exports.accepts(export, cx.run.cred.flavor())
}

/// Whether the operations at `next` use the current filehandle otherwise than as a directory in which
/// to go on.
#[cold]
fn uses_handle<S>(cx: &Cx<'_, S>, mut next: Reader<'_>) -> bool {
    for _ in cx.run.begun..cx.run.count {
        let Ok(number) = next.u32() else {
            return false;
        };
        match OpNum(number).known() {
            // As if it were not there.
            Some(Op::SaveFh) => {}
            Some(
                Op::PutFh
                | Op::PutRootFh
                | Op::PutPubFh
                | Op::RestoreFh
                | Op::Lookup
                | Op::LookupP
                | Op::SecInfo
                | Op::SecInfoNoName,
            ) => return false,
            Some(Op::Open) => {
                let open = Open::decode(&mut next);
                return open.is_ok_and(|open| !by_name(&open.claim));
            }
            _ => return true,
        }
    }
    false
}

fn by_name(claim: &OpenClaim<'_>) -> bool {
    match claim {
        OpenClaim::Null(_) | OpenClaim::DelegateCur { .. } | OpenClaim::DelegatePrev(_) => true,
        OpenClaim::Previous(_)
        | OpenClaim::Fh
        | OpenClaim::DelegCurFh(_)
        | OpenClaim::DelegPrevFh => false,
    }
}
