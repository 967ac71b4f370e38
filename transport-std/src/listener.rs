//! Listeners of TCP and of Unix sockets.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::accept_wait::{AcceptWait, AcceptWaker};
use crate::stream::BlockingStream;

/// Accepts connections.
pub(crate) trait Listener {
    type Stream: BlockingStream;

    /// The next connection, with the name of its peer.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] to call [`AcceptWait::wait`] first; what the system says.
    fn accept(&self) -> io::Result<(Self::Stream, String)>;

    /// What waits for the next connection, and what ends the wait.
    fn wait(&self) -> io::Result<(AcceptWait, AcceptWaker)>;
}

#[derive(Debug)]
pub(crate) enum AnyListener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(unix::Unix),
}

impl AnyListener {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            AnyListener::Tcp(listener) => listener.local_addr(),
            #[cfg(unix)]
            AnyListener::Unix(listener) => Err(listener.no_address()),
        }
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn accept(&self) -> io::Result<(TcpStream, String)> {
        let (stream, peer) = self.accept()?;
        // Some systems hand the listener's mode down.
        stream.set_nonblocking(false)?;
        // Without the option the server is slower, and correct.
        let _ = stream.set_nodelay(true);
        Ok((stream, peer.to_string()))
    }

    fn wait(&self) -> io::Result<(AcceptWait, AcceptWaker)> {
        AcceptWait::for_tcp(self)
    }
}

#[cfg(unix)]
pub(crate) mod unix {
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::path::Path;

    use nfs4_driver::SocketFile;

    use super::{AcceptWait, AcceptWaker, Listener, io};

    #[derive(Debug)]
    pub(crate) struct Unix {
        /// Dropped first: what is removed is this server's.
        file: SocketFile,
        listener: UnixListener,
    }

    impl Unix {
        pub(crate) fn bind(path: &Path) -> io::Result<Unix> {
            let (file, listener) =
                SocketFile::bind(path, |path| UnixListener::bind(path), connect)?;
            Ok(Unix { file, listener })
        }

        pub(crate) fn no_address(&self) -> io::Error {
            no_address(&self.file)
        }
    }

    /// A datagram socket cannot connect, but learns whether a process has the other.
    pub(crate) fn connect(path: &Path) -> io::Result<()> {
        UnixDatagram::unbound()?.connect(path)
    }

    pub(crate) fn no_address(file: &SocketFile) -> io::Error {
        let text = format!("it listens at {}", file.path().display());
        io::Error::new(io::ErrorKind::Unsupported, text)
    }

    /// The standard library does not tell which user a peer is: all peers of a socket have one name.
    pub(crate) fn peer(file: &SocketFile) -> String {
        format!("unix:{}", file.path().display())
    }

    impl Listener for Unix {
        type Stream = UnixStream;

        fn accept(&self) -> io::Result<(UnixStream, String)> {
            let (stream, _) = self.listener.accept()?;
            stream.set_nonblocking(false)?;
            Ok((stream, peer(&self.file)))
        }

        fn wait(&self) -> io::Result<(AcceptWait, AcceptWaker)> {
            self.listener.set_nonblocking(true)?;
            AcceptWait::for_descriptor(&self.listener)
        }
    }
}
