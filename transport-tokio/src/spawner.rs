//! A tokio runtime that polls the futures of file systems.

use std::fmt;

use nfs4_driver::{Spawn, Task};
use tokio::runtime::Handle;

/// Polls the futures of file systems on a tokio runtime: at once on the thread of the connection,
/// and as a task of their own when they have to wait.
#[derive(Clone)]
pub struct Spawner {
    runtime: Handle,
}

impl Spawner {
    /// A spawner for this runtime.
    pub fn new(runtime: Handle) -> Spawner {
        Spawner { runtime }
    }
}

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        drop(self.runtime.spawn(task));
    }

    fn polls_here(&self) -> bool {
        // Another thread may complete a request, and submit the one that follows it.
        Handle::try_current().is_ok_and(|here| here.id() == self.runtime.id())
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spawner").field(&self.runtime.id()).finish()
    }
}
