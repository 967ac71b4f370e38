//! A server that answers by a script.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use nfs4_admin::client::{Endpoint, Server};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The number of its connection.
    pub(crate) connection: usize,
    /// The method and the target.
    pub(crate) line: String,
    /// The headers, in lower case.
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// What the server does after a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// It sends these bytes, and waits for the next request.
    Bytes(Vec<u8>),
    /// It sends these bytes, and closes the connection.
    Last(Vec<u8>),
    /// It sends these bytes again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// It says nothing.
    Silence,
}

/// An answer with a status and headers.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
    Reply::Bytes(text.into_bytes())
}

/// A server, and what it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    /// A server on TCP, and a client for it.
    pub(crate) async fn start(
        reply: impl Fn(&Asked) -> Reply + Clone + Send + 'static,
    ) -> (Script, Server) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it binds");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let script = Script::default();
        let accepting = script.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.expect("the listener works");
                tokio::spawn(accepting.clone().serve(connection, stream, reply.clone()));
            }
        });
        (
            script,
            Server::new(endpoint.parse().expect("it is an endpoint")),
        )
    }

    /// A server on a Unix socket, and a client for it.
    pub(crate) async fn start_unix(
        path: &Path,
        reply: impl Fn(&Asked) -> Reply + Clone + Send + 'static,
    ) -> (Script, Server) {
        let listener = UnixListener::bind(path).expect("it binds");
        let script = Script::default();
        let accepting = script.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.expect("the listener works");
                tokio::spawn(accepting.clone().serve(connection, stream, reply.clone()));
            }
        });
        (script, Server::new(Endpoint::Unix(path.to_owned())))
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics here").clone()
    }

    /// The methods and targets of all requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        connection: usize,
        mut stream: S,
        reply: impl Fn(&Asked) -> Reply,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        while let Some(asked) = read(connection, &mut stream, &mut bytes).await? {
            self.asked
                .lock()
                .expect("no test panics here")
                .push(asked.clone());
            match reply(&asked) {
                Reply::Bytes(bytes) => stream.write_all(&bytes).await?,
                Reply::Last(bytes) => return stream.write_all(&bytes).await,
                Reply::Endless(head, again) => {
                    stream.write_all(&head).await?;
                    loop {
                        stream.write_all(&again).await?;
                    }
                }
                Reply::Silence => {}
            }
        }
        Ok(())
    }
}

/// Reads a request; none at the end of the connection.
async fn read<S: AsyncRead + Unpin>(
    connection: usize,
    stream: &mut S,
    bytes: &mut Vec<u8>,
) -> io::Result<Option<Asked>> {
    loop {
        if let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8(bytes[..head].to_vec()).expect("it is text");
            let (line, headers) = text.split_once("\r\n").expect("it has a line");
            let headers = headers.to_lowercase();
            let length = headers
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let end = head
                + 4
                + length.map_or(0, |length| length.parse::<usize>().expect("it is a number"));
            if bytes.len() >= end {
                let asked = Asked {
                    connection,
                    line: line
                        .strip_suffix(" HTTP/1.1")
                        .expect("it is HTTP/1.1")
                        .to_owned(),
                    headers,
                    body: String::from_utf8(bytes[head + 4..end].to_vec()).expect("it is text"),
                };
                bytes.drain(..end);
                return Ok(Some(asked));
            }
        }
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
}
