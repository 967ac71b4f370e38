//! As much HTTP as the tests need, byte by byte, so that they can also speak it badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The value of the typed client's type, which must have every field that was sent, and no other.
    pub(super) fn typed<T: Serialize + DeserializeOwned>(&self) -> T {
        let value: T = serde_json::from_str(&self.body).expect("a value of its type");
        let again = serde_json::to_value(&value).expect("JSON");
        assert_eq!(again, self.json(), "fields differ");
        value
    }

    /// A refusal: of this status, in the standard form.
    pub(super) fn refusal(&self, status: u16) -> nfs4_admin::Problem {
        assert_eq!(self.status, status, "{self:?}");
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{self:?}");
        let problem: nfs4_admin::Problem = serde_json::from_str(&self.body).expect("a problem");
        assert_eq!(problem.status, status);
        assert!(!problem.title.is_empty() && !problem.detail.is_empty());
        problem
    }
}

/// Connects, asks, and returns the answer.
pub(super) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    ask_on(connect(address), method, path, headers, body).0
}

/// Asks on a connection, and returns the answer and the connection.
pub(super) fn ask_on<S: Read + Write>(
    mut stream: S,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (Answer, S) {
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request += "Host: localhost\r\n";
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    request += "\r\n";
    request += body;
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut reader = BufReader::new(stream);
    let answer = read(&mut reader, method == "HEAD");
    (answer, reader.into_inner())
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("it is set");
    stream
}

/// Reads an answer.
pub(super) fn read(from: &mut impl BufRead, head_only: bool) -> Answer {
    let first = line(from);
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status: {first:?}"));
    let mut headers = Vec::new();
    loop {
        let line = line(from);
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut answer = Answer {
        status,
        headers,
        body: String::new(),
    };
    let length = answer.header("content-length");
    let length = length.map(|length| length.parse().expect("a length"));
    let chunked = answer.header("transfer-encoding") == Some("chunked");
    let body = match (head_only || status == 204, chunked, length) {
        (true, ..) => Vec::new(),
        (_, true, _) => chunks(from),
        (_, _, Some(length)) => bytes(from, length),
        (_, _, None) => Vec::new(),
    };
    answer.body = String::from_utf8(body).expect("text");
    answer
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}

fn bytes(from: &mut impl BufRead, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).expect("the whole body");
    bytes
}

fn chunks(from: &mut impl BufRead) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let length = usize::from_str_radix(&line(from), 16).expect("the length of a chunk");
        all.extend(bytes(from, length));
        assert_eq!(line(from), "");
        if length == 0 {
            return all;
        }
    }
}
