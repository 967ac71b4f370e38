//! async-std, which polls the futures of file systems.

use async_std::task;
use nfs4_driver::{Spawn, Task};

/// Polls the futures of file systems on async-std: at once on the thread of the connection, and as a
/// task of their own when they have to wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawner;

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        drop(task::spawn(task));
    }

    fn polls_here(&self) -> bool {
        // Its futures may be polled on any thread.
        true
    }
}
