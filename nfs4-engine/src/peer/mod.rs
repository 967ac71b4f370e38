//! Peers: the parties that limits are counted for.
//!
//! A peer is a principal at an address, whatever number of connections and client ids it has. An
//! address is counted with all that its principals have: a host can make up any number of
//! principals.

mod eviction;
mod share;

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

pub(crate) use eviction::{Evictable, EvictionEntry, EvictionOrder};
pub(crate) use share::{EvictFrom, LimitReached, PeerUsage, Shares};

use crate::keys::{PartyKey, kind};
use crate::map::{DetMap, Keyed};
use crate::principal::Principal;
use crate::slab::Entry;
use crate::slab::Slab;

/// All parties that have anything.
pub(crate) struct Peers {
    slab: Slab<Party>,
    by_name: DetMap<Name, PartyKey>,
}

/// A host, or one of its principals.
pub(crate) struct Party {
    name: Name,
    /// Number of connections, client records and kept replies that hold it.
    uses: usize,
}

/// The party that something is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) host: PartyKey,
    /// None where the principal at the host is not known.
    pub(crate) user: Option<PartyKey>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// An address without the port.
    Address(IpAddr),
    /// The name of a host that is no address, as the driver gives it.
    Other(Box<str>),
    Principal(PartyKey, Principal),
}

impl Entry for Party {
    type Kind = kind::Party;
}

impl Peers {
    pub(crate) const fn new(keyed: Keyed) -> Peers {
        Peers {
            slab: Slab::new(),
            by_name: DetMap::new(keyed),
        }
    }

    /// Number of parties, and number of those that can be found by name.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.slab.len(), self.by_name.len())
    }

    /// Number of holds on each party.
    pub(crate) fn uses(&self) -> impl Iterator<Item = (PartyKey, usize)> + '_ {
        let entries = self.slab.entries();
        entries.map(|(key, party)| (key, party.uses))
    }

    /// The host at an address, as a driver writes it; the host is held once more.
    pub(crate) fn host(&mut self, address: &str) -> Peer {
        let name = match address.parse::<SocketAddr>() {
            Ok(address) => Name::Address(address.ip().to_canonical()),
            Err(_) => Name::Other(address.into()),
        };
        let peer = Peer {
            host: self.named(name),
            user: None,
        };
        self.acquire(peer);
        peer
    }

    /// A principal at a host; it is held once more.
    pub(crate) fn user(&mut self, host: PartyKey, principal: Principal) -> Peer {
        let user = self.named(Name::Principal(host, principal));
        let peer = Peer {
            host,
            user: Some(user),
        };
        self.acquire(peer);
        peer
    }

    /// Keeps a peer until each hold on it has ended.
    pub(crate) fn acquire(&mut self, peer: Peer) {
        for key in peer.parties() {
            if let Some(party) = self.slab.get_mut(key) {
                party.uses += 1;
            }
        }
    }

    /// Ends one [`Peers::acquire`]; the last one removes the peer.
    pub(crate) fn release(&mut self, peer: Peer) {
        for key in peer.parties() {
            let Some(party) = self.slab.get_mut(key) else {
                continue;
            };
            debug_assert!(party.uses > 0, "what is left was held");
            party.uses = party.uses.saturating_sub(1);
            if party.uses == 0
                && let Some(party) = self.slab.remove(key)
            {
                self.by_name.remove(&party.name);
            }
        }
    }

    fn named(&mut self, name: Name) -> PartyKey {
        if let Some(key) = self.by_name.get(&name) {
            return *key;
        }
        let party = Party {
            name: name.clone(),
            uses: 0,
        };
        let key = self.slab.insert(party);
        self.by_name.insert(name, key);
        key
    }
}

impl Peer {
    /// The host, and the principal if it is known.
    pub(crate) fn parties(self) -> impl Iterator<Item = PartyKey> {
        core::iter::once(self.host).chain(self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Credential;

    #[test]
    fn a_peer_is_a_principal_at_an_address_without_its_port() {
        let mut peers = Peers::new(Keyed::new([1; 16]));
        let one = peers.host("192.0.2.1:700");
        for same in ["192.0.2.1:701", "[::ffff:192.0.2.1]:9"] {
            assert_eq!(peers.host(same), one, "{same}");
        }
        for other in [
            "192.0.2.2:700",
            "[2001:db8::1]:700",
            "[2001:db8::2]:700",
            "pipe",
        ] {
            assert_ne!(peers.host(other), one, "{other}");
        }
        let root = Principal::of(&Credential::sys(0, 0, &[]));
        let user = Principal::of(&Credential::sys(7, 0, &[]));
        let nobody = Principal::of(&Credential::none());
        let known = [root, user, nobody].map(|user| peers.user(one.host, user));
        assert_eq!(peers.user(one.host, user), known[1]);
        assert!(known[0] != known[1] && known[1] != known[2]);
        assert_eq!(peers.counts(), (8, 8));
    }

    #[test]
    fn a_peer_exists_while_it_is_held() {
        let mut peers = Peers::new(Keyed::new([1; 16]));
        let host = peers.host("192.0.2.1:700");
        let root = peers.user(host.host, Principal::of(&Credential::none()));
        peers.release(host);
        assert_eq!(peers.host("192.0.2.1:1"), host);
        peers.release(host);
        peers.acquire(root);
        peers.release(root);
        assert_eq!(peers.counts(), (2, 2));
        peers.release(root);
        assert_eq!(peers.counts(), (0, 0));
        assert_ne!(
            peers.host("192.0.2.1:700"),
            host,
            "and is another when it comes again"
        );
    }
}
