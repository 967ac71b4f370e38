//! Where clients reach the server, as it reports it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use nfs4_engine::ServerAddress;

/// An address of the server as the administrator writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// An address, and a port if it is not the one that is listened at.
    Ip(IpAddr, Option<u16>),
    /// A name, which the engine checks.
    Name(String),
}

impl Reach {
    /// The address for the engine, of a server that listens at `port`.
    pub fn of_server_at(&self, port: u16) -> ServerAddress {
        match self {
            Reach::Ip(ip, own) => ServerAddress::Ip(*ip, own.unwrap_or(port)),
            // Names of hosts ignore case. [RFC 1034 §3.1]
            Reach::Name(name) => ServerAddress::Name(name.to_ascii_lowercase()),
        }
    }
}

impl FromStr for Reach {
    type Err = ReachFault;

    fn from_str(text: &str) -> Result<Reach, ReachFault> {
        if let Ok(ip) = bare(text).parse() {
            return Ok(Reach::Ip(ip, None));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Reach::Ip(address.ip(), Some(address.port())));
        }
        match text.rsplit_once(':') {
            Some((host, _)) if bare(host).parse::<IpAddr>().is_ok() => Err(ReachFault::Port),
            Some((host, _)) if !host.contains(':') => Err(ReachFault::PortOfName),
            Some(_) => Err(ReachFault::Malformed),
            None => Ok(Reach::Name(text.to_owned())),
        }
    }
}

/// As it is written.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Ip(ip, None) => ip.fmt(f),
            Reach::Ip(ip, Some(port)) => SocketAddr::new(*ip, *port).fmt(f),
            Reach::Name(name) => name.fmt(f),
        }
    }
}

/// Why a text is not an address of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachFault {
    /// An IP address, and no port number after it.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// A host name with a port: NFS has no way to state that.
    #[error("a host name is always reached at port 2049, and takes no port")]
    PortOfName,
    /// Several colons, and not an IPv6 address.
    #[error("it is neither an IPv6 address nor one in brackets with a port")]
    Malformed,
}

/// An address without the brackets around it.
fn bare(text: &str) -> &str {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_not_given_is_the_one_listened_at() {
        for (text, expected) in [
            ("192.0.2.7", "192.0.2.7:20490"),
            ("192.0.2.7:2049", "192.0.2.7:2049"),
            ("2001:db8::1", "[2001:db8::1]:20490"),
            ("[2001:db8::1]", "[2001:db8::1]:20490"),
            ("[2001:db8::1]:4000", "[2001:db8::1]:4000"),
        ] {
            let expected: SocketAddr = expected.parse().unwrap();
            let reach: Reach = text.parse().unwrap();
            let address = ServerAddress::Ip(expected.ip(), expected.port());
            assert_eq!(reach.of_server_at(20_490), address, "{text}");
            assert_eq!(reach.to_string(), bare_if_alone(text), "{text}");
        }
        let name: Reach = "files.example".parse().unwrap();
        let expected = ServerAddress::Name("files.example".to_owned());
        assert_eq!(name.of_server_at(1), expected);
    }

    /// Brackets without a port say nothing.
    fn bare_if_alone(text: &str) -> &str {
        if text.ends_with(']') {
            bare(text)
        } else {
            text
        }
    }

    #[test]
    fn a_port_that_is_none_is_not_taken_for_a_name() {
        for (text, fault) in [
            ("192.0.2.7:99999", ReachFault::Port),
            ("192.0.2.7:", ReachFault::Port),
            ("192.0.2.7:nfs", ReachFault::Port),
            ("[2001:db8::1]:65536", ReachFault::Port),
            ("files.example:1", ReachFault::PortOfName),
            ("2001:db8::1::2", ReachFault::Malformed),
        ] {
            assert_eq!(text.parse::<Reach>(), Err(fault), "{text}");
        }
    }
}
