//! Writes to stable storage that are under way.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::nfs4::status::Status;

use crate::count::Count;
use crate::keys::{ClientKey, CompoundKey, kind};
use crate::slab::{Entry, Key, Slab};
use crate::stable::{RecordKey, StableError, StableTicket};
use crate::time::Mono;

/// The writes that have no answer yet.
pub(crate) struct Stores {
    /// There is stable storage.
    pub(crate) are_kept: bool,
    pending: Slab<Store>,
    /// Number of COMPOUNDs that wait for one.
    waiting: usize,
    /// Number of writes by which clients are forgotten that still have state, and the last of them.
    forgets: usize,
    last_forget: Option<StableTicket>,
    /// The write that the operation in execution waits for instead of answering DELAY.
    delaying: Option<StableTicket>,
    /// The writes that have failed and that no client asks for again.
    failed: VecDeque<FailedStore>,
    /// Number of these of clients that are gone.
    failed_gone: usize,
    /// The last write to end has failed, and how long after it another is tried.
    is_failing: bool,
    pause: Duration,
    /// A timer for that is set.
    again_is_set: bool,
    /// When a failure was last reported, and the number of failures since.
    reported: Option<Mono>,
    unreported: u64,
}

/// One write under way.
pub(crate) struct Store {
    pub(crate) purpose: StorePurpose,
    /// The COMPOUNDs that continue when it has ended.
    pub(crate) waiting: Vec<CompoundKey>,
}

/// A write that has failed and is tried again.
#[derive(Debug)]
pub(crate) enum FailedStore {
    /// Of the record of a client.
    Of(ClientKey),
    /// By which a client is forgotten that is gone.
    Gone(RecordKey),
}

/// What is done when a write has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StorePurpose {
    /// The client is recorded, or its record has changed.
    Record(ClientKey),
    /// The client has no record any more, and its state may end.
    Forget(ClientKey),
    /// Nothing: the client is gone, and has no record any more.
    Gone(RecordKey),
    /// The grace period has ended.
    GraceOver,
}

impl StorePurpose {
    const fn forgets(&self) -> bool {
        matches!(self, StorePurpose::Forget(_))
    }
}

impl Entry for Store {
    type Kind = kind::Store;
}

impl Stores {
    pub(crate) const fn new(are_kept: bool) -> Stores {
        Stores {
            are_kept,
            pending: Slab::new(),
            waiting: 0,
            forgets: 0,
            last_forget: None,
            delaying: None,
            failed: VecDeque::new(),
            failed_gone: 0,
            is_failing: false,
            pause: AGAIN,
            again_is_set: false,
            reported: None,
            unreported: 0,
        }
    }

    /// Number of writes under way.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether state of a client is about to end that is forgotten now.
    pub(crate) const fn is_forgetting(&self) -> bool {
        self.forgets > 0
    }

    /// The write by which the last such client is forgotten.
    pub(crate) fn forgetting(&self) -> Option<StableTicket> {
        self.last_forget.filter(|_| self.is_forgetting())
    }

    /// Once this write has ended, the operation in execution may succeed, which now has to answer DELAY.
    pub(crate) fn delays(&mut self, ticket: StableTicket) {
        self.delaying = Some(ticket);
    }

    /// Whether [`Stores::delays`] has noted one.
    pub(crate) fn is_delaying(&self) -> bool {
        self.delaying.is_some()
    }

    /// What [`Stores::delays`] has noted since this was last called.
    pub(crate) fn take_delaying(&mut self) -> Option<StableTicket> {
        self.delaying.take()
    }

    /// Number of COMPOUNDs that wait for one.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// The writes under way.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Store> + '_ {
        self.pending.iter()
    }

    /// A write begins.
    pub(crate) fn begin(&mut self, purpose: StorePurpose) -> StableTicket {
        let forgets = purpose.forgets();
        self.forgets += usize::from(forgets);
        let key = self.pending.insert(Store {
            purpose,
            waiting: Vec::new(),
        });
        let ticket = StableTicket {
            index: key.index,
            generation: key.generation,
        };
        if forgets {
            self.last_forget = Some(ticket);
        }
        ticket
    }

    /// Whether one more COMPOUND may wait for a write.
    pub(crate) fn admits(&self, ticket: StableTicket) -> bool {
        let store = self.pending.get(ticket.key());
        store.is_none_or(|store| store.waiting.len() < MOST_WAITING)
    }

    /// A COMPOUND waits for the end of a write; `false` if it has ended.
    pub(crate) fn wait(&mut self, ticket: StableTicket, run: CompoundKey) -> bool {
        let Some(store) = self.pending.get_mut(ticket.key()) else {
            return false;
        };
        store.waiting.push(run);
        self.waiting += 1;
        true
    }

    /// A write has ended; none if it has ended before, or never began.
    pub(crate) fn end(&mut self, ticket: StableTicket) -> Option<Store> {
        let ended = self.pending.remove(ticket.key())?;
        self.waiting.lower(ended.waiting.len());
        self.forgets.lower(usize::from(ended.purpose.forgets()));
        Some(ended)
    }

    /// Notes a write that is tried again. Of clients that are gone, at most [`MOST_GONE`] are: the server waits for
    /// the others in the grace period after its next start.
    pub(crate) fn note_failed(&mut self, failed: FailedStore) {
        if let FailedStore::Gone(_) = failed {
            if self.failed_gone >= MOST_GONE {
                return;
            }
            self.failed_gone += 1;
        }
        self.failed.push_back(failed);
    }

    /// Whether a write waits to be tried again.
    pub(crate) fn is_any_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// The write that has waited longest to be tried again.
    pub(crate) fn take_failed(&mut self) -> Option<FailedStore> {
        let failed = self.failed.pop_front()?;
        if let FailedStore::Gone(_) = failed {
            self.failed_gone.lower(1);
        }
        Some(failed)
    }

    /// A write has ended, and when writes that have failed are to be tried again: none if there are none, or if
    /// that is known.
    pub(crate) fn next_try(&mut self, stored: bool, now: Mono) -> Option<Mono> {
        let recovers = stored && core::mem::replace(&mut self.is_failing, !stored);
        self.is_failing = !stored;
        if stored {
            self.pause = AGAIN;
        }
        if self.failed.is_empty() || self.again_is_set && !recovers {
            return None;
        }
        self.again_is_set = true;
        let wait = if stored { Duration::ZERO } else { self.pause };
        if !stored {
            self.pause = (2 * self.pause).min(MOST_PAUSE);
        }
        Some(now.after(wait))
    }

    /// Writes that have failed are tried again: as long as the storage fails, one at a time. Returns the
    /// maximum number of writes.
    pub(crate) fn try_again(&mut self) -> usize {
        self.again_is_set = false;
        if self.is_failing { 1 } else { usize::MAX }
    }

    /// How long after a failure a write is tried again.
    pub(crate) const fn pause(&self) -> Duration {
        self.pause
    }

    /// Counts a failure; returns the number of failures since the last report, this one included, if it is
    /// time for another report.
    pub(crate) fn note_failure(&mut self, now: Mono) -> Option<u64> {
        self.unreported = self.unreported.saturating_add(1);
        if self.reported.is_some_and(|at| now < at.after(PAUSE)) {
            return None;
        }
        self.reported = Some(now);
        Some(core::mem::take(&mut self.unreported))
    }
}

impl StableTicket {
    fn key(self) -> Key<kind::Store> {
        Key::new(self.index, self.generation)
    }
}

/// The status of an operation that depends on a write which has failed: the client tries again.
impl From<StableError> for Status {
    fn from(_: StableError) -> Status {
        Status::DELAY
    }
}

/// Maximum number of writes that are tried again by which clients are forgotten that are gone.
const MOST_GONE: usize = 256;
/// Maximum number of COMPOUNDs that wait for one write: they continue together.
const MOST_WAITING: usize = 64;
/// How long after a failure a write is tried again that no client waits for: at first, and at most.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(64);
/// Minimum time between two reports of failures.
const PAUSE: Duration = Duration::from_secs(60);
