//! The other end of a connection, which may send anything.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nfs4_driver::engine::proto::rpc::{
    AuthFlavor, CallHeader, Fault, Mark, MessageType, NFS_V4, NFS4_PROGRAM, NFSPROC4_NULL,
    OpaqueAuth, ReplyHeader, peek_message_type, write_mark,
};
use nfs4_driver::engine::proto::xdr::{Encode, Writer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::server::PATIENCE;

/// A connection to the server.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    /// Calls of the server's that came while a reply was waited for.
    calls: VecDeque<Vec<u8>>,
    /// The other way round.
    replies: VecDeque<Vec<u8>>,
}

impl Peer {
    pub(crate) async fn connect(server: SocketAddr) -> Peer {
        Peer::on(TcpStream::connect(server).await.unwrap())
    }

    /// From another host than usual: 127.0.0.`host`.
    pub(crate) async fn connect_from(host: u8, server: SocketAddr) -> Peer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, host], 0).into()).unwrap();
        Peer::on(socket.connect(server).await.unwrap())
    }

    /// A connection that is there already.
    pub(crate) fn on(stream: TcpStream) -> Peer {
        stream.set_nodelay(true).unwrap();
        let address = stream.local_addr().unwrap();
        Peer {
            stream,
            address,
            calls: VecDeque::new(),
            replies: VecDeque::new(),
        }
    }

    /// At the other end of any stream, which is carried over TCP.
    pub(crate) async fn over<S>(mut stream: S) -> Peer
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::connect(listener.local_addr().unwrap()).await;
        let (mut carrier, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            // It ends with either.
            let _ = copy_bidirectional(&mut carrier, &mut stream).await;
        });
        peer
    }

    /// Ends the connection in both directions at once, so that the server need not answer any more.
    pub(crate) fn reset(self) {
        let socket = SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends calls and takes no reply until no more can be sent for a while; `false` if the
    /// connection is lost before. `sent` counts the bytes, from one time to the next.
    pub(crate) async fn send_until_stuck(&mut self, sent: &mut usize) -> bool {
        let call = record(&NULL);
        let calls = call.repeat(1_000);
        loop {
            match timeout(Duration::from_millis(200), self.stream.writable()).await {
                Err(_) => return true,
                Ok(Err(_)) => return false,
                Ok(Ok(())) => {}
            }
            // A call that was torn goes on where it was.
            match self.stream.try_write(&calls[*sent % call.len()..]) {
                Ok(count) => *sent += count,
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
            assert!(*sent < 1 << 30, "the server reads on and on");
        }
    }

    /// The next record, or how the stream ended.
    pub(crate) async fn record(&mut self) -> io::Result<Vec<u8>> {
        let read = async {
            let mut mark = [0; Mark::LEN];
            self.stream.read_exact(&mut mark).await?;
            let mark = Mark::from_bytes(mark);
            assert!(mark.last, "the server sends one fragment a record");
            let mut record = vec![0; mark.len as usize];
            self.stream.read_exact(&mut record).await?;
            Ok(record)
        };
        timeout(PATIENCE, read).await.expect("an answer in time")
    }

    /// The next reply; calls that come before it are kept.
    pub(crate) async fn reply(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(reply) = self.replies.pop_front() {
                return Ok(reply);
            }
            self.sort().await?;
        }
    }

    /// The next call of the server's; replies that come before it are kept.
    pub(crate) async fn called(&mut self) -> Vec<u8> {
        loop {
            if let Some(call) = self.calls.pop_front() {
                return call;
            }
            self.sort().await.expect("a call");
        }
    }

    /// Whether a call came before the last reply that was not taken.
    pub(crate) fn was_called(&self) -> bool {
        !self.calls.is_empty()
    }

    async fn sort(&mut self) -> io::Result<()> {
        let record = self.record().await?;
        match peek_message_type(&record).expect("a call or a reply").1 {
            MessageType::Call => self.calls.push_back(record),
            MessageType::Reply => self.replies.push_back(record),
        }
        Ok(())
    }

    /// The outcome of the next reply, whose transaction id must be this.
    pub(crate) async fn outcome(&mut self, xid: u32) -> Result<(), Fault> {
        let record = self.reply().await.expect("a reply");
        let reply = ReplyHeader::decode(&record).expect("a reply");
        assert_eq!(reply.xid, xid);
        reply.outcome.map(|_| ())
    }

    /// Whether the server answers NULL.
    pub(crate) async fn is_served(&mut self) -> bool {
        self.send(&record(&NULL)).await;
        self.outcome(NULL.xid).await == Ok(())
    }

    /// Waits for the server to close, without another answer.
    pub(crate) async fn is_closed(&mut self) {
        let mut byte = [0];
        match timeout(PATIENCE, self.stream.read(&mut byte))
            .await
            .expect("an end in time")
        {
            Ok(0) | Err(_) => {}
            Ok(_) => panic!("an answer instead of an end"),
        }
    }
}

/// A call as one record of one fragment.
pub(crate) fn record(call: &CallHeader<'_>) -> Vec<u8> {
    mark(&message(call))
}

/// A call without a mark.
pub(crate) fn message(call: &CallHeader<'_>) -> Vec<u8> {
    let mut writer = Writer::new();
    call.encode(&mut writer);
    writer.into_vec()
}

/// Puts a mark before a message.
pub(crate) fn mark(message: &[u8]) -> Vec<u8> {
    [&write_mark(message.len()), message].concat()
}

/// A message in fragments of at most `size` bytes.
pub(crate) fn fragments(message: &[u8], size: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    let count = message.len().div_ceil(size);
    for (at, fragment) in message.chunks(size).enumerate() {
        let mark = Mark {
            last: at + 1 == count,
            len: fragment.len() as u32,
        };
        stream.extend_from_slice(&mark.to_bytes());
        stream.extend_from_slice(fragment);
    }
    stream
}

/// A call of NULL with AUTH_NONE.
pub(crate) const NULL: CallHeader<'static> = CallHeader {
    xid: 0x1111_2222,
    prog: NFS4_PROGRAM,
    vers: NFS_V4,
    proc: NFSPROC4_NULL,
    cred: OpaqueAuth::NONE,
    verf: OpaqueAuth::NONE,
};

/// The flavour of AUTH_SYS with a made-up body.
pub(crate) const fn sys(body: &[u8]) -> OpaqueAuth<'_> {
    OpaqueAuth {
        flavor: AuthFlavor::SYS,
        body,
    }
}
