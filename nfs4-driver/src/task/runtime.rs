//! What a runtime provides.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

/// A runtime's tasks, sleep and outgoing connections. Clones are handles of the same runtime.
pub trait Runtime: Clone + Send + Sync + Unpin + 'static {
    /// A sleep of this runtime.
    type Sleep: Sleep + Send;
    /// A connection that the server has made.
    type Dialled: PollStream + Send + 'static;

    /// Starts a task; it is never cancelled.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// A sleep that is over at once, until it is set.
    fn sleep(&self) -> Self::Sleep;

    /// Connects to an address; the caller limits the time.
    fn dial(&self, target: SocketAddr) -> impl Future<Output = io::Result<Self::Dialled>> + Send;

    /// Lets other tasks run, and the runtime check its sockets, before this task is polled again;
    /// `pause` is the task's own, for that only. Returns `false` if the task may go on at once.
    fn give_way(&self, cx: &mut Context<'_>, pause: &mut Self::Sleep) -> bool;

    /// Logs that the time to stop is over, and that so many connections are cut off.
    fn cut_off(&self, connections: usize);
}

/// A sleep that can be set anew.
pub trait Sleep: Unpin {
    /// Begins anew: the sleep is over after `span`.
    fn set(&mut self, span: Duration);

    /// Whether the sleep is over; the task is woken when it is.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A stream of bytes in a task.
pub trait PollStream: Unpin {
    /// Reads into `space`; zero bytes mean the end.
    ///
    /// # Errors
    /// The stream failed.
    fn poll_read(&mut self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes the first bytes of `slices`; returns how many.
    ///
    /// # Errors
    /// The stream failed.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Flushes what was written, for a stream with a buffer of its own.
    ///
    /// # Errors
    /// The stream failed.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the stream of bytes to the peer. It is polled once: a stream that cannot end at once is
    /// dropped.
    ///
    /// # Errors
    /// The stream failed.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Accepts connections.
pub trait Listener {
    /// An accepted connection.
    type Stream: PollStream + Send + 'static;

    /// Waits for the next connection; returns it with the name of its peer, as for
    /// [`Node::open`](crate::Node::open).
    ///
    /// # Errors
    /// A connection is not accepted, for a reason that the next one need not have.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, String)>> + Send;
}
