//! Recalls that ran out, so that the same client does not keep others waiting again and again.

use alloc::collections::VecDeque;
use core::hash::BuildHasher;

use crate::core::Core;
use crate::keys::ClientKey;
use crate::map::Keyed;
use crate::peer::Peer;
use crate::time::Mono;

/// The clients of which a delegation was revoked since it did not come back, each once; the one of which
/// that is longest ago first.
pub(crate) struct Lapses {
    latest: VecDeque<Lapse>,
    keyed: Keyed,
}

struct Lapse {
    /// It is held, whatever becomes of its clients.
    peer: Peer,
    /// A hash of the client's owner, which a new client id does not change.
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
    fn bar(&self, peer: Peer, owner: &[u8], now: Mono) -> bool {
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
}

impl Core {
    /// A delegation of this client was revoked since it did not come back.
    pub(crate) fn note_lapse(&mut self, client: ClientKey, now: Mono) {
        let until = now.after(self.config.delegation_penalty);
        let Some(client) = self.clients.get(client) else {
            return;
        };
        let peer = client.peer;
        let owner = self.lapses.keyed.hash_one(&*client.owner);
        self.forget_lapses(now, REMEMBERED - 1);
        let latest = &mut self.lapses.latest;
        let known = latest
            .iter()
            .position(|lapse| lapse.peer == peer && lapse.owner == owner);
        if let Some(lapse) = known.and_then(|at| latest.remove(at)) {
            // However many it keeps, it is one client that does.
            latest.push_back(Lapse { until, ..lapse });
            return;
        }
        // More of one host would say no more, and displace those of others.
        let of_host = latest.iter().filter(|lapse| lapse.peer.host == peer.host);
        if now < until && of_host.count() < OF_HOST as usize {
            self.peers.hold(peer);
            latest.push_back(Lapse { peer, owner, until });
        }
    }

    /// Forgets the oldest, those that are over and those beyond so many.
    fn forget_lapses(&mut self, now: Mono, most: usize) {
        let latest = &mut self.lapses.latest;
        let is_over = |lapse: &Lapse| now >= lapse.until;
        while latest.front().is_some_and(is_over) || latest.len() > most {
            if let Some(gone) = latest.pop_front() {
                self.peers.leave(gone.peer);
            }
        }
    }

    /// Whether a client gets no delegation, for one that was not given back when it was recalled.
    pub(crate) fn has_lapsed(&mut self, client: ClientKey, now: Mono) -> bool {
        self.forget_lapses(now, REMEMBERED);
        let client = self.clients.get(client);
        client.is_some_and(|client| self.lapses.bar(client.peer, &client.owner, now))
    }
}

/// As many of its clients one after the other, and a peer, or an address, gets none either.
const OF_PEER: u32 = 4;
const OF_HOST: u32 = 16;
/// Maximum number of lapses that are remembered.
const REMEMBERED: usize = 512;
