//! Which addresses the server may connect to for callbacks of 4.0.

use std::net::SocketAddr;

use crate::roster::Origin;

/// Decides which addresses may be dialled.
///
/// A client of NFSv4.0 names the address that it wants to be called back at, and it can name any: a
/// policy that allows them all lets clients make this server connect to machines of their choice.
/// Every function from a [`DialRequest`] to a `bool` is a policy.
pub trait DialPolicy: Send + Sync {
    /// Whether this address may be dialled. It is called for each attempt, on any thread, and must
    /// not block.
    fn allows(&self, request: &DialRequest<'_>) -> bool;
}

/// A client's request to be called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DialRequest<'a> {
    /// The address that it named.
    pub target: SocketAddr,
    /// The peer of the connection that carried the request, as given to
    /// [`Node::open`](crate::Node::open).
    pub peer: &'a str,
}

/// Allows only the IP address that the client's own connection comes from, whatever the port: the
/// default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SameHost;

/// Allows nothing: clients of NFSv4.0 get no delegations.
#[derive(Clone, Copy, Debug, Default)]
pub struct DialNone;

/// Allows everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct DialAny;

impl DialPolicy for SameHost {
    fn allows(&self, request: &DialRequest<'_>) -> bool {
        Origin::of(request.peer) == Origin::Address(request.target.ip().to_canonical())
    }
}

impl DialPolicy for DialNone {
    fn allows(&self, _: &DialRequest<'_>) -> bool {
        false
    }
}

impl DialPolicy for DialAny {
    fn allows(&self, _: &DialRequest<'_>) -> bool {
        true
    }
}

impl<F: Fn(&DialRequest<'_>) -> bool + Send + Sync> DialPolicy for F {
    fn allows(&self, request: &DialRequest<'_>) -> bool {
        self(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_host_is_the_same_however_it_is_written() {
        let allowed = |peer, target: &str| {
            let target = target.parse().unwrap();
            SameHost.allows(&DialRequest { target, peer })
        };
        assert!(allowed("192.0.2.1:700", "192.0.2.1:44000"));
        assert!(allowed("192.0.2.1", "192.0.2.1:44000"));
        assert!(allowed("[::ffff:192.0.2.1]:700", "192.0.2.1:44000"));
        assert!(allowed("[2001:db8::1]:700", "[2001:db8::1]:44000"));
        assert!(!allowed("192.0.2.1:700", "192.0.2.2:44000"));
        assert!(!allowed("[2001:db8::1]:700", "[2001:db8::2]:44000"));
        assert!(!allowed("a pipe", "127.0.0.1:44000"));
        assert!(!allowed("", "127.0.0.1:44000"));
    }

    #[test]
    fn the_others_and_any_function() {
        let request = DialRequest {
            target: "192.0.2.1:1".parse().unwrap(),
            peer: "192.0.2.9:1",
        };
        assert!(DialAny.allows(&request) && !DialNone.allows(&request));
        let low = |request: &DialRequest<'_>| request.target.port() < 1_024;
        assert!(DialPolicy::allows(&low, &request));
    }
}
