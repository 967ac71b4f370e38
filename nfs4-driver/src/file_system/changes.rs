//! Changes of attributes, one after the other for each object.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use nfs4_engine::fs::FsHandle;

use crate::sync::{Mutex, MutexGuard};

/// The objects whose attributes are being changed. The adapter looks at the mode of an object, and has
/// the file system set another one that follows from it: a change of the mode between the two would be
/// undone.
#[derive(Default)]
pub(super) struct Changes {
    under_way: Mutex<HashMap<FsHandle, Line>>,
}

/// The changes that wait for the one under way.
#[derive(Default)]
struct Line {
    /// By number, in the order in which they came.
    waiting: BTreeMap<u64, Waker>,
    next: u64,
    /// The number of the one whose turn it is, until it has begun.
    called: Option<u64>,
}

/// A change that is under way until this is dropped.
pub(super) struct Change<'a> {
    changes: &'a Changes,
    fh: FsHandle,
}

/// The beginning of a change.
struct Begin<'a> {
    changes: &'a Changes,
    fh: FsHandle,
    /// Its number while it waits.
    number: Option<u64>,
}

impl Changes {
    /// Begins a change of an object, when those before it have ended.
    pub(super) async fn begin(&self, fh: FsHandle) -> Change<'_> {
        let begin = Begin {
            changes: self,
            fh,
            number: None,
        };
        begin.await
    }

    /// It is the turn of the next change of an object.
    fn call(&self, fh: FsHandle) {
        let next = {
            let mut under_way = self.lock();
            let Some(line) = under_way.get_mut(&fh) else {
                return;
            };
            let next = line.waiting.pop_first();
            line.called = next.as_ref().map(|(number, _)| *number);
            if next.is_none() {
                under_way.remove(&fh);
            }
            next
        };
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FsHandle, Line>> {
        // No panic leaves the value inconsistent.
        self.under_way
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<'a> Future for Begin<'a> {
    type Output = Change<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Change<'a>> {
        let (changes, fh) = (self.changes, self.fh);
        // Wakers are foreign code: they are cloned and dropped without the lock.
        let waker = cx.waker().clone();
        let mut under_way = changes.lock();
        match under_way.entry(fh) {
            Entry::Vacant(entry) => drop(entry.insert(Line::default())),
            Entry::Occupied(mut entry) => {
                let line = entry.get_mut();
                if self.number.is_none() || line.called != self.number {
                    let number = *self.number.get_or_insert(line.next);
                    line.next = line.next.max(number + 1);
                    let former = line.waiting.insert(number, waker);
                    drop(under_way);
                    drop(former);
                    return Poll::Pending;
                }
                line.called = None;
            }
        }
        drop(under_way);
        self.number = None;
        Poll::Ready(Change { changes, fh })
    }
}

impl Drop for Begin<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        let (waker, is_called) = match self.changes.lock().get_mut(&self.fh) {
            Some(line) => (line.waiting.remove(&number), line.called == Some(number)),
            None => (None, false),
        };
        drop(waker);
        if is_called {
            self.changes.call(self.fh);
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.changes.call(self.fh);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Count>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn changes_of_one_object_wait_for_each_other() {
        let changes = Changes::default();
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let [one, other] = [1, 2].map(FsHandle::from_number);
        let Poll::Ready(first) = pin!(changes.begin(one)).poll(&mut cx) else {
            panic!("nothing is under way");
        };
        assert!(pin!(changes.begin(other)).poll(&mut cx).is_ready());
        let mut second = pin!(changes.begin(one));
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(second.poll(&mut cx).is_ready());
        assert!(changes.lock().is_empty());
    }

    #[test]
    fn each_end_wakes_the_next_change_alone() {
        let changes = Changes::default();
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let fh = FsHandle::from_number(1);
        let Poll::Ready(mut running) = pin!(changes.begin(fh)).poll(&mut cx) else {
            panic!("nothing is under way");
        };
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(changes.begin(fh))).collect();
        for one in &mut waiting {
            assert!(one.as_mut().poll(&mut cx).is_pending());
        }
        // One gives up, before its turn or in it.
        drop(waiting.remove(50));
        for (ended, mut one) in waiting.into_iter().enumerate() {
            drop(running);
            assert_eq!(woken.0.load(Ordering::Relaxed), ended + 1);
            // One that comes now waits behind the others.
            let mut late = Box::pin(changes.begin(fh));
            assert!(late.as_mut().poll(&mut cx).is_pending());
            drop(late);
            let Poll::Ready(begun) = one.as_mut().poll(&mut cx) else {
                panic!("it is the turn of {ended}");
            };
            running = begun;
        }
        let mut called = Box::pin(changes.begin(fh));
        let mut last = Box::pin(changes.begin(fh));
        assert!(called.as_mut().poll(&mut cx).is_pending());
        assert!(last.as_mut().poll(&mut cx).is_pending());
        drop(running);
        drop(called);
        assert!(last.as_mut().poll(&mut cx).is_ready());
        assert!(changes.lock().is_empty());
    }
}
