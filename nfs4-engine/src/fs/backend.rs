//! The object-safe interface of a file system, and the way to answer a request later.

use alloc::sync::Arc;
use core::fmt;
use core::task::Poll;

use super::{Capabilities, FsCall, FsError, FsHandle, FsRequest, FsResult};
use crate::ids::ConnId;

/// A file system as the engine's driver sees it.
///
/// All methods are called outside the engine's lock, from any thread, many at a time.
///
/// A file that processes other than this server's clients can reach may be delegated to a client.
/// The client then relies on it that no other process changes the file, or even reads it while the
/// client has not yet written its changes back. A program that lets other processes reach files
/// first asks the driver's node whether they may: `Node::may_touch`. Where no such program can ask,
/// [`Config::delegations`](crate::Config::delegations) must be off.
pub trait Backend: Send + Sync + 'static {
    /// The handle of the root directory; every call returns the same.
    fn root(&self) -> FsHandle;

    /// The capabilities of this file system; every call returns the same.
    fn capabilities(&self) -> Capabilities;

    /// Executes one request.
    ///
    /// `Ready` is the answer. Before `Pending`, the file system takes the completion out of
    /// `pending`, once, and answers through it later, from any thread. It must not block.
    ///
    /// A file system that breaks these rules, or panics, fails this request only: the client gets
    /// an error, and later answers to the request are ignored.
    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult>;

    /// Releases a file that an [`FsOp::Open`](super::FsOp::Open) held. It has no answer and must
    /// not block.
    fn release(&self, fh: FsHandle);
}

/// The name of one request to a file system while its COMPOUND is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FsTicket {
    /// The connection that the call arrived on.
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
    /// For the driver: makes the way to answer the request of `ticket` later.
    pub fn new(ticket: FsTicket, sink: &'a Arc<dyn CompletionSink>) -> Pending<'a> {
        Pending {
            ticket,
            sink,
            taken: 0,
        }
    }

    /// The means to answer later; the file system takes it once, before it answers `Pending`. An
    /// answer through a second one is ignored.
    pub fn completion(&mut self) -> Completion {
        self.taken = self.taken.saturating_add(1);
        Completion {
            ticket: self.ticket,
            sink: (self.taken == 1).then(|| Arc::clone(self.sink)),
        }
    }

    /// For the driver: the number of completions that were taken.
    pub fn taken(&self) -> u32 {
        self.taken
    }
}

/// Answers one request, from any thread. If it is dropped without an answer, it answers
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

/// The receiver of late answers; the driver implements it.
pub trait CompletionSink: Send + Sync {
    /// Takes the answer to the request of `ticket`.
    fn complete(&self, ticket: FsTicket, result: FsResult);
}
