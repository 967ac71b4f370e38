//! Calls that arrive together are carried out and answered together.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use nfs4_transport_tokio::driver::engine::metrics::Metrics;
use nfs4_transport_tokio::driver::engine::proto::nfs4::Op;
use nfs4_transport_tokio::driver::{Limits, SystemClock};
use nfs4_transport_tokio::serve_stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::files::RootOnly;
use crate::peer::Peer;
use crate::server::node;
use crate::session::{Session, outcome};

#[tokio::test]
async fn a_segment_of_32_calls_costs_one_write_and_two_holds_of_the_lock() {
    let node = node(
        Limits::default(),
        Arc::new(RootOnly),
        Arc::new(SystemClock::new()),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = Peer::connect(listener.local_addr().unwrap()).await;
    let (stream, _) = listener.accept().await.unwrap();
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        stream,
        writes: Arc::clone(&writes),
    };
    let connection = node.open("counted").unwrap();
    tokio::spawn(serve_stream(counted, connection, std::future::pending()));
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

/// Counts write(2) and writev(2).
struct Counted {
    stream: TcpStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
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
