//! Universal addresses: the address and port of a transport as text [RFC 5665 §5.2.3].

use alloc::format;
use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The netid of TCP over IPv4 [RFC 5665 §5.2.3.3].
pub const NETID_TCP: &[u8] = b"tcp";
/// The netid of TCP over IPv6 [RFC 5665 §5.2.3.4].
pub const NETID_TCP6: &[u8] = b"tcp6";

/// Reads a universal address of TCP: the host's address, then two more decimal bytes after dots,
/// which are the port's. None for another netid, for anything else than such an address, and for
/// one that cannot be connected to: an unspecified host, a group of hosts, port 0
/// [RFC 5665 §5.2.3.3, §5.2.3.4].
pub fn parse_uaddr(netid: &[u8], addr: &[u8]) -> Option<SocketAddr> {
    let text = core::str::from_utf8(addr).ok()?;
    let (rest, low) = text.rsplit_once('.')?;
    let (host, high) = rest.rsplit_once('.')?;
    let port = u16::from_be_bytes([byte(high)?, byte(low)?]);
    let host = match netid {
        NETID_TCP => IpAddr::V4(host.parse::<Ipv4Addr>().ok()?),
        NETID_TCP6 => IpAddr::V6(host.parse::<Ipv6Addr>().ok()?),
        _ => return None,
    };
    let reachable = port != 0
        && !host.is_unspecified()
        && !host.is_multicast()
        && host != IpAddr::V4(Ipv4Addr::BROADCAST);
    reachable.then_some(SocketAddr::new(host, port))
}

/// The universal address of a host and a TCP port; the netid follows from the kind of address
/// [RFC 5665 §5.2.3.3, §5.2.3.4].
pub fn format_uaddr(host: IpAddr, port: u16) -> String {
    let [high, low] = port.to_be_bytes();
    format!("{host}.{high}.{low}")
}

/// A byte in decimal, without a sign.
fn byte(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|sign| sign.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn tcp(addr: &str) -> Option<SocketAddr> {
        parse_uaddr(NETID_TCP, addr.as_bytes())
    }

    fn tcp6(addr: &str) -> Option<SocketAddr> {
        parse_uaddr(NETID_TCP6, addr.as_bytes())
    }

    #[test]
    fn the_port_is_two_more_bytes() {
        let shown = |addr: Option<SocketAddr>| addr.unwrap().to_string();
        assert_eq!(shown(tcp("192.0.2.7.8.1")), "192.0.2.7:2049");
        assert_eq!(shown(tcp("127.0.0.1.255.255")), "127.0.0.1:65535");
        assert_eq!(shown(tcp("10.0.0.1.0.1")), "10.0.0.1:1");
        assert_eq!(shown(tcp6("::1.8.1")), "[::1]:2049");
        assert_eq!(
            shown(tcp6("2001:db8:0:0:0:0:0:1.8.1")),
            "[2001:db8::1]:2049"
        );
        assert_eq!(
            shown(tcp6("::ffff:192.0.2.7.8.1")),
            "[::ffff:192.0.2.7]:2049"
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (address, netid, written) in [
            ("10.0.0.1:1", NETID_TCP, "10.0.0.1.0.1"),
            ("192.0.2.7:20490", NETID_TCP, "192.0.2.7.80.10"),
            ("[2001:db8::1]:2049", NETID_TCP6, "2001:db8::1.8.1"),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(format_uaddr(address.ip(), address.port()), written);
            assert_eq!(parse_uaddr(netid, written.as_bytes()), Some(address));
        }
    }

    #[test]
    fn what_is_no_such_address_is_none() {
        for addr in [
            "",
            ".",
            "..",
            "192.0.2.7",
            "192.0.2.7.1",
            "192.0.2.7.8.1.1",
            "192.0.2.7.8.256",
            "192.0.2.7.+8.1",
            "192.0.2.7.-8.1",
            "192.0.2.7.8.",
            "192.0.2.7..1",
            "192.0.2.256.8.1",
            "192.0.2.7.8.1 ",
            "localhost.8.1",
            "::1.8.1",
            "0.0.0.0.8.1",
            "192.0.2.7.0.0",
            "224.0.0.1.8.1",
            "255.255.255.255.8.1",
        ] {
            assert_eq!(tcp(addr), None, "{addr}");
        }
        for addr in [
            "::.8.1",
            "::1.0.0",
            "ff02::1.8.1",
            "fe80::1%eth0.8.1",
            "127.0.0.1.8.1",
            "::1",
        ] {
            assert_eq!(tcp6(addr), None, "{addr}");
        }
        assert_eq!(parse_uaddr(b"udp", b"127.0.0.1.8.1"), None);
        assert_eq!(parse_uaddr(b"tcp", b"127.0.0.\xff.8.1"), None);
    }
}
