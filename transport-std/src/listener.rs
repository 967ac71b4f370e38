//! A listener whose blocked accept can be ended.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::stop::{Phase, Target};

/// Ends the blocked accept of a listener.
pub(crate) struct AcceptWaker {
    address: SocketAddr,
    #[cfg(unix)]
    listener: TcpStream,
}

impl AcceptWaker {
    pub(crate) fn of(listener: &TcpListener) -> io::Result<AcceptWaker> {
        Ok(AcceptWaker {
            address: listener.local_addr()?,
            // The standard library has shutdown(2) only for streams.
            #[cfg(unix)]
            listener: TcpStream::from(std::os::fd::OwnedFd::from(listener.try_clone()?)),
        })
    }
}

impl Target for AcceptWaker {
    fn enter(self: Arc<Self>, _: Phase) {
        // On Linux this ends accept, and works without a free descriptor.
        #[cfg(unix)]
        if self.listener.shutdown(std::net::Shutdown::Both).is_ok() {
            return;
        }
        // On other systems a connection ends the accept.
        let _ = TcpStream::connect_timeout(&reachable(self.address), KNOCK);
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
        let _watch = stop.watch(Arc::new(AcceptWaker::of(&listener).unwrap()));
        let waiting = thread::spawn(move || drop(listener.accept()));
        thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        stop.stop();
        waiting.join().unwrap();
        assert!(TcpStream::connect(address).is_err(), "no process listens");
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
