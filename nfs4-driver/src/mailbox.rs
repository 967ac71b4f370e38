//! What other threads leave for a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::Waker;

use nfs4_engine::fs::driver::{CompletionSink, FsTicket, LeaseSink};
use nfs4_engine::fs::{FsHandle, FsResult};
use nfs4_engine::{ConnId, Input, Outbox, Reply, Touch};

use crate::error::Evicted;
use crate::output::Output;
use crate::roster::Activity;
use crate::sync::{Mutex, MutexGuard};

/// Takes an answer of a file system, or of stable storage, for a closed connection, or one that no connection
/// waits for, and what happens to leases.
pub(crate) trait LateAnswers: Send + Sync {
    /// Delivers it on the calling thread.
    fn answer_late(self: Arc<Self>, answer: Input);
}

/// Takes the answers to requests that no connection of this node submitted.
pub(crate) struct Orphans(pub(crate) Weak<dyn LateAnswers>);

impl CompletionSink for Orphans {
    fn complete(&self, ticket: FsTicket, result: FsResult) {
        if let Some(node) = self.0.upgrade() {
            node.answer_late(Input::FsDone { ticket, result });
        }
    }

    fn lease_sink(&self) -> Option<Arc<dyn LeaseSink>> {
        Some(Arc::new(Orphans(self.0.clone())))
    }
}

impl LeaseSink for Orphans {
    fn wanted(&self, export: u16, fh: FsHandle, touch: Touch) {
        if let Some(node) = self.0.upgrade() {
            node.answer_late(Input::Touched { export, fh, touch });
        }
    }

    fn lost(&self, export: u16, fh: FsHandle, touch: Touch) {
        if let Some(node) = self.0.upgrade() {
            node.answer_late(Input::LeaseLost { export, fh, touch });
        }
    }
}

/// The queue of one connection: replies and callbacks in the engine's order and answers of file systems.
///
/// Actions enter it only under the node's lock, so their order is the engine's. Its own lock is the
/// innermost: no other lock is taken and no foreign code runs under it.
pub(crate) struct Mailbox {
    pub(crate) id: ConnId,
    node: Weak<dyn LateAnswers>,
    mail: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    mail: Mail,
    /// Set while the owner waits; the first thread that leaves something takes it.
    waker: Option<Waker>,
    /// The owner's activity before it last waited.
    activity: Activity,
    /// The connection is gone.
    closed: bool,
}

/// The contents of a mailbox.
#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) output: Output,
    /// Number of calls that the output answers.
    pub(crate) answered: u32,
    /// Number of callbacks in the output.
    pub(crate) called: u32,
    /// Answers of file systems, and of stable storage.
    done: Vec<Input>,
    /// The engine asks to close the connection after the output.
    pub(crate) close: bool,
    /// Why the connection is to be closed at once.
    pub(crate) evicted: Option<Evicted>,
    /// The engine knows the client.
    pub(crate) known: bool,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.output.is_empty()
            && self.answered == 0
            && self.called == 0
            && self.done.is_empty()
            && !self.close
            && self.evicted.is_none()
            && !self.known
    }

    /// Moves the answers to the inputs of the engine.
    pub(crate) fn take_done(&mut self, inputs: &mut VecDeque<Input>) {
        inputs.extend(self.done.drain(..));
    }

    /// Moves the contents of `other` behind what is here.
    fn append(&mut self, other: &mut Mail) {
        self.output.append(&mut other.output);
        self.answered += std::mem::take(&mut other.answered);
        self.called += std::mem::take(&mut other.called);
        self.done.append(&mut other.done);
        self.close |= std::mem::take(&mut other.close);
        self.evicted = self.evicted.or(other.evicted.take());
        self.known |= std::mem::take(&mut other.known);
    }
}

impl Mailbox {
    pub(crate) fn new(id: ConnId, node: Weak<dyn LateAnswers>) -> Arc<Mailbox> {
        Arc::new(Mailbox {
            id,
            node,
            mail: Mutex::default(),
        })
    }

    /// Appends all mail to `mail`. The owner is not woken until it waits again.
    pub(crate) fn collect(&self, mail: &mut Mail) {
        let mut inner = self.lock();
        inner.waker = None;
        mail.append(&mut inner.mail);
    }

    /// Waits for mail, after this activity: `waker` is called for the next. If there is mail
    /// already, it only records the activity and returns `false`.
    pub(crate) fn wait(&self, waker: &Waker, activity: Activity) -> bool {
        let mut inner = self.lock();
        inner.activity = activity;
        if !inner.mail.is_empty() {
            return false;
        }
        match &mut inner.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    /// Appends a reply; the caller calls the waker after it releases the node's lock.
    pub(crate) fn put_reply(&self, outbox: &Outbox, reply: &Reply) -> Option<Waker> {
        let mut inner = self.lock();
        inner.mail.output.push_reply(outbox, reply);
        inner.mail.answered += 1;
        inner.waker.take()
    }

    /// Appends a callback; the caller calls the waker after it releases the node's lock.
    pub(crate) fn put_call(&self, call: &[u8]) -> Option<Waker> {
        let mut inner = self.lock();
        inner.mail.output.push(call);
        inner.mail.called += 1;
        inner.waker.take()
    }

    /// Asks to close the connection; the caller calls the waker after it releases the node's lock.
    pub(crate) fn put_close(&self) -> Option<Waker> {
        let mut inner = self.lock();
        inner.mail.close = true;
        inner.waker.take()
    }

    /// Notes that the engine knows the client; the caller calls the waker after it releases the
    /// node's lock.
    pub(crate) fn put_known(&self) -> Option<Waker> {
        let mut inner = self.lock();
        inner.mail.known = true;
        inner.waker.take()
    }

    /// Asks to close the connection at once; the caller calls the waker after it releases the
    /// node's lock.
    pub(crate) fn put_eviction(&self, why: Evicted) -> Option<Waker> {
        let mut inner = self.lock();
        inner.mail.evicted.get_or_insert(why);
        inner.waker.take()
    }

    /// Closes the connection at once.
    pub(crate) fn evict(&self, why: Evicted) {
        if let Some(waker) = self.put_eviction(why) {
            waker.wake();
        }
    }

    /// What the owner did before it waited last.
    pub(crate) fn activity(&self) -> Activity {
        self.lock().activity
    }

    /// Accepts no further mail; returns what was not handled.
    pub(crate) fn close(&self) -> Mail {
        let mut inner = self.lock();
        inner.closed = true;
        inner.waker = None;
        std::mem::take(&mut inner.mail)
    }

    /// Leaves an answer for the connection's next batch; if the connection is closed, the calling thread delivers
    /// it.
    pub(crate) fn answer(&self, answer: Input) {
        let mut inner = self.lock();
        if !inner.closed {
            inner.mail.done.push(answer);
            let waker = inner.waker.take();
            drop(inner);
            if let Some(waker) = waker {
                waker.wake();
            }
            return;
        }
        drop(inner);
        if let Some(node) = self.node.upgrade() {
            node.answer_late(answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Under the lock runs only this file, `Output` and the clone of a waker: a panic leaves it
        // consistent.
        self.mail
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl CompletionSink for Mailbox {
    fn complete(&self, ticket: FsTicket, result: FsResult) {
        self.answer(Input::FsDone { ticket, result });
    }

    /// It outlives the connection.
    fn lease_sink(&self) -> Option<Arc<dyn LeaseSink>> {
        Some(Arc::new(Orphans(self.node.clone())))
    }
}
