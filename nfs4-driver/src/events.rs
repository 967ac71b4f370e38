//! What has happened, for programs that watch the node.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use nfs4_engine::{Event, Wall};

/// The last facts of a node, in the engine's order.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    facts: VecDeque<Fact>,
    /// The number of the next fact.
    next: u64,
    /// At most one waker for each reader, with the number of the reader.
    waiting: Vec<(u64, Waker)>,
    /// The number of the last reader.
    readers: u64,
    closed: bool,
}

/// A fact, its number, and when it was.
///
/// Numbers rise by one, from 1 on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact {
    /// Its number.
    pub number: u64,
    /// When it was.
    pub at: Wall,
    /// What has happened.
    pub event: Event,
}

/// What a reader of [`Events`] gets next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// A fact.
    Fact(Fact),
    /// The reader was too slow, and so many facts are gone.
    Lost(u64),
}

/// Reads what happens in a node, fact by fact: see [`Node::events`](crate::Node::events).
///
/// Readers share one history of the last 1 024 facts. A reader that is slower than that loses the oldest, and
/// delays neither the engine nor other readers. It needs no runtime, and does not keep the node alive.
pub struct Events {
    log: Arc<EventLog>,
    /// Its number among the readers.
    reader: u64,
    /// The number of the fact that is read next.
    next: u64,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl EventLog {
    /// Adds a fact, under the engine's lock. The wakers are woken after it.
    pub(crate) fn add(&self, at: Wall, event: &Event, wakers: &mut Vec<Waker>) {
        let mut kept = self.kept();
        kept.next += 1;
        let number = kept.next;
        if kept.facts.len() == KEPT {
            kept.facts.pop_front();
        }
        kept.facts.push_back(Fact {
            number,
            at,
            event: event.clone(),
        });
        wakers.extend(kept.waiting.drain(..).map(|(_, waker)| waker));
    }

    /// Nothing more will happen.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut kept = self.kept();
            kept.closed = true;
            mem::take(&mut kept.waiting)
        };
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    /// A reader of what happens after the fact with this number; without one, from now on.
    pub(crate) fn read(self: &Arc<Self>, after: Option<u64>) -> Events {
        let mut kept = self.kept();
        kept.readers += 1;
        // A number of another start is of no fact of this one.
        let after = after.filter(|after| *after <= kept.next);
        Events {
            log: Arc::clone(self),
            reader: kept.readers,
            next: after.unwrap_or(kept.next) + 1,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Events {
    /// Waits for the next fact; none when the engine has failed or the node is gone. It can be dropped
    /// at any time without a loss.
    pub async fn next(&mut self) -> Option<Happened> {
        poll_fn(|context| self.poll_next(context.waker())).await
    }

    fn poll_next(&mut self, waker: &Waker) -> Poll<Option<Happened>> {
        let mut kept = self.log.kept();
        if self.next <= kept.next {
            let oldest = kept.facts.front().map_or(kept.next, |fact| fact.number);
            if self.next < oldest {
                let lost = oldest - self.next;
                self.next = oldest;
                return Poll::Ready(Some(Happened::Lost(lost)));
            }
            let place = usize::try_from(self.next - oldest).unwrap_or(usize::MAX);
            let fact = kept.facts.get(place).cloned();
            self.next += 1;
            return Poll::Ready(fact.map(Happened::Fact));
        }
        if kept.closed {
            return Poll::Ready(None);
        }
        let own = kept.waiting.iter_mut().find(|(of, _)| *of == self.reader);
        match own {
            Some((_, own)) => own.clone_from(waker),
            None => kept.waiting.push((self.reader, waker.clone())),
        }
        Poll::Pending
    }
}

/// Its waker goes with it: readers come and go while nothing happens.
impl Drop for Events {
    fn drop(&mut self) {
        let mut kept = self.log.kept();
        let own = kept.waiting.iter().position(|(of, _)| *of == self.reader);
        let waker = own.map(|own| kept.waiting.swap_remove(own));
        // A waker may run anything when it is dropped.
        drop(kept);
        drop(waker);
    }
}

/// Number of facts that are kept for readers.
const KEPT: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use nfs4_engine::{ClientGone, Event};

    use super::*;

    fn gone(client: u64) -> Event {
        let reason = ClientGone::Evicted;
        Event::ClientGone { client, reason }
    }

    fn add(log: &EventLog, client: u64) -> usize {
        let mut wakers = Vec::new();
        log.add(Wall::default(), &gone(client), &mut wakers);
        wakers.len()
    }

    fn next(events: &mut Events) -> Poll<Option<Happened>> {
        events.poll_next(Waker::noop())
    }

    fn number(happened: Poll<Option<Happened>>) -> u64 {
        match happened {
            Poll::Ready(Some(Happened::Fact(fact))) => fact.number,
            other => panic!("no fact: {other:?}"),
        }
    }

    #[test]
    fn a_slow_reader_loses_the_oldest_facts_and_hears_how_many() {
        let log = Arc::<EventLog>::default();
        let mut events = log.read(None);
        assert_eq!(next(&mut events), Poll::Pending);
        for client in 0..KEPT as u64 + 5 {
            add(&log, client);
        }
        assert_eq!(next(&mut events), Poll::Ready(Some(Happened::Lost(5))));
        assert_eq!(number(next(&mut events)), 6);
        assert_eq!(log.kept().facts.len(), KEPT);
    }

    #[test]
    fn a_reader_continues_after_the_fact_that_it_names() {
        let log = Arc::<EventLog>::default();
        for client in 0..3 {
            add(&log, client);
        }
        assert_eq!(number(next(&mut log.read(Some(1)))), 2);
        assert_eq!(next(&mut log.read(Some(3))), Poll::Pending);
        // The number is of another start.
        assert_eq!(next(&mut log.read(Some(99))), Poll::Pending);
        log.close();
        assert_eq!(next(&mut log.read(None)), Poll::Ready(None));
    }

    #[test]
    fn readers_that_come_and_go_while_nothing_happens_leave_nothing() {
        let log = Arc::<EventLog>::default();
        let count = Arc::<Count>::default();
        let mut staying = log.read(None);
        for _ in 0..100 {
            let mut events = log.read(None);
            // A reader moves from task to task, and keeps one waker.
            for _ in 0..3 {
                let waker = Waker::from(Arc::<Count>::default());
                assert!(events.poll_next(&waker).is_pending());
            }
            let waker = Waker::from(Arc::clone(&count));
            assert!(staying.poll_next(&waker).is_pending());
            assert_eq!(log.kept().waiting.len(), 2);
        }
        assert_eq!(log.kept().waiting.len(), 1);
        assert_eq!(Arc::strong_count(&count), 2, "one waker is kept");
        assert_eq!(add(&log, 1), 1);
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_waiting_reader_is_woken_once_for_each_wait() {
        let log = Arc::<EventLog>::default();
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        let mut events = log.read(None);
        assert!(events.poll_next(&waker).is_pending());
        assert!(events.poll_next(&waker).is_pending());
        assert_eq!(add(&log, 1), 1);
        assert_eq!(add(&log, 2), 0);
        assert!(events.poll_next(&waker).is_ready());
        assert!(events.poll_next(&waker).is_ready());
        assert!(events.poll_next(&waker).is_pending());
        log.close();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
