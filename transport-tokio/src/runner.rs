//! A node's timer and dialer, and streams that are served beside them.

use nfs4_driver::{Closing, EngineDead, Node, Refused, task};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::runtime::Tokio;
use crate::stream::TokioStream;

/// Runs a [`Node`]'s timer and dialer in tasks of their own, and serves streams that the embedder
/// has, such as TLS over TCP. [`Server`](crate::Server) is one with a listener.
///
/// When a runner is dropped, all that it runs ends at once; [`Runner::stop`] drains it first.
///
/// ```no_run
/// use nfs4_transport_tokio::Runner;
/// use nfs4_transport_tokio::driver::Node;
///
/// # async fn example(node: Node) {
/// let runner = Runner::start(node);
/// let (ours, theirs) = tokio::io::duplex(1 << 20);
/// tokio::spawn(runner.serve_stream(ours, "a client in this process"));
/// # drop(theirs);
/// # }
/// ```
#[derive(Debug)]
pub struct Runner {
    pub(crate) inner: task::Runner<Tokio>,
}

impl Runner {
    /// Starts the timer and the dialer of this node.
    ///
    /// # Panics
    /// It is called outside a runtime of tokio, or time or sockets are not enabled there.
    pub fn start(node: Node) -> Runner {
        Runner {
            inner: task::Runner::start(Tokio, node),
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
    /// dropped.
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
        self.inner.serve_stream(TokioStream(stream), peer)
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
