//! Where the futures of a file system are polled.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Polls the futures of a file system: a runtime, or a pool of threads such as
/// [`Workers`](crate::Workers).
pub trait Spawn: Send + Sync + 'static {
    /// Has the task polled to its end, on another thread or later. Does not block.
    ///
    /// A spawner that shuts down drops its tasks; their requests fail.
    fn spawn(&self, task: Task);

    /// Whether the calling thread may poll the file system's futures itself, as a thread of a
    /// runtime may. Requests that need no waiting are then answered at once. Not for file systems
    /// that block.
    fn polls_here(&self) -> bool {
        false
    }
}

impl<S: Spawn + ?Sized> Spawn for Arc<S> {
    fn spawn(&self, task: Task) {
        S::spawn(self, task);
    }

    fn polls_here(&self) -> bool {
        S::polls_here(self)
    }
}

/// A request to a file system that is under way: a future that polls it and delivers its answer. It
/// does not panic.
#[must_use = "it does nothing unless polled"]
pub struct Task(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Task {
    pub(crate) fn new(future: impl Future<Output = ()> + Send + 'static) -> Task {
        Task(Box::pin(future))
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task(..)")
    }
}
