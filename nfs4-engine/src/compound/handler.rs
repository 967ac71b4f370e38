//! What runs an operation, and in which scopes.

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Reader;

use crate::compound::context::Cx;
use crate::compound::{Sequenced, Sessionless, Step, V40};
use crate::fs::FsResult;

/// One operation. An empty column is a scope in which it is not served.
pub(crate) struct Row {
    pub(crate) op: Op,
    pub(crate) flags: Flags,
    /// Maximum bytes of its result after the status, for an operation that changes something:
    /// room for them is proved before it begins.
    pub(crate) reply_bound: Option<usize>,
    /// Without a session.
    pub(crate) bare: Option<Handler<Sessionless>>,
    /// In minor version 0.
    pub(crate) v40: Option<Handler<V40>>,
    /// After SEQUENCE, in minor versions 1 and 2.
    pub(crate) v41: Option<Handler<Sequenced>>,
}

/// What the runner checks for an operation.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    /// It needs a current filehandle.
    pub(crate) needs_current: bool,
    /// It asks the file system about the current filehandle, or leads to one that does: PUTFH
    /// before it need not.
    pub(crate) consults: bool,
    /// Attributes that came with an earlier answer are still true after it.
    pub(crate) keeps_fetched: bool,
    /// It must be the first operation.
    pub(crate) first_only: bool,
}

type Start<S> = fn(&mut Cx<'_, S>, &mut Reader<'_>) -> Result<Step, Status>;
type Resume<S> = fn(&mut Cx<'_, S>, &mut Reader<'_>, FsResult) -> Result<Step, Status>;

/// What runs an operation in one scope.
pub(crate) struct Handler<S: 'static> {
    pub(crate) start: Start<S>,
    pub(crate) resume: Resume<S>,
}

impl<S> Handler<S> {
    /// An operation that never waits.
    pub(crate) const fn now(start: Start<S>) -> Handler<S> {
        Handler {
            start,
            resume: |_, _, _| Err(Status::SERVERFAULT),
        }
    }

    /// An operation that waits for a file system.
    pub(crate) const fn waiting(start: Start<S>, resume: Resume<S>) -> Handler<S> {
        Handler { start, resume }
    }
}
