//! Recalls that ran out, so that one client cannot make others wait again and again.

use alloc::collections::VecDeque;
use core::hash::BuildHasher;

use crate::map::Keyed;
use crate::peer::Peer;
use crate::time::Mono;

/// The clients that did not return a delegation before it was revoked, each once, the least recent first.
pub(crate) struct Lapses {
    latest: VecDeque<Lapse>,
    keyed: Keyed,
}

struct Lapse {
    /// The peer of the client; its record is held even if it has no client.
    peer: Peer,
    /// A hash of the client's owner, which stays the same under a new client id.
    owner: u64,
    until: Mono,
}

impl Lapses {
    pub(crate) const fn new(keyed: Keyed) -> Lapses {
        Lapses {
            latest: VecDeque::new(),
            keyed,
        }
    }

    /// The peers that are held.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.latest.iter().map(|lapse| lapse.peer)
    }

    /// Whether a client, or its peer, has let too many recalls run out of late.
    pub(crate) fn bars(&self, peer: Peer, owner: &[u8], now: Mono) -> bool {
        if self.latest.is_empty() {
            return false;
        }
        let owner = self.keyed.hash_one(owner);
        let (mut of_peer, mut of_host) = (0, 0);
        for lapse in self.latest.iter().filter(|lapse| now < lapse.until) {
            let same_peer = lapse.peer == peer;
            if same_peer && lapse.owner == owner {
                return true;
            }
            of_peer += u32::from(same_peer);
            of_host += u32::from(lapse.peer.host == peer.host);
        }
        of_peer >= OF_PEER || of_host >= OF_HOST
    }

    /// Notes that a recall to this owner ran out. The caller holds the peer if this returns `true`.
    pub(crate) fn record(&mut self, peer: Peer, owner: &[u8], until: Mono, now: Mono) -> bool {
        let owner = self.keyed.hash_one(owner);
        let latest = &mut self.latest;
        let known = latest
            .iter()
            .position(|lapse| lapse.peer == peer && lapse.owner == owner);
        if let Some(lapse) = known.and_then(|at| latest.remove(at)) {
            // A client counts once, however many delegations it keeps.
            latest.push_back(Lapse { until, ..lapse });
            return false;
        }
        // More lapses of one host would change nothing, and displace those of other hosts.
        let of_host = latest.iter().filter(|lapse| lapse.peer.host == peer.host);
        let is_new = now < until && of_host.count() < OF_HOST as usize;
        if is_new {
            latest.push_back(Lapse { peer, owner, until });
        }
        is_new
    }

    /// Removes the oldest lapse if it is over, or if there is no room for `more` others. Returns its
    /// peer, which the caller releases.
    pub(crate) fn pop_over(&mut self, more: usize, now: Mono) -> Option<Peer> {
        let first = self.latest.front()?;
        let goes = now >= first.until || self.latest.len() + more > REMEMBERED;
        let gone = goes.then(|| self.latest.pop_front()).flatten();
        gone.map(|lapse| lapse.peer)
    }
}

/// Number of lapses from which on no client of a peer gets a delegation.
const OF_PEER: u32 = 4;
/// Number of lapses from which on no client at a host gets a delegation.
const OF_HOST: u32 = 16;
/// Maximum number of lapses that are remembered.
const REMEMBERED: usize = 512;
