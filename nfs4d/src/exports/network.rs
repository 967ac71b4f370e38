//! Networks, as people write them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Network {
    /// Its bits after the prefix are 0.
    pub(super) address: IpAddr,
    /// Number of bits that its addresses share.
    pub(super) prefix: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Network {
    type Err = String;

    /// An address alone is the network of one host.
    fn from_str(text: &str) -> Result<Network, String> {
        let expected = || {
            "expected an IP address and the length of a prefix, as in 192.0.2.0/24 or 2001:db8::/32; \
             host names are not accepted"
                .to_owned()
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        if let IpAddr::V6(mapped) = address
            && let Some(mapped) = mapped.to_ipv4_mapped()
        {
            return Err(format!(
                "is an address of IPv4 in one of IPv6; write it as one of IPv4, as in {mapped}"
            ));
        }
        let most = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let prefix = match prefix {
            None => most,
            Some(digits) => {
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
                let number = digits.parse().ok().filter(|_| plain);
                number
                    .filter(|number| *number <= most)
                    .ok_or_else(expected)?
            }
        };
        let network = Network {
            address: masked(address, prefix),
            prefix,
        };
        if network.address != address {
            return Err(format!(
                "has bits after its prefix; the network is {network}, and the host {address}/{most}"
            ));
        }
        Ok(network)
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_as_they_are_written() {
        for (text, shown) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::/0", "::/0"),
            ("10.128.0.0/9", "10.128.0.0/9"),
        ] {
            let network: Network = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(network.to_string(), shown);
        }
    }

    #[test]
    fn nothing_else_is_a_network() {
        for (text, part) in [
            ("", "expected"),
            ("files.example", "host names are not accepted"),
            ("192.0.2.0/33", "expected"),
            ("192.0.2.0/+8", "expected"),
            ("192.0.2.0/", "expected"),
            ("192.0.2.0/24/8", "expected"),
            ("192.0.2/24", "expected"),
            ("::/129", "expected"),
            (
                "192.0.2.7/24",
                "the network is 192.0.2.0/24, and the host 192.0.2.7/32",
            ),
            ("2001:db8::1/64", "the network is 2001:db8::/64"),
            ("::ffff:192.0.2.7", "as in 192.0.2.7"),
        ] {
            let why = text.parse::<Network>().unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
