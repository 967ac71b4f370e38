//! Requests of minor version 0 that arrive again: answered as the first time and not executed
//! twice. [RFC 7530 §9.1.7, §16.33.5]
//!
//! A client may send a call again only after its connection has broken (RFC 7530 §3.1.1), so one
//! that is the same from the same host under the same transaction id is a retry if it comes by a
//! connection that was opened after the first one came, or, from a client that breaks this rule, by
//! the same. By any other connection it is another call: clients of one host may well count
//! their calls alike. What changed nothing can be executed again, and is not kept.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::fingerprint;
use crate::ids::ConnId;
use crate::keys::{RequestKey, kind};
use crate::map::{DetMap, Keyed};
use crate::peer::{Evictable, EvictionEntry, EvictionOrder, Peer, Peers, Shares};
use crate::slab::Entry;
use crate::slab::Slab;
use crate::time::Mono;

/// The requests that are being executed, and the replies to the last that changed something.
pub(crate) struct DuplicateRequestCache {
    slab: Slab<Request>,
    by_name: DetMap<RequestName, RequestKey>,
    /// Those that are answered, in the order in which they were.
    answered: EvictionOrder<kind::Request>,
    /// How many bytes the replies have to each host.
    bytes: Shares,
    /// What hashes begin with.
    seed: u64,
    /// A timer is set for them.
    armed: bool,
}

/// What distinguishes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestName {
    xid: u32,
    /// A hash of the connection's peer, the user, and what the request asks.
    print: u64,
}

pub(crate) struct Request {
    name: RequestName,
    /// The connection that it came by.
    conn: ConnId,
    /// The newest connection there was then.
    newest: ConnId,
    /// Where it came from.
    host: Peer,
    rank: EvictionEntry<kind::Request>,
    state: RequestState,
}

enum RequestState {
    /// It is being executed; retries have come by these connections.
    Running(Vec<ConnId>),
    /// It was answered then, with this COMPOUND4res.
    Answered(Mono, Box<[u8]>),
}

/// What a request is.
pub(crate) enum Retransmission<'a> {
    /// A new one, to be ended with [`DuplicateRequestCache::finish`].
    New(RequestKey),
    /// A new one that looks like another: its retransmission could not be recognised.
    Unnamed,
    /// The retry of one that still runs: it is answered when that is.
    Running,
    /// The retry of one that still runs and was sent too often already.
    TooMany,
    /// The retry of one that was answered so.
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

    /// What distinguishes a request: the host that it comes from and a hash of the rest.
    pub(crate) fn name(&self, xid: u32, peer: &str, print: u64) -> RequestName {
        // Another connection of the same host has another port.
        let host = peer.rsplit_once(':').map_or(peer, |(host, _)| host);
        let print = fingerprint::of_both(self.seed, host.as_bytes(), print);
        RequestName { xid, print }
    }

    /// Takes a request in, by a connection from this host; the host is held as long as it is known.
    pub(crate) fn enter(
        &mut self,
        name: RequestName,
        (conn, host): (ConnId, Peer),
        newest: ConnId,
        peers: &mut Peers,
    ) -> Retransmission<'_> {
        let Some(key) = self.by_name.get(&name).copied() else {
            let state = RequestState::Running(Vec::new());
            peers.hold(host);
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
                    RequestState::Running(again) if again.len() < RETRIES => {
                        again.push(conn);
                        Retransmission::Running
                    }
                    RequestState::Running(_) => Retransmission::TooMany,
                    RequestState::Answered(_, body) => Retransmission::Answered(body),
                }
            }
            _ => Retransmission::Unnamed,
        }
    }

    /// A request was answered: keeps the reply, if there is one to be kept, and forgets old ones of
    /// the same host, if that has more than its share. The connections that retries have come by
    /// are returned.
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
        let again = match &mut request.state {
            RequestState::Running(again) => core::mem::take(again),
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
        while let Some(key) = self.gives_way_to(host) {
            self.remove(key, peers);
        }
        again
    }

    /// What is to be forgotten so that a host has no more than its share, and all no more than may
    /// be.
    fn gives_way_to(&self, host: Peer) -> Option<RequestKey> {
        let number = self.answered.held(host).gives_way(REPLIES);
        let whose = number.or_else(|| self.bytes.held(host).gives_way(BYTES))?;
        self.answered.first_to(host, whose)
    }

    /// Removes up to `budget` replies that are too old for a retransmission: a client that has not asked
    /// for so long has lost more than a reply. Returns the time of the oldest that is left.
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

    /// Whether a timer is to be set to forget what is kept; it is taken for set then.
    pub(crate) fn arm(&mut self) -> bool {
        let wants = !self.armed && self.answered.len() > 0;
        self.armed |= wants;
        wants
    }

    /// How many are executed, how many replies are kept, and how many bytes they have.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let running = self.slab.len() - self.answered.len();
        (running, self.answered.len(), self.bytes.all())
    }

    /// Bytes of the replies kept, counted anew, and how many requests can be found.
    pub(crate) fn recounted(&self) -> (usize, usize) {
        let bytes = self.slab.iter().map(|request| match &request.state {
            RequestState::Running(_) => 0,
            RequestState::Answered(_, body) => body.len(),
        });
        (bytes.sum(), self.by_name.len())
    }

    /// The host of each request, and how many bytes are kept of the reply, if it is answered.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (Peer, Option<usize>)> + '_ {
        self.slab.iter().map(|request| match &request.state {
            RequestState::Running(_) => (request.host, None),
            RequestState::Answered(_, body) => (request.host, Some(body.len())),
        })
    }

    /// How many replies are kept of each host, and how many bytes.
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
            peers.leave(request.host);
        }
    }
}

impl Evictable for Request {
    fn rank(&mut self) -> Option<&mut EvictionEntry<kind::Request>> {
        Some(&mut self.rank)
    }
}

/// A reply to be kept, if it is not too long.
pub(crate) fn kept(len: usize, copy: impl FnOnce(&mut Vec<u8>)) -> Option<Box<[u8]>> {
    if len > LONGEST {
        return None;
    }
    let mut body = Vec::new();
    copy(&mut body);
    Some(body.into())
}

/// Maximum number of retransmissions that wait for the reply to one request.
const RETRIES: usize = 8;
/// Maximum number of kept replies; one host may have half of them.
const REPLIES: usize = 4_096;
/// Maximum bytes of kept replies.
const BYTES: usize = 8 << 20;
/// A longer reply is not kept, in bytes: what changes something has none, unless it also reads.
const LONGEST: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(number: u64) -> ConnId {
        ConnId::new(number).unwrap()
    }

    /// A host, and what is kept of its requests.
    struct Known {
        peers: Peers,
        host: Peer,
        duplicates: DuplicateRequestCache,
    }

    impl Known {
        fn new() -> Known {
            let keyed = Keyed::new([1; 16]);
            let mut peers = Peers::new(keyed);
            Known {
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
    fn hosts_are_told_apart_and_ports_are_not() {
        let known = Known::new().duplicates;
        let one = known.name(7, "192.0.2.1:700", 5);
        assert_eq!(one, known.name(7, "192.0.2.1:701", 5));
        assert_ne!(one, known.name(7, "192.0.2.2:700", 5));
        assert_ne!(one, known.name(8, "192.0.2.1:700", 5));
        assert_ne!(one, known.name(7, "192.0.2.1:700", 6));
    }

    #[test]
    fn a_retry_comes_by_the_same_connection_or_a_later_one() {
        let mut known = Known::new();
        let key = known.enter(7, 2, 3).unwrap();
        assert!(matches!(known.seen(7, 3, 3), Retransmission::Unnamed));
        assert!(matches!(known.seen(7, 4, 4), Retransmission::Running));
        assert_eq!(known.finish(key, Some(3), 0), [conn(4)]);
        assert!(matches!(
            known.seen(7, 2, 4),
            Retransmission::Answered([7, 7, 7])
        ));
        assert!(matches!(known.seen(7, 3, 4), Retransmission::Unnamed));
    }

    #[test]
    fn replies_are_bounded_in_number_bytes_and_time() {
        let mut known = Known::new();
        for xid in 0..2 * REPLIES {
            let key = known.enter(xid as u32, 1, 1).unwrap();
            known.finish(key, Some(8), 0);
        }
        assert_eq!(known.duplicates.counts(), (0, REPLIES / 2, 8 * REPLIES / 2));
        for xid in 0..BYTES / LONGEST {
            let key = known.enter((1 << 20) + xid as u32, 1, 1).unwrap();
            known.finish(key, Some(LONGEST), 5);
        }
        assert!(known.duplicates.counts().2 <= BYTES / 2);
        assert!(kept(LONGEST + 1, |_| unreachable!()).is_none());
        let (mut budget, keep) = (usize::MAX, Duration::from_nanos(10));
        let Known {
            duplicates, peers, ..
        } = &mut known;
        let mut forget = |at| duplicates.forget(Mono::from_nanos(at), keep, &mut budget, peers);
        assert_eq!(forget(11), Some(Mono::from_nanos(5)));
        assert_eq!(forget(16), None);
        let counts = (duplicates.counts(), duplicates.recounted());
        assert_eq!(counts, ((0, 0, 0), (0, 0)));
        known.peers.leave(known.host);
        assert_eq!(known.peers.counts(), (0, 0), "nothing holds the host");
    }

    #[test]
    fn what_changed_nothing_is_not_kept() {
        let mut known = Known::new();
        let key = known.enter(7, 1, 1).unwrap();
        assert_eq!(known.finish(key, None, 0), []);
        assert_eq!(known.duplicates.counts(), (0, 0, 0));
        assert!(known.enter(7, 1, 1).is_some());
    }
}
