//! A server on a socket of this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use nfs4_transport_tokio::driver::engine::fs::{
    Backend, Capabilities, FsError, FsHandle, FsRequest, FsResult, Pending,
};
use nfs4_transport_tokio::driver::engine::{Boot, Config, Engine};
use nfs4_transport_tokio::driver::{Clock, Limits, Node, SystemClock};
use nfs4_transport_tokio::{ServeError, Server};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::log;

/// A server that is stopped, with whatever it does, at the end of its test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) node: Node,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Serves a file system that can do nothing.
    pub(crate) async fn start(limits: Limits) -> Running {
        Running::serve(limits, Arc::new(NoFs)).await
    }

    /// Serves this file system.
    pub(crate) async fn serve(limits: Limits, root: Arc<dyn Backend>) -> Running {
        log::keep();
        let node = node(limits, root);
        let server = Server::bind("127.0.0.1:0", node.clone()).await.unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Running {
            address,
            node,
            stop: Some(stop),
            task,
        }
    }

    /// Begins a graceful stop.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops and waits until the server has ended.
    pub(crate) async fn ended(mut self) -> Result<(), ServeError> {
        self.stop();
        tokio::time::timeout(PATIENCE, self.task)
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

/// A node without a transport.
pub(crate) fn node(limits: Limits, root: Arc<dyn Backend>) -> Node {
    let clock = Arc::new(SystemClock::new());
    let boot = Boot {
        epoch: 1,
        entropy: [7; 16],
        write_verifier: [1; 8],
        server_major: b"wire".to_vec(),
        server_minor: 0,
        server_scope: b"wire".to_vec(),
    };
    let engine = Engine::new(boot, Config::default(), root, clock.now()).unwrap();
    Node::with_clock(engine, limits, clock).unwrap()
}

/// A file system that can do nothing.
struct NoFs;

impl Backend for NoFs {
    fn root(&self) -> FsHandle {
        FsHandle::new(b"root").unwrap()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            hard_links: false,
            symlinks: false,
            case_insensitive: false,
            case_preserving: true,
            max_name: 255,
            max_links: 1,
            max_file_size: 0,
            time_granularity: 1,
        }
    }

    fn submit(&self, _: FsRequest, _: &mut Pending<'_>) -> Poll<FsResult> {
        Poll::Ready(Err(FsError::NotSupported))
    }

    fn release(&self, _: FsHandle) {}
}

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
