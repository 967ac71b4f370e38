//! One request to a file system, on its way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use nfs4_engine::fs::{Completion, FsError, FsResult};

use super::ended::contain;
use super::running::{Place, Running};

type Answer = Pin<Box<dyn Future<Output = FsResult> + Send>>;
type Release = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls a request and delivers its answer; ends without one when the server has gone.
pub(super) struct Request {
    work: Option<Work>,
    place: Place,
}

enum Work {
    Answered(Answer, Completion),
    Unanswered(Release),
}

impl Request {
    pub(super) fn new(answer: Answer, completion: Completion, running: &Arc<Running>) -> Request {
        Request {
            work: Some(Work::Answered(answer, completion)),
            place: running.place(),
        }
    }

    pub(super) fn without_answer(release: Release, running: &Arc<Running>) -> Request {
        Request {
            work: Some(Work::Unanswered(release)),
            place: running.place(),
        }
    }
}

impl Future for Request {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let alive = self.place.wait(cx.waker());
        let Some(mut work) = self.work.take() else {
            return Poll::Ready(());
        };
        if !alive {
            contain(work);
            return Poll::Ready(());
        }
        let polled = catch_unwind(AssertUnwindSafe(|| match &mut work {
            Work::Answered(answer, _) => answer.as_mut().poll(cx).map(Some),
            Work::Unanswered(release) => release.as_mut().poll(cx).map(|()| None),
        }));
        let result = match polled {
            Ok(Poll::Pending) => {
                self.work = Some(work);
                return Poll::Pending;
            }
            Ok(Poll::Ready(result)) => result,
            Err(_) => Some(Err(FsError::Panicked)),
        };
        match work {
            Work::Answered(answer, completion) => {
                // What it has answered stands: the engine closes what was opened.
                contain(answer);
                completion.complete(result.unwrap_or(Err(FsError::Panicked)));
            }
            Work::Unanswered(release) => contain(release),
        }
        Poll::Ready(())
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // The spawner dropped it before its end.
        contain(self.work.take());
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a fault of the file system");
        }
    }

    /// A request that is ready at the first poll, or never, and panics when it is dropped.
    fn bomb(ends: bool) -> Request {
        let bomb = Bomb;
        let future = std::future::poll_fn(move |_| {
            let _ = &bomb;
            if ends { Poll::Ready(()) } else { Poll::Pending }
        });
        Request::without_answer(Box::pin(future), &Arc::default())
    }

    #[test]
    fn a_destructor_that_panics_reaches_neither_the_spawner_nor_its_owner() {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut bomb(true)).poll(&mut cx).is_ready());
        let mut waiting = bomb(false);
        assert!(Pin::new(&mut waiting).poll(&mut cx).is_pending());
        drop(waiting);
        drop(bomb(false));
    }
}
