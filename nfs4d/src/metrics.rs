//! `GET /metrics`: what the server counts, for Prometheus.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nfs4_driver::Node;
use nfs4_engine::metrics::{PrometheusOptions, PrometheusRecorder};
use prometheus::{IntCounter, Registry, TextEncoder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::fault::Fault;

/// Answers a few requests at once; a connection that sends no request in time is closed for the
/// next.
pub(crate) struct Exporter {
    listener: TcpListener,
    address: SocketAddr,
    shown: Arc<Shown>,
}

/// What is exported.
struct Shown {
    registry: Registry,
    recorder: Mutex<PrometheusRecorder>,
    node: Node,
}

/// An HTTP connection.
struct Asking {
    task: AbortHandle,
    /// The request has arrived completely.
    asked: Arc<AtomicBool>,
}

impl Exporter {
    /// Listens on `address` and serves what `node` and `counters` count.
    ///
    /// # Errors
    /// It cannot listen there.
    pub(crate) async fn listen(
        address: SocketAddr,
        node: Node,
        counters: Vec<IntCounter>,
    ) -> Result<Exporter, Fault> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Fault::Listen { address, source })?;
        let address = listener.local_addr()?;
        let registry = Registry::new();
        for counter in counters {
            registry
                .register(Box::new(counter))
                .map_err(io::Error::other)?;
        }
        let recorder = PrometheusRecorder::new(Some(&registry), &PrometheusOptions::default())
            .map_err(io::Error::other)?;
        let shown = Arc::new(Shown {
            registry,
            recorder: Mutex::new(recorder),
            node,
        });
        Ok(Exporter {
            listener,
            address,
            shown,
        })
    }

    /// The address that is listened on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn serve(self) -> Infallible {
        let mut tasks = JoinSet::new();
        let mut all: Vec<Asking> = Vec::new();
        loop {
            tokio::select! {
                Some(_) = tasks.join_next() => all.retain(|asking| !asking.task.is_finished()),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        if all.len() >= MOST_ASKING {
                            give_way(&mut all);
                        }
                        let asked = Arc::new(AtomicBool::new(false));
                        let answer = answer(Arc::clone(&self.shown), stream, Arc::clone(&asked));
                        let task = tasks.spawn(async { drop(timeout(PATIENCE, answer).await) });
                        all.push(Asking { task, asked });
                    }
                    Err(why) => {
                        tracing::warn!(%why, "accepting a request for metrics failed");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

/// Closes the oldest connection without a request, or the oldest of all.
fn give_way(all: &mut Vec<Asking>) {
    let idle = |asking: &Asking| !asking.asked.load(Ordering::Relaxed);
    let first = all.iter().position(idle).unwrap_or_default();
    all.remove(first).task.abort();
}

async fn answer(
    shown: Arc<Shown>,
    mut stream: TcpStream,
    asked: Arc<AtomicBool>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let room = LONGEST_HEAD - head.len();
        if (&mut stream).take(room as u64).read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    asked.store(true, Ordering::Relaxed);
    let (status, body) = match head.split(|byte| *byte == b' ').take(2).collect::<Vec<_>>()[..] {
        [b"GET", b"/metrics"] => shown.text(),
        [b"GET", _] => ("404 Not Found", "there is only /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "there is only GET\n".to_owned()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {length}\r\nAllow: GET\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

impl Shown {
    /// One at a time: there is one recorder.
    fn text(&self) -> (&'static str, String) {
        let mut recorder = self
            .recorder
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let text = match self.node.record(&mut *recorder) {
            Ok(()) => TextEncoder::new()
                .encode_to_string(&self.registry.gather())
                .map_err(|why| why.to_string()),
            Err(why) => Err(why.to_string()),
        };
        match text {
            Ok(text) => ("200 OK", text),
            Err(why) => ("500 Internal Server Error", format!("{why}\n")),
        }
    }
}

/// Serves forever, if there is an exporter.
pub(crate) async fn serve(exporter: Option<Exporter>) -> Infallible {
    match exporter {
        Some(exporter) => exporter.serve().await,
        None => pending().await,
    }
}

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Maximum number of requests that are answered at once.
const MOST_ASKING: usize = 16;

/// How long to wait when no connection can be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of the longest head of a request that is read.
const LONGEST_HEAD: usize = 8 << 10;
