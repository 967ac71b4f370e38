//! A server on a socket of this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nfs4_transport_tokio::driver::engine::fs::Backend;
use nfs4_transport_tokio::driver::engine::{Boot, Config, Engine, Export};
use nfs4_transport_tokio::driver::{Clock, Limits, Node, SystemClock};
use nfs4_transport_tokio::{ServeError, Server};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::files::RootOnly;
use crate::log;

/// A server that is stopped, with whatever it does, at the end of its test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) node: Node,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Serves a file system that is only a root directory.
    pub(crate) async fn start(limits: Limits) -> Running {
        Running::serve(limits, Arc::new(RootOnly)).await
    }

    /// Serves this file system.
    pub(crate) async fn serve(limits: Limits, root: Arc<dyn Backend>) -> Running {
        Running::share(node(limits, root, Arc::new(SystemClock::new()))).await
    }

    /// Serves this node.
    pub(crate) async fn share(node: Node) -> Running {
        log::keep();
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

/// A node without a transport, with as large a READ and WRITE as the limits let pass.
pub(crate) fn node(limits: Limits, root: Arc<dyn Backend>, clock: Arc<dyn Clock>) -> Node {
    let message = limits.max_record.min(limits.max_reply);
    let config = Config {
        max_io: (message - 4_096).min(1 << 20),
        grace: Duration::ZERO,
        ..Config::default()
    };
    node_of(config, limits, root, clock)
}

/// A node with these settings.
pub(crate) fn node_of(
    config: Config,
    limits: Limits,
    root: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
) -> Node {
    let boot = Boot {
        epoch: 1,
        entropy: [7; 16],
        write_verifier: [1; 8],
        server_major: b"wire".to_vec(),
        server_minor: 0,
        server_scope: b"wire".to_vec(),
    };
    let engine = Engine::new(boot, config, vec![Export::new("/", root)], clock.now()).unwrap();
    Node::with_clock(engine, limits, clock).unwrap()
}

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
