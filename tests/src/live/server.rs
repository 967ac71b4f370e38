//! A server on a socket of this machine, for tests that block.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nfs4_driver::engine::fs::Backend;
use nfs4_driver::task::ServeError;
use nfs4_driver::{Clock, Node};
use nfs4_engine::{Boot, Config, Engine, Export};
use nfs4_transport_std::{self as threads, async_std as on_async_std};
use nfs4_transport_tokio as on_tokio;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// What stands between the socket and the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Tasks on tokio.
    Tokio,
    /// A thread for each connection.
    Threads,
    /// Tasks on async-std.
    AsyncStd,
}

impl Transport {
    /// What `nfs4d --driver` calls it.
    pub fn driver(self) -> &'static str {
        match self {
            Transport::Tokio => "tokio",
            Transport::Threads => "threads",
            Transport::AsyncStd => "async-std",
        }
    }
}

/// A server that runs on threads of its own, until it is dropped.
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

enum Stop {
    Task(Option<oneshot::Sender<()>>),
    Threads(threads::Stop),
}

impl Serving {
    /// Serves this node on a free port of 127.0.0.1.
    pub fn start(on: Transport, node: Node) -> Serving {
        match on {
            Transport::Tokio => Serving::on_tokio(node),
            Transport::AsyncStd => Serving::on_async_std(node),
            Transport::Threads => {
                let server = threads::Server::bind("127.0.0.1:0", node).expect("a free port");
                Serving::of_threads(server)
            }
        }
    }

    fn on_tokio(node: Node) -> Serving {
        let runtime = runtime();
        let server = runtime.block_on(on_tokio::Server::bind("127.0.0.1:0", node));
        Serving::of_runtime(runtime, server.expect("a free port"))
    }

    /// Serves on these threads.
    pub fn of_threads(server: threads::Server) -> Serving {
        Serving {
            address: server.local_addr().expect("it is bound"),
            stop: Stop::Threads(server.stop_handle()),
            thread: Some(thread::spawn(|| server.serve().expect("the engine lives"))),
        }
    }

    /// Serves on this runtime, which ends with the server.
    pub fn of_runtime(runtime: Runtime, server: on_tokio::Server) -> Serving {
        let address = server.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        Serving::in_task(runtime, address, stop, server.serve(shutdown))
    }

    fn on_async_std(node: Node) -> Serving {
        // It only polls what accepts.
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let server = runtime.block_on(on_async_std::Server::bind("127.0.0.1:0", node));
        let server = server.expect("a free port");
        let address = server.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        Serving::in_task(runtime, address, stop, server.serve(shutdown))
    }

    fn in_task(
        runtime: Runtime,
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        serve: impl Future<Output = Result<(), ServeError>> + Send + 'static,
    ) -> Serving {
        let thread = thread::spawn(move || {
            runtime.block_on(serve).expect("the engine lives");
        });
        Serving {
            address,
            stop: Stop::Task(Some(stop)),
            thread: Some(thread),
        }
    }

    /// Begins a graceful stop.
    pub fn stop(&mut self) {
        match &mut self.stop {
            Stop::Task(stop) => drop(stop.take()),
            Stop::Threads(stop) => stop.stop(),
        }
    }

    /// Stops it and waits for its end, which must be a good one.
    pub fn end(mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a good end");
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A runtime of two threads.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// An engine with one export and these settings.
pub fn engine_of(config: Config, root: Arc<dyn Backend>, clock: &dyn Clock) -> Engine {
    let boot = Boot::new(1, [7; 16], b"tests");
    let exports = vec![Export::new("/", root)];
    Engine::new(boot, config, exports, clock.now()).expect("settings in their ranges")
}
