//! The server's end of a connection.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

use nfs4_driver::Stream;

use crate::pipe::Pipe;
use crate::stream::MemoryStream;

/// The server's end of a connection. When it is dropped, the client reads the end of the stream behind
/// the replies that were written.
pub(crate) struct Link {
    /// Queues the connection for the server.
    pub(crate) waker: Waker,
    /// The connection is queued.
    queued: Arc<AtomicBool>,
    from_client: Arc<Pipe>,
    to_client: Arc<Pipe>,
}

impl Link {
    /// Both ends of a connection, with this many bytes in each direction at most; `waker` sets `queued`.
    pub(crate) fn pair(
        waker: Waker,
        queued: Arc<AtomicBool>,
        capacity: usize,
    ) -> (Link, MemoryStream) {
        let from_client = Arc::new(Pipe::new(capacity, Some(waker.clone())));
        let to_client = Arc::new(Pipe::new(capacity, None));
        let stream = MemoryStream::new(Arc::clone(&from_client), Arc::clone(&to_client));
        let link = Link {
            waker,
            queued,
            from_client,
            to_client,
        };
        (link, stream)
    }

    /// The connection is driven now: the next wake-up queues it again.
    pub(crate) fn begin(&self) {
        self.queued.store(false, Ordering::SeqCst);
    }

    /// Whether the connection is queued.
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.load(Ordering::SeqCst)
    }

    /// Whether the client has dropped its end.
    pub(crate) fn is_lost(&self) -> bool {
        self.from_client.is_lost()
    }
}

impl Stream for &Link {
    fn read(&mut self, space: &mut [u8]) -> Poll<io::Result<usize>> {
        self.from_client.read(space, &self.waker)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.to_client.write(slices, &self.waker)
    }

    fn give_way(&mut self) -> bool {
        // Behind all that are ready; the timer and new connections come first as well.
        self.waker.wake_by_ref();
        true
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.from_client.stop_reading();
        self.to_client.finish();
    }
}
