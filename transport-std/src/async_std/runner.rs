//! A node's timer and dialer, and streams that are served beside them.

use async_std::io::{Read as AsyncRead, Write as AsyncWrite};
use nfs4_driver::{Closing, EngineDead, Node, Refused, task};

use crate::async_std::runtime::AsyncStd;
use crate::async_std::stream::FuturesStream;

/// Runs a [`Node`]'s timer and dialer in tasks of their own, and serves streams that the embedder
/// has, such as TLS over TCP. [`Server`](crate::async_std::Server) is one with a listener.
///
/// When a runner is dropped, all that it runs ends at once; [`Runner::stop`] drains it first.
#[derive(Debug)]
pub struct Runner {
    pub(crate) inner: task::Runner<AsyncStd>,
}

impl Runner {
    /// Starts the timer and the dialer of this node.
    pub fn start(node: Node) -> Runner {
        Runner {
            inner: task::Runner::start(AsyncStd, node),
        }
    }

    /// The node that it runs.
    pub fn node(&self) -> &Node {
        self.inner.node()
    }

    /// Opens a connection of `peer`, an address or another name as for [`Node::open`], and drives it
    /// in the caller's task until it ends; returns why it did. A stop of the runner drains it. For TCP,
    /// TCP_NODELAY should be set: replies leave in batches as it is.
    ///
    /// The future opens the connection when it is polled for the first time, and closes it when it is
    /// dropped. `S` has the traits `AsyncRead` and `AsyncWrite` of the crate `futures`, under async-std's
    /// names.
    ///
    /// # Errors
    /// The connection is refused.
    ///
    /// # Panics
    /// A file system, or the engine, panics over a request of this connection; of a dead engine the
    /// runner tells the others.
    pub fn serve_stream<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        peer: &str,
    ) -> impl Future<Output = Result<Closing, Refused>> + use<S> {
        self.inner.serve_stream(FuturesStream(stream), peer)
    }

    /// Waits until the engine is dead, which ends all connections.
    pub async fn failed(&self) -> EngineDead {
        self.inner.failed().await
    }

    /// Makes no connection any more and drains those that are there: calls that come get DELAY, to
    /// come by another connection. Returns when the calls in flight are answered; after
    /// [`Limits::stop_timeout`](nfs4_driver::Limits::stop_timeout) it cuts off what is left. Then the
    /// timer and the dialer end too.
    ///
    /// # Errors
    /// The engine is dead.
    pub async fn stop(&self) -> Result<(), EngineDead> {
        self.inner.stop().await
    }
}
