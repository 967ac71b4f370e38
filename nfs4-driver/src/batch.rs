//! The inputs that one thread hands to the engine together, and the work that they cause.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use nfs4_engine::fs::driver::{self, CompletionSink, FsTicket, Submitted};
use nfs4_engine::fs::{Backend, ByteLock, FsError, FsHandle, FsOp, FsRequest, FsResult};
use nfs4_engine::{ConnId, DialId, Event, Input};

use crate::clock::Clock;
use crate::log;
use crate::mailbox::{Mail, Mailbox};
use crate::slice::TimeSlice;

/// A connection that the engine asks for.
pub(crate) struct DialOrder {
    pub(crate) dial: DialId,
    pub(crate) target: SocketAddr,
    pub(crate) peer: String,
}

/// The inputs of a thread, and the part of their effects that this thread carries out.
#[derive(Default)]
pub(crate) struct Batch {
    /// The next inputs of the engine.
    pub(crate) inputs: VecDeque<Input>,
    /// Replies and callbacks for the thread's own connection.
    pub(crate) mail: Mail,
    /// Requests to file systems, to be submitted without the lock.
    pub(crate) work: VecDeque<Work>,
    /// How long the thread has worked without a pause.
    pub(crate) slice: TimeSlice,
    pub(crate) events: Vec<Event>,
    /// Connections to be made.
    pub(crate) dials: Vec<DialOrder>,
    /// Replies and callbacks to be logged, while records are.
    pub(crate) traced: Vec<(ConnId, Vec<u8>)>,
    /// Writes to stable storage are to be submitted.
    pub(crate) stores: bool,
    /// The wakers to wake after the lock is released.
    pub(crate) wakers: Vec<Waker>,
}

/// A request to a file system.
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
    Unlease {
        backend: Arc<dyn Backend>,
        fh: FsHandle,
    },
    Unlock {
        backend: Arc<dyn Backend>,
        fh: FsHandle,
        locks: Vec<ByteLock>,
    },
    /// To drop a file system can take long.
    Forget { backend: Arc<dyn Backend> },
}

impl Work {
    /// Its cost, in short requests: a long one counts by its bytes.
    fn weight(&self) -> u32 {
        let Work::Request { request, .. } = self else {
            return 1;
        };
        let bytes = match &request.op {
            FsOp::Read { count, .. } => *count,
            FsOp::ReadDir { .. } => return LOOKED_AFTER,
            FsOp::Write { data, .. } => u32::try_from(data.len()).unwrap_or(u32::MAX),
            _ => 0,
        };
        1 + bytes / WEIGHTY
    }
}

impl Batch {
    /// Takes the answers of file systems in `mailbox` as inputs.
    pub(crate) fn collect(&mut self, mailbox: &Mailbox) {
        mailbox.collect(&mut self.mail);
        self.take_done();
    }

    /// Whether there is work that needs no further input.
    pub(crate) fn is_busy(&self) -> bool {
        !self.inputs.is_empty() || !self.work.is_empty()
    }

    /// Frees the memory of a large batch.
    pub(crate) fn rest(&mut self) {
        self.inputs.shrink_to(KEPT);
        self.work.shrink_to(KEPT);
    }

    fn take_done(&mut self) {
        self.mail.take_done(&mut self.inputs);
    }

    /// Wakes connections and logs records, as collected under the lock.
    pub(crate) fn after_lock(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
        for event in self.events.drain(..) {
            log::event(&event);
        }
        for (conn, reply) in self.traced.drain(..) {
            log::sent(conn, &reply);
        }
        self.take_done();
    }

    /// Submits all requests; answers that are ready become inputs, others go to `sink` later.
    pub(crate) fn run_work(&mut self, sink: &Arc<dyn CompletionSink>) {
        while self.run_one(sink) {}
    }

    /// Submits requests until the time slice is over.
    pub(crate) fn run_slice(&mut self, sink: &Arc<dyn CompletionSink>, clock: &dyn Clock) {
        let mut weight = 0;
        while let Some(work) = self.work.front() {
            weight += work.weight();
            self.run_one(sink);
            if weight >= LOOKED_AFTER && !self.work.is_empty() {
                let now = clock.now().mono;
                self.slice.begin(now);
                if self.slice.is_over_at(now) {
                    return;
                }
                weight = 0;
            }
        }
    }

    /// Submits one request; returns `false` if there is none.
    fn run_one(&mut self, sink: &Arc<dyn CompletionSink>) -> bool {
        match self.work.pop_front() {
            None => return false,
            Some(Work::Request {
                ticket,
                backend,
                request,
            }) => {
                if let Some(result) = self.submit(backend, ticket, request, sink) {
                    self.inputs.push_back(Input::FsDone { ticket, result });
                }
            }
            Some(Work::Release { backend, fh }) => {
                if catch_unwind(AssertUnwindSafe(|| backend.release(fh))).is_err() {
                    self.inputs.push_back(Input::ReleasePanicked);
                }
            }
            Some(Work::Unlease { backend, fh }) => {
                if catch_unwind(AssertUnwindSafe(|| backend.unlease(fh))).is_err() {
                    self.inputs.push_back(Input::ReleasePanicked);
                }
            }
            Some(Work::Unlock { backend, fh, locks }) => {
                if catch_unwind(AssertUnwindSafe(|| backend.unlock(fh, &locks))).is_err() {
                    self.inputs.push_back(Input::ReleasePanicked);
                }
            }
            Some(Work::Forget { backend }) => {
                if catch_unwind(AssertUnwindSafe(|| drop(backend))).is_err() {
                    self.inputs.push_back(Input::ReleasePanicked);
                }
            }
        }
        true
    }

    /// Submits one request. A file system that panics, or that mixes answering at once and later,
    /// costs the request and not the server: what a completion still answers is ignored.
    fn submit(
        &mut self,
        backend: Arc<dyn Backend>,
        ticket: FsTicket,
        request: FsRequest,
        sink: &Arc<dyn CompletionSink>,
    ) -> Option<FsResult> {
        let submit = || driver::submit(&*backend, ticket, request, sink);
        match catch_unwind(AssertUnwindSafe(submit)) {
            Ok(Submitted::Answered(result)) => Some(result),
            Ok(Submitted::Later) => None,
            Ok(Submitted::Misused { opened, leased }) => {
                if let Some(fh) = opened {
                    self.work.push_back(Work::Release { backend, fh });
                } else if let Some(fh) = leased {
                    self.work.push_back(Work::Unlease { backend, fh });
                }
                Some(Err(FsError::Misused))
            }
            Err(_) => Some(Err(FsError::Panicked)),
        }
    }
}

/// Number of inputs and requests for which an idle connection keeps room.
const KEPT: usize = 8;
/// The cost after which the clock is read, and the bytes that count as a short request.
const LOOKED_AFTER: u32 = 4;
const WEIGHTY: u32 = 16 << 10;
