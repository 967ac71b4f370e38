//! Networks, and what their hosts may do with an export.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::str::FromStr;

use crate::squash::Squash;

/// A network: an address and the number of its leading bits that all hosts share. [RFC 4632, RFC 4291 §2.3]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Why a network is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidrFault {
    /// It is not an address, nor an address, '/' and a number of bits.
    #[error("it is no address and no network such as 192.0.2.0/24 or 2001:db8::/32")]
    Form,
    /// There are more bits than the address has.
    #[error("a prefix has at most {most} bits, not {prefix}")]
    Prefix {
        /// Number of bits given.
        prefix: u8,
        /// Number of bits of the address.
        most: u8,
    },
    /// The address has bits after the prefix, as that of a host has.
    #[error("the address has bits after the prefix: the network is {0}")]
    Host(Cidr),
}

/// What the hosts of a network may do with an export, where that differs from the export's own options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NetworkRule {
    /// The hosts.
    pub network: Cidr,
    /// In place of [`Export::read_only`](crate::Export::read_only).
    pub read_only: Option<bool>,
    /// In place of [`Export::squash`](crate::Export::squash).
    pub squash: Option<Squash>,
}

impl NetworkRule {
    /// A rule that lets the hosts of a network use the export by its own options.
    pub const fn new(network: Cidr) -> NetworkRule {
        NetworkRule {
            network,
            read_only: None,
            squash: None,
        }
    }

    /// These values, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut NetworkRule)) -> NetworkRule {
        set(&mut self);
        self
    }
}

impl Cidr {
    /// The network of the hosts that share the first `prefix` bits of an address. An IPv4 address mapped to
    /// IPv6 with a prefix of 96 bits or more is an IPv4 network.
    ///
    /// # Errors
    /// The prefix is too long, or the address has bits after it.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Cidr, CidrFault> {
        let most = bits(address);
        if prefix > most {
            return Err(CidrFault::Prefix { prefix, most });
        }
        let (address, prefix) = match address.to_canonical() {
            canonical if bits(canonical) == most => (canonical, prefix),
            canonical if prefix >= MAPPED => (canonical, prefix - MAPPED),
            _ => (address, prefix),
        };
        let network = Cidr {
            address: masked(address, prefix),
            prefix,
        };
        if network.address == address {
            Ok(network)
        } else {
            Err(CidrFault::Host(network))
        }
    }

    /// The first address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Number of leading bits that all hosts share.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether a host is in the network. An IPv4 address mapped to IPv6 is an IPv4 address.
    pub fn contains(&self, host: IpAddr) -> bool {
        masked(host.to_canonical(), self.prefix) == self.address
    }
}

impl FromStr for Cidr {
    type Err = CidrFault;

    /// A network such as 192.0.2.0/24, or the address of one host.
    fn from_str(text: &str) -> Result<Cidr, CidrFault> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrFault::Form)?;
        let prefix = match prefix {
            Some(prefix) if prefix.bytes().all(|digit| digit.is_ascii_digit()) => {
                prefix.parse().map_err(|_| CidrFault::Form)?
            }
            Some(_) => return Err(CidrFault::Form),
            None => bits(address),
        };
        Cidr::new(address, prefix)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Cidr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The address of a peer as a driver writes it. A peer without an address is on this host: it comes by a
/// Unix socket, or is in this process.
pub(crate) fn address_of(peer: &str) -> IpAddr {
    let with_port = peer.parse::<SocketAddr>().map(|address| address.ip());
    let address = with_port.or_else(|_| peer.parse::<IpAddr>());
    address.map_or(LOOPBACK, |address| address.to_canonical())
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An address without the bits after the prefix.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(prefix)));
            IpAddr::V4((address.to_bits() & mask.unwrap_or(0)).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(prefix)));
            IpAddr::V6((address.to_bits() & mask.unwrap_or(0)).into())
        }
    }
}

/// Number of bits before an IPv4 address that is mapped to IPv6.
const MAPPED: u8 = 96;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_the_hosts_that_share_its_bits() {
        let table = [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.8/31", "192.0.2.9", "192.0.2.10"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
            ("192.0.2.0/24", "::ffff:192.0.2.7", "::ffff:192.0.3.7"),
            ("::ffff:192.0.2.0/120", "192.0.2.7", "192.0.3.7"),
        ];
        for (network, within, without) in table {
            assert!(cidr(network).contains(ip(within)), "{network} {within}");
            assert!(!cidr(network).contains(ip(without)), "{network} {without}");
        }
        assert_eq!(cidr("192.0.2.0/24").to_string(), "192.0.2.0/24");
        assert_eq!(cidr("::ffff:192.0.2.0/120"), cidr("192.0.2.0/24"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/24",
            "192.0.2.0/",
            "192.0.2.0/+24",
            "192.0.2.0/24/8",
            "192.0.2.0/256",
            "192.0.2/24",
            "host",
            "192.0.2.0/ 24",
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(CidrFault::Form), "{text}");
        }
        let long = CidrFault::Prefix {
            prefix: 33,
            most: 32,
        };
        assert_eq!("192.0.2.0/33".parse::<Cidr>(), Err(long));
        let host = CidrFault::Host(cidr("192.0.2.0/24"));
        assert_eq!("192.0.2.1/24".parse::<Cidr>(), Err(host));
    }

    #[test]
    fn a_peer_without_an_address_is_on_this_host() {
        for local in ["unix", "in memory", "/run/nfs.sock", "127.0.0.1:1"] {
            assert_eq!(address_of(local), LOOPBACK, "{local}");
        }
        assert_eq!(address_of("[::ffff:192.0.2.1]:700"), ip("192.0.2.1"));
        assert_eq!(address_of("192.0.2.1"), ip("192.0.2.1"));
    }
}
