//! A stream whose peer must go on reading.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream on which a write fails that can send nothing for some time.
#[derive(Debug)]
pub(super) struct Stall<S> {
    stream: S,
    longest: Duration,
    /// Runs while a write waits.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S> Stall<S> {
    pub(super) fn new(stream: S, longest: Duration) -> Stall<S> {
        Stall {
            stream,
            longest,
            patience: None,
        }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.patience = None;
            return wrote;
        }
        let longest = self.longest;
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(sleep(longest)));
        patience
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stall = self.get_mut();
        let wrote = Pin::new(&mut stall.stream).poll_write(context, bytes);
        stall.watch(context, wrote)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stall = self.get_mut();
        let flushed = Pin::new(&mut stall.stream).poll_flush(context);
        stall.watch(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stall = self.get_mut();
        let shut = Pin::new(&mut stall.stream).poll_shutdown(context);
        stall.watch(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::runtime;

    use super::*;

    #[test]
    fn a_peer_that_reads_now_and_then_is_waited_for_and_one_that_does_not_is_not() {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let (near, mut far) = duplex(4);
            let mut near = Stall::new(near, Duration::from_millis(200));
            let slow = async {
                let mut piece = [0; 4];
                for _ in 0..4 {
                    sleep(Duration::from_millis(80)).await;
                    far.read_exact(&mut piece).await.unwrap();
                }
            };
            let (wrote, ()) = tokio::join!(near.write_all(&[1; 20]), slow);
            wrote.unwrap();
            let stuck = near.write_all(&[1; 20]).await;
            assert_eq!(stuck.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }
}
