//! Listeners, of TCP and of Unix sockets.

use std::io;
use std::net::SocketAddr;

use nfs4_driver::task;
use tokio::net::{TcpListener, TcpStream};

use crate::stream::TokioStream;

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(Tcp),
    #[cfg(unix)]
    Unix(unix::Unix),
}

#[derive(Debug)]
pub(crate) struct Tcp(pub(crate) TcpListener);

impl Listener {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Tcp(Tcp(listener)) => listener.local_addr(),
            #[cfg(unix)]
            Listener::Unix(listener) => Err(listener.no_address()),
        }
    }
}

impl task::Listener for Tcp {
    type Stream = TokioStream<TcpStream>;

    async fn accept(&mut self) -> io::Result<(TokioStream<TcpStream>, String)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((TokioStream::tcp(stream), peer.to_string()))
    }
}

#[cfg(unix)]
pub(crate) mod unix {
    use std::os::unix::net as std_unix;
    use std::path::Path;

    use nfs4_driver::SocketFile;
    use tokio::net::{UnixListener, UnixStream};

    use super::{TokioStream, io, task};

    #[derive(Debug)]
    pub(crate) struct Unix {
        /// Dropped first: what is removed is this server's.
        file: SocketFile,
        listener: UnixListener,
    }

    impl Unix {
        pub(crate) fn bind(path: &Path) -> io::Result<Unix> {
            // A datagram socket cannot connect, but learns whether a process has the other.
            let connect = |path: &Path| std_unix::UnixDatagram::unbound()?.connect(path);
            let (file, listener) =
                SocketFile::bind(path, |path| UnixListener::bind(path), connect)?;
            Ok(Unix { file, listener })
        }

        pub(crate) fn no_address(&self) -> io::Error {
            let text = format!("it listens at {}", self.file.path().display());
            io::Error::new(io::ErrorKind::Unsupported, text)
        }
    }

    impl task::Listener for Unix {
        type Stream = TokioStream<UnixStream>;

        async fn accept(&mut self) -> io::Result<(TokioStream<UnixStream>, String)> {
            let (stream, _) = self.listener.accept().await?;
            let peer = format!("unix:uid={}", stream.peer_cred()?.uid());
            Ok((TokioStream(stream), peer))
        }
    }
}
