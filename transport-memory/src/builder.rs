//! A server from its exports and settings.

use std::sync::atomic::{AtomicU64, Ordering};

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

    /// Makes the server. Without an identity it is a server of its own, which clients take for another one
    /// when it is made again.
    ///
    /// # Errors
    /// An export or a setting is refused, or the operating system refuses randomness or a thread.
    pub fn build(self) -> Result<Server, BuildError> {
        // Clients take servers of one name for one.
        static BUILT: AtomicU64 = AtomicU64::new(0);
        let number = BUILT.fetch_add(1, Ordering::Relaxed);
        let place = format!("memory {} {number}", std::process::id());
        let node = self.node.unless_given(&place, || None::<Workers>).build()?;
        Ok(Server::new(node))
    }
}
