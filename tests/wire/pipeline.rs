//! Calls that arrive together are carried out and answered together.

use std::io::{self, IoSlice};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use nfs4_driver::engine::Now;
use nfs4_driver::engine::metrics::Metrics;
use nfs4_driver::engine::proto::nfs4::Op;

use nfs4_driver::{Limits, ManualClock, Node};
use nfs4_transport_std::{self as threads, BlockingStream, async_std as on_async_std};
use nfs4_transport_tokio as on_tokio;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::files::RootOnly;
use crate::peer::Peer;
use crate::server::{Transport, node};
use crate::session::{Session, outcome};

on_each!(a_segment_of_32_calls_costs_one_write_and_two_holds_of_the_lock);

async fn a_segment_of_32_calls_costs_one_write_and_two_holds_of_the_lock(on: Transport) {
    // Its time stands still: on a busy machine the calls could take longer than a slice.
    let node = node(
        Limits::default(),
        Arc::new(RootOnly),
        Arc::new(ManualClock::new(Now::default())),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = Peer::connect(listener.local_addr().unwrap()).await;
    let (stream, _) = listener.accept().unwrap();
    let writes = Arc::new(AtomicUsize::new(0));
    serve_counted(on, stream, Arc::clone(&writes), node.clone());
    let mut session = Session::establish(&mut peer, b"pipeline").await;

    for _ in 0..3 {
        let calls: Vec<u8> = (0..32).flat_map(|slot| session.getattr(slot)).collect();
        let (wrote, locked) = (writes.load(Ordering::SeqCst), node.lock_acquisitions());
        peer.send(&calls).await;
        for slot in 0..32 {
            let record = peer.record().await.unwrap();
            assert_eq!(outcome(&record), (slot, Ok(())));
        }
        assert_eq!(writes.load(Ordering::SeqCst) - wrote, 1, "writes");
        assert_eq!(node.lock_acquisitions() - locked, 2, "holds of the lock");
    }
    let counted = |metrics: &Metrics| (metrics.sequences, metrics.succeeded(Op::GetAttr, 1));
    assert_eq!(node.metrics(counted), Ok((96, 96)));
    assert_eq!(
        node.metrics(counted),
        Ok((0, 0)),
        "what was shown is not shown again"
    );
}

fn serve_counted(on: Transport, stream: TcpStream, writes: Arc<AtomicUsize>, node: Node) {
    match on {
        Transport::Tokio => {
            stream.set_nonblocking(true).unwrap();
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let counted = Counted { stream, writes };
            tokio::spawn(async {
                let runner = on_tokio::Runner::start(node);
                runner.serve_stream(counted, "counted").await
            });
        }
        Transport::AsyncStd => {
            let stream = async_std::net::TcpStream::from(stream);
            let counted = Counted { stream, writes };
            async_std::task::spawn(async {
                let runner = on_async_std::Runner::start(node);
                runner.serve_stream(counted, "counted").await
            });
        }
        Transport::Threads => {
            let counted = Counted { stream, writes };
            std::thread::spawn(|| {
                let runner = threads::Runner::start(node).unwrap();
                runner.serve_stream(counted, "counted")
            });
        }
    }
}

/// Counts write(2) and writev(2).
struct Counted<S> {
    stream: S,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted<tokio::net::TcpStream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted<tokio::net::TcpStream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl async_std::io::Read for Counted<async_std::net::TcpStream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, space)
    }
}

impl async_std::io::Write for Counted<async_std::net::TcpStream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

impl BlockingStream for Counted<TcpStream> {
    fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        BlockingStream::read(&self.stream, space)
    }

    fn wait(&self) -> io::Result<()> {
        self.stream.wait()
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        BlockingStream::write(&self.stream, slices)
    }

    fn set_read_timeout(&self, span: Duration) -> io::Result<()> {
        BlockingStream::set_read_timeout(&self.stream, span)
    }

    fn set_write_timeout(&self, span: Duration) -> io::Result<()> {
        BlockingStream::set_write_timeout(&self.stream, span)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        BlockingStream::shutdown(&self.stream, how)
    }
}
