//! A listener that can be brought back from waiting for a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::stop::{Phase, Target};

/// Ends a blocked accept of a listener.
pub(crate) struct Door {
    address: SocketAddr,
    #[cfg(unix)]
    listener: TcpStream,
}

impl Door {
    pub(crate) fn of(listener: &TcpListener) -> io::Result<Door> {
        Ok(Door {
            address: listener.local_addr()?,
            // Only a stream has shutdown(2) in the standard library.
            #[cfg(unix)]
            listener: TcpStream::from(std::os::fd::OwnedFd::from(listener.try_clone()?)),
        })
    }
}

impl Target for Door {
    fn enter(self: Arc<Self>, _: Phase) {
        // On Linux this ends accept, and needs no descriptor when they have run out.
        #[cfg(unix)]
        if self.listener.shutdown(std::net::Shutdown::Both).is_ok() {
            return;
        }
        // On other systems a thread that waits in accept is woken by a connection.
        let _ = TcpStream::connect_timeout(&reachable(self.address), KNOCK);
    }
}

/// Where a listener at `address` is reached from this machine.
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
        let _told = stop.tell(Arc::new(Door::of(&listener).unwrap()));
        let waiting = thread::spawn(move || drop(listener.accept()));
        thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        stop.stop();
        waiting.join().unwrap();
        assert!(TcpStream::connect(address).is_err(), "nobody listens");
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
