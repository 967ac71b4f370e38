//! Listeners, of TCP and of Unix sockets, whose blocked accept can be ended.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::stop::{Phase, Target};
use crate::stream::BlockingStream;

/// Accepts connections.
pub(crate) trait Listener {
    type Stream: BlockingStream;

    /// Waits for the next connection; returns it with the name of its peer.
    fn accept(&self) -> io::Result<(Self::Stream, String)>;

    /// Ends a blocked accept.
    fn waker(&self) -> io::Result<AcceptWaker>;

    fn set_blocking(&self) -> io::Result<()>;
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
        // Without the option the server is slower, and correct.
        let _ = stream.set_nodelay(true);
        Ok((stream, peer.to_string()))
    }

    fn waker(&self) -> io::Result<AcceptWaker> {
        let address = reachable(self.local_addr()?);
        Ok(AcceptWaker {
            // The standard library has shutdown(2) only for streams.
            #[cfg(unix)]
            listener: TcpStream::from(std::os::fd::OwnedFd::from(self.try_clone()?)),
            knock: Box::new(move || TcpStream::connect_timeout(&address, KNOCK).map(drop)),
        })
    }

    fn set_blocking(&self) -> io::Result<()> {
        self.set_nonblocking(false)
    }
}

/// Ends the blocked accept of a listener.
pub(crate) struct AcceptWaker {
    #[cfg(unix)]
    listener: TcpStream,
    /// Connects to the listener.
    knock: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
}

impl Target for AcceptWaker {
    fn enter(self: Arc<Self>, _: Phase) {
        // Another process may have the socket, too, and go on to accept from it.
        if (self.knock)().is_ok() {
            return;
        }
        // There may be no free descriptor. On Linux this ends accept, in all processes.
        #[cfg(unix)]
        let _ = self.listener.shutdown(Shutdown::Both);
    }
}

/// The address at which this machine reaches a listener at `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

#[cfg(unix)]
pub(crate) mod unix {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::path::Path;

    use nfs4_driver::SocketFile;

    use super::{AcceptWaker, Listener, TcpStream, io};

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
            Ok((stream, peer(&self.file)))
        }

        fn waker(&self) -> io::Result<AcceptWaker> {
            let path = self.file.path().to_owned();
            Ok(AcceptWaker {
                listener: TcpStream::from(OwnedFd::from(self.listener.try_clone()?)),
                knock: Box::new(move || UnixStream::connect(&path).map(drop)),
            })
        }

        fn set_blocking(&self) -> io::Result<()> {
            self.listener.set_nonblocking(false)
        }
    }
}

const KNOCK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::Stop;

    #[test]
    fn a_blocked_accept_comes_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Stop::new();
        let watch = stop.watch(Arc::new(listener.waker().unwrap()));
        let waiting = thread::spawn(move || drop(listener.accept()));
        thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        stop.stop();
        waiting.join().unwrap();
        // It has the socket, too.
        drop(watch);
        assert!(TcpStream::connect(address).is_err(), "no process listens");
    }

    #[test]
    fn a_socket_that_another_process_has_too_still_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = listener.try_clone().unwrap();
        let stop = Stop::new();
        let _watch = stop.watch(Arc::new(listener.waker().unwrap()));
        let waiting = thread::spawn(move || drop(listener.accept()));
        thread::sleep(Duration::from_millis(20));
        stop.stop();
        waiting.join().unwrap();
        let client = TcpStream::connect(other.local_addr().unwrap()).unwrap();
        let (_accepted, peer) = TcpListener::accept(&other).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }

    #[test]
    fn no_address_in_particular_is_reached_on_loopback() {
        for (listening, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:2", "[::1]:2"),
            ("10.0.0.1:3", "10.0.0.1:3"),
        ] {
            assert_eq!(
                reachable(listening.parse().unwrap()),
                reached.parse().unwrap()
            );
        }
    }
}
