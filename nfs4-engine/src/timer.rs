//! Deadlines, each with its reason.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use crate::callback::Call;
use crate::client::Client;
use crate::ids::ConnId;
use crate::slab::Key;
use crate::state::delegation::Delegation;
use crate::state::file::File;
use crate::time::Mono;

/// What becomes due.
///
/// An entry is a reminder to look, not the decision: deadlines move, and whoever looks decides by
/// the clock and sets the next reminder.
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    minted: u64,
}

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Whether this client's lease ran out.
    Lease(Key<Client>),
    /// A draining connection has had its time.
    Drain(ConnId),
    /// Somebody's turn to lock this file may be over.
    Turn(Key<File>),
    /// The sessions are to be gone through for slots that must come back.
    Slots,
    /// A callback has waited for long enough, for an answer or for its turn.
    Callback(Key<Call>),
    /// Something is to be done about the callback path to a client of minor version 0.
    Path(Key<Client>),
    /// Replies of minor version 0 may be old enough to be forgotten.
    Replies,
    /// A COMPOUND has waited for a client's answer.
    Hold,
    /// A COMPOUND that let others have their turn goes on.
    Yielded,
    /// Whether a recalled delegation has come back, or its client must be told again.
    Recall(Key<Delegation>),
}

#[derive(PartialEq, Eq)]
struct Entry {
    at: Mono,
    // Equal deadlines come due in the order they were set.
    order: u64,
    due: Due,
}

impl Timers {
    pub(crate) const fn new() -> Timers {
        Timers {
            heap: BinaryHeap::new(),
            minted: 0,
        }
    }

    pub(crate) fn set(&mut self, at: Mono, due: Due) {
        self.minted += 1;
        self.heap.push(Reverse(Entry {
            at,
            order: self.minted,
            due,
        }));
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Drops the reminders that are not worth keeping. Whoever sets them for what peers can make
    /// and unmake at will does this when they are many, or they would pile up until they are due.
    pub(crate) fn retain(&mut self, worth: impl Fn(Due) -> bool) {
        self.heap.retain(|Reverse(entry)| worth(entry.due));
    }

    pub(crate) fn next(&self) -> Option<(Mono, Due)> {
        self.heap.peek().map(|Reverse(entry)| (entry.at, entry.due))
    }

    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<Due> {
        if self.next()?.0 > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.due)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> core::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
