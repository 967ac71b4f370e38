//! What servers in tasks have in common.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use nfs4_driver::EngineDead;
use nfs4_driver::task::ServeError;
use tokio::runtime::Runtime;
use tokio::sync::oneshot::{self, Receiver, Sender};

/// A server that a runtime drives on a thread of its own.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    stop: Option<Sender<()>>,
    thread: JoinHandle<Result<(), ServeError>>,
}

impl Serving {
    /// Serves until [`Serving::stop`].
    pub(crate) fn start<F>(
        runtime: Runtime,
        address: SocketAddr,
        serve: impl FnOnce(Stopped) -> F,
    ) -> Serving
    where
        F: Future<Output = Result<(), ServeError>> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let serve = serve(Stopped(stopped));
        Serving {
            address,
            stop: Some(stop),
            thread: thread::spawn(move || runtime.block_on(serve)),
        }
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn join(self) -> Result<(), EngineDead> {
        match self.thread.join().expect("no panic") {
            Ok(()) => Ok(()),
            Err(ServeError::EngineDead(dead)) => Err(dead),
        }
    }
}

/// Is ready when the server is to stop.
pub(crate) struct Stopped(Receiver<()>);

impl Stopped {
    pub(crate) async fn wait(self) {
        drop(self.0.await);
    }
}
