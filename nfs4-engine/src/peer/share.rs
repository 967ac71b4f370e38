//! What each peer has of a limited resource, and how much it may have.

use alloc::vec::Vec;

use super::Peer;
use crate::count::Count;
use crate::keys::PartyKey;
use crate::parted::Parted;

/// The amount in use of one resource, in all and by each party.
#[derive(Debug)]
pub(crate) struct Shares {
    /// By the index of the party. A party that is removed has nothing.
    of: Parted<usize>,
    all: usize,
}

/// The amount in use of a resource, as a peer sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerUsage {
    /// In use by the peer.
    pub(crate) own: usize,
    /// In use by all peers at its host.
    pub(crate) host: usize,
    /// In use by all peers.
    pub(crate) all: usize,
}

/// The reason for which a peer cannot have more of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitReached {
    /// The peer has its share.
    Share,
    /// The peer's share is small because of what other peers have: alone it could have more.
    Others,
    /// Nothing is left, although other peers are below their share.
    Node,
    /// Clients with expired leases are being removed to make room.
    Soon,
}

/// The parties whose oldest entry is evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EvictFrom {
    /// The peer itself.
    Own,
    /// All peers at its host.
    Host,
    /// All peers.
    First,
}

impl Shares {
    pub(crate) const fn new() -> Shares {
        Shares {
            of: Parted::new(),
            all: 0,
        }
    }

    /// The amount in use by all.
    pub(crate) fn all(&self) -> usize {
        self.all
    }

    /// The amount in use, as a peer sees it.
    pub(crate) fn held(&self, peer: Peer) -> PeerUsage {
        let of = |key: PartyKey| self.of.get(key.index as usize).copied().unwrap_or(0);
        PeerUsage {
            own: peer.user.map_or(0, of),
            host: of(peer.host),
            all: self.all,
        }
    }

    /// Adds to what a peer has.
    pub(crate) fn add(&mut self, peer: Peer, more: usize) {
        self.all += more;
        self.add_to(peer.host, more);
        if let Some(user) = peer.user {
            self.add_to(user, more);
        }
    }

    #[inline]
    fn add_to(&mut self, party: PartyKey, more: usize) {
        let place = party.index as usize;
        if let Some(held) = self.of.get_mut(place) {
            *held += more;
            return;
        }
        self.of.reach(place, || 0);
        if let Some(held) = self.of.get_mut(place) {
            *held = more;
        }
    }

    /// Subtracts from what a peer has.
    pub(crate) fn take(&mut self, peer: Peer, less: usize) {
        self.all.lower(less);
        self.take_from(peer.host, less);
        if let Some(user) = peer.user {
            self.take_from(user, less);
        }
    }

    #[inline]
    fn take_from(&mut self, party: PartyKey, less: usize) {
        if let Some(held) = self.of.get_mut(party.index as usize) {
            held.lower(less);
        }
    }

    /// Replaces `before` of what a peer has by `after`.
    pub(crate) fn change(&mut self, peer: Peer, before: usize, after: usize) {
        if after > before {
            self.add(peer, after - before);
        } else if before > after {
            self.take(peer, before - after);
        }
    }

    /// Whether each of these parties has the amount given, and no other party any.
    pub(crate) fn are(&self, expected: impl IntoIterator<Item = (PartyKey, usize)>) -> bool {
        are(self.of.iter().copied(), expected)
    }
}

impl PeerUsage {
    /// Adds another amount in use.
    pub(crate) fn add(&mut self, other: PeerUsage) {
        self.own += other.own;
        self.host += other.host;
        self.all += other.all;
    }

    /// The amount in use of things that are each counted for one of these peers.
    pub(crate) fn among(each: impl Iterator<Item = Peer>, peer: Peer) -> PeerUsage {
        each.fold(PeerUsage::default(), |held, other| PeerUsage {
            own: held.own + usize::from(other == peer),
            host: held.host + usize::from(other.host == peer.host),
            all: held.all + 1,
        })
    }

    /// Whether a peer may have `more` of a resource that has `limit` units.
    ///
    /// A peer may have as much as is left beside what its host has. The first peer gets a third,
    /// and another one at that host a third of what the host may still have; all at one host get no
    /// more than a half. The first peer at the next host gets a third of the rest, and so on.
    /// Something is always left for a later peer, and a peer that has much gets no more before
    /// others have released some. A host that has very little gets more as long as there is any.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(crate) fn admits(self, limit: usize, more: usize) -> Result<(), LimitReached> {
        let PeerUsage { own, host, all } = self;
        if all + more > limit {
            Err(LimitReached::Node)
        } else if host + more <= min_share(limit) || self.weighed() + 3 * more <= limit {
            Ok(())
        } else if own + 2 * host + 3 * more <= limit {
            Err(LimitReached::Others)
        } else {
            Err(LimitReached::Share)
        }
    }

    /// How much more a peer may have of a resource that has `limit` units.
    pub(crate) fn spare(self, limit: usize) -> usize {
        let share = limit.saturating_sub(self.weighed()) / 3;
        let minimum = min_share(limit).saturating_sub(self.host);
        share.max(minimum).min(limit.saturating_sub(self.all))
    }

    /// The amount in use, as it counts against a peer.
    pub(crate) fn weighed(self) -> usize {
        self.own + self.host + self.all
    }

    /// The parties to evict from, if a peer has more than [`PeerUsage::admits`] would have granted.
    pub(crate) fn gives_way(self, limit: usize) -> Option<EvictFrom> {
        let PeerUsage { own, host, all } = self;
        if host <= min_share(limit) {
            (all > limit).then_some(EvictFrom::First)
        } else if self.weighed() <= limit {
            None
        } else if 2 * own >= host {
            Some(EvictFrom::Own)
        } else {
            Some(EvictFrom::Host)
        }
    }
}

/// Whether the counts by index are those of these parties, and zero for all others.
pub(super) fn are(
    counted: impl Iterator<Item = usize>,
    expected: impl IntoIterator<Item = (PartyKey, usize)>,
) -> bool {
    let mut counted: Vec<usize> = counted.collect();
    for (key, held) in expected {
        let of = counted.get_mut(key.index as usize).map(core::mem::take);
        if of.unwrap_or(0) != held {
            return false;
        }
    }
    counted.iter().all(|rest| *rest == 0)
}

/// The amount that a host may have, whatever other hosts have.
fn min_share(limit: usize) -> usize {
    (limit / MIN_SHARE_DIVISOR).max(1)
}

/// The part of the limit that a host may always have is one in this number.
const MIN_SHARE_DIVISOR: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(host: u32, user: u32) -> Peer {
        Peer {
            host: PartyKey::new(host, 1),
            user: Some(PartyKey::new(user, 1)),
        }
    }

    /// Gives each peer as much as it may have, one after the other.
    fn greedy(limit: usize, peers: &[Peer]) -> Vec<usize> {
        let mut shares = Shares::new();
        let mut got = Vec::new();
        for peer in peers {
            let before = shares.held(*peer).own;
            while shares.held(*peer).admits(limit, 1).is_ok() {
                shares.add(*peer, 1);
            }
            got.push(shares.held(*peer).own - before);
        }
        assert_eq!(shares.held(peers[0]).all, got.iter().sum::<usize>());
        got
    }

    #[test]
    fn each_peer_gets_a_part_of_what_earlier_peers_left() {
        let hosts = [1, 2, 3, 4].map(|host| peer(host, 10 + host));
        assert_eq!(greedy(900, &hosts), [300, 200, 133, 89]);
        let users = [1, 2, 3, 4, 5].map(|user| peer(0, user));
        assert_eq!(greedy(900, &users), [300, 100, 33, 11, 4]);
        // Of a very small limit, each host gets one.
        assert_eq!(greedy(2, &hosts), [1, 1, 0, 0]);
        assert_eq!(greedy(1, &hosts), [1, 0, 0, 0]);
    }

    #[test]
    fn a_host_gets_a_little_as_long_as_there_is_any() {
        let hosts: Vec<Peer> = (0..40).map(|host| peer(host, 100 + host)).collect();
        let got = greedy(100 * MIN_SHARE_DIVISOR, &hosts);
        assert_eq!(got[14..19], [117, 100, 100, 35, 0]);
        let held = PeerUsage {
            own: 0,
            host: 0,
            all: 7,
        };
        assert_eq!(held.admits(7, 1), Err(LimitReached::Node));
        assert_eq!(held.admits(8, 1), Ok(()));
        let more = PeerUsage {
            own: 1,
            host: 2,
            all: 6,
        };
        assert_eq!(more.admits(8, 1), Err(LimitReached::Others));
        let most = PeerUsage {
            own: 2,
            host: 2,
            all: 6,
        };
        assert_eq!(most.admits(8, 1), Err(LimitReached::Share));
    }

    #[test]
    fn the_peer_with_most_is_evicted_from() {
        let whose = |own, host, all| PeerUsage { own, host, all }.gives_way(100);
        assert_eq!(whose(33, 33, 34), None);
        assert_eq!(whose(34, 34, 34), Some(EvictFrom::Own));
        assert_eq!(whose(5, 48, 50), Some(EvictFrom::Host));
        assert_eq!(whose(1, 1, 100), None);
        assert_eq!(whose(1, 1, 101), Some(EvictFrom::First));
        assert_eq!(whose(2, 2, 101), Some(EvictFrom::Own));
    }

    #[test]
    fn a_released_amount_is_free_for_other_peers() {
        let (one, two) = (peer(1, 2), peer(3, 4));
        let mut shares = Shares::new();
        shares.add(one, 5);
        shares.add(two, 1);
        assert_eq!(shares.held(one).admits(16, 1), Err(LimitReached::Share));
        shares.take(one, 5);
        assert_eq!(shares.held(two).own, 1);
        assert_eq!(
            shares.held(one),
            PeerUsage {
                own: 0,
                host: 0,
                all: 1
            }
        );
        assert!(shares.are([(two.host, 1), (PartyKey::new(4, 1), 1)]));
        assert!(!shares.are([(two.host, 1)]));
        assert!(!shares.are([(two.host, 1), (PartyKey::new(4, 1), 1), (one.host, 1)]));
    }
}
