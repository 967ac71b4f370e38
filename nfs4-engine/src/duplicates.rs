//! Retransmitted requests of minor version 0: they get the reply of the first execution and are not
//! executed again. [RFC 7530 §9.1.7, §16.33.5]
//!
//! A client may retransmit a call only after its connection has broken (RFC 7530 §3.1.1). So the
//! same call from the same host under the same transaction id is a retransmission if it arrives on
//! a connection that was opened after the first call arrived, or on the same connection, from a
//! client that breaks this rule. On any other connection it is another call: the clients of one
//! host may use the same transaction ids. A request that changed nothing can be executed again, and
//! its reply is not kept.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::fingerprint;
use crate::ids::ConnId;
use crate::keys::{RequestKey, kind};
use crate::map::{DetMap, Keyed};
use crate::peer::{Evictable, EvictionEntry, EvictionOrder, Peer, Peers, Shares};
use crate::slab::{Entry, Slab};
use crate::time::Mono;

/// The requests in execution, and the replies to the last requests that changed something.
pub(crate) struct DuplicateRequestCache {
    slab: Slab<Request>,
    by_name: DetMap<RequestName, RequestKey>,
    /// The requests that are answered, the oldest first.
    answered: EvictionOrder<kind::Request>,
    /// The bytes of kept replies, by host.
    bytes: Shares,
    /// The seed of all request hashes.
    seed: u64,
    /// Whether a timer is set to drop old replies.
    armed: bool,
}

/// The identity of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestName {
    xid: u32,
    /// A hash of its host, its principal and its content.
    print: u64,
}

pub(crate) struct Request {
    name: RequestName,
    /// The connection that it arrived on.
    conn: ConnId,
    /// The newest connection at its arrival.
    newest: ConnId,
    /// The host that it came from.
    host: Peer,
    rank: EvictionEntry<kind::Request>,
    state: RequestState,
}

enum RequestState {
    /// It is in execution; retransmissions have arrived on these connections.
    Running(Vec<ConnId>),
    /// It was answered at this time, with this COMPOUND4res.
    Answered(Mono, Box<[u8]>),
}

/// How an arriving request relates to those that are known.
pub(crate) enum Retransmission<'a> {
    /// A new request, to be ended with [`DuplicateRequestCache::finish`].
    New(RequestKey),
    /// A new request with the identity of another: its retransmissions cannot be recognised.
    Unnamed,
    /// The retransmission of a request in execution: it gets the reply of that one.
    Running,
    /// One retransmission too many of a request in execution.
    TooMany,
    /// The retransmission of a request that was answered with these bytes.
    Answered(&'a [u8]),
}

impl Entry for Request {
    type Kind = kind::Request;
}

impl DuplicateRequestCache {
    pub(crate) fn new(keyed: Keyed, entropy: [u8; 16]) -> DuplicateRequestCache {
        let [a, b, c, d, e, f, g, h, ..] = entropy;
        DuplicateRequestCache {
            slab: Slab::new(),
            by_name: DetMap::new(keyed),
            answered: EvictionOrder::new(),
            bytes: Shares::new(),
            seed: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            armed: false,
        }
    }

    /// The identity of a request: its transaction id, its host and a hash of the rest.
    pub(crate) fn name(&self, xid: u32, peer: &str, print: u64) -> RequestName {
        // Another connection of the same host has another port.
        let host = peer.rsplit_once(':').map_or(peer, |(host, _)| host);
        let print = fingerprint::of_both(self.seed, host.as_bytes(), print);
        RequestName { xid, print }
    }

    /// Records a request on a connection of this host; the host is held as long as the request is
    /// known.
    pub(crate) fn enter(
        &mut self,
        name: RequestName,
        (conn, host): (ConnId, Peer),
        newest: ConnId,
        peers: &mut Peers,
    ) -> Retransmission<'_> {
        let Some(key) = self.by_name.get(&name).copied() else {
            let state = RequestState::Running(Vec::new());
            peers.acquire(host);
            let key = self.slab.insert(Request {
                name,
                conn,
                newest,
                host,
                rank: EvictionEntry::default(),
                state,
            });
            self.by_name.insert(name, key);
            return Retransmission::New(key);
        };
        match self.slab.get_mut(key) {
            Some(request) if conn == request.conn || conn > request.newest => {
                match &mut request.state {
                    RequestState::Running(retransmitters)
                        if retransmitters.len() < MAX_RETRANSMISSIONS =>
                    {
                        retransmitters.push(conn);
                        Retransmission::Running
                    }
                    RequestState::Running(_) => Retransmission::TooMany,
                    RequestState::Answered(_, body) => Retransmission::Answered(body),
                }
            }
            _ => Retransmission::Unnamed,
        }
    }

    /// Ends a request with its reply, if there is one to keep, and evicts old replies of the same
    /// host beyond its share. Returns the connections that retransmissions have arrived on.
    pub(crate) fn finish(
        &mut self,
        key: RequestKey,
        reply: Option<Box<[u8]>>,
        now: Mono,
        peers: &mut Peers,
    ) -> Vec<ConnId> {
        let Some(request) = self.slab.get_mut(key) else {
            return Vec::new();
        };
        let retransmitters = match &mut request.state {
            RequestState::Running(retransmitters) => core::mem::take(retransmitters),
            RequestState::Answered(..) => Vec::new(),
        };
        let host = request.host;
        if let Some(reply) = reply {
            self.bytes.add(host, reply.len());
            request.state = RequestState::Answered(now, reply);
            self.answered.push(&mut self.slab, key, host);
        } else {
            self.remove(key, peers);
        }
        while let Some(key) = self.next_to_evict(host) {
            self.remove(key, peers);
        }
        retransmitters
    }

    /// The next reply to evict, while the host has more than its share or all hosts more than the
    /// maximum.
    fn next_to_evict(&self, host: Peer) -> Option<RequestKey> {
        let number = self.answered.held(host).gives_way(MAX_REPLIES);
        let whose = number.or_else(|| self.bytes.held(host).gives_way(MAX_BYTES))?;
        self.answered.first_to(host, whose)
    }

    /// Drops replies that are too old for a retransmission, up to `budget` of them: a client that
    /// was silent for so long has lost more than a reply. Returns the time of the oldest reply
    /// left.
    pub(crate) fn forget(
        &mut self,
        now: Mono,
        keep: Duration,
        budget: &mut usize,
        peers: &mut Peers,
    ) -> Option<Mono> {
        while let Some(key) = self.answered.first() {
            if let Some(Request {
                state: RequestState::Answered(at, _),
                ..
            }) = self.slab.get(key)
                && (now <= at.after(keep) || *budget == 0)
            {
                return Some(*at);
            }
            self.remove(key, peers);
            *budget = budget.saturating_sub(1);
        }
        self.armed = false;
        None
    }

    /// Whether the caller must set a timer to drop old replies; it counts as set from then on.
    pub(crate) fn arm(&mut self) -> bool {
        let wants = !self.armed && self.answered.len() > 0;
        self.armed |= wants;
        wants
    }

    /// Number of requests in execution, of kept replies, and of their bytes.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let running = self.slab.len() - self.answered.len();
        (running, self.answered.len(), self.bytes.all())
    }

    /// Bytes of the kept replies, counted again, and number of requests that can be found.
    pub(crate) fn recounted(&self) -> (usize, usize) {
        let bytes = self.slab.iter().map(|request| match &request.state {
            RequestState::Running(_) => 0,
            RequestState::Answered(_, body) => body.len(),
        });
        (bytes.sum(), self.by_name.len())
    }

    /// The host of each request, and the bytes of its reply, if it is answered.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (Peer, Option<usize>)> + '_ {
        self.slab.iter().map(|request| match &request.state {
            RequestState::Running(_) => (request.host, None),
            RequestState::Answered(_, body) => (request.host, Some(body.len())),
        })
    }

    /// Number of kept replies by host, and bytes by host.
    pub(crate) fn kept(&self) -> (&EvictionOrder<kind::Request>, &Shares) {
        (&self.answered, &self.bytes)
    }

    fn remove(&mut self, key: RequestKey, peers: &mut Peers) {
        self.answered.remove(&mut self.slab, key);
        if let Some(request) = self.slab.remove(key) {
            self.by_name.remove(&request.name);
            if let RequestState::Answered(_, body) = request.state {
                self.bytes.take(request.host, body.len());
            }
            peers.release(request.host);
        }
    }
}

impl Evictable for Request {
    fn rank(&mut self) -> Option<&mut EvictionEntry<kind::Request>> {
        Some(&mut self.rank)
    }
}

/// A copy of a reply to keep, if it is not too long.
pub(crate) fn kept(len: usize, copy: impl FnOnce(&mut Vec<u8>)) -> Option<Box<[u8]>> {
    if len > MAX_REPLY {
        return None;
    }
    let mut body = Vec::new();
    copy(&mut body);
    Some(body.into())
}

/// Maximum number of retransmissions that wait for the reply to one request.
const MAX_RETRANSMISSIONS: usize = 8;
/// Maximum number of replies kept; a host gets half.
const MAX_REPLIES: usize = 4_096;
/// Maximum size of all kept replies, in bytes.
pub(crate) const MAX_BYTES: usize = 8 << 20;
/// Maximum size of a kept reply, in bytes; a request that changes something exceeds it only if it
/// also reads.
const MAX_REPLY: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(number: u64) -> ConnId {
        ConnId::new(number).unwrap()
    }

    /// A host and the cache of its requests.
    struct HostCache {
        peers: Peers,
        host: Peer,
        duplicates: DuplicateRequestCache,
    }

    impl HostCache {
        fn new() -> HostCache {
            let keyed = Keyed::new([1; 16]);
            let mut peers = Peers::new(keyed);
            HostCache {
                host: peers.host("192.0.2.1:700"),
                peers,
                duplicates: DuplicateRequestCache::new(keyed, [1; 16]),
            }
        }

        fn seen(&mut self, xid: u32, by: u64, newest: u64) -> Retransmission<'_> {
            let name = self.duplicates.name(xid, "192.0.2.1:700", 5);
            let from = (conn(by), self.host);
            self.duplicates
                .enter(name, from, conn(newest), &mut self.peers)
        }

        fn enter(&mut self, xid: u32, by: u64, newest: u64) -> Option<RequestKey> {
            match self.seen(xid, by, newest) {
                Retransmission::New(key) => Some(key),
                Retransmission::Unnamed
                | Retransmission::Running
                | Retransmission::TooMany
                | Retransmission::Answered(_) => None,
            }
        }

        fn finish(&mut self, key: RequestKey, len: Option<usize>, at: u64) -> Vec<ConnId> {
            let reply = len.map(|len| alloc::vec![7; len].into());
            let now = Mono::from_nanos(at);
            self.duplicates.finish(key, reply, now, &mut self.peers)
        }
    }

    #[test]
    fn requests_are_distinguished_by_host_and_not_by_port() {
        let cache = HostCache::new().duplicates;
        let one = cache.name(7, "192.0.2.1:700", 5);
        assert_eq!(one, cache.name(7, "192.0.2.1:701", 5));
        assert_ne!(one, cache.name(7, "192.0.2.2:700", 5));
        assert_ne!(one, cache.name(8, "192.0.2.1:700", 5));
        assert_ne!(one, cache.name(7, "192.0.2.1:700", 6));
    }

    #[test]
    fn a_retransmission_arrives_on_the_same_or_a_later_connection() {
        let mut cache = HostCache::new();
        let key = cache.enter(7, 2, 3).unwrap();
        assert!(matches!(cache.seen(7, 3, 3), Retransmission::Unnamed));
        assert!(matches!(cache.seen(7, 4, 4), Retransmission::Running));
        assert_eq!(cache.finish(key, Some(3), 0), [conn(4)]);
        assert!(matches!(
            cache.seen(7, 2, 4),
            Retransmission::Answered([7, 7, 7])
        ));
        assert!(matches!(cache.seen(7, 3, 4), Retransmission::Unnamed));
    }

    #[test]
    fn replies_are_bounded_in_number_bytes_and_time() {
        let mut cache = HostCache::new();
        for xid in 0..2 * MAX_REPLIES {
            let key = cache.enter(xid as u32, 1, 1).unwrap();
            cache.finish(key, Some(8), 0);
        }
        assert_eq!(
            cache.duplicates.counts(),
            (0, MAX_REPLIES / 2, 8 * MAX_REPLIES / 2)
        );
        for xid in 0..MAX_BYTES / MAX_REPLY {
            let key = cache.enter((1 << 20) + xid as u32, 1, 1).unwrap();
            cache.finish(key, Some(MAX_REPLY), 5);
        }
        assert!(cache.duplicates.counts().2 <= MAX_BYTES / 2);
        assert!(kept(MAX_REPLY + 1, |_| unreachable!()).is_none());
        let (mut budget, keep) = (usize::MAX, Duration::from_nanos(10));
        let HostCache {
            duplicates, peers, ..
        } = &mut cache;
        let mut forget = |at| duplicates.forget(Mono::from_nanos(at), keep, &mut budget, peers);
        assert_eq!(forget(11), Some(Mono::from_nanos(5)));
        assert_eq!(forget(16), None);
        let counts = (duplicates.counts(), duplicates.recounted());
        assert_eq!(counts, ((0, 0, 0), (0, 0)));
        cache.peers.release(cache.host);
        assert_eq!(cache.peers.counts(), (0, 0), "no request holds the host");
    }

    #[test]
    fn a_reply_to_a_request_without_a_change_is_not_kept() {
        let mut cache = HostCache::new();
        let key = cache.enter(7, 1, 1).unwrap();
        assert_eq!(cache.finish(key, None, 0), []);
        assert_eq!(cache.duplicates.counts(), (0, 0, 0));
        assert!(cache.enter(7, 1, 1).is_some());
    }
}
