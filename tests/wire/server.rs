//! A server on a socket of this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nfs4_driver::engine::Config;
use nfs4_driver::engine::fs::Backend;
use nfs4_driver::task::ServeError;
use nfs4_driver::{Clock, EngineDead, Limits, Node, SystemClock};
pub(crate) use nfs4_tests::live::Transport;
use nfs4_tests::live::engine_of;
use nfs4_transport_std::{self as threads, async_std as on_async_std};
use nfs4_transport_tokio as on_tokio;
use tokio::sync::oneshot;

use crate::files::RootOnly;
use crate::log;

/// Makes a test of a function over each [`Transport`].
macro_rules! on_each {
    ($name:ident $(, $($flavor:tt)+)?) => {
        mod $name {
            use crate::server::Transport;

            #[tokio::test $(($($flavor)+))?]
            async fn tokio() {
                super::$name(Transport::Tokio).await;
            }

            #[tokio::test $(($($flavor)+))?]
            async fn threads() {
                super::$name(Transport::Threads).await;
            }

            #[tokio::test $(($($flavor)+))?]
            async fn async_std() {
                super::$name(Transport::AsyncStd).await;
            }
        }
    };
}

/// A server that is stopped, with whatever it does, at the end of its test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) node: Node,
    stop: Stop,
    ended: oneshot::Receiver<Result<(), EngineDead>>,
}

enum Stop {
    Task(Option<oneshot::Sender<()>>),
    Threads(threads::Stop),
}

impl Running {
    /// Serves a file system that is only a root directory.
    pub(crate) async fn start(on: Transport, limits: Limits) -> Running {
        Running::serve(on, limits, Arc::new(RootOnly)).await
    }

    /// Serves this file system.
    pub(crate) async fn serve(on: Transport, limits: Limits, root: Arc<dyn Backend>) -> Running {
        Running::share(on, node(limits, root, Arc::new(SystemClock::new()))).await
    }

    /// Serves this node.
    pub(crate) async fn share(on: Transport, node: Node) -> Running {
        log::keep();
        let (end, ended) = oneshot::channel();
        let (address, stop) = match on {
            Transport::Tokio => {
                let bound = on_tokio::Server::bind("127.0.0.1:0", node.clone()).await;
                let server = bound.unwrap();
                let address = server.local_addr().unwrap();
                let (stop, stopped) = oneshot::channel();
                tokio::spawn(until(end, server.serve(async { drop(stopped.await) })));
                (address, Stop::Task(Some(stop)))
            }
            Transport::AsyncStd => {
                let bound = on_async_std::Server::bind("127.0.0.1:0", node.clone()).await;
                let server = bound.unwrap();
                let address = server.local_addr().unwrap();
                let (stop, stopped) = oneshot::channel();
                tokio::spawn(until(end, server.serve(async { drop(stopped.await) })));
                (address, Stop::Task(Some(stop)))
            }
            Transport::Threads => {
                let server = threads::Server::bind("127.0.0.1:0", node.clone()).unwrap();
                let address = server.local_addr().unwrap();
                let stop = server.stop_handle();
                std::thread::spawn(|| {
                    let result = server.serve().map_err(|why| match why {
                        threads::ServeError::EngineDead(dead) => dead,
                        threads::ServeError::Start(why) => panic!("{why}"),
                    });
                    // Most tests do not ask.
                    let _ = end.send(result);
                });
                (address, Stop::Threads(stop))
            }
        };
        Running {
            address,
            node,
            stop,
            ended,
        }
    }

    /// Begins a graceful stop.
    pub(crate) fn stop(&mut self) {
        match &mut self.stop {
            Stop::Task(stop) => drop(stop.take()),
            Stop::Threads(stop) => stop.stop(),
        }
    }

    /// Stops and waits until the server has ended.
    pub(crate) async fn ended(mut self) -> Result<(), EngineDead> {
        self.stop();
        tokio::time::timeout(PATIENCE, &mut self.ended)
            .await
            .expect("it ends")
            .unwrap()
    }

    /// Waits until there are so many connections.
    pub(crate) async fn has_connections(&self, count: usize) {
        let reached = async {
            while self.node.connections().unwrap() != count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached)
            .await
            .expect("the number of connections");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Serves in a task, and tells how that ends.
async fn until(
    end: oneshot::Sender<Result<(), EngineDead>>,
    serve: impl Future<Output = Result<(), ServeError>>,
) {
    let result = serve.await.map_err(|ServeError::EngineDead(dead)| dead);
    // Most tests do not ask.
    let _ = end.send(result);
}

/// A node without a transport, with as large a READ and WRITE as the limits let pass.
pub(crate) fn node(limits: Limits, root: Arc<dyn Backend>, clock: Arc<dyn Clock>) -> Node {
    let message = limits.max_record.min(limits.max_reply);
    let config = Config::default().with(|config| {
        config.max_io = (message - 4_096).min(1 << 20);
        config.grace = Duration::ZERO;
    });
    node_of(config, limits, root, clock)
}

/// A node with these settings.
pub(crate) fn node_of(
    config: Config,
    limits: Limits,
    root: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
) -> Node {
    let engine = engine_of(config, root, &*clock);
    Node::with_clock(engine, limits, clock).unwrap()
}

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
