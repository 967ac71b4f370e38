//! Where the administration interface is reached.

use std::fs;
use std::io;
use std::net::{self, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net as unix;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use nfs4_driver::SocketFile;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixSocket, UnixStream};

use crate::fault::Fault;

/// A socket that is listened on, of no runtime yet.
#[derive(Debug)]
pub(crate) enum Listener {
    /// TCP.
    Tcp(net::TcpListener, SocketAddr),
    /// A Unix socket. Its file is dropped first: what is removed is this server's. One that was passed is
    /// the service manager's.
    Unix(Option<SocketFile>, unix::UnixListener),
}

impl Listener {
    /// Listens on `address`.
    ///
    /// # Errors
    /// It cannot listen there.
    pub(crate) fn tcp(address: SocketAddr) -> Result<Listener, Fault> {
        let bind = || {
            let listener = net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Listener::Tcp(listener, address))
        };
        bind().map_err(|source| Fault::Listen { address, source })
    }

    /// Listens at `path`; the file has its mode before a process can connect.
    ///
    /// # Errors
    /// It cannot listen there.
    pub(crate) fn unix(path: &Path, mode: u32) -> Result<Listener, Fault> {
        // Connections are refused until the socket listens.
        let bind = |path: &Path| {
            let socket = UnixSocket::new_stream()?;
            socket.bind(path)?;
            let listening = fs::set_permissions(path, fs::Permissions::from_mode(mode))
                .and_then(|()| socket.listen(BACKLOG)?.into_std());
            if listening.is_err() {
                // The file is this server's, and of no use.
                let _ = fs::remove_file(path);
            }
            listening
        };
        // A datagram socket cannot connect, but learns whether a process has the other.
        let connect = |path: &Path| unix::UnixDatagram::unbound()?.connect(path);
        match SocketFile::bind(path, bind, connect) {
            Ok((file, listener)) => Ok(Listener::Unix(Some(file), listener)),
            Err(source) => Err(Fault::AdminSocket {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Its address; none of a Unix socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(_, address) => Some(*address),
            Listener::Unix(..) => None,
        }
    }

    /// For the runtime that this is called in.
    pub(super) fn open(self) -> io::Result<Open> {
        match self {
            Listener::Tcp(listener, _) => TcpListener::from_std(listener).map(Open::Tcp),
            Listener::Unix(file, listener) => {
                let listener = UnixListener::from_std(listener)?;
                let _file = file;
                Ok(Open::Unix { _file, listener })
            }
        }
    }
}

/// A listener of a runtime.
#[derive(Debug)]
pub(super) enum Open {
    Tcp(TcpListener),
    Unix {
        /// Dropped first, as in [`Listener::Unix`].
        _file: Option<SocketFile>,
        listener: UnixListener,
    },
}

impl Open {
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Open::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // An event must not wait for the next to fill a packet. It fails if the peer has gone.
                let _ = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
            Open::Unix { listener, .. } => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;
