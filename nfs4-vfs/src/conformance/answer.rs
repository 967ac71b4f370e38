//! A request, and the answer that is waited for.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nfs4_engine::fs::driver::{CompletionSink, FsTicket, Submitted, submit};
use nfs4_engine::fs::probe::Contract;
use nfs4_engine::fs::{Backend, FsRequest, FsResult};

/// Submits a request and waits for its answer, up to a minute.
///
/// # Panics
/// If it is not answered, or not as the rules of the request have it.
#[track_caller]
pub fn ask(backend: &dyn Backend, request: FsRequest) -> FsResult {
    let contract = Contract::of(&request.op);
    let ticket = FsTicket::of_probe(&request.op);
    let late = Arc::new(Late::default());
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
}

/// Longer than any answer takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);
