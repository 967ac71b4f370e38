//! Requests to the administration interface.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What a request is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the headers.
    head: String,
    /// Null if there is none.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// The fields that are wrong, with what is said of them.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        errors
            .map(|fault| (text(&fault["field"]), text(&fault["detail"])))
            .collect()
    }
}

/// Sends a request with this body, and waits for its answer.
pub(crate) fn ask(
    address: SocketAddr,
    request: (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    try_ask(address, request, headers, body).expect("it answers")
}

/// The same of a server that may end.
pub(crate) fn try_ask(
    address: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    // Of this version the answer is not cut into chunks, and its end is that of the connection.
    let mut head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        let length = body.len();
        head += &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(ended)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(ended)?,
        head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or_default(),
    })
}
