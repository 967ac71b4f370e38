//! As much HTTP as the tests need, byte by byte, so that they can also speak it badly.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) text: String,
    /// The body, if it is JSON; else null.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/json"), "{self:?}");
        assert!(!self.body.is_null(), "{self:?}");
        self.body.clone()
    }

    /// The value of the typed client's type, which must have every field that was sent, and no other.
    pub(crate) fn typed<T: Serialize + DeserializeOwned>(&self) -> T {
        let value: T = serde_json::from_str(&self.text).expect("a value of its type");
        let again = serde_json::to_value(&value).expect("JSON");
        assert_eq!(again, self.json(), "fields differ");
        value
    }

    /// A refusal: of this status, in the standard form.
    pub(crate) fn refusal(&self, status: u16) -> nfs4_admin::Problem {
        assert_eq!(self.status, status, "{self:?}");
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{self:?}");
        let problem: nfs4_admin::Problem = serde_json::from_str(&self.text).expect("a problem");
        assert_eq!(problem.status, status);
        assert!(!problem.title.is_empty() && !problem.detail.is_empty());
        problem
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

/// Connects, asks, and returns the answer. A body is JSON unless a header says what it is.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    ask_on(connect(address), method, path, headers, body).0
}

/// The same of a server that may end.
pub(crate) fn try_ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let stream = try_connect(address)?;
    Ok(try_ask_on(stream, method, path, headers, body)?.0)
}

/// Asks on a connection, and returns the answer and the connection.
pub(crate) fn ask_on<S: Read + Write>(
    stream: S,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (Answer, S) {
    try_ask_on(stream, method, path, headers, body).expect("it answers")
}

fn try_ask_on<S: Read + Write>(
    mut stream: S,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<(Answer, S)> {
    let is_given = |wanted: &str| headers.iter().any(|(name, _)| *name == wanted);
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !is_given("Host") {
        request += "Host: localhost\r\n";
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        request += &format!("Content-Length: {}\r\n", body.len());
        if !is_given("Content-Type") {
            request += "Content-Type: application/json\r\n";
        }
    }
    request += "\r\n";
    request += body;
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let answer = try_read(&mut reader, method == "HEAD")?;
    Ok((answer, reader.into_inner()))
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    try_connect(address).expect("it listens")
}

fn try_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

/// Reads an answer.
pub(crate) fn read(from: &mut impl BufRead, head_only: bool) -> Answer {
    try_read(from, head_only).expect("it answers")
}

fn try_read(from: &mut impl BufRead, head_only: bool) -> io::Result<Answer> {
    let first = line(from)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut headers = Vec::new();
    loop {
        let line = line(from)?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut answer = Answer {
        status,
        headers,
        text: String::new(),
        body: Value::Null,
    };
    let length = answer.header("content-length");
    let length = length.map(|length| length.parse().expect("a length"));
    let chunked = answer.header("transfer-encoding") == Some("chunked");
    let body = match (head_only || status == 204, chunked, length) {
        (true, ..) => Vec::new(),
        (_, true, _) => chunks(from)?,
        (_, _, Some(length)) => bytes(from, length)?,
        (_, _, None) => Vec::new(),
    };
    answer.text = String::from_utf8(body).expect("text");
    answer.body = serde_json::from_str(&answer.text).unwrap_or_default();
    Ok(answer)
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn bytes(from: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let length = line(from)?;
        let length = usize::from_str_radix(&length, 16).map_err(io::Error::other)?;
        all.extend(bytes(from, length)?);
        if length == 0 {
            line(from)?;
            return Ok(all);
        }
        assert_eq!(line(from)?, "");
    }
}
