//! Requests to file systems that wait until the scenario says so: first to be executed, and then
//! for the engine to hear of it.

use std::sync::Arc;

use nfs4_engine::Input;
use nfs4_engine::fs::driver::FsTicket;
use nfs4_engine::fs::{Backend, FsError, FsReply, FsRequest, FsResult};

use super::fs::Job;
use super::world::Sim;

/// Requests on their way to a file system, and answers on their way back.
#[derive(Default)]
pub(super) struct Held {
    /// Not executed yet, the oldest first.
    waiting: Vec<Job>,
    /// Executed, in the order of their execution; the engine does not know yet.
    executed: Vec<Executed>,
}

struct Executed {
    backend: Arc<dyn Backend>,
    ticket: FsTicket,
    result: FsResult,
}

impl Held {
    pub(super) fn wait(&mut self, job: Job) {
        self.waiting.push(job);
    }

    /// The server ends before it hears of what was executed.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        for Executed {
            backend, result, ..
        } in self.executed.drain(..)
        {
            // The hold of a file ends with the process.
            if let Ok(FsReply::Opened(opened)) = result {
                backend.release(opened.fh);
            }
        }
    }
}

impl Sim {
    /// Requests that wait to be executed, the oldest first.
    pub fn held(&self) -> Vec<&FsRequest> {
        let waiting = self.held.waiting.iter();
        waiting.map(|job| &job.request).collect()
    }

    /// How many requests were executed without the engine having heard of it.
    pub fn executed(&self) -> usize {
        self.held.executed.len()
    }

    /// Lets the file system execute a held request. The engine does not hear of it before
    /// [`Sim::deliver`].
    pub fn execute(&mut self, index: usize) {
        let job = self.held.waiting.remove(index);
        let backend = Arc::clone(&job.backend);
        let (ticket, result) = job.carry_out();
        self.held.executed.push(Executed {
            backend,
            ticket,
            result,
        });
    }

    /// Lets the engine hear of a request that was executed, by its place in the order of execution.
    pub fn deliver(&mut self, index: usize) {
        let Executed { ticket, result, .. } = self.held.executed.remove(index);
        self.done(ticket, result);
    }

    /// Lets the file system execute a held request and the engine hear of it, and nothing else
    /// happen.
    pub fn answer(&mut self, index: usize) {
        self.execute(index);
        self.deliver(self.held.executed.len() - 1);
    }

    /// As [`Sim::answer`], and everything happens that follows.
    pub fn complete(&mut self, index: usize) {
        self.answer(index);
        self.run();
    }

    /// Delivers all that was executed, and completes held requests and those that follow from
    /// them, until there is none.
    pub fn complete_all(&mut self) {
        while !self.held.executed.is_empty() {
            self.deliver(0);
            self.run();
        }
        while !self.held.waiting.is_empty() {
            self.complete(0);
        }
    }

    /// Lets the file system refuse a held request.
    pub fn refuse(&mut self, index: usize, error: FsError) {
        self.answer_as(index, |_| Err(error));
    }

    /// Lets a file system that may do wrong answer a held request.
    pub fn answer_as(&mut self, index: usize, answer: impl FnOnce(FsRequest) -> FsResult) {
        self.may_do_wrong = true;
        let job = self.held.waiting.remove(index);
        self.done(job.ticket, answer(job.request));
        self.run();
    }

    /// Lets the file system carry out a held request, and say something else of it.
    pub fn distort(&mut self, index: usize, distort: impl FnOnce(FsResult) -> FsResult) {
        self.may_do_wrong = true;
        let (ticket, result) = self.held.waiting.remove(index).carry_out();
        self.done(ticket, distort(result));
        self.run();
    }

    /// Lets a file system answer a held request twice.
    pub fn answer_twice(&mut self, index: usize, answers: [FsResult; 2]) {
        self.may_do_wrong = true;
        let ticket = self.held.waiting.remove(index).ticket;
        let [first, second] = answers;
        self.done(ticket, first);
        let result = second;
        self.handle(Input::FsDone { ticket, result });
        self.run();
    }
}
