//! A listener and its connections.

use std::io;
use std::net::SocketAddr;

use nfs4_driver::{Accepts, Closing, EngineDead, Node, Refused};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::stream::serve_stream;
use crate::{dial, log, timer};

/// Serves a [`Node`] on one TCP listener. Several servers may share a node.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    node: Node,
}

/// Why [`Server::serve`] ended without a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// The engine is dead.
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
}

impl Server {
    /// Listens at an address; port 0 lets the system choose one.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn bind(address: impl ToSocketAddrs, node: Node) -> io::Result<Server> {
        Ok(Server::new(TcpListener::bind(address).await?, node))
    }

    /// Serves an existing listener.
    pub fn new(listener: TcpListener, node: Node) -> Server {
        Server { listener, node }
    }

    /// The address of the listener.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The node that it serves.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Serves until `shutdown` is ready; then it accepts and makes no connection, drains those that
    /// are there, and returns when the calls in flight are answered. After
    /// [`Limits::stop_timeout`](nfs4_driver::Limits::stop_timeout) it cuts off what is left.
    ///
    /// # Errors
    /// The engine is dead.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Server { listener, node } = self;
        let (stop, _) = watch::channel(false);
        let mut timer = JoinSet::new();
        timer.spawn(timer::run(node.timer()));
        let mut dialer = node.dialer();
        let mut connections = JoinSet::new();
        let mut accepts = Accepts::new(node.clone());
        // Time of the next accept, after a failure.
        let mut pause = None;
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                _ = timer.join_next() => return Err(EngineDead.into()),
                Some(ended) = connections.join_next() => match ended {
                    Ok(Some(Closing::EngineDead(dead))) => return Err(dead.into()),
                    Ok(_) => {}
                    // It panicked: in the engine, or outside it.
                    Err(_) => drop(node.connections()?),
                },
                dial = dial::next(&mut dialer) => {
                    let patience = node.limits().dial_timeout;
                    connections.spawn(dial::carry_out(dial, patience, stop.subscribe()));
                }
                accepted = accept(&listener, &mut pause) => match accepted {
                    Ok((stream, peer)) => {
                        start(&mut connections, &node, stream, peer, stop.subscribe())?;
                    }
                    Err(why) => pause = Some(Instant::now() + accepts.failed(&why)),
                },
            }
        }
        drop((listener, dialer));
        stop.send_replace(true);
        let all = async {
            while let Some(ended) = connections.join_next().await {
                if let Ok(Some(Closing::EngineDead(dead))) = ended {
                    return Err(dead);
                }
            }
            Ok(())
        };
        match timeout(node.limits().stop_timeout, all).await {
            Ok(ended) => Ok(ended?),
            Err(_) => {
                log::cut_off(connections.len());
                connections.shutdown().await;
                Ok(())
            }
        }
    }
}

/// The next connection, once a pause is over.
async fn accept(
    listener: &TcpListener,
    pause: &mut Option<Instant>,
) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(until) = *pause {
        sleep_until(until).await;
        *pause = None;
    }
    listener.accept().await
}

/// Starts the task of a connection, unless there are too many.
fn start(
    connections: &mut JoinSet<Option<Closing>>,
    node: &Node,
    stream: TcpStream,
    peer: SocketAddr,
    mut stop: watch::Receiver<bool>,
) -> Result<(), EngineDead> {
    let connection = match node.open(peer.to_string()) {
        Ok(connection) => connection,
        Err(Refused::TooManyConnections | Refused::TooManyOfPeer) => return Ok(()),
        Err(Refused::EngineDead(dead)) => return Err(dead),
    };
    // Without the option the server is slower, and correct.
    let _ = stream.set_nodelay(true);
    connections.spawn(async move {
        let stopped = async {
            // The sender outlives every connection, or they are all aborted.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        Some(serve_stream(stream, connection, stopped).await)
    });
    Ok(())
}
