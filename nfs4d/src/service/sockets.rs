//! Sockets that the service manager listens on and passes, as `sd_listen_fds_with_names(3)` takes
//! them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use socket2::{Domain, SockRef, Type};

use super::is_for_us;
use crate::system;

/// The sockets that the service manager has passed; usually none.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// The listeners for clients, in the order of the units, with their addresses. They stand for
    /// those of `--listen`.
    pub(crate) nfs: Vec<(SocketAddr, TcpListener)>,
    /// Listeners that an earlier start of this server has given to the manager: see
    /// [`Notify::keep`](super::Notify::keep).
    pub(crate) kept: Vec<(SocketAddr, TcpListener)>,
    /// The Unix sockets of the administration interface.
    pub(crate) admin: Vec<UnixListener>,
}

/// A socket that was passed, and is not what it is named.
#[derive(Debug, thiserror::Error)]
pub enum SocketFault {
    /// The number of sockets is none.
    #[error("LISTEN_FDS={0:?} is not a number from 0 to {MOST}")]
    Number(OsString),
    /// There are fewer or more names than sockets.
    #[error("LISTEN_FDNAMES has {names} names for {sockets} sockets")]
    Names {
        /// Number of names.
        names: usize,
        /// Number of sockets.
        sockets: usize,
    },
    /// The name says nothing to this server.
    #[error(
        "a socket is passed by the name {0:?}; expected FileDescriptorName=nfs or FileDescriptorName=admin in its unit"
    )]
    Unknown(String),
    /// The socket is of another kind.
    #[error("the socket that is passed by the name {name:?} is not {expected}")]
    Kind {
        /// Its name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The operating system does not know the descriptor.
    #[error("a socket that LISTEN_FDS announces cannot be taken: {0}")]
    Io(#[from] io::Error),
}

impl Passed {
    /// The sockets that are announced in this environment. All are taken, or the process must end.
    pub(super) fn take(get: &impl Fn(&str) -> Option<OsString>) -> Result<Passed, SocketFault> {
        let names = announced(get)?;
        if names.is_empty() {
            return Ok(Passed::default());
        }
        Passed::sort(&names, system::passed_descriptors(names.len())?)
    }

    fn sort(names: &[String], descriptors: Vec<OwnedFd>) -> Result<Passed, SocketFault> {
        let mut passed = Passed::default();
        for (name, descriptor) in names.iter().zip(descriptors) {
            match name.as_str() {
                "nfs" => passed.nfs.push(tcp("nfs", descriptor)?),
                KEPT => passed.kept.push(tcp(KEPT, descriptor)?),
                "admin" => {
                    if !listens(&descriptor, &[Domain::UNIX])? {
                        let (name, expected) = ("admin", "a Unix socket that listens");
                        return Err(SocketFault::Kind { name, expected });
                    }
                    let listener = UnixListener::from(descriptor);
                    listener.set_nonblocking(true)?;
                    if is_open_to_all(&listener)? {
                        tracing::warn!(
                            "every user of this machine may administer the server by the socket that was passed; SocketMode in its unit changes that"
                        );
                    }
                    passed.admin.push(listener);
                }
                _ => return Err(SocketFault::Unknown(name.clone())),
            }
        }
        Ok(passed)
    }
}

/// The names of the sockets that are for this process; without names they are for clients.
fn announced(get: &impl Fn(&str) -> Option<OsString>) -> Result<Vec<String>, SocketFault> {
    let (Some(number), true) = (get("LISTEN_FDS"), is_for_us(get("LISTEN_PID"))) else {
        return Ok(Vec::new());
    };
    let sockets = number.to_str().and_then(|text| text.parse().ok());
    let Some(sockets) = sockets.filter(|sockets| *sockets <= MOST) else {
        return Err(SocketFault::Number(number));
    };
    let Some(names) = get("LISTEN_FDNAMES") else {
        return Ok(vec!["nfs".to_owned(); sockets]);
    };
    let names = names.to_string_lossy();
    let names: Vec<String> = names.split(':').map(str::to_owned).collect();
    match names.len() {
        _ if sockets == 0 => Ok(Vec::new()),
        number if number == sockets => Ok(names),
        names => Err(SocketFault::Names { names, sockets }),
    }
}

/// A descriptor as a TCP socket that listens, with its address.
pub(crate) fn tcp(
    name: &'static str,
    descriptor: OwnedFd,
) -> Result<(SocketAddr, TcpListener), SocketFault> {
    if !listens(&descriptor, &[Domain::IPV4, Domain::IPV6])? {
        let expected = "a TCP socket that listens";
        return Err(SocketFault::Kind { name, expected });
    }
    let listener = TcpListener::from(descriptor);
    listener.set_nonblocking(true)?;
    Ok((listener.local_addr()?, listener))
}

/// Whether it is a stream socket of one of these families that listens.
fn listens(descriptor: &OwnedFd, domains: &[Domain]) -> io::Result<bool> {
    let socket = SockRef::from(descriptor);
    let is_socket = |result: io::Result<bool>| match result {
        Err(why) if why.raw_os_error() == Some(libc::ENOTSOCK) => Ok(false),
        other => other,
    };
    is_socket(socket.domain().map(|domain| domains.contains(&domain)))
        .and_then(|fits| Ok(fits && socket.r#type()? == Type::STREAM && socket.is_listener()?))
}

/// Whether its file lets every user connect, as systemd's default does.
fn is_open_to_all(listener: &UnixListener) -> io::Result<bool> {
    let address = listener.local_addr()?;
    let Some(path) = address.as_pathname() else {
        // Names that are no files have no mode.
        return Ok(true);
    };
    Ok(fs::metadata(path)?.permissions().mode() & 0o002 != 0)
}

/// The name of sockets that the server has given to the service manager.
pub(super) const KEPT: &str = "listen";
/// Maximum number of sockets that are passed.
pub(crate) const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn environment(
        number: &'static str,
        names: Option<&'static str>,
        pid: u32,
    ) -> impl Fn(&str) -> Option<OsString> {
        move |name| match name {
            "LISTEN_FDS" => Some(number.into()),
            "LISTEN_FDNAMES" => names.map(OsString::from),
            "LISTEN_PID" => Some(pid.to_string().into()),
            _ => None,
        }
    }

    #[test]
    fn sockets_are_announced_to_one_process() {
        let own = std::process::id();
        let names = |number, names, pid| announced(&environment(number, names, pid));
        assert_eq!(names("2", None, own).unwrap(), ["nfs", "nfs"]);
        assert_eq!(
            names("2", Some("nfs:admin"), own).unwrap(),
            ["nfs", "admin"]
        );
        assert!(names("2", None, own + 1).unwrap().is_empty());
        assert!(names("0", Some(""), own).unwrap().is_empty());
        assert!(announced(&|_: &str| None).unwrap().is_empty());
    }

    #[test]
    fn a_wrong_announcement_is_named() {
        let own = std::process::id();
        for (number, names, part) in [
            ("many", None, "LISTEN_FDS"),
            ("-1", None, "LISTEN_FDS"),
            ("65", None, "0 to 64"),
            ("2", Some("nfs"), "1 names for 2 sockets"),
        ] {
            let fault = announced(&environment(number, names, own)).unwrap_err();
            assert!(fault.to_string().contains(part), "{fault}");
        }
    }

    #[test]
    fn a_socket_that_every_user_can_open_is_noticed() {
        let path = std::env::temp_dir().join(format!("nfs4d-open-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        for (mode, open) in [(0o666, true), (0o660, false), (0o600, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_open_to_all(&listener).unwrap(), open, "{mode:o}");
        }
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_socket_of_another_kind_is_refused() {
        let sort =
            |name: &str, descriptor: OwnedFd| Passed::sort(&[name.to_owned()], vec![descriptor]);
        let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
        let passed = sort("nfs", tcp().into()).unwrap();
        assert_eq!((passed.nfs.len(), passed.admin.len()), (1, 0));
        let connected = std::net::TcpStream::connect(passed.nfs[0].0).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (unix, _other) = UnixStream::pair().unwrap();
        let file = fs::File::open("/dev/null").unwrap();
        for (name, descriptor, part) in [
            ("nfs", connected.into(), "not a TCP socket that listens"),
            ("nfs", udp.into(), "not a TCP socket that listens"),
            ("nfs", file.into(), "not a TCP socket that listens"),
            ("admin", tcp().into(), "not a Unix socket that listens"),
            ("admin", unix.into(), "not a Unix socket that listens"),
            ("http", tcp().into(), "FileDescriptorName=nfs"),
        ] {
            let fault = sort(name, descriptor).unwrap_err().to_string();
            assert!(fault.contains(part), "{name}: {fault}");
        }
    }
}
