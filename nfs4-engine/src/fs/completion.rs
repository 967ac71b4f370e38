//! The way to answer a request later.

use alloc::sync::Arc;
use core::fmt;

use super::ticket::{CompletionSink, FsTicket};
use super::{FsError, FsResult, LeaseWatch};

/// Lends a [`Completion`] to a file system that cannot answer at once.
pub struct Pending<'a> {
    ticket: FsTicket,
    sink: &'a Arc<dyn CompletionSink>,
    taken: u32,
}

impl<'a> Pending<'a> {
    /// The way to answer the request of `ticket` later.
    pub(super) fn new(ticket: FsTicket, sink: &'a Arc<dyn CompletionSink>) -> Pending<'a> {
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

    /// Where the file system reports that another process needs a file which it leases for this request;
    /// none if no one takes that, and then it leases nothing.
    pub fn lease_watch(&self) -> Option<LeaseWatch> {
        let sink = self.sink.lease_sink()?;
        Some(LeaseWatch::new(self.ticket.export, sink))
    }

    /// The number of completions that were taken.
    pub(super) fn taken(&self) -> u32 {
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

impl fmt::Debug for Pending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("ticket", &self.ticket)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
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
