//! One connection on one stream.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use nfs4_driver::{Closing, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Drives a connection that a [`Node`](nfs4_driver::Node) opened until it ends, and says why it
/// did. Once `stop` is ready, nothing more is read, and the connection ends when the calls in
/// flight are answered.
///
/// For TCP, TCP_NODELAY should be set: replies leave in batches as it is.
pub async fn serve_stream<S, F>(mut stream: S, connection: Connection, stop: F) -> Closing
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()>,
{
    let mut task = Task {
        connection,
        flushed: true,
    };
    let mut stop = pin!(stop);
    let mut stopping = false;
    let mut tick = pin!(sleep(task.connection.tick().unwrap_or_default()));
    let why = poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            task.connection.stop();
        }
        if let Err(why) = task.tick(cx, tick.as_mut()) {
            return Poll::Ready(why);
        }
        task.drive(cx, &mut stream)
    })
    .await;
    task.connection.close(&why);
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

struct Task {
    connection: Connection,
    /// Nothing is left in a buffer of the stream's own.
    flushed: bool,
}

impl Task {
    /// Looks after timeouts, when it is time to.
    fn tick(&mut self, cx: &mut Context<'_>, mut tick: Pin<&mut Sleep>) -> Result<(), Closing> {
        while tick.as_mut().poll(cx).is_ready() {
            let pause = self.connection.tick()?;
            tick.as_mut().reset(Instant::now() + pause);
        }
        Ok(())
    }

    /// Does what can be done without waiting.
    fn drive<S>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<Closing>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let mut progress = match self.connection.step(cx.waker()) {
                Ok(more) => more,
                Err(why) => return Poll::Ready(why),
            };
            match self.write(cx, stream) {
                Poll::Ready(Ok(wrote)) => progress |= wrote,
                Poll::Ready(Err(why)) => return Poll::Ready(Closing::Io(why)),
                Poll::Pending => {}
            }
            match self.read(cx, stream) {
                Poll::Ready(Ok(Read::Some)) => progress = true,
                Poll::Ready(Ok(Read::Nothing)) => {}
                Poll::Ready(Ok(Read::End)) => return Poll::Ready(Closing::EndOfStream),
                Poll::Ready(Err(why)) => return Poll::Ready(Closing::Io(why)),
                Poll::Pending => {}
            }
            if !progress {
                self.connection.rest();
                return Poll::Pending;
            }
        }
    }

    /// One write of all that is there; says whether something was written.
    fn write<S>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<io::Result<bool>>
    where
        S: AsyncWrite + Unpin,
    {
        let mut wrote = false;
        if !self.connection.is_output_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = self.connection.output(&mut slices);
            let count = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..used]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.connection.sent(count);
            self.flushed = false;
            wrote = true;
        }
        if !self.flushed && self.connection.is_output_empty() {
            match Pin::new(stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                Poll::Pending => {}
            }
        }
        Poll::Ready(Ok(wrote))
    }

    /// One read, if the connection takes something in.
    fn read<S>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<io::Result<Read>>
    where
        S: AsyncRead + Unpin,
    {
        let Some(space) = self.connection.space() else {
            return Poll::Ready(Ok(Read::Nothing));
        };
        let mut buffer = ReadBuf::new(space);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        if count == 0 {
            return Poll::Ready(Ok(Read::End));
        }
        self.connection.received(count);
        Poll::Ready(Ok(Read::Some))
    }
}

enum Read {
    Some,
    /// Nothing is to be read now.
    Nothing,
    End,
}

/// The most pieces of one write.
const SLICES: usize = 64;
