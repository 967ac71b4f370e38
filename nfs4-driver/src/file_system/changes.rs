//! Changes of attributes, one after the other for each object.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use nfs4_engine::fs::FsHandle;

use crate::sync::{Mutex, MutexGuard};

/// The objects whose attributes are being changed. The adapter looks at the mode of an object, and has
/// the file system set another one that follows from it: a change of the mode between the two would be
/// undone.
#[derive(Default)]
pub(super) struct Changes {
    /// With the changes that wait for the one under way.
    under_way: Mutex<HashMap<FsHandle, Vec<Waker>>>,
}

/// A change that is under way until this is dropped.
pub(super) struct Change<'a> {
    changes: &'a Changes,
    fh: FsHandle,
}

impl Changes {
    /// Begins a change of an object, when that before it has ended.
    pub(super) async fn begin(&self, fh: FsHandle) -> Change<'_> {
        poll_fn(|cx| self.poll_begin(fh, cx)).await
    }

    fn poll_begin(&self, fh: FsHandle, cx: &Context<'_>) -> Poll<Change<'_>> {
        match self.lock().entry(fh) {
            Entry::Vacant(entry) => {
                entry.insert(Vec::new());
                Poll::Ready(Change { changes: self, fh })
            }
            Entry::Occupied(mut entry) => {
                let wakers = entry.get_mut();
                if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    wakers.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FsHandle, Vec<Waker>>> {
        // No panic leaves the value inconsistent.
        self.under_way
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let waiting = self.changes.lock().remove(&self.fh);
        // Foreign code: without the lock. All are woken, since one of them may have been dropped.
        for waker in waiting.into_iter().flatten() {
            waker.wake();
        }
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
}
