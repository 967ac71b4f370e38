//! Messages to the service manager, as `sd_notify(3)` sends them.

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::cmsg_space;
use rustix::net::{
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr,
};
use tokio::net::TcpListener;

use super::sockets::{KEPT, MOST};
use crate::system;

/// Tells the service manager about this process; without one it does nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notify(Option<Arc<Target>>);

#[derive(Debug)]
struct Target {
    socket: UnixDatagram,
    /// It may be bound anew when the service manager is replaced, so the socket is not connected.
    address: SocketAddr,
}

impl Notify {
    /// Tells the socket of this name, if there is one; `@` stands for the zero byte with which the
    /// names begin that are no files.
    pub(crate) fn of(name: Option<OsString>) -> Notify {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Notify(None);
        };
        match Target::at(&name) {
            Ok(target) => Notify(Some(Arc::new(target))),
            Err(why) => {
                tracing::warn!(?name, %why, "the service manager cannot be told that the server runs");
                Notify(None)
            }
        }
    }

    /// Whether there is a service manager.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// The server serves: after its start, or after a reload.
    pub(crate) fn ready(&self) {
        self.send("READY=1");
    }

    /// The server reads its configuration again; [`Notify::ready`] ends that.
    pub(crate) fn reloading(&self) {
        let now = system::monotonic_micros();
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
    }

    /// The server stops.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// One line for a person.
    pub(crate) fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", line(status)));
    }

    /// Asks the service manager to keep these sockets, and no others, while the server is restarted: clients
    /// that connect meanwhile wait. A manager without a store for them ignores that.
    pub(crate) fn keep(&self, listeners: &[TcpListener]) {
        let Some(target) = &self.0 else { return };
        self.send(&format!("FDSTOREREMOVE=1\nFDNAME={KEPT}"));
        if let Err(why) = target.keep(listeners) {
            tracing::warn!(%why, "the service manager does not keep the sockets");
        }
    }

    /// The server is well: its watchdog sends it, and no other.
    pub(super) fn ping(&self) {
        self.send("WATCHDOG=1");
    }

    fn send(&self, message: &str) {
        let Some(target) = &self.0 else { return };
        let sent = target
            .socket
            .send_to_addr(message.as_bytes(), &target.address);
        if let Err(why) = sent {
            tracing::warn!(%why, "the service manager does not take a message");
        }
    }
}

impl Target {
    fn at(name: &OsString) -> io::Result<Target> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let address = address(name)?;
        Ok(Target { socket, address })
    }

    fn keep(&self, listeners: &[TcpListener]) -> io::Result<()> {
        let descriptors = listeners.iter().take(MOST).map(|one| one.as_fd());
        let descriptors: Vec<_> = descriptors.collect();
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        // There is room for all.
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let address = match (self.address.as_pathname(), abstract_name(&self.address)) {
            (Some(path), _) => SocketAddrUnix::new(path)?,
            (None, Some(name)) => SocketAddrUnix::new_abstract_name(name)?,
            (None, None) => return Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        let message = format!("FDSTORE=1\nFDNAME={KEPT}");
        let message = [IoSlice::new(message.as_bytes())];
        let flags = SendFlags::empty();
        sendmsg_addr(&self.socket, &address, &message, &mut control, flags)?;
        Ok(())
    }
}

fn address(name: &OsString) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        if let Some(name) = name.as_bytes().strip_prefix(b"@") {
            return SocketAddr::from_abstract_name(name);
        }
    }
    SocketAddr::from_pathname(name)
}

#[cfg(target_os = "linux")]
fn abstract_name(address: &SocketAddr) -> Option<&[u8]> {
    use std::os::linux::net::SocketAddrExt as _;
    address.as_abstract_name()
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &SocketAddr) -> Option<&[u8]> {
    None
}

/// The text as one line: a line break would begin another field.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Time that a thread waits at most for a service manager that takes no message.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut message = [0; 4_096];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_no_files_are_reached() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("nfs4d-test-{}", std::process::id());
        let socket =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let notify = Notify::of(Some(format!("@{name}").into()));
        notify.ready();
        assert_eq!(received(&socket), "READY=1");
        notify.reloading();
        let message = received(&socket);
        let now = message.split("MONOTONIC_USEC=").nth(1).unwrap();
        let now: u64 = now.lines().next().unwrap().parse().unwrap();
        assert!(message.starts_with("RELOADING=1\n") && now > 0, "{message}");
        notify.stopping();
        assert_eq!(received(&socket), "STOPPING=1");
        notify.status("two\nREADY=1");
        assert_eq!(received(&socket), "STATUS=two READY=1");
    }

    #[test]
    fn without_a_service_manager_nothing_is_sent() {
        for name in [None, Some("".into()), Some("/nonexistent\0/socket".into())] {
            let notify = Notify::of(name);
            assert!(!notify.is_heard());
            notify.ready();
        }
        // One that has gone is no reason to fail.
        Notify::of(Some("/nonexistent/socket".into())).stopping();
    }
}
