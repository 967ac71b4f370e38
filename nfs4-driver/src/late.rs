//! Answers of file systems, and of stable storage, for connections that are closed, delivered by the thread that
//! completes the request.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use nfs4_engine::Input;

use crate::mailbox::LateAnswers;
use crate::shared::Shared;

/// An answer, and the node that it is for.
type Answer = (Arc<Shared>, Input);

thread_local! {
    /// The answers that the thread still has to deliver; none while it delivers nothing.
    static WAITING: RefCell<Option<VecDeque<Answer>>> = const { RefCell::new(None) };
}

/// Delivers an answer, and the answers that arrive meanwhile.
///
/// An answer can cause a request that the file system completes before it returns: that answer
/// waits until this one is done, since otherwise the stack would grow with every operation of a
/// COMPOUND.
fn complete(node: Arc<Shared>, answer: Input) {
    let mut first = Some((node, answer));
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
    // Even if the engine panics.
    let _delivering = Delivering;
    let mut next = first;
    while let Some((node, answer)) = next {
        node.deliver(answer);
        let waiting = WAITING.try_with(|waiting| waiting.borrow_mut().as_mut()?.pop_front());
        // At the end of the thread there is no queue.
        next = waiting.ok().flatten();
    }
}

impl LateAnswers for Shared {
    fn answer_late(self: Arc<Self>, answer: Input) {
        complete(self, answer);
    }
}

struct Delivering;

impl Drop for Delivering {
    fn drop(&mut self) {
        // The contents are dropped after the borrow: a drop may end a node.
        let _ = WAITING.try_with(RefCell::take);
    }
}
