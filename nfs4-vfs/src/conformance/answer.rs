//! A request, and the answer that is waited for.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nfs4_engine::Touch;
use nfs4_engine::fs::driver::{CompletionSink, FsTicket, LeaseSink, Submitted, submit};
use nfs4_engine::fs::probe::Contract;
use nfs4_engine::fs::{Backend, FsHandle, FsRequest, FsResult};

/// Submits a request and waits for its answer, up to a minute.
///
/// # Panics
/// If it is not answered, or not as the rules of the request have it.
#[track_caller]
pub fn ask(backend: &dyn Backend, request: FsRequest) -> FsResult {
    answered(backend, request, Late::default())
}

/// The same, and `tell` takes what happens to the lease that is asked for.
#[track_caller]
pub(super) fn ask_watched(
    backend: &dyn Backend,
    request: FsRequest,
    tell: &Sender<News>,
) -> FsResult {
    let late = Late {
        tell: Some(Mutex::new(tell.clone())),
        ..Late::default()
    };
    answered(backend, request, late)
}

/// What a file system reports of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A process waits.
    Wanted(FsHandle, Touch),
    /// The process waits no longer.
    Lost(FsHandle, Touch),
}

#[track_caller]
fn answered(backend: &dyn Backend, request: FsRequest, late: Late) -> FsResult {
    let contract = Contract::of(&request.op);
    let ticket = FsTicket::of_probe(&request.op);
    let late = Arc::new(late);
    let sink: Arc<dyn CompletionSink> = Arc::clone(&late) as _;
    let answer = match submit(backend, ticket, request, &sink) {
        Submitted::Answered(answer) => answer,
        Submitted::Later => late.wait(&contract),
        Submitted::Misused { .. } => {
            panic!("{contract:?} is answered at once and later, or neither")
        }
    };
    if let Err(fault) = contract.check(&answer) {
        panic!("{contract:?}: {fault}: {answer:?}");
    }
    answer
}

/// An answer that comes later.
#[derive(Default)]
struct Late {
    answer: Mutex<Option<FsResult>>,
    came: Condvar,
    /// For what is reported of leases.
    tell: Option<Mutex<Sender<News>>>,
}

impl Late {
    #[track_caller]
    fn wait(&self, asked: &Contract) -> FsResult {
        let end = Instant::now() + PATIENCE;
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = answer.take() {
                return answer;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{asked:?} is not answered");
            let woken = self.came.wait_timeout(answer, left);
            answer = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl CompletionSink for Late {
    fn complete(&self, _: FsTicket, result: FsResult) {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        *answer = Some(result);
        self.came.notify_all();
    }

    fn lease_sink(&self) -> Option<Arc<dyn LeaseSink>> {
        let tell = self.tell.as_ref()?.lock();
        let tell = tell.unwrap_or_else(PoisonError::into_inner).clone();
        Some(Arc::new(Watch(Mutex::new(tell))))
    }
}

/// Takes what is reported of a lease.
struct Watch(Mutex<Sender<News>>);

impl Watch {
    fn tell(&self, news: News) {
        let tell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The case may have ended.
        let _ = tell.send(news);
    }
}

impl LeaseSink for Watch {
    fn wanted(&self, _: u16, fh: FsHandle, touch: Touch) {
        self.tell(News::Wanted(fh, touch));
    }

    fn lost(&self, _: u16, fh: FsHandle, touch: Touch) {
        self.tell(News::Lost(fh, touch));
    }
}

/// Longer than any answer takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);
