//! A [`FileSystem`] as a [`Backend`].

mod both;
mod changes;
mod checks;
mod data;
mod ended;
mod listing;
mod names;
mod open;
mod request;
mod running;
mod verifiers;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use nfs4_engine::fs::{
    Backend, Caller, Capabilities, FileSystem, FsError, FsHandle, FsOp, FsRequest, FsResult,
    Pending,
};

use crate::spawn::{Spawn, Task};
use changes::Changes;
use ended::contain;
use request::Request;
use running::Running;
use verifiers::Verifiers;

/// A [`FileSystem`] as a [`Backend`], whose futures a spawner polls.
///
/// Where the spawner allows it ([`Spawn::polls_here`]), each request is polled once at once, and
/// spawned only if it has to wait. See [`FileSystem`] for what becomes of requests when their client,
/// or the server, has gone.
pub struct FileSystemBackend<F> {
    host: Arc<Host<F>>,
    spawner: Box<dyn Spawn>,
    running: Arc<Running>,
    /// Shared with each release that is not done.
    releases: Arc<()>,
}

/// The file system, and what the adapter keeps for it.
struct Host<F> {
    fs: F,
    verifiers: Verifiers,
    changes: Changes,
}

impl<F: FileSystem> FileSystemBackend<F> {
    /// Polls the futures of `fs` where `spawner` says.
    pub fn new(fs: F, spawner: impl Spawn) -> FileSystemBackend<F> {
        FileSystemBackend {
            host: Arc::new(Host {
                fs,
                verifiers: Verifiers::default(),
                changes: Changes::default(),
            }),
            spawner: Box::new(spawner),
            running: Arc::default(),
            releases: Arc::default(),
        }
    }

    /// The file system.
    pub fn file_system(&self) -> &F {
        &self.host.fs
    }
}

impl<F: FileSystem> Backend for FileSystemBackend<F> {
    fn root(&self) -> FsHandle {
        self.host.fs.root()
    }

    fn capabilities(&self) -> Capabilities {
        // It has no methods for them.
        let without_locks = |can: &mut Capabilities| can.local_locks = false;
        self.host.fs.capabilities().with(without_locks)
    }

    fn is_private(&self) -> bool {
        self.host.fs.is_private()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        // No client waits for a release: those that open and close would queue them without end.
        let opens = matches!(request.op, FsOp::Open { .. });
        if opens && Arc::strong_count(&self.releases) > MAX_RELEASES {
            return Poll::Ready(Err(FsError::Busy));
        }
        let host = Arc::clone(&self.host);
        let mut answer: Pin<Box<dyn Future<Output = FsResult> + Send>> =
            Box::pin(async move { host.answer(request).await });
        if self.spawner.polls_here()
            && let Poll::Ready(result) = first_poll(answer.as_mut())
        {
            // What it has answered stands: the engine closes what was opened.
            contain(answer);
            return Poll::Ready(result);
        }
        let request = Request::new(answer, pending.completion(), &self.running);
        self.spawner.spawn(Task::new(request));
        Poll::Pending
    }

    fn release(&self, fh: FsHandle) {
        self.host.verifiers.released(fh);
        let host = Arc::clone(&self.host);
        let counted = Arc::clone(&self.releases);
        let mut release = Box::pin(async move {
            host.fs.release(fh).await;
            drop(counted);
        });
        if self.spawner.polls_here() && first_poll(release.as_mut()).is_ready() {
            return;
        }
        let request = Request::without_answer(release, &self.running);
        self.spawner.spawn(Task::new(request));
    }
}

impl<F> Drop for FileSystemBackend<F> {
    fn drop(&mut self) {
        self.running.stop();
    }
}

impl<F> fmt::Debug for FileSystemBackend<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSystemBackend")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

/// Polls once; the spawner polls again in any case, so no wake-up is needed. The driver catches a
/// panic.
fn first_poll<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

impl<F: FileSystem> Host<F> {
    /// Carries out one request.
    async fn answer(&self, request: FsRequest) -> FsResult {
        let FsRequest { cred, now, op, .. } = request;
        let caller = Caller { cred, now };
        match op {
            FsOp::GetAttrs { fh, want } => self.get_attrs(caller, fh, want).await,
            FsOp::SetAttrs { fh, set, authority } => {
                self.set_attrs(caller, fh, set, authority).await
            }
            FsOp::Access { fh, mask } => self.access(caller, fh, mask).await,
            FsOp::Lookup { dir, name, want } => self.lookup(caller, dir, name, want).await,
            FsOp::LookupParent { dir, want } => self.lookup_parent(caller, dir, want).await,
            FsOp::ReadDir {
                dir,
                cookie,
                entries,
            } => self.read_dir(caller, dir, cookie, entries).await,
            FsOp::ReadLink { fh } => self.read_link(caller, fh).await,
            FsOp::Read {
                fh,
                offset,
                count,
                authority,
                payload: _,
            } => self.read(caller, fh, offset, count, authority).await,
            FsOp::Write {
                fh,
                offset,
                data,
                stability,
                authority,
            } => {
                let bytes = data::Bytes { offset, data };
                self.write(caller, fh, bytes, stability, authority).await
            }
            FsOp::Commit { fh, offset, count } => self.commit(caller, fh, offset, count).await,
            FsOp::Create {
                dir,
                name,
                node,
                set,
            } => self.create(caller, dir, name, node, set).await,
            FsOp::Open { target, how } => self.open(caller, target, how).await,
            FsOp::Link { fh, dir, name } => self.link(caller, fh, dir, name).await,
            FsOp::Remove { dir, name } => self.remove(caller, dir, name).await,
            FsOp::Rename {
                from_dir,
                from,
                to_dir,
                to,
            } => self.rename(caller, (from_dir, from), (to_dir, to)).await,
            // It has no methods for them, and is not asked.
            FsOp::Lock { .. } | FsOp::TestLock { .. } | FsOp::Lease { .. } => {
                Err(FsError::NotSupported)
            }
            // Of a later engine.
            _ => Err(FsError::NotSupported),
        }
    }
}

/// Number of releases under way beyond which clients that open files are told to come again.
const MAX_RELEASES: usize = 4_096;
