//! Connections to be made: peers take turns, at a limited rate, and an address that did not answer
//! is not tried again at once.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use nfs4_engine::{DialId, Mono};

use crate::roster::Origin;

/// The dials that wait, and a memory of earlier ones.
pub(crate) struct Queue {
    max_running: u32,
    running: u32,
    waiting: usize,
    peers: HashMap<Origin, Asker>,
    /// The peers with waiting dials, each once, the next in front.
    order: VecDeque<Origin>,
    failures: HashMap<SocketAddr, Failure>,
}

/// A peer whose clients ask to be called back.
struct Asker {
    waiting: VecDeque<(DialId, SocketAddr)>,
    running: u32,
    /// Number of dials that may start at once, and since when.
    allowance: u32,
    since: Mono,
}

/// An address that did not answer.
struct Failure {
    times: u32,
    until: Mono,
}

impl Queue {
    pub(crate) fn new(max_running: u32) -> Queue {
        Queue {
            max_running,
            running: 0,
            waiting: 0,
            peers: HashMap::new(),
            order: VecDeque::new(),
            failures: HashMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Queues a dial for this peer; returns `false` if too many wait, or if the address did not
    /// answer a short time ago.
    pub(crate) fn push(
        &mut self,
        peer: &Origin,
        dial: DialId,
        target: SocketAddr,
        now: Mono,
    ) -> bool {
        let left_alone = self.failures.get(&target);
        if left_alone.is_some_and(|failure| now < failure.until) || self.waiting >= MAX_WAITING {
            return false;
        }
        if !self.peers.contains_key(peer) {
            self.forget_idle(now);
        }
        let asker = self.peers.entry(peer.clone()).or_insert(Asker {
            waiting: VecDeque::new(),
            running: 0,
            allowance: BURST,
            since: now,
        });
        if asker.waiting.len() >= MAX_WAITING_OF_PEER {
            return false;
        }
        if asker.waiting.is_empty() {
            self.order.push_back(peer.clone());
        }
        asker.waiting.push_back((dial, target));
        self.waiting += 1;
        true
    }

    /// The next dial that may start now, and the peer that asks for it.
    pub(crate) fn pop(&mut self, now: Mono) -> Option<(Origin, DialId, SocketAddr)> {
        if self.running >= self.max_running {
            return None;
        }
        for _ in 0..self.order.len() {
            let peer = self.order.pop_front()?;
            let Some(asker) = self.peers.get_mut(&peer) else {
                continue;
            };
            asker.refill(now);
            // Some are reserved for other peers, however long an address keeps a dial waiting.
            let may_start = asker.allowance > 0 && asker.running < self.max_running.div_ceil(4);
            let next = may_start.then(|| asker.waiting.pop_front()).flatten();
            let Some((dial, target)) = next else {
                self.order.push_back(peer);
                continue;
            };
            asker.allowance -= 1;
            asker.running += 1;
            if !asker.waiting.is_empty() {
                self.order.push_back(peer.clone());
            }
            self.waiting -= 1;
            self.running += 1;
            return Some((peer, dial, target));
        }
        None
    }

    /// When to check again although no dial has ended, if one waits for its peer's rate.
    pub(crate) fn pause(&self) -> Option<Duration> {
        (!self.is_empty() && self.running < self.max_running).then_some(PACE)
    }

    /// Records the end of a dial.
    pub(crate) fn ended(&mut self, peer: &Origin, target: SocketAddr, answered: bool, now: Mono) {
        self.running -= 1;
        if let Some(asker) = self.peers.get_mut(peer) {
            asker.running -= 1;
        }
        if answered {
            self.failures.remove(&target);
            return;
        }
        if self.failures.len() >= MAX_FAILURES && !self.failures.contains_key(&target) {
            self.failures.retain(|_, failure| now < failure.until);
            if self.failures.len() >= MAX_FAILURES {
                return;
            }
        }
        let failure = self.failures.entry(target).or_insert(Failure {
            times: 0,
            until: now,
        });
        let pause = PAUSE
            .saturating_mul(1 << failure.times.min(8))
            .min(LONGEST_REST);
        failure.times += 1;
        failure.until = now.after(pause);
    }

    /// Removes all waiting dials.
    pub(crate) fn drain(&mut self) -> Vec<DialId> {
        self.order.clear();
        self.waiting = 0;
        let waiting = self
            .peers
            .values_mut()
            .flat_map(|asker| asker.waiting.drain(..));
        waiting.map(|(dial, _)| dial).collect()
    }

    /// Forgets, from time to time, peers that have their whole allowance.
    fn forget_idle(&mut self, now: Mono) {
        let len = self.peers.len();
        if len >= KEPT_PEERS && len.is_power_of_two() {
            self.peers.retain(|_, asker| {
                asker.refill(now);
                asker.running > 0 || !asker.waiting.is_empty() || asker.allowance < BURST
            });
        }
    }
}

impl Asker {
    fn refill(&mut self, now: Mono) {
        let earned = now.since(self.since).as_nanos() / PACE.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.since = if earned >= BURST - self.allowance {
            now
        } else {
            self.since.after(PACE * earned)
        };
        self.allowance = self.allowance.saturating_add(earned).min(BURST);
    }
}

/// Maximum number of dials that wait, and of those that one peer asked for.
const MAX_WAITING: usize = 4_096;
const MAX_WAITING_OF_PEER: usize = 256;
/// Maximum number of dials that start at once for one peer, and the time until there is one more.
const BURST: u32 = 32;
const PACE: Duration = Duration::from_millis(125);
/// Time for which an address that did not answer is not dialled; it doubles each time.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(300);
/// Maximum number of addresses whose failures are remembered.
const MAX_FAILURES: usize = 4_096;
const KEPT_PEERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono::ZERO.after(Duration::from_millis(millis))
    }

    fn target(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn a_peer_dials_a_burst_and_then_at_its_pace() {
        let mut queue = Queue::new(1_024);
        for port in 0..100 {
            assert!(queue.push(
                &Origin::of("scanner"),
                DialId::new(port),
                target(port as u16),
                at(0)
            ));
        }
        let started = |queue: &mut Queue, now| {
            let mut count = 0;
            while let Some((peer, _, target)) = queue.pop(now) {
                queue.ended(&peer, target, true, now);
                count += 1;
            }
            count
        };
        assert_eq!(started(&mut queue, at(0)), BURST);
        assert_eq!(started(&mut queue, at(124)), 0);
        assert_eq!(started(&mut queue, at(1_000)), 8);
        assert_eq!(queue.pause(), Some(PACE));
        assert_eq!(started(&mut queue, at(100_000)), BURST);
    }

    #[test]
    fn black_holes_of_one_peer_do_not_delay_another() {
        let mut queue = Queue::new(16);
        for port in 0..100 {
            assert!(queue.push(
                &Origin::of("holes"),
                DialId::new(port),
                target(port as u16),
                at(0)
            ));
        }
        let mut running = 0;
        while queue.pop(at(0)).is_some() {
            running += 1;
        }
        assert_eq!(running, 4, "a quarter of them");
        assert!(queue.push(&Origin::of("honest"), DialId::new(200), target(200), at(0)));
        let next = queue.pop(at(0)).map(|(peer, dial, _)| (peer, dial));
        assert_eq!(next, Some((Origin::of("honest"), DialId::new(200))));
    }

    #[test]
    fn an_address_that_did_not_answer_is_left_alone_ever_longer() {
        let mut queue = Queue::new(4);
        let mut now = at(0);
        for seconds in [1, 2, 4, 8] {
            // Whichever peer asks.
            let peer = Origin::of(&format!("{seconds}"));
            assert!(queue.push(&peer, DialId::new(1), target(1), now));
            let (peer, _, asked) = queue.pop(now).expect("it may start");
            queue.ended(&peer, asked, false, now);
            assert!(!queue.push(&Origin::of("another"), DialId::new(2), target(1), now));
            assert!(queue.push(&Origin::of("another"), DialId::new(3), target(2), now));
            let (peer, _, asked) = queue.pop(now).expect("it may start");
            queue.ended(&peer, asked, true, now);
            now = now.after(Duration::from_secs(seconds));
        }
    }

    #[test]
    fn what_waits_is_bounded_for_a_peer_and_in_all() {
        let mut queue = Queue::new(1);
        let mut waiting = 0;
        for peer in 0..40 {
            let peer = Origin::of(&peer.to_string());
            for dial in 0..300 {
                waiting += usize::from(queue.push(&peer, DialId::new(dial), target(1), at(0)));
            }
        }
        assert_eq!(waiting, MAX_WAITING);
        assert_eq!(queue.drain().len(), MAX_WAITING);
        assert!(queue.is_empty() && queue.pop(at(0)).is_none());
    }
}
