//! The wait for a connection, which the stop of a server ends.

#[cfg(not(unix))]
pub(crate) use knock::{AcceptWait, AcceptWaker};
#[cfg(unix)]
pub(crate) use pipe::{AcceptWait, AcceptWaker};

/// Another process may have the listening socket, too, and go on to accept from it. So the wait is
/// ended by what this process has alone: shutdown(2) would end the socket for all of them, and a
/// connection may reach another process.
#[cfg(unix)]
mod pipe {
    use std::io::{self, PipeReader, PipeWriter, pipe};
    use std::net::TcpListener;
    use std::os::fd::{AsFd, OwnedFd};
    use std::sync::{Arc, Mutex, PoisonError};

    use rustix::event::{PollFd, PollFlags, poll};

    use crate::stop::{Phase, Target};

    /// Waits for a connection to a listener that does not block.
    pub(crate) struct AcceptWait {
        listener: OwnedFd,
        end: PipeReader,
    }

    /// Ends the wait, and those that follow.
    pub(crate) struct AcceptWaker(Mutex<Option<PipeWriter>>);

    impl AcceptWait {
        pub(crate) fn for_tcp(listener: &TcpListener) -> io::Result<(AcceptWait, AcceptWaker)> {
            listener.set_nonblocking(true)?;
            AcceptWait::for_descriptor(listener)
        }

        pub(crate) fn for_descriptor(listener: impl AsFd) -> io::Result<(AcceptWait, AcceptWaker)> {
            let (end, writer) = pipe()?;
            let wait = AcceptWait {
                listener: listener.as_fd().try_clone_to_owned()?,
                end,
            };
            Ok((wait, AcceptWaker(Mutex::new(Some(writer)))))
        }

        /// Returns when there may be a connection, or the wait is ended.
        ///
        /// # Errors
        /// The system lacks memory.
        pub(crate) fn wait(&self) -> io::Result<()> {
            let mut both = [
                PollFd::new(&self.listener, PollFlags::IN),
                PollFd::new(&self.end, PollFlags::IN),
            ];
            poll(&mut both, None)?;
            Ok(())
        }
    }

    impl Target for AcceptWaker {
        fn enter(self: Arc<Self>, _: Phase) {
            let writer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            // The reader sees the end of the pipe.
            drop(writer);
        }
    }
}

/// The standard library can only block.
#[cfg(not(unix))]
mod knock {
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use crate::stop::{Phase, Target};

    /// There is nothing to wait for: accept blocks.
    pub(crate) struct AcceptWait;

    /// Ends accept by a connection.
    pub(crate) struct AcceptWaker(SocketAddr);

    impl AcceptWait {
        pub(crate) fn for_tcp(listener: &TcpListener) -> io::Result<(AcceptWait, AcceptWaker)> {
            listener.set_nonblocking(false)?;
            let address = reachable(listener.local_addr()?);
            Ok((AcceptWait, AcceptWaker(address)))
        }

        pub(crate) fn wait(&self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target for AcceptWaker {
        fn enter(self: Arc<Self>, _: Phase) {
            // Without the lock of the stop, which accept's thread takes before it accepts again.
            thread::spawn(move || TcpStream::connect_timeout(&self.0, KNOCK).map(drop));
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

    const KNOCK: Duration = Duration::from_secs(1);
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::AcceptWait;
    use crate::Stop;

    #[test]
    fn a_stop_ends_the_wait_of_this_process_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = listener.try_clone().unwrap();
        let (wait, waker) = AcceptWait::for_tcp(&listener).unwrap();
        let stop = Stop::new();
        let watch = stop.watch(Arc::new(waker));
        let waiting = thread::spawn(move || {
            wait.wait().unwrap();
            // At once, however often.
            wait.wait().unwrap();
        });
        thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        stop.stop();
        waiting.join().unwrap();
        drop((watch, listener));
        let client = TcpStream::connect(other.local_addr().unwrap()).unwrap();
        let (_accepted, peer) = other.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }

    #[test]
    fn a_connection_ends_the_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (wait, _waker) = AcceptWait::for_tcp(&listener).unwrap();
        let waiting = thread::spawn(move || wait.wait().unwrap());
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        waiting.join().unwrap();
        listener.accept().unwrap();
    }
}
