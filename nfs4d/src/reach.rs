//! Where clients reach the server, as it reports it.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use nfs4_engine::ServerAddress;

/// An address of the server as an operator gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// An address, and a port if it is not the one that is listened at.
    Ip(IpAddr, Option<u16>),
    /// A name, or what the engine will say is none.
    Name(String),
}

impl Reach {
    /// The addresses for the engine, of a server that listens at `port`.
    pub fn of_server_at(&self, port: u16) -> ServerAddress {
        match self {
            Reach::Ip(ip, own) => ServerAddress::Ip(*ip, own.unwrap_or(port)),
            Reach::Name(name) => ServerAddress::Name(name.clone()),
        }
    }
}

impl FromStr for Reach {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Reach, Infallible> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        Ok(if let Ok(ip) = bare.unwrap_or(text).parse() {
            Reach::Ip(ip, None)
        } else if let Ok(address) = text.parse::<SocketAddr>() {
            Reach::Ip(address.ip(), Some(address.port()))
        } else {
            Reach::Name(text.to_owned())
        })
    }
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
        }
        let name: Reach = "files.example".parse().unwrap();
        let expected = ServerAddress::Name("files.example".to_owned());
        assert_eq!(name.of_server_at(1), expected);
    }
}
