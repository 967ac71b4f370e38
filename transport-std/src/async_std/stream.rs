//! The stream of a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_std::io::{Read as AsyncRead, Write as AsyncWrite};
use async_std::net::TcpStream;
use nfs4_driver::task::PollStream;

/// Any stream of the `futures` traits.
pub(crate) struct FuturesStream<S>(pub(crate) S);

impl FuturesStream<TcpStream> {
    /// A TCP connection whose replies leave in batches as they are.
    pub(crate) fn tcp(stream: TcpStream) -> FuturesStream<TcpStream> {
        // Without the option the server is slower, and correct.
        let _ = stream.set_nodelay(true);
        FuturesStream(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PollStream for FuturesStream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, space)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
