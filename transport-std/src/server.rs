//! A listener and its connections.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::thread;

use nfs4_driver::{Accepts, EngineDead, Node};

#[cfg(unix)]
use crate::listener::unix::Unix;
use crate::listener::{AnyListener, Listener};
use crate::runner::Runner;
use crate::stop::{Phase, Stop};

/// Serves a [`Node`] on one listener. Several servers may share a node.
#[derive(Debug)]
pub struct Server {
    listener: AnyListener,
    node: Node,
    stop: Stop,
}

/// Why [`Server::serve`] ended without a stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The engine is dead.
    #[error(transparent)]
    EngineDead(#[from] EngineDead),
    /// The system refuses a thread or a socket option that the server needs.
    #[error("cannot start to serve: {0}")]
    Start(#[from] io::Error),
}

impl Server {
    /// Listens at an address; port 0 lets the system choose one.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub fn bind(address: impl ToSocketAddrs, node: Node) -> io::Result<Server> {
        Ok(Server::new(TcpListener::bind(address)?, node))
    }

    /// Listens at a path of the file system, which clients on this machine connect to. A socket file
    /// that a dead server has left there is replaced; the server removes its own when it ends. The
    /// permissions of the file are what the process's umask leaves, and decide which users may connect.
    ///
    /// All peers have one name, `unix:` and the path, and share one peer's part of the limits: the
    /// standard library does not tell which user a peer is. Clients of NFSv4.0 are not called back
    /// unless the [dial policy](nfs4_driver::Node::set_dial_policy) allows it.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if another server listens at the path,
    /// [`io::ErrorKind::AlreadyExists`] if there is a file that is no socket, or what the system says.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, node: Node) -> io::Result<Server> {
        let listener = AnyListener::Unix(Unix::bind(path.as_ref())?);
        Ok(Server::of(listener, node))
    }

    /// Serves an existing listener, which it sets to non-blocking on Unix. Its clones, also those of
    /// other processes, go on to listen when the server ends.
    pub fn new(listener: TcpListener, node: Node) -> Server {
        Server::of(AnyListener::Tcp(listener), node)
    }

    fn of(listener: AnyListener, node: Node) -> Server {
        Server {
            listener,
            node,
            stop: Stop::new(),
        }
    }

    /// The address of a TCP listener.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] for a Unix socket, or the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The node that it serves.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// A handle that ends [`Server::serve`].
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves on this thread and those it starts until it is stopped; then it accepts and makes no
    /// connection, drains those that are there, and returns when the calls in flight are answered
    /// and all threads joined, but for those that wait in vain for a peer to take a connection.
    /// After [`Limits::stop_timeout`](nfs4_driver::Limits::stop_timeout) it cuts off what is left,
    /// and only a file system that blocks can hold it longer.
    ///
    /// # Errors
    /// The engine is dead, or a thread of the server's own does not start.
    pub fn serve(self) -> Result<(), ServeError> {
        match self.listener {
            AnyListener::Tcp(listener) => serve(listener, self.node, &self.stop),
            #[cfg(unix)]
            AnyListener::Unix(listener) => serve(listener, self.node, &self.stop),
        }
    }
}

fn serve(listener: impl Listener, node: Node, stop: &Stop) -> Result<(), ServeError> {
    let (wait, waker) = listener.wait()?;
    let told = stop.watch(Arc::new(waker));
    let mut accepts = Accepts::new(node.clone());
    let runner = Runner::stopped_by(stop.clone(), node)?;
    loop {
        let accepted = listener.accept();
        if stop.phase() > Phase::Serving {
            break;
        }
        let failed = match accepted {
            Ok((stream, peer)) => {
                runner.spawn_stream(stream, &peer);
                continue;
            }
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => wait.wait().err(),
            Err(why) => Some(why),
        };
        if let Some(why) = failed {
            thread::sleep(accepts.failed(&why));
        }
    }
    drop((listener, wait, told));
    Ok(runner.stop()?)
}
