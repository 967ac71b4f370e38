//! A server from its exports and settings.

use nfs4_driver::{BuildError, NodeBuilder, Workers, node_settings};

use crate::server::Server;

/// Makes a [`Server`]: what it exports, and every setting that differs from its default.
///
/// Futures of file systems are polled by 16 threads, unless another spawner is given: a host without
/// threads gives one, or exports a [`Backend`](nfs4_driver::engine::fs::Backend).
#[must_use = "it makes nothing until it is built"]
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

    /// Makes the server.
    ///
    /// # Errors
    /// An export or a setting is refused, or the operating system refuses randomness or a thread.
    pub fn build(self) -> Result<Server, BuildError> {
        let place = format!("memory {}", std::process::id());
        let node = self.node.unless_given(&place, || None::<Workers>).build()?;
        Ok(Server::new(node))
    }
}
