//! A server from its exports and settings.

#[cfg(unix)]
use std::path::{Path, absolute};

use nfs4_driver::{BindError, NodeBuilder, node_settings};
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::runtime::Handle;

use crate::server::Server;
use crate::spawner::Spawner;

/// Makes a [`Server`]: what it exports, and every setting that differs from its default.
///
/// Futures of file systems are polled on the current runtime, unless another spawner is given.
#[must_use = "it makes nothing until it is bound"]
#[derive(Debug, Default)]
pub struct ServerBuilder {
    node: NodeBuilder,
}

impl Server {
    /// Makes a server of exports and settings, with all that a start needs.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}

impl ServerBuilder {
    node_settings!();

    /// Listens at an address, such as "127.0.0.1:2049"; port 0 lets the system choose one.
    ///
    /// # Errors
    /// The address cannot be listened at, or an export or a setting is refused.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn bind(self, address: impl ToSocketAddrs) -> Result<Server, BindError> {
        let listener = TcpListener::bind(address).await?;
        let place = listener.local_addr()?;
        let node = self.node.unless_given(&place, spawner).build()?;
        Ok(Server::new(listener, node))
    }

    /// Listens at a path of the file system; see [`Server::bind_unix`].
    ///
    /// # Errors
    /// The path cannot be listened at, or an export or a setting is refused.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[cfg(unix)]
    pub fn bind_unix(self, path: impl AsRef<Path>) -> Result<Server, BindError> {
        // From another directory a relative path is another server's.
        let place = absolute(&path)?;
        let node = self.node.unless_given(&place.display(), spawner).build()?;
        Ok(Server::bind_unix(path, node)?)
    }
}

fn spawner() -> Option<Spawner> {
    Some(Spawner::new(Handle::current()))
}
