//! A file system that answers at once or later, rightly or wrongly.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use nfs4_engine::fs::{
    Backend, Capabilities, Completion, FsError, FsHandle, FsReply, FsRequest, FsResult, Pending,
};
use nfs4_vfs::{MemFs, MemFsConfig};

/// A `MemFs` whose answers can be held back.
pub(super) struct Files {
    inner: MemFs,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    late: bool,
    jobs: Vec<(FsRequest, Completion)>,
    held: i64,
}

impl Files {
    pub(super) fn new() -> Arc<Files> {
        let config = MemFsConfig::new(7, 1 << 20).with(|files| {
            files.root_mode = 0o777;
        });
        Arc::new(Files {
            inner: MemFs::new(config),
            state: Mutex::default(),
        })
    }

    /// From now on it answers at once, or later.
    pub(super) fn turn(&self) {
        let mut state = self.lock();
        state.late = !state.late;
    }

    /// Answers one request that waits, if there is one.
    pub(super) fn answer(&self, which: usize, how: u8) {
        let (request, completion) = {
            let mut state = self.lock();
            let Some(at) = which.checked_rem(state.jobs.len()) else {
                return;
            };
            state.jobs.remove(at)
        };
        let right = self.execute(request);
        let wrong = match how {
            0..4 => None,
            4 => Some(FsReply::Done),
            5 => {
                self.give_back(&right);
                return drop(completion);
            }
            _ => {
                self.give_back(&right);
                let error = FsError::ALL[usize::from(how) % FsError::ALL.len()];
                return completion.complete(Err(error));
            }
        };
        match wrong {
            None => completion.complete(right),
            Some(wrong) => {
                self.give_back(&right);
                completion.complete(Ok(wrong));
            }
        }
    }

    /// Answers all that wait, and from now on at once.
    pub(super) fn catch_up(&self) {
        self.lock().late = false;
        while self.waiting() > 0 {
            self.answer(0, 0);
        }
    }

    /// Number of requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Files that were opened and not released.
    pub(super) fn held(&self) -> i64 {
        self.lock().held
    }

    fn execute(&self, request: FsRequest) -> FsResult {
        let result = self.inner.answer(request);
        if let Ok(FsReply::Opened(_)) = result {
            self.lock().held += 1;
        }
        result
    }

    /// The engine hears nothing of it, and so releases nothing.
    fn give_back(&self, result: &FsResult) {
        if let Ok(FsReply::Opened(opened)) = result {
            self.release(opened.fh);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under the lock")
    }
}

impl Backend for Files {
    fn root(&self) -> FsHandle {
        self.inner.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        {
            let mut state = self.lock();
            if state.late {
                state.jobs.push((request, pending.completion()));
                return Poll::Pending;
            }
        }
        Poll::Ready(self.execute(request))
    }

    fn release(&self, fh: FsHandle) {
        self.lock().held -= 1;
        self.inner.release(fh);
    }
}
