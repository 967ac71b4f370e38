//! What clients on sockets have in common.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A client's end of a connection.
pub(crate) fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) fn set_timeout(stream: &TcpStream, span: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(span))?;
    stream.set_write_timeout(Some(span))
}

pub(crate) fn end_writes(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)
}

/// Number of connections for which the process has descriptors: two for each, and some for other
/// tests.
pub(crate) fn most_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    let most = soft.map_or(1_000, |soft| soft / 8).min(1_000);
    if most < 1_000 {
        println!("{most} connections instead of 1 000, by the limit of open files");
    }
    most
}
