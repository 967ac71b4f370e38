//! Requests of minor version 0 that arrive again: answered as the first time and not executed
//! twice. [RFC 7530 §9.1.7, §16.33.5]
//!
//! A client may send a call again only after its connection has broken (RFC 7530 §3.1.1), so one
//! that is the same from the same host under the same transaction id is a retry if it comes by a
//! connection that was opened after the first one came, or, from a client that breaks this rule, by
//! the same. By any other connection it is another call: clients of one host may well count
//! their calls alike. What changed nothing can be executed again, and is not kept.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::ids::ConnId;
use crate::map::{DetMap, Keyed};
use crate::session::fingerprint;
use crate::slab::{Key, Slab};
use crate::time::Mono;

/// The requests that are being executed, and the replies to the last that changed something.
pub(crate) struct Duplicates {
    slab: Slab<Request>,
    by_name: DetMap<Name, Key<Request>>,
    /// Those that are answered, the oldest first.
    answered: VecDeque<(Mono, Key<Request>)>,
    /// Of the replies.
    bytes: usize,
    /// What hashes begin with.
    seed: u64,
    /// A timer is set for them.
    armed: bool,
}

/// What a request is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    xid: u32,
    /// A hash of where it comes from, who makes it and what it asks.
    print: u64,
}

pub(crate) struct Request {
    name: Name,
    /// The connection that it came by.
    conn: ConnId,
    /// The newest connection there was then.
    newest: ConnId,
    state: State,
}

enum State {
    /// It is being executed; retries have come by these connections.
    Running(Vec<ConnId>),
    /// It was answered with this COMPOUND4res.
    Answered(Box<[u8]>),
}

/// What a request is.
pub(crate) enum Seen<'a> {
    /// A new one, to be ended with [`Duplicates::finish`].
    New(Key<Request>),
    /// A new one that looks like another: a retry of it cannot be told.
    Unnamed,
    /// The retry of one that still runs: it is answered when that is.
    Running,
    /// The retry of one that still runs and was sent too often already.
    TooMany,
    /// The retry of one that was answered so.
    Answered(&'a [u8]),
}

impl Duplicates {
    pub(crate) fn new(keyed: Keyed, entropy: [u8; 16]) -> Duplicates {
        let [a, b, c, d, e, f, g, h, ..] = entropy;
        Duplicates {
            slab: Slab::new(),
            by_name: DetMap::new(keyed),
            answered: VecDeque::new(),
            bytes: 0,
            seed: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            armed: false,
        }
    }

    /// What tells a request, by the host that it comes from and a hash of the rest.
    pub(crate) fn name(&self, xid: u32, peer: &str, print: u64) -> Name {
        // Another connection of the same host has another port.
        let host = peer.rsplit_once(':').map_or(peer, |(host, _)| host);
        let print = fingerprint::of_both(self.seed, host.as_bytes(), print);
        Name { xid, print }
    }

    /// Takes a request in.
    pub(crate) fn enter(&mut self, name: Name, conn: ConnId, newest: ConnId) -> Seen<'_> {
        let Some(key) = self.by_name.get(&name).copied() else {
            let state = State::Running(Vec::new());
            let key = self.slab.insert(Request {
                name,
                conn,
                newest,
                state,
            });
            self.by_name.insert(name, key);
            return Seen::New(key);
        };
        match self.slab.get_mut(key) {
            Some(request) if conn == request.conn || conn > request.newest => {
                match &mut request.state {
                    State::Running(again) if again.len() < RETRIES => {
                        again.push(conn);
                        Seen::Running
                    }
                    State::Running(_) => Seen::TooMany,
                    State::Answered(body) => Seen::Answered(body),
                }
            }
            _ => Seen::Unnamed,
        }
    }

    /// A request was answered: keeps the reply, if there is one to be kept, and forgets old ones.
    /// The connections that retries have come by are returned.
    pub(crate) fn finish(
        &mut self,
        key: Key<Request>,
        reply: Option<Box<[u8]>>,
        now: Mono,
    ) -> Vec<ConnId> {
        let Some(request) = self.slab.get_mut(key) else {
            return Vec::new();
        };
        let again = match &mut request.state {
            State::Running(again) => core::mem::take(again),
            State::Answered(_) => Vec::new(),
        };
        if let Some(reply) = reply {
            self.bytes += reply.len();
            request.state = State::Answered(reply);
            self.answered.push_back((now, key));
        } else {
            self.remove(key);
        }
        while self.answered.len() > REPLIES || self.bytes > BYTES {
            self.forget_oldest();
        }
        again
    }

    /// Forgets replies that nobody can ask for again, up to `budget` of them: whoever has not for so
    /// long has lost more than a reply. The time of the oldest that is left is returned.
    pub(crate) fn forget(&mut self, now: Mono, keep: Duration, budget: &mut usize) -> Option<Mono> {
        while let Some((at, _)) = self.answered.front().copied() {
            if now <= at.after(keep) || *budget == 0 {
                return Some(at);
            }
            self.forget_oldest();
            *budget -= 1;
        }
        self.armed = false;
        None
    }

    /// Whether a timer is to be set to forget what is kept; it is taken for set then.
    pub(crate) fn arm(&mut self) -> bool {
        let wants = !self.armed && !self.answered.is_empty();
        self.armed |= wants;
        wants
    }

    /// How many are executed, how many replies are kept, and how many bytes they have.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let running = self.slab.len() - self.answered.len();
        (running, self.answered.len(), self.bytes)
    }

    /// Bytes of the replies kept, counted anew, and how many requests can be found.
    pub(crate) fn recounted(&self) -> (usize, usize) {
        let bytes = self.slab.iter().map(|request| match &request.state {
            State::Running(_) => 0,
            State::Answered(body) => body.len(),
        });
        (bytes.sum(), self.by_name.len())
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.answered.pop_front() {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key<Request>) {
        if let Some(request) = self.slab.remove(key) {
            self.by_name.remove(&request.name);
            if let State::Answered(body) = request.state {
                self.bytes -= body.len();
            }
        }
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

/// So many retries wait for the answer to one request.
const RETRIES: usize = 8;
/// So many replies are kept.
const REPLIES: usize = 4_096;
/// They have at most so many bytes in all.
const BYTES: usize = 8 << 20;
/// A longer reply is not kept, in bytes: what changes something has none, unless it also reads.
const LONGEST: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(number: u64) -> ConnId {
        ConnId::new(number).unwrap()
    }

    fn duplicates() -> Duplicates {
        Duplicates::new(Keyed::new([1; 16]), [1; 16])
    }

    fn enter(known: &mut Duplicates, xid: u32, by: u64, newest: u64) -> Option<Key<Request>> {
        let name = known.name(xid, "192.0.2.1:700", 5);
        match known.enter(name, conn(by), conn(newest)) {
            Seen::New(key) => Some(key),
            Seen::Unnamed | Seen::Running | Seen::TooMany | Seen::Answered(_) => None,
        }
    }

    #[test]
    fn hosts_are_told_apart_and_ports_are_not() {
        let known = duplicates();
        let one = known.name(7, "192.0.2.1:700", 5);
        assert_eq!(one, known.name(7, "192.0.2.1:701", 5));
        assert_ne!(one, known.name(7, "192.0.2.2:700", 5));
        assert_ne!(one, known.name(8, "192.0.2.1:700", 5));
        assert_ne!(one, known.name(7, "192.0.2.1:700", 6));
    }

    #[test]
    fn a_retry_comes_by_the_same_connection_or_a_later_one() {
        let mut known = duplicates();
        let key = enter(&mut known, 7, 2, 3).unwrap();
        let name = known.name(7, "192.0.2.1:701", 5);
        assert!(matches!(known.enter(name, conn(3), conn(3)), Seen::Unnamed));
        assert!(matches!(known.enter(name, conn(4), conn(4)), Seen::Running));
        let again = known.finish(key, Some(b"reply".as_slice().into()), Mono::ZERO);
        assert_eq!(again, [conn(4)]);
        assert!(matches!(
            known.enter(name, conn(2), conn(4)),
            Seen::Answered(b"reply")
        ));
        assert!(matches!(known.enter(name, conn(3), conn(4)), Seen::Unnamed));
    }

    #[test]
    fn replies_are_bounded_in_number_bytes_and_time() {
        let mut known = duplicates();
        for xid in 0..2 * REPLIES {
            let key = enter(&mut known, xid as u32, 1, 1).unwrap();
            known.finish(key, kept(8, |body| body.extend([0; 8])), Mono::ZERO);
        }
        assert_eq!(known.counts(), (0, REPLIES, 8 * REPLIES));
        for xid in 0..BYTES / LONGEST {
            let key = enter(&mut known, (1 << 20) + xid as u32, 1, 1).unwrap();
            let long = kept(LONGEST, |body| body.resize(LONGEST, 0));
            known.finish(key, long, Mono::from_nanos(5));
        }
        assert!(known.counts().2 <= BYTES);
        assert!(kept(LONGEST + 1, |_| unreachable!()).is_none());
        let mut budget = usize::MAX;
        let keep = Duration::from_nanos(10);
        let left = known.forget(Mono::from_nanos(11), keep, &mut budget);
        assert_eq!(left, Some(Mono::from_nanos(5)));
        assert_eq!(known.forget(Mono::from_nanos(16), keep, &mut budget), None);
        assert_eq!((known.counts(), known.recounted()), ((0, 0, 0), (0, 0)));
    }

    #[test]
    fn what_changed_nothing_is_not_kept() {
        let mut known = duplicates();
        let key = enter(&mut known, 7, 1, 1).unwrap();
        assert_eq!(known.finish(key, None, Mono::ZERO), []);
        assert_eq!(known.counts(), (0, 0, 0));
        assert!(enter(&mut known, 7, 1, 1).is_some());
    }
}
