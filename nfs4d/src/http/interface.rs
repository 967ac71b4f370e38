//! The administration interface as it runs: a thread of its own, with a runtime of its own.
//!
//! A listing of many clients, or a peer that asks for one without end, takes processor time. On the
//! runtime that drives NFS it would take it from the connections that happen to be on the same thread; on a
//! thread of its own the system shares it out. It also works alike whatever drives NFS.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use tokio::runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{Connections, DoorLimits};
use super::listen::Listener;
use super::stopped::Stopped;

/// What is reached by a listener.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) router: Router,
    pub(super) limits: DoorLimits,
}

/// The running interface; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Interface {
    stop: watch::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Interface {
    /// Serves these doors.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn start(
        doors: Vec<Door>,
        (stop, stopped): (watch::Sender<()>, Stopped),
    ) -> io::Result<Interface> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("nfs4d-admin-io")
            .build()?;
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("nfs4d-admin".to_owned())
            .spawn(move || {
                let served = runtime.block_on(serve(doors, stopped));
                if let Err(why) = served {
                    tracing::error!(%why, "the administration interface has ended");
                }
                // A request that hangs is left to itself.
                runtime.shutdown_background();
                // The server may have ended without waiting.
                let _ = end.send(());
            })?;
        Ok(Interface { stop, ended })
    }

    /// Ends it: running requests are finished if that takes no longer than a second, and streams of
    /// events end at once.
    pub(crate) async fn end(self) {
        drop(self.stop);
        // It fails only if the thread is gone.
        let _ = timeout(2 * PATIENCE, self.ended).await;
    }
}

async fn serve(doors: Vec<Door>, stopped: Stopped) -> io::Result<()> {
    let mut all = JoinSet::new();
    for door in doors {
        let listener = door.listener.open()?;
        let connections = Connections::new(door.router, door.limits);
        let connections = Arc::new(connections);
        all.spawn(connections.serve(listener, stopped.clone(), PATIENCE));
    }
    while let Some(ended) = all.join_next().await {
        ended?;
    }
    Ok(())
}

/// Time that requests have to finish when the server ends.
const PATIENCE: Duration = Duration::from_secs(1);
/// Requests for metrics are answered one at a time.
const BLOCKING_THREADS: usize = 2;
