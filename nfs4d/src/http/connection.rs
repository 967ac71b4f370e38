//! The connections of a listener: few, and none that a slow peer can keep for itself.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, body};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::listen::{Open, Stream};
use super::stall::Stall;
use super::stopped::Stopped;

/// How a listener treats its connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct DoorLimits {
    /// Maximum number of connections.
    pub(super) connections: usize,
    /// Time that a connection may be idle, and that the head of a request may take.
    pub(super) idle: Duration,
    /// Whether a connection takes more than one request.
    pub(super) keep_alive: bool,
}

/// The connections of a listener, and what answers them.
pub(super) struct Connections {
    router: Router,
    limits: DoorLimits,
    http: http1::Builder,
}

/// A connection.
struct Peer {
    task: AbortHandle,
    load: Arc<Load>,
}

/// What a connection does.
#[derive(Debug, Default)]
struct Load {
    /// Requests that are not answered in full.
    requests: AtomicUsize,
    /// Streams of events among them, which last.
    streams: AtomicUsize,
}

impl Connections {
    pub(super) fn new(router: Router, limits: DoorLimits) -> Connections {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.idle)
            .keep_alive(limits.keep_alive)
            .max_headers(MOST_HEADERS)
            .max_header_size(LONGEST_HEAD)
            .max_buf_size(LONGEST_BUFFER);
        Connections {
            router,
            limits,
            http,
        }
    }

    /// Accepts until `stopped` says so, and then waits for requests, not longer than `patience`.
    pub(super) async fn serve(
        self: Arc<Connections>,
        listener: Open,
        mut stopped: Stopped,
        patience: Duration,
    ) {
        let mut tasks = JoinSet::new();
        let mut peers: Vec<Peer> = Vec::new();
        loop {
            tokio::select! {
                () = stopped.wait() => break,
                Some(_) = tasks.join_next() => peers.retain(|peer| !peer.task.is_finished()),
                accepted = listener.accept() => match accepted {
                    Ok(stream) => {
                        if peers.len() >= self.limits.connections {
                            give_way(&mut peers);
                        }
                        let load = Arc::new(Load::default());
                        let one = Arc::clone(&self).serve_one(stream, Arc::clone(&load), stopped.clone());
                        let task = tasks.spawn(one);
                        peers.push(Peer { task, load });
                    }
                    Err(why) => {
                        tracing::warn!(%why, "accepting a connection for administration failed");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        let all = async { while tasks.join_next().await.is_some() {} };
        // What is left is dropped with the tasks.
        let _ = timeout(patience, all).await;
    }

    async fn serve_one(
        self: Arc<Connections>,
        stream: Stream,
        load: Arc<Load>,
        mut stopped: Stopped,
    ) {
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let busy = Busy::begin(&load);
            let answer = router.call(request.map(Body::new));
            async move {
                // A peer that sends many requests at once waits for others after each.
                yield_now().await;
                answer.await.map(|response| busy.until_sent(response))
            }
        });
        let stream = TokioIo::new(Stall::new(stream, LONGEST_STALL));
        let mut connection = pin!(self.http.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped.wait() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(why) = ended {
            tracing::debug!(%why, "a connection for administration ended");
        }
    }
}

/// Closes the oldest connection without a request, or the oldest that sends no events, or the oldest.
fn give_way(peers: &mut Vec<Peer>) {
    let idle = |peer: &Peer| peer.load.requests.load(Ordering::Relaxed) == 0;
    let brief = |peer: &Peer| peer.load.streams.load(Ordering::Relaxed) == 0;
    let first = peers.iter().position(idle);
    let first = first.or_else(|| peers.iter().position(brief));
    let first = first.unwrap_or_default();
    peers.remove(first).task.abort();
}

/// A request is being answered.
#[derive(Debug)]
struct Busy {
    load: Arc<Load>,
    streams: bool,
}

impl Busy {
    fn begin(load: &Arc<Load>) -> Busy {
        load.requests.fetch_add(1, Ordering::Relaxed);
        let load = Arc::clone(load);
        Busy {
            load,
            streams: false,
        }
    }

    /// The same response, which counts until its body is sent.
    fn until_sent(mut self, response: Response) -> Response<Counted> {
        let kind = response.headers().get(CONTENT_TYPE);
        self.streams = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if self.streams {
            self.load.streams.fetch_add(1, Ordering::Relaxed);
        }
        response.map(|body| Counted { body, _busy: self })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
        if self.streams {
            self.load.streams.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A body that counts while it is sent.
struct Counted {
    body: Body,
    _busy: Busy,
}

impl body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Poll::Ready(ready!(Pin::new(&mut self.body).poll_frame(context)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Maximum number of headers of a request.
const MOST_HEADERS: usize = 64;
/// Bytes of the longest head of a request.
const LONGEST_HEAD: usize = 16 << 10;
/// Bytes of a connection's buffer.
const LONGEST_BUFFER: usize = 64 << 10;
/// Time that a peer may take no byte of an answer.
const LONGEST_STALL: Duration = Duration::from_secs(10);
/// Time to wait when no connection can be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
