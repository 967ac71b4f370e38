//! A connection to a server, record by record.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use nfs4_proto::rpc::{
    CallHeader, Mark, NFS_V4, NFS4_PROGRAM, NFSPROC4_NULL, OpaqueAuth, write_mark,
};
use nfs4_proto::xdr::{Encode as _, Writer};
use socket2::{Domain, Socket, Type};

use super::backchannel::{BackChannel, is_call};

/// A connection on which records are sent and waited for.
#[derive(Debug)]
pub struct Connection {
    /// The socket, for other uses.
    pub stream: TcpStream,
    /// Answers what the server calls.
    pub back: BackChannel,
}

/// Connects from this address of the machine; on Linux all of 127.0.0.0/8 are.
///
/// # Errors
/// It is not there, or the port is closed.
pub fn connect_from(from: IpAddr, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect(&server.into())?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Connection {
    /// A connection from 127.0.0.1.
    pub fn new(server: SocketAddr) -> Connection {
        Connection::from(IpAddr::from([127, 0, 0, 1]), server)
    }

    /// A connection from this address of the machine.
    pub fn from(from: IpAddr, server: SocketAddr) -> Connection {
        let stream = connect_from(from, server).expect("it listens");
        let back = BackChannel::default();
        Connection { stream, back }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next record, without its mark.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn record(&mut self) -> io::Result<Vec<u8>> {
        let mut mark = [0; Mark::LEN];
        self.stream.read_exact(&mut mark)?;
        let mut record = vec![0; Mark::from_bytes(mark).len as usize];
        self.stream.read_exact(&mut record)?;
        Ok(record)
    }

    /// Sends a call and returns its reply, past calls of the server's, which it answers.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn exchange(&mut self, call: &[u8]) -> io::Result<Vec<u8>> {
        self.send(call)?;
        self.reply()
    }

    /// The next reply, past calls of the server's, which it answers.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn reply(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let record = self.record()?;
            if !is_call(&record) {
                return Ok(record);
            }
            let answer = self.back.answer(&record);
            self.send(&answer)?;
        }
    }

    /// Whether the server has closed it, and has sent nothing before; waits for that at most so long.
    pub fn is_closed_within(&mut self, patience: Duration) -> bool {
        let timeout = Some(patience.max(Duration::from_millis(1)));
        self.stream.set_read_timeout(timeout).expect("it is set");
        let closed = match self.stream.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(why) => !matches!(
                why.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ),
        };
        let usual = Some(PATIENCE);
        self.stream.set_read_timeout(usual).expect("it is set");
        closed
    }
}

/// A call of NULL with AUTH_NONE, with its mark. [RFC 7530 §16.1]
pub fn null_call() -> Vec<u8> {
    let mut writer = Writer::new();
    let call = CallHeader {
        xid: 7,
        prog: NFS4_PROGRAM,
        vers: NFS_V4,
        proc: NFSPROC4_NULL,
        cred: OpaqueAuth::NONE,
        verf: OpaqueAuth::NONE,
    };
    call.encode(&mut writer);
    let message = writer.into_vec();
    [&write_mark(message.len())[..], &message].concat()
}

/// Longer than any reply takes on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);
