//! A server that runs on a thread.

use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Builder, JoinHandle, Thread};

use nfs4_driver::EngineDead;

use crate::connector::{ConnectError, Connector};
use crate::server::{Next, Server};
use crate::stop::Stop;
use crate::stream::MemoryStream;

/// A server that runs on a thread of its own; it is stopped when this is dropped.
#[derive(Debug)]
pub struct Running {
    connector: Connector,
    stop: Stop,
    thread: Option<JoinHandle<Result<(), EngineDead>>>,
}

impl Server {
    /// Serves on this thread until it is stopped: see [`Server::poll`].
    ///
    /// # Errors
    /// The engine is dead.
    pub fn serve(mut self) -> Result<(), EngineDead> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match self.poll(&waker)? {
                Next::Now => {}
                Next::After(span) => thread::park_timeout(span),
                Next::Woken => thread::park(),
                Next::Ended => return Ok(()),
            }
        }
    }

    /// Serves on a thread of its own until it is stopped.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn spawn(self) -> io::Result<Running> {
        let (connector, stop) = (self.connector(), self.stop_handle());
        let thread = Builder::new()
            .name("nfs4-memory".to_owned())
            .spawn(|| self.serve())?;
        Ok(Running {
            connector,
            stop,
            thread: Some(thread),
        })
    }
}

impl Running {
    /// Connects, as [`Connector::connect`] does.
    ///
    /// # Errors
    /// There are too many connections, the server stops, or the engine is dead.
    pub fn connect(&self, peer: impl Into<String>) -> Result<MemoryStream, ConnectError> {
        self.connector.connect(peer)
    }

    /// What connects to it from other threads.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Begins a graceful stop: see [`Stop::stop`].
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Stops it and waits for its end.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn join(mut self) -> Result<(), EngineDead> {
        self.stop();
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            // It panicked: outside the engine, whose panics end in an error.
            Some(Err(_)) => Err(EngineDead),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Wakes a thread that parks.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
