//! The object-safe side of a file system, and how a request that must wait is answered.

use alloc::sync::Arc;
use core::fmt;
use core::task::Poll;

use super::{Capabilities, FsCall, FsError, FsHandle, FsRequest, FsResult};
use crate::ids::ConnId;

/// A file system as the engine's driver sees it.
///
/// All methods are called outside the engine's lock, from any thread, many at a time.
///
/// A file that programs other than this server's clients can reach may be delegated to a client, which
/// then relies on no other program changing it, or even reading it before its own writes are here. A
/// program that lets others reach files asks the driver's node first: `Node::may_touch`. Where that is
/// not possible, [`Config::delegations`](crate::Config::delegations) must be off.
pub trait Backend: Send + Sync + 'static {
    /// The handle of the root directory; the same each time.
    fn root(&self) -> FsHandle;

    /// What this file system can do; the same each time.
    fn capabilities(&self) -> Capabilities;

    /// Carries out one request.
    ///
    /// `Ready` is the answer. Before `Pending`, the file system takes the completion out of
    /// `pending`, once, and answers through it later, from any thread. It must not block.
    ///
    /// A file system that does otherwise, or panics, costs the request, which is answered an error,
    /// and no more: what it may answer to that request afterwards is ignored.
    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult>;

    /// Lets go of a file that an [`FsOp::Open`](super::FsOp::Open) held; not answered, must not
    /// block.
    fn release(&self, fh: FsHandle);
}

/// Names one request to a file system while its COMPOUND is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FsTicket {
    /// The connection that the call came in by.
    pub conn: ConnId,
    pub(crate) index: u32,
    pub(crate) generation: u32,
    pub(crate) export: u16,
    pub(crate) call: FsCall,
}

/// Lends a [`Completion`] to a file system that cannot answer at once.
pub struct Pending<'a> {
    ticket: FsTicket,
    sink: &'a Arc<dyn CompletionSink>,
    taken: u32,
}

impl<'a> Pending<'a> {
    /// For the driver: the way back for the request of `ticket`.
    pub fn new(ticket: FsTicket, sink: &'a Arc<dyn CompletionSink>) -> Pending<'a> {
        Pending {
            ticket,
            sink,
            taken: 0,
        }
    }

    /// The means to answer later; taken once, before the file system answers `Pending`. Another
    /// one answers nothing.
    pub fn completion(&mut self) -> Completion {
        self.taken = self.taken.saturating_add(1);
        Completion {
            ticket: self.ticket,
            sink: (self.taken == 1).then(|| Arc::clone(self.sink)),
        }
    }

    /// For the driver: how many completions were taken.
    pub fn taken(&self) -> u32 {
        self.taken
    }
}

/// Answers one request, from any thread; dropped without an answer it says
/// [`FsError::NoAnswer`].
pub struct Completion {
    ticket: FsTicket,
    sink: Option<Arc<dyn CompletionSink>>,
}

impl Completion {
    /// Answers the request.
    pub fn complete(mut self, result: FsResult) {
        if let Some(sink) = self.sink.take() {
            sink.complete(self.ticket, result);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(sink) = self.sink.take() {
            sink.complete(self.ticket, Err(FsError::NoAnswer));
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

/// Where answers go; the driver implements it.
pub trait CompletionSink: Send + Sync {
    /// Takes the answer to the request of `ticket`.
    fn complete(&self, ticket: FsTicket, result: FsResult);
}
