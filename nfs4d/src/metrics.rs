//! `GET /metrics`: what the server counts, for whoever collects it.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nfs4_driver::Node;
use nfs4_engine::metrics::{PrometheusOptions, PrometheusRecorder};
use prometheus::{Registry, TextEncoder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::fault::Fault;

/// Answers one request after the other, which bounds what askers can make it do.
pub(crate) struct Exporter {
    listener: TcpListener,
    address: SocketAddr,
    registry: Registry,
    recorder: PrometheusRecorder,
    node: Node,
}

impl Exporter {
    /// Listens on `address` for those who want to know what `node` counts.
    ///
    /// # Errors
    /// It cannot listen there.
    pub(crate) async fn listen(address: SocketAddr, node: Node) -> Result<Exporter, Fault> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Fault::Listen { address, source })?;
        let address = listener.local_addr()?;
        let registry = Registry::new();
        let recorder = PrometheusRecorder::new(Some(&registry), &PrometheusOptions::default())
            .map_err(io::Error::other)?;
        Ok(Exporter {
            listener,
            address,
            registry,
            recorder,
            node,
        })
    }

    /// Where it really listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn serve(mut self) -> Infallible {
        loop {
            match self.listener.accept().await {
                // Whoever is slow, or goes away, only hurts himself.
                Ok((stream, _)) => drop(timeout(PATIENCE, self.answer(stream)).await),
                Err(why) => {
                    tracing::warn!(%why, "accepting a request for metrics failed");
                    sleep(PATIENCE).await;
                }
            }
        }
    }

    async fn answer(&mut self, mut stream: TcpStream) -> io::Result<()> {
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            let room = LONGEST_HEAD - head.len();
            if (&mut stream).take(room as u64).read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let (status, body) = match head.split(|byte| *byte == b' ').take(2).collect::<Vec<_>>()[..]
        {
            [b"GET", b"/metrics"] => self.text(),
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

    fn text(&mut self) -> (&'static str, String) {
        let text = match self.node.record(&mut self.recorder) {
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

/// Serves what there is to serve, for ever.
pub(crate) async fn serve(exporter: Option<Exporter>) -> Infallible {
    match exporter {
        Some(exporter) => exporter.serve().await,
        None => pending().await,
    }
}

/// How long a request may take, and how long to wait when none can be accepted.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of the longest head of a request that is read.
const LONGEST_HEAD: usize = 8 << 10;
