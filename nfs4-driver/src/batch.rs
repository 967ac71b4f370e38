//! The inputs that one thread hands to the engine together, and the work that they cause.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use nfs4_engine::fs::driver::{self, CompletionSink, Submitted};
use nfs4_engine::fs::{FsError, FsOp};
use nfs4_engine::{Action, ConnId, DialId, Event, Input};

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
    /// The actions that concern file systems, to be carried out without the lock.
    pub(crate) work: VecDeque<Action>,
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

/// The cost of an action in [`Batch::work`], in short requests: a long one counts by its bytes.
fn weight(action: &Action) -> u32 {
    let Action::Fs { request, .. } = action else {
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
        while let Some(action) = self.work.front() {
            weight += self::weight(action);
            self.run_one(sink);
            if weight >= LOOKED_AFTER && !self.work.is_empty() {
                let now = clock.mono();
                self.slice.begin(now);
                if self.slice.is_over_at(now) {
                    return;
                }
                weight = 0;
            }
        }
    }

    /// Carries out one action; returns `false` if there is none. A file system that panics costs the
    /// request and not the server.
    fn run_one(&mut self, sink: &Arc<dyn CompletionSink>) -> bool {
        let ticket = match self.work.front() {
            None => return false,
            Some(Action::Fs { ticket, .. }) => Some(*ticket),
            Some(_) => None,
        };
        // It is taken out in there: to move a request into a closure costs several copies of it.
        if catch_unwind(AssertUnwindSafe(|| self.run_first(sink))).is_err() {
            self.inputs.push_back(match ticket {
                Some(ticket) => Input::FsDone {
                    ticket,
                    result: Err(FsError::Panicked),
                },
                None => Input::ReleasePanicked,
            });
        }
        true
    }

    /// Carries out the first action. A request that is answered at once and later has failed: what a
    /// completion still answers is ignored.
    fn run_first(&mut self, sink: &Arc<dyn CompletionSink>) {
        match self.work.pop_front() {
            Some(Action::Fs {
                ticket,
                backend,
                request,
            }) => match driver::submit(&*backend, ticket, request, sink) {
                Submitted::Answered(result) => {
                    self.inputs.push_back(Input::FsDone { ticket, result });
                }
                Submitted::Later => {}
                Submitted::Misused { opened, leased } => {
                    let export = ticket.export();
                    if let Some(fh) = opened {
                        self.work.push_back(Action::Release {
                            export,
                            backend,
                            fh,
                        });
                    } else if let Some(fh) = leased {
                        self.work.push_back(Action::Unlease {
                            export,
                            backend,
                            fh,
                        });
                    }
                    let result = Err(FsError::Misused);
                    self.inputs.push_back(Input::FsDone { ticket, result });
                }
            },
            Some(Action::Release { backend, fh, .. }) => backend.release(fh),
            Some(Action::Unlease { backend, fh, .. }) => backend.unlease(fh),
            Some(Action::Unlock {
                backend, fh, locks, ..
            }) => backend.unlock(fh, &locks),
            // To drop a file system can take long.
            Some(Action::Forget { backend, .. }) => drop(backend),
            Some(_) | None => {}
        }
    }
}

/// Number of inputs and requests for which an idle connection keeps room.
const KEPT: usize = 8;
/// The cost after which the clock is read, and the bytes that count as a short request.
const LOOKED_AFTER: u32 = 4;
const WEIGHTY: u32 = 16 << 10;
