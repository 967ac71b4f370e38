//! Answers of file systems that no connection waits for, delivered by the thread that brings them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use nfs4_engine::fs::{FsResult, FsTicket};

use crate::mailbox::LateAnswers;
use crate::shared::Shared;

/// An answer, and the node that it is for.
type Answer = (Arc<Shared>, FsTicket, FsResult);

thread_local! {
    /// What the thread has still to deliver; none while it delivers nothing.
    static WAITING: RefCell<Option<VecDeque<Answer>>> = const { RefCell::new(None) };
}

/// Delivers an answer, and what file systems answer meanwhile.
///
/// What follows from an answer can be a request that the file system answers through its completion
/// before it returns: that waits until this one is done, or the stack would grow with every
/// operation of a COMPOUND.
fn complete(node: Arc<Shared>, ticket: FsTicket, result: FsResult) {
    let mut first = Some((node, ticket, result));
    let is_nested = WAITING.try_with(|waiting| match &mut *waiting.borrow_mut() {
        Some(waiting) => {
            waiting.extend(first.take());
            true
        }
        none => {
            *none = Some(VecDeque::new());
            false
        }
    });
    if is_nested == Ok(true) {
        return;
    }
    // Also if the engine panics.
    let _delivering = Delivering;
    let mut next = first;
    while let Some((node, ticket, result)) = next {
        node.deliver(ticket, result);
        let waiting = WAITING.try_with(|waiting| waiting.borrow_mut().as_mut()?.pop_front());
        // Without the queue, at the end of the thread, nothing can wait in it.
        next = waiting.ok().flatten();
    }
}

impl LateAnswers for Shared {
    fn answer_late(self: Arc<Self>, ticket: FsTicket, result: FsResult) {
        complete(self, ticket, result);
    }
}

struct Delivering;

impl Drop for Delivering {
    fn drop(&mut self) {
        // What it held is dropped without the queue: that may end a node.
        let _ = WAITING.try_with(RefCell::take);
    }
}
