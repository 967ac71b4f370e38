//! A listener and its connections.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;

use async_std::net::{TcpListener, ToSocketAddrs};
use nfs4_driver::Node;
use nfs4_driver::task::ServeError;

#[cfg(unix)]
use crate::async_std::listener::unix::Unix;
use crate::async_std::listener::{Listener, Tcp};
use crate::async_std::runner::Runner;

/// Serves a [`Node`] on one listener. Several servers may share a node.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    node: Node,
}

impl Server {
    /// Listens at an address; port 0 lets the system choose one.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn bind(address: impl ToSocketAddrs, node: Node) -> io::Result<Server> {
        Ok(Server::new(TcpListener::bind(address).await?, node))
    }

    /// Listens at a path of the file system, which clients on this machine connect to. A socket file
    /// that a dead server has left there is replaced; the server removes its own when it ends. The
    /// permissions of the file are what the process's umask leaves, and decide which users may connect.
    ///
    /// All peers have one name, `unix:` and the path, and share one peer's part of the limits: async-std
    /// does not tell which user a peer is. Clients of NFSv4.0 are not called back unless the
    /// [dial policy](nfs4_driver::Node::set_dial_policy) allows it.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if another server listens at the path,
    /// [`io::ErrorKind::AlreadyExists`] if there is a file that is no socket, or what the system says.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, node: Node) -> io::Result<Server> {
        let listener = Listener::Unix(Unix::bind(path.as_ref())?);
        Ok(Server { listener, node })
    }

    /// Serves an existing listener.
    pub fn new(listener: TcpListener, node: Node) -> Server {
        let listener = Listener::Tcp(Tcp(listener));
        Server { listener, node }
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

    /// Serves until `shutdown` is ready; then it accepts and makes no connection, drains those that
    /// are there, and returns when the calls in flight are answered. After
    /// [`Limits::stop_timeout`](nfs4_driver::Limits::stop_timeout) it cuts off what is left.
    ///
    /// # Errors
    /// The engine is dead.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Runner { inner } = Runner::start(self.node);
        match self.listener {
            Listener::Tcp(listener) => inner.serve(listener, shutdown).await,
            #[cfg(unix)]
            Listener::Unix(listener) => inner.serve(listener, shutdown).await,
        }
    }
}
