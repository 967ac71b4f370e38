//! A request that waits for its file system, or whose answer the engine has not got yet.

use std::sync::Arc;

use nfs4_engine::fs::driver::{self, CompletionSink, FsTicket, Submitted};
use nfs4_engine::fs::{Backend, FsOp, FsReply, FsRequest, FsResult};

/// A file-system request, and its answer once it was carried out.
pub(super) struct Work {
    pub(super) ticket: FsTicket,
    backend: Arc<dyn Backend>,
    /// Whether the engine releases what an answer says is open.
    pub(super) opens: bool,
    request: Option<FsRequest>,
    pub(super) result: Option<FsResult>,
}

impl Work {
    pub(super) fn new(ticket: FsTicket, backend: Arc<dyn Backend>, request: FsRequest) -> Work {
        Work {
            ticket,
            backend,
            opens: matches!(request.op, FsOp::Open { .. }),
            request: Some(request),
            result: None,
        }
    }

    /// The file system executes the request, unless it has done so.
    pub(super) fn execute(&mut self) {
        let Some(request) = self.request.take() else {
            return;
        };
        let sink: Arc<dyn CompletionSink> = Arc::new(Never);
        let submitted = driver::submit(&*self.backend, self.ticket, request, &sink);
        if let Submitted::Answered(result) = submitted {
            self.result = Some(result);
        }
    }

    /// Answers otherwise than the file system does; what that has opened, it releases.
    pub(super) fn instead(&mut self, answer: FsResult) {
        if let Some(Ok(FsReply::Opened(opened))) = self.result.replace(answer) {
            self.backend.release(opened.fh);
        }
    }
}

/// MemFs answers at once.
struct Never;

impl CompletionSink for Never {
    fn complete(&self, _: FsTicket, _: FsResult) {}
}
