//! One request to a file system, on its way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use nfs4_engine::fs::{Completion, FsError, FsResult};

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
            // Its destructors are the file system's.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(work)));
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
        if let Work::Answered(answer, completion) = work {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(answer)));
            let result = result.filter(|_| dropped.is_ok());
            completion.complete(result.unwrap_or(Err(FsError::Panicked)));
        }
        Poll::Ready(())
    }
}
