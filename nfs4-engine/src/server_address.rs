//! The addresses of the server, as clients see them. [RFC 8881 §11.16]

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use nfs4_proto::rpc::format_uaddr;

/// An address at which clients reach the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerAddress {
    /// An address and a TCP port. Port 2049 is not sent, since clients assume it; Linux then uses
    /// the port of its mount.
    Ip(IpAddr, u16),
    /// A DNS name, at port 2049: NFS has no way to state another port.
    Name(String),
}

/// The reason for which an address cannot be sent to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerAddressFault {
    /// The address stands for any host, or for many.
    #[error("it is not the address of one host")]
    Host,
    /// No server listens at port 0.
    #[error("its port is 0")]
    Port,
    /// It is no host name. [RFC 1123 §2.1]
    #[error("it is not a host name of letters, digits and hyphens")]
    Name,
    /// The address is in the list already.
    #[error("it is there twice")]
    Twice,
}

impl ServerAddress {
    /// The entry of fs_locations: a name, or a universal address without the port that clients
    /// assume.
    pub(crate) fn on_the_wire(&self) -> Cow<'_, str> {
        match self {
            ServerAddress::Ip(ip, NFS_PORT) => Cow::Owned(ip.to_string()),
            ServerAddress::Ip(ip, port) => Cow::Owned(format_uaddr(*ip, *port)),
            ServerAddress::Name(name) => Cow::Borrowed(name),
        }
    }

    /// Checks that clients can be sent the address.
    ///
    /// # Errors
    /// The reason for which they cannot; never [`ServerAddressFault::Twice`].
    pub fn validate(&self) -> Result<(), ServerAddressFault> {
        self.fault().map_or(Ok(()), Err)
    }

    /// Whether clients reach the same by both: names of hosts ignore case. [RFC 1034 §3.1]
    fn is_same(&self, other: &ServerAddress) -> bool {
        match (self, other) {
            (ServerAddress::Name(one), ServerAddress::Name(other)) => {
                one.eq_ignore_ascii_case(other)
            }
            _ => self == other,
        }
    }

    fn fault(&self) -> Option<ServerAddressFault> {
        match self {
            ServerAddress::Ip(ip, _) if is_no_host(ip) => Some(ServerAddressFault::Host),
            ServerAddress::Ip(_, 0) => Some(ServerAddressFault::Port),
            ServerAddress::Name(name) if !is_host_name(name) => Some(ServerAddressFault::Name),
            ServerAddress::Ip(..) | ServerAddress::Name(_) => None,
        }
    }
}

/// The form that people write.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerAddress::Ip(ip, port) => core::net::SocketAddr::new(*ip, *port).fmt(f),
            ServerAddress::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// The faults of these addresses.
pub(crate) fn faults_of(
    addresses: &[ServerAddress],
) -> impl Iterator<Item = (&ServerAddress, ServerAddressFault)> {
    addresses.iter().enumerate().filter_map(|(at, address)| {
        let before = addresses.get(..at).unwrap_or_default();
        let twice = before
            .iter()
            .any(|other| other.is_same(address))
            .then_some(ServerAddressFault::Twice);
        Some((address, address.fault().or(twice)?))
    })
}

fn is_no_host(ip: &IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || *ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Whether it is a host name and cannot be taken for an address. [RFC 1123 §2.1]
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |sign: u8| sign.is_ascii_alphanumeric() || sign == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.split('.').all(is_label)
        && !last.bytes().all(|sign| sign.is_ascii_digit())
}

/// The port of NFS, unless another is given. [RFC 8881 §2.9.3]
const NFS_PORT: u16 = 2049;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn only_a_port_that_clients_do_not_assume_is_sent() {
        let ip = |ip: &str, port| ServerAddress::Ip(ip.parse().unwrap(), port);
        for (address, wire) in [
            (ip("192.0.2.7", 2049), "192.0.2.7"),
            (ip("192.0.2.7", 20_490), "192.0.2.7.80.10"),
            (ip("2001:db8::1", 2049), "2001:db8::1"),
            (ip("2001:db8::1", 255), "2001:db8::1.0.255"),
            (ServerAddress::Name("files.example".into()), "files.example"),
        ] {
            assert_eq!(address.on_the_wire(), wire);
        }
    }

    #[test]
    fn a_host_name_cannot_be_taken_for_an_address() {
        let long = "a".repeat(63);
        for good in ["a", "files", "files.example", "4.example", "x-1.y", &long] {
            assert!(is_host_name(good), "{good}");
        }
        let too_long = [&*long; 4].join(".") + ".a";
        for bad in [
            "",
            ".",
            "files.",
            ".files",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "a b",
            "f\u{fc}r",
            "192.0.2.7",
            "192.0.2.7.8.1",
            "files.1",
            "::1",
            &"a".repeat(64),
            &too_long,
        ] {
            assert!(!is_host_name(bad), "{bad}");
        }
    }

    #[test]
    fn each_address_fault_is_found() {
        let ip = |ip: &str, port| ServerAddress::Ip(ip.parse().unwrap(), port);
        let addresses = [
            ip("0.0.0.0", 2049),
            ip("::", 2049),
            ip("224.0.0.1", 2049),
            ip("255.255.255.255", 2049),
            ip("192.0.2.7", 0),
            ip("192.0.2.7", 1),
            ip("192.0.2.7", 2),
            ip("192.0.2.7", 1),
            ServerAddress::Name("a b".into()),
            ServerAddress::Name("files.example".into()),
            ServerAddress::Name("Files.Example".into()),
        ];
        let faults: Vec<_> = faults_of(&addresses).map(|(_, fault)| fault).collect();
        let host = ServerAddressFault::Host;
        assert_eq!(faults[..4], [host; 4]);
        assert_eq!(
            faults[4..],
            [
                ServerAddressFault::Port,
                ServerAddressFault::Twice,
                ServerAddressFault::Name,
                ServerAddressFault::Twice
            ]
        );
    }
}
