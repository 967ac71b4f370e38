//! A file system that answers at once or later, rightly or wrongly.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use nfs4_engine::fs::{
    Backend, ByteLock, ByteRange, Capabilities, Completion, FsError, FsHandle, FsOp, FsReply,
    FsRequest, FsResult, LockKind, Pending,
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
    /// Bytes of the locks that are counted: of shared ones, and of exclusive ones.
    locked: [i128; 2],
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
        let lock = lock_of(&request);
        let right = self.execute(request);
        let wrong = match how {
            0..4 => None,
            4 => Some(FsReply::Done),
            5 => {
                self.give_back(&right, lock);
                return drop(completion);
            }
            _ => {
                self.give_back(&right, lock);
                let error = FsError::ALL[usize::from(how) % FsError::ALL.len()];
                return completion.complete(Err(error));
            }
        };
        match wrong {
            None => completion.complete(right),
            Some(wrong) => {
                self.give_back(&right, lock);
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

    /// Bytes of locks that were counted and not returned.
    pub(super) fn locked(&self) -> [i128; 2] {
        self.lock().locked
    }

    /// Processes beside the server lock nothing here.
    fn execute(&self, request: FsRequest) -> FsResult {
        if let Some((_, lock)) = lock_of(&request) {
            self.count(&lock, 1);
            return Ok(FsReply::Lock { held: None });
        }
        if let FsOp::TestLock { .. } = request.op {
            return Ok(FsReply::Lock { held: None });
        }
        let result = self.inner.answer(request);
        if let Ok(FsReply::Opened(_)) = result {
            self.lock().held += 1;
        }
        result
    }

    /// The engine hears nothing of it, and so releases nothing.
    fn give_back(&self, result: &FsResult, lock: Option<(FsHandle, ByteLock)>) {
        if let Some((fh, lock)) = lock {
            self.unlock(fh, &[lock]);
        }
        if let Ok(FsReply::Opened(opened)) = result {
            self.release(opened.fh);
        }
    }

    fn count(&self, lock: &ByteLock, by: i128) {
        let ByteRange { first, last } = lock.range;
        let bytes = i128::from(last - first) + 1;
        self.lock().locked[usize::from(lock.kind == LockKind::Write)] += by * bytes;
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
        self.inner.capabilities().with(|can| can.local_locks = true)
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

    fn unlock(&self, _: FsHandle, locks: &[ByteLock]) {
        for lock in locks {
            self.count(lock, -1);
        }
    }
}

/// The lock that is asked for.
fn lock_of(request: &FsRequest) -> Option<(FsHandle, ByteLock)> {
    if let FsOp::Lock { fh, lock } = &request.op {
        Some((*fh, *lock))
    } else {
        None
    }
}
