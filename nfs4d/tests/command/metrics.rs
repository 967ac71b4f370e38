//! Requests for metrics, and connections that delay them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::daemon::{DRIVERS, Server};

#[test]
fn a_slow_reader_of_metrics_delays_no_other() {
    for driver in DRIVERS {
        let server = Server::start(&["--driver", driver, "--metrics", "127.0.0.1:0"]);
        let address = server.metrics();
        let start = Instant::now();
        let mut slow = Vec::new();
        for _ in 0..40 {
            let silent = TcpStream::connect(address).expect("it listens");
            let mut half = TcpStream::connect(address).expect("it listens");
            write!(half, "GET /metrics").expect("it reads");
            let mut deaf = TcpStream::connect(address).expect("it listens");
            write!(deaf, "GET /metrics HTTP/1.1\r\n\r\n").expect("it reads");
            slow.push([silent, half, deaf]);
        }
        for _ in 0..10 {
            assert!(get(address, "/metrics").starts_with("HTTP/1.1 200 OK\r\n"));
        }
        let took = start.elapsed();
        println!(
            "attack slow readers of metrics {driver}: limit=16 at once told=end of stream took={took:?}"
        );
        assert!(took < Duration::from_millis(1_500), "{took:?} on {driver}");
        // The server closes them after the maximum time of a request.
        for stream in slow.iter_mut().flatten() {
            let patience = Some(Duration::from_secs(10));
            stream.set_read_timeout(patience).expect("it is set");
            let mut rest = Vec::new();
            let ended = stream.read_to_end(&mut rest);
            let cut_off = ended
                .as_ref()
                .is_err_and(|why| why.kind() == std::io::ErrorKind::ConnectionReset);
            assert!(ended.is_ok() || cut_off, "{ended:?} on {driver}");
        }
    }
}

/// Sends a request, and returns the whole answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout is possible");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// The value of a series without labels.
pub(crate) fn value(text: &str, series: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {series} in: {text}"))
}
