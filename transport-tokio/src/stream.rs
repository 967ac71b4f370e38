//! One connection on one stream.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use nfs4_driver::{self as driver, Closing, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// Drives a connection that a [`Node`](nfs4_driver::Node) opened until it ends, and returns why it
/// did. Once `stop` is ready, calls that come get DELAY, to come by another connection, and
/// this one ends when the calls in flight are answered.
///
/// For TCP, TCP_NODELAY should be set: replies leave in batches as it is.
pub async fn serve_stream<S, F>(mut stream: S, mut connection: Connection, stop: F) -> Closing
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()>,
{
    let mut stop = pin!(stop);
    let mut stopping = false;
    let mut tick = pin!(sleep(connection.tick().unwrap_or_default()));
    let why = poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.stop();
        }
        while tick.as_mut().poll(cx).is_ready() {
            match connection.tick() {
                Ok(pause) => tick.as_mut().reset(Instant::now() + pause),
                Err(why) => return Poll::Ready(why),
            }
        }
        let waker = cx.waker();
        let mut polled = Polled {
            stream: &mut stream,
            cx: &mut Context::from_waker(waker),
        };
        match connection.drive(waker, &mut polled) {
            Ok(()) => Poll::Pending,
            Err(why) => Poll::Ready(why),
        }
    })
    .await;
    connection.close(&why);
    if !matches!(why, Closing::Io(_)) {
        // What was sent is followed by an orderly end; the peer may be gone.
        poll_fn(|cx| {
            let _ = Pin::new(&mut stream).poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
    }
    why
}

/// A stream during one poll of its task.
struct Polled<'a, 'b, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'b>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> driver::Stream for Polled<'_, '_, S> {
    fn read(&mut self, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(space);
        ready!(Pin::new(&mut *self.stream).poll_read(self.cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream).poll_write_vectored(self.cx, slices)
    }

    fn give_way(&mut self) -> bool {
        // To wake the task itself would do, but then a runtime that has always something to do checks
        // its sockets once in 61 polls: this has it look before the task is polled again.
        pin!(yield_now()).poll(self.cx).is_pending()
    }

    fn flush(&mut self) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(self.cx)
    }
}
