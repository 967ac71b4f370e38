//! Listeners, of TCP and of Unix sockets.

use std::io;
use std::net::SocketAddr;

use async_std::net::{TcpListener, TcpStream};
use nfs4_driver::task;

use crate::async_std::stream::FuturesStream;

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
    type Stream = FuturesStream<TcpStream>;

    async fn accept(&mut self) -> io::Result<(FuturesStream<TcpStream>, String)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((FuturesStream::tcp(stream), peer.to_string()))
    }
}

#[cfg(unix)]
pub(crate) mod unix {
    use std::os::unix::net as std_unix;
    use std::path::Path;

    use async_std::os::unix::net::{UnixListener, UnixStream};
    use nfs4_driver::SocketFile;

    use super::{FuturesStream, io, task};
    use crate::listener::unix::{connect, no_address, peer};

    #[derive(Debug)]
    pub(crate) struct Unix {
        /// Dropped first: what is removed is this server's.
        file: SocketFile,
        listener: UnixListener,
    }

    impl Unix {
        pub(crate) fn bind(path: &Path) -> io::Result<Unix> {
            let bind = |path: &Path| std_unix::UnixListener::bind(path);
            let (file, listener) = SocketFile::bind(path, bind, connect)?;
            let listener = listener.into();
            Ok(Unix { file, listener })
        }

        pub(crate) fn no_address(&self) -> io::Error {
            no_address(&self.file)
        }
    }

    impl task::Listener for Unix {
        type Stream = FuturesStream<UnixStream>;

        async fn accept(&mut self) -> io::Result<(FuturesStream<UnixStream>, String)> {
            let (stream, _) = self.listener.accept().await?;
            Ok((FuturesStream(stream), peer(&self.file)))
        }
    }
}
