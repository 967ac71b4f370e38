//! Where a server's administration interface is.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of the administration interface.
const PORT: u16 = 20_491;

/// Where a server's administration interface is: `http://HOST:PORT`, or `unix:PATH`.
///
/// ```
/// use nfs4_admin::client::Endpoint;
///
/// let endpoint: Endpoint = "http://[::1]".parse()?;
/// assert_eq!(endpoint.to_string(), "http://[::1]:20491");
/// let endpoint: Endpoint = "unix:/run/nfs4d/admin.sock".parse()?;
/// assert_eq!(endpoint, Endpoint::Unix("/run/nfs4d/admin.sock".into()));
/// # Ok::<(), nfs4_admin::client::EndpointFault>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// HTTP over TCP.
    Tcp {
        /// A name or an address; an IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// HTTP over a Unix socket.
    Unix(PathBuf),
}

/// The default of `nfs4d --admin`: `http://127.0.0.1:20491`.
impl Default for Endpoint {
    fn default() -> Endpoint {
        Endpoint::Tcp {
            host: "127.0.0.1".to_owned(),
            port: PORT,
        }
    }
}

impl Endpoint {
    /// The value of the header `Host`.
    pub(super) fn authority(&self) -> String {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Tcp { host, port } => format!("{host}:{port}"),
            Endpoint::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { .. } => write!(f, "http://{}", self.authority()),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Without a port it is 20491; `http://` may be left out.
impl FromStr for Endpoint {
    type Err = EndpointFault;

    fn from_str(text: &str) -> Result<Endpoint, EndpointFault> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(EndpointFault::Path),
                _ => Ok(Endpoint::Unix(path.into())),
            };
        }
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => return Err(EndpointFault::Tls),
            Some((scheme, _)) => return Err(EndpointFault::Scheme(scheme.to_owned())),
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(EndpointFault::Extra);
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => bracketed(rest)?,
            None => plain(rest)?,
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0),
            None => Some(PORT),
        };
        let port = port.ok_or(EndpointFault::Port)?;
        let host = host.to_owned();
        Ok(Endpoint::Tcp { host, port })
    }
}

/// What follows an opening bracket: an IPv6 address and a port.
fn bracketed(rest: &str) -> Result<(&str, Option<&str>), EndpointFault> {
    let (host, rest) = rest.split_once(']').ok_or(EndpointFault::Host)?;
    host.parse::<Ipv6Addr>().map_err(|_| EndpointFault::Host)?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(EndpointFault::Port),
    }
}

/// A name or an IPv4 address, and a port.
fn plain(rest: &str) -> Result<(&str, Option<&str>), EndpointFault> {
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    if rest.parse::<Ipv6Addr>().is_ok() {
        return Err(EndpointFault::Brackets);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.is_empty() || host.len() > 253 || !host.bytes().all(allowed) {
        return Err(EndpointFault::Host);
    }
    Ok((host, port))
}

/// Why a text is no [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointFault {
    /// It names no path.
    #[error("unix: needs the path of a socket, as in unix:/run/nfs4d/admin.sock")]
    Path,
    /// It asks for TLS.
    #[error("https is not supported: use the Unix socket, or a tunnel")]
    Tls,
    /// It begins with another scheme.
    #[error("{0}:// is neither http:// nor unix:")]
    Scheme(String),
    /// It has more than a host and a port.
    #[error("must end after the port: no path, user or query")]
    Extra,
    /// It has no valid host.
    #[error("has no valid host, as in http://127.0.0.1:20491")]
    Host,
    /// It has an IPv6 address without brackets.
    #[error("needs brackets around an IPv6 address, as in http://[::1]:20491")]
    Brackets,
    /// It has no valid port.
    #[error("must have a port from 1 to 65535")]
    Port,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, EndpointFault> {
        Endpoint::from_str(text).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn endpoints_of_all_forms_are_read() {
        for (text, meaning) in [
            ("http://127.0.0.1:20491", "http://127.0.0.1:20491"),
            ("http://127.0.0.1:20491/", "http://127.0.0.1:20491"),
            ("http://nas.example", "http://nas.example:20491"),
            ("nas_1:80", "http://nas_1:80"),
            ("http://[2001:db8::7]:1", "http://[2001:db8::7]:1"),
            ("[::1]", "http://[::1]:20491"),
            ("unix:/run/nfs4d/admin.sock", "unix:/run/nfs4d/admin.sock"),
            ("unix:admin.sock", "unix:admin.sock"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(meaning), "{text}");
        }
        let default = Endpoint::default();
        assert_eq!(default.to_string().parse(), Ok(default));
    }

    #[test]
    fn what_is_no_endpoint_says_why() {
        for (text, why) in [
            ("", EndpointFault::Host),
            ("http://", EndpointFault::Host),
            ("http://:80", EndpointFault::Host),
            ("http://a b", EndpointFault::Host),
            ("http://a\r\nX: y", EndpointFault::Host),
            ("http://[::1", EndpointFault::Host),
            ("http://[nas]", EndpointFault::Host),
            ("http://[::1]80", EndpointFault::Port),
            ("::1", EndpointFault::Brackets),
            ("http://a:", EndpointFault::Port),
            ("http://a:0", EndpointFault::Port),
            ("http://a:65536", EndpointFault::Port),
            ("http://a:80/api", EndpointFault::Extra),
            ("http://root@a", EndpointFault::Extra),
            ("http://a?b", EndpointFault::Extra),
            ("https://a", EndpointFault::Tls),
            ("ftp://a", EndpointFault::Scheme("ftp".to_owned())),
            ("unix:", EndpointFault::Path),
        ] {
            assert_eq!(read(text), Err(why), "{text}");
        }
    }
}
