//! What one thread takes away from the engine's lock.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Poll, Waker};

use nfs4_engine::fs::{
    Backend, CompletionSink, FsError, FsHandle, FsReply, FsRequest, FsResult, FsTicket, Pending,
};
use nfs4_engine::{ConnId, Event, Input};

use crate::dial::Wanted;
use crate::log;
use crate::mailbox::{Mail, Mailbox};

/// The inputs of a thread, and what they caused, as far as this thread sees to it.
#[derive(Default)]
pub(crate) struct Turn {
    /// What the engine is told next.
    pub(crate) inputs: Vec<Input>,
    /// What came back for the thread's own connection.
    pub(crate) mail: Mail,
    /// Work for file systems, to be done without the lock.
    pub(crate) work: VecDeque<Work>,
    pub(crate) events: Vec<Event>,
    /// Connections to be made.
    pub(crate) dials: Vec<Wanted>,
    /// Replies and callbacks to be logged, while records are.
    pub(crate) traced: Vec<(ConnId, Vec<u8>)>,
    /// Whom to wake after the lock is released.
    pub(crate) wakers: Vec<Waker>,
}

/// Work for a file system.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are requests, moved once"
)]
pub(crate) enum Work {
    Request {
        ticket: FsTicket,
        backend: Arc<dyn Backend>,
        request: FsRequest,
    },
    Release {
        backend: Arc<dyn Backend>,
        fh: FsHandle,
    },
}

impl Turn {
    /// Takes answers of file systems that were left in `mailbox` as inputs.
    pub(crate) fn collect(&mut self, mailbox: &Mailbox) {
        mailbox.collect(&mut self.mail);
        self.take_done();
    }

    /// Gives the memory of a large batch back.
    pub(crate) fn rest(&mut self) {
        self.inputs.shrink_to(KEPT);
        self.work.shrink_to(KEPT);
    }

    fn take_done(&mut self) {
        let done = self.mail.done.drain(..);
        self.inputs
            .extend(done.map(|(ticket, result)| Input::FsDone { ticket, result }));
    }

    /// Wakes and logs what was collected under the lock.
    pub(crate) fn after_lock(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
        for event in self.events.drain(..) {
            log::event(&event);
        }
        for (conn, reply) in self.traced.drain(..) {
            log::reply(conn, &reply);
        }
        self.take_done();
    }

    /// Does the work; answers that are ready become inputs, others go to `sink` later.
    pub(crate) fn run_work(&mut self, sink: &Arc<dyn CompletionSink>) {
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Request {
                    ticket,
                    backend,
                    request,
                } => {
                    if let Some(result) = self.submit(backend, ticket, request, sink) {
                        self.inputs.push(Input::FsDone { ticket, result });
                    }
                }
                Work::Release { backend, fh } => {
                    if catch_unwind(AssertUnwindSafe(|| backend.release(fh))).is_err() {
                        self.inputs.push(Input::ReleasePanicked);
                    }
                }
            }
        }
    }

    /// Submits one request. A file system that panics, or that mixes answering at once and later,
    /// costs the request and not the server: what a completion still says is not heard.
    fn submit(
        &mut self,
        backend: Arc<dyn Backend>,
        ticket: FsTicket,
        request: FsRequest,
        sink: &Arc<dyn CompletionSink>,
    ) -> Option<FsResult> {
        let mut pending = Pending::new(ticket, sink);
        let answer = catch_unwind(AssertUnwindSafe(|| backend.submit(request, &mut pending)));
        match (answer, pending.taken()) {
            (Ok(Poll::Ready(result)), 0) => Some(result),
            (Ok(Poll::Pending), 1) => None,
            (Ok(answer), _) => {
                if let Poll::Ready(Ok(FsReply::Opened(opened))) = answer {
                    // It is held all the same.
                    let fh = opened.fh;
                    self.work.push_back(Work::Release { backend, fh });
                }
                Some(Err(FsError::Misused))
            }
            (Err(_), _) => Some(Err(FsError::Panicked)),
        }
    }
}

/// Room for so many inputs and requests is kept by an idle connection.
const KEPT: usize = 8;
