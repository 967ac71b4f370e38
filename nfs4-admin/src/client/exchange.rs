//! A request and its answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::problem::Problem;

use super::endpoint::Endpoint;
use super::fault::ServerFault;
use super::routes::Route;

/// Maximum length of an answer, in bytes.
const MAX_BODY: usize = 16 << 20;
/// Maximum length of the head of an answer, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Time that an answer may take, if the program that asks says nothing else.
const TIMEOUT: Duration = Duration::from_secs(10);

type Sender = SendRequest<Full<Bytes>>;

/// A server, as its administrator sees it. Clones share a connection.
#[derive(Clone, Debug)]
pub struct Server {
    endpoint: Endpoint,
    token: Option<HeaderValue>,
    timeout: Duration,
    /// A connection that no request uses.
    idle: Arc<Mutex<Option<Sender>>>,
}

impl Server {
    /// The server at `endpoint`. It is not connected to before it is asked for something.
    pub fn new(endpoint: Endpoint) -> Server {
        Server {
            endpoint,
            token: None,
            timeout: TIMEOUT,
            idle: Arc::default(),
        }
    }

    /// It with a bearer token, which a server asks for that is reached by more than its own machine.
    ///
    /// # Errors
    /// [`ServerFault::Token`]: the token has other characters than printable ASCII.
    pub fn with_token(mut self, token: &str) -> Result<Server, ServerFault> {
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ServerFault::Token);
        }
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| ServerFault::Token)?;
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// It with another time that an answer may take than 10 s.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Server {
        self.timeout = timeout;
        self
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The answer to a question, if it is not a refusal.
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, ServerFault> {
        let asked = async {
            let (sender, response) = self.send(question).await?;
            let answer = self.read(response).await?;
            self.keep(sender);
            Ok(answer)
        };
        let answer = self.in_time(asked).await?;
        answer.accepted()
    }

    /// The answer to a question, whose body is yet to come and may take any time.
    pub(super) async fn follow(&self, question: &Question) -> Result<Followed, ServerFault> {
        let asked = async {
            let (sender, response) = self.send(question).await?;
            if response.status().is_success() {
                return Ok(Followed {
                    endpoint: self.endpoint.clone(),
                    headers: response.headers().clone(),
                    body: response.into_body(),
                    _sender: sender,
                });
            }
            let refusal = self.read(response).await?;
            Err(refusal.refused())
        };
        self.in_time(asked).await
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, ServerFault>>,
    ) -> Result<T, ServerFault> {
        match timeout(self.timeout, asked).await {
            Ok(ended) => ended,
            Err(_) => Err(ServerFault::Timeout {
                endpoint: self.endpoint.clone(),
                after: self.timeout,
            }),
        }
    }

    async fn send(&self, question: &Question) -> Result<(Sender, Response<Incoming>), ServerFault> {
        // The server may have closed the idle connection: only what can be asked twice goes by it.
        if question.method == Method::GET
            && let Some(mut sender) = self.take_idle()
            && sender.ready().await.is_ok()
            && let Ok(response) = sender.send_request(self.request(question)?).await
        {
            return Ok((sender, response));
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(self.request(question)?).await;
        Ok((sender, response.map_err(|why| self.broken(why))?))
    }

    fn request(&self, question: &Question) -> Result<Request<Full<Bytes>>, ServerFault> {
        let body = question.body.clone().unwrap_or_default();
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(&question.target)
            .header(HOST, self.endpoint.authority())
            .header(ACCEPT, "*/*");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if question.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in &question.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body));
        request.map_err(|why| ServerFault::Garbled(why.to_string()))
    }

    async fn connect(&self) -> Result<Sender, ServerFault> {
        match &self.endpoint {
            Endpoint::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                self.shake(stream).await
            }
            Endpoint::Unix(path) => self.shake(UnixStream::connect(path).await).await,
        }
    }

    /// Speaks HTTP by a stream.
    async fn shake<S>(&self, stream: std::io::Result<S>) -> Result<Sender, ServerFault>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let stream = stream.map_err(|source| ServerFault::Unreachable {
            endpoint: self.endpoint.clone(),
            source,
        })?;
        let shaken = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = shaken.map_err(|why| self.broken(why))?;
        // It ends with the sender and the answer; its fault is also the sender's.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Answer, ServerFault> {
        let (head, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|why| self.broken(why))?;
            if let Ok(data) = frame.into_data() {
                if data.len() > MAX_BODY - bytes.len() {
                    return Err(ServerFault::TooLong {
                        limit: MAX_BODY,
                        unit: "bytes",
                    });
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: bytes,
        })
    }

    fn broken(&self, source: hyper::Error) -> ServerFault {
        broken(&self.endpoint, source)
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(|held| held.into_inner());
        idle.take()
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(|held| held.into_inner());
        *idle = Some(sender);
    }
}

fn broken(endpoint: &Endpoint, source: hyper::Error) -> ServerFault {
    ServerFault::Broken {
        endpoint: endpoint.clone(),
        source: Box::new(source),
    }
}

/// What a server is asked for.
#[derive(Clone, Debug)]
pub(super) struct Question {
    method: Method,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
}

impl Question {
    /// A question with the parts of the path that vary.
    pub(super) fn new(route: &Route, parts: &[&str]) -> Question {
        Question {
            method: route.http_method(),
            target: route.with(parts),
            headers: Vec::new(),
            body: None,
        }
    }

    /// It with a query, which is escaped already; an empty one is none.
    pub(super) fn query(mut self, query: &str) -> Question {
        if !query.is_empty() {
            self.target.push('?');
            self.target.push_str(query);
        }
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Question {
        self.headers.push((name, value));
        self
    }

    pub(super) fn json(mut self, body: String) -> Question {
        self.body = Some(Bytes::from(body));
        self
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn accepted(self) -> Result<Answer, ServerFault> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.refused())
        }
    }

    fn refused(self) -> ServerFault {
        let status = self.status.as_u16();
        let problem = match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) => Problem { status, ..problem },
            Err(_) => {
                let title = self.status.canonical_reason().unwrap_or("refused");
                Problem::new(
                    status,
                    title,
                    format!("HTTP status {status} without a reason"),
                )
            }
        };
        ServerFault::Refused(Box::new(problem))
    }

    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, ServerFault> {
        serde_json::from_slice(&self.body).map_err(|why| ServerFault::Garbled(why.to_string()))
    }
}

/// An answer whose body is yet to come.
#[derive(Debug)]
pub(super) struct Followed {
    endpoint: Endpoint,
    pub(super) headers: HeaderMap,
    body: Incoming,
    /// The connection ends with it.
    _sender: Sender,
}

impl Followed {
    /// More of the body; none when the server has ended it. What comes may be empty.
    pub(super) async fn more(&mut self, within: Duration) -> Result<Option<Bytes>, ServerFault> {
        match timeout(within, self.body.frame()).await {
            Err(_) => Err(ServerFault::Timeout {
                endpoint: self.endpoint.clone(),
                after: within,
            }),
            Ok(None) => Ok(None),
            Ok(Some(Ok(frame))) => Ok(Some(frame.into_data().unwrap_or_default())),
            Ok(Some(Err(why))) => Err(broken(&self.endpoint, why)),
        }
    }
}
