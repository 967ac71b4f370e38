//! The memory that peers make a node hold: replies that are not sent, replies that are promised,
//! and records that are not complete.
//!
//! A peer is the address that connections come from. It may hold at most half of what is free and
//! what it holds already, so the room for the next peer halves each time and never ends.
//! Connections whose client the engine does not know draw on a smaller pool of their own. When a
//! connection finds no room, connections that move no bytes are closed to make room.
//!
//! Room for a connection that waits is charged to it at once, before the connection is woken: no other
//! connection takes it meanwhile. What the connection does not use, it gives back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use nfs4_engine::{ConnId, Mono};

use crate::error::Evicted;
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::roster::Origin;
use crate::sync::{AtomicBool, AtomicU64, FairMutex, FairMutexGuard, Mutex, MutexGuard, Ordering};

/// The memory of a node that is available to its peers.
pub(crate) struct Budget {
    pools: [Pool; POOLS],
    peers: Mutex<HashMap<Origin, Weak<Peer>>>,
    members: Mutex<HashMap<ConnId, Member>>,
    starving: Mutex<VecDeque<RoomWaiter>>,
    starves: AtomicBool,
}

struct Pool {
    most: u64,
    held: AtomicU64,
}

/// What all connections from one address hold in each pool, and the line in which they wait.
#[derive(Default)]
struct Peer {
    held: [AtomicU64; POOLS],
    /// Held by the connection that waits for the engine's lock or has it.
    line: FairMutex<()>,
}

/// What one connection holds.
pub(crate) struct Account {
    budget: Arc<Budget>,
    peer: Arc<Peer>,
    charge: Mutex<Charge>,
    /// The part that the peer can reduce by taking or sending bytes.
    waiting: AtomicU64,
    /// Bytes moved in either direction.
    moved: AtomicU64,
    /// The connection has waited for room, so that some may be reserved for it.
    waited: AtomicBool,
}

#[derive(Default)]
struct Charge {
    pool: usize,
    held: u64,
    /// Kept for the connection, which was woken to take it.
    reserved: u64,
    /// The connection is gone: nothing is reserved for it any more.
    closed: bool,
}

struct Member {
    account: Arc<Account>,
    mailbox: Arc<Mailbox>,
    seen: Option<Sample>,
}

/// The state of a connection when it was last checked.
#[derive(Clone, Copy)]
struct Sample {
    at: Mono,
    moved: u64,
    waiting: u64,
}

/// A connection that found no room.
struct RoomWaiter {
    account: Arc<Account>,
    need: u64,
    waker: Waker,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Arc<Budget> {
        let pool = |most| Pool {
            most,
            held: AtomicU64::new(0),
        };
        Arc::new(Budget {
            pools: [pool(limits.max_held_by_strangers), pool(limits.max_held)],
            peers: Mutex::default(),
            members: Mutex::default(),
            starving: Mutex::default(),
            starves: AtomicBool::new(false),
        })
    }

    /// Opens the account of a connection whose client the engine does not know yet.
    pub(crate) fn open(self: &Arc<Budget>, peer: &str, mailbox: &Arc<Mailbox>) -> Arc<Account> {
        let account = Arc::new(Account {
            budget: Arc::clone(self),
            peer: self.peer(Origin::of(peer)),
            charge: Mutex::new(Charge {
                pool: STRANGERS,
                ..Charge::default()
            }),
            waiting: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            waited: AtomicBool::new(false),
        });
        let member = Member {
            account: Arc::clone(&account),
            mailbox: Arc::clone(mailbox),
            seen: None,
        };
        lock(&self.members).insert(mailbox.id, member);
        account
    }

    /// Closes the account of a connection.
    pub(crate) fn close(&self, conn: ConnId) {
        let Some(Member { account, .. }) = lock(&self.members).remove(&conn) else {
            return;
        };
        if self.starves.load(Ordering::Acquire) {
            lock(&self.starving).retain(|one| !Arc::ptr_eq(&one.account, &account));
        }
        account.close();
    }

    /// Bytes held, by peers that the engine does not know and by peers that it knows.
    pub(crate) fn held(&self) -> (u64, u64) {
        let held = |pool: usize| self.pools[pool].held.load(Ordering::Relaxed);
        (held(STRANGERS), held(CLIENTS))
    }

    /// Makes room for waiting connections by closing slow ones; returns when to check again.
    pub(crate) fn relieve(&self, now: Mono) -> Option<Duration> {
        if !self.starves.load(Ordering::Acquire) {
            return None;
        }
        let mut starving = {
            // Under the lock: a connection that starts to wait now is the first, and wakes the timer.
            let mut line = lock(&self.starving);
            self.starves.store(false, Ordering::Release);
            std::mem::take(&mut *line)
        };
        in_turn(&mut starving);
        let mut slow = self.slow(now);
        starving.retain(|one| {
            let fed = one.account.reserve(one.need) || one.reclaim_room(&mut slow);
            if fed {
                one.waker.wake_by_ref();
            }
            !fed
        });
        if starving.is_empty() {
            return None;
        }
        let mut line = lock(&self.starving);
        line.append(&mut starving);
        self.starves.store(true, Ordering::Release);
        Some(PERIOD)
    }

    /// Connections that held memory for a whole period and moved few bytes, the peers with the most
    /// memory first.
    fn slow(&self, now: Mono) -> Vec<(Arc<Account>, Arc<Mailbox>)> {
        let mut slow = Vec::new();
        for member in lock(&self.members).values_mut() {
            let account = &member.account;
            let sample = Sample {
                at: now,
                moved: account.moved.load(Ordering::Relaxed),
                waiting: account.waiting.load(Ordering::Relaxed),
            };
            let Some(seen) = member
                .seen
                .filter(|seen| seen.waiting > 0 && sample.waiting > 0)
            else {
                member.seen = Some(sample);
                continue;
            };
            if now.since(seen.at) < SLOW {
                continue;
            }
            member.seen = Some(sample);
            if sample.moved.wrapping_sub(seen.moved) < seen.waiting / SHARE {
                slow.push((Arc::clone(account), Arc::clone(&member.mailbox)));
            }
        }
        slow.sort_by_key(|(account, _)| account.peer_held());
        slow
    }

    fn peer(&self, origin: Origin) -> Arc<Peer> {
        let mut peers = lock(&self.peers);
        if let Some(peer) = peers.get(&origin).and_then(Weak::upgrade) {
            return peer;
        }
        // At most one entry for each connection stays behind.
        if peers.len() >= PEERS_SWEPT && peers.len().is_power_of_two() {
            peers.retain(|_, peer| peer.strong_count() > 0);
        }
        let peer = Arc::new(Peer::default());
        peers.insert(origin, Arc::downgrade(&peer));
        peer
    }

    /// Gives room to a few of the waiting connections; the timer looks after the others.
    fn freed(&self) {
        if !self.starves.load(Ordering::Acquire) {
            return;
        }
        let mut starving = lock(&self.starving);
        for _ in 0..starving.len().min(LOOKS) {
            match starving.pop_front() {
                Some(one) if one.account.reserve(one.need) => one.waker.wake(),
                Some(one) => starving.push_back(one),
                None => break,
            }
        }
    }
}

impl Account {
    /// The line in which connections from one address wait for each other before they wait for the
    /// engine's lock: however many they are, another peer waits behind one of them at most.
    pub(crate) fn stand_in_line(&self) -> FairMutexGuard<'_, ()> {
        self.peer.line.lock()
    }

    /// Whether this much more may be held.
    pub(crate) fn has_room(&self, more: u64) -> bool {
        let charge = self.charge();
        self.may_add(&charge, more.saturating_sub(charge.reserved))
    }

    /// Takes this much more, first what is reserved, if there is room.
    pub(crate) fn take(&self, more: u64) -> bool {
        let mut charge = self.charge();
        let reserved = charge.reserved.min(more);
        if !self.may_add(&charge, more - reserved) {
            return false;
        }
        self.change(&mut charge, |charge| {
            charge.reserved -= reserved;
            charge.held += more;
        });
        true
    }

    /// Reserves this much, if there is room; `false` if the connection has to wait for it.
    fn reserve(&self, need: u64) -> bool {
        let mut charge = self.charge();
        let more = need.saturating_sub(charge.reserved);
        if charge.closed || more == 0 {
            return true;
        }
        let has_room = self.may_add(&charge, more);
        if has_room {
            self.change(&mut charge, |charge| charge.reserved += more);
        }
        has_room
    }

    /// Gives back what was reserved and is not needed: the connection does not wait any more.
    pub(crate) fn forgo(&self) {
        if !self.waited.load(Ordering::Relaxed) {
            return;
        }
        self.waited.store(false, Ordering::Relaxed);
        lock(&self.budget.starving).retain(|one| !std::ptr::eq(&*one.account, self));
        let mut charge = self.charge();
        if charge.reserved > 0 {
            self.change(&mut charge, |charge| charge.reserved = 0);
            drop(charge);
            self.budget.freed();
        }
    }

    /// Gives back everything, for good.
    fn close(&self) {
        self.charge().closed = true;
        self.give_up();
        self.budget.freed();
    }

    /// Gives back everything, and no connection is woken for it.
    fn give_up(&self) {
        self.waiting.store(0, Ordering::Relaxed);
        self.change(&mut self.charge(), |charge| {
            (charge.held, charge.reserved) = (0, 0);
        });
    }

    /// Records what the connection holds, and how much of it the peer can reduce.
    pub(crate) fn hold(&self, held: u64, waiting: u64) {
        self.waiting.store(waiting, Ordering::Relaxed);
        let mut charge = self.charge();
        let before = charge.held;
        self.change(&mut charge, |charge| charge.held = held);
        drop(charge);
        if held < before {
            self.budget.freed();
        }
    }

    /// Records bytes that were sent or received.
    pub(crate) fn moved(&self, count: usize) {
        let moved = self.moved.load(Ordering::Relaxed);
        self.moved
            .store(moved.wrapping_add(count as u64), Ordering::Relaxed);
    }

    /// Moves what is held to the pool of known clients.
    pub(crate) fn known(&self) {
        let mut charge = self.charge();
        let (held, reserved) = (charge.held, charge.reserved);
        self.change(&mut charge, |charge| {
            (charge.held, charge.reserved) = (0, 0);
        });
        charge.pool = CLIENTS;
        self.change(&mut charge, |charge| {
            (charge.held, charge.reserved) = (held, reserved);
        });
        drop(charge);
        self.budget.freed();
    }

    /// Waits for this much room, which is reserved when there is some. The first connection that waits
    /// has to wake the timer, which looks for slow connections.
    pub(crate) fn wait_for_room(self: &Arc<Account>, need: u64, waker: &Waker) -> RoomWait {
        self.waited.store(true, Ordering::Relaxed);
        let mut starving = lock(&self.budget.starving);
        let first = !self.budget.starves.swap(true, Ordering::AcqRel);
        match starving
            .iter_mut()
            .find(|one| Arc::ptr_eq(&one.account, self))
        {
            Some(known) => {
                known.need = need;
                known.waker.clone_from(waker);
            }
            None => starving.push_back(RoomWaiter {
                account: Arc::clone(self),
                need,
                waker: waker.clone(),
            }),
        }
        // Checked after the entry is there, so that no release of memory is missed.
        if self.reserve(need) {
            starving.retain(|one| !Arc::ptr_eq(&one.account, self));
            if first {
                // The timer was not told, so the next connection that waits has to wake it.
                self.budget.starves.store(false, Ordering::Release);
            }
            return RoomWait::Room;
        }
        if first {
            RoomWait::First
        } else {
            RoomWait::Waits
        }
    }

    fn may_add(&self, charge: &Charge, more: u64) -> bool {
        let pool = charge.pool;
        let Pool { most, held } = &self.budget.pools[pool];
        let peer = self.peer.held[pool].load(Ordering::Relaxed);
        let free = most.saturating_sub(held.load(Ordering::Relaxed));
        more == 0 || peer.saturating_add(more) <= (free.saturating_add(peer)) / 2
    }

    fn change(&self, charge: &mut Charge, change: impl FnOnce(&mut Charge)) {
        let before = charge.held + charge.reserved;
        change(charge);
        let held = charge.held + charge.reserved;
        let counters = [
            &self.peer.held[charge.pool],
            &self.budget.pools[charge.pool].held,
        ];
        for counter in counters {
            // Additions and subtractions wrap alike: the sum of all accounts stays exact.
            counter.fetch_add(held.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    fn peer_held(&self) -> u64 {
        let held = self.peer.held.iter();
        held.map(|held| held.load(Ordering::Relaxed)).sum()
    }

    fn charge(&self) -> MutexGuard<'_, Charge> {
        lock(&self.charge)
    }
}

/// The outcome of a request for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomWait {
    /// There is room now, and it is reserved.
    Room,
    /// The connection waits; its waker is called when there is room, which is reserved by then.
    Waits,
    /// The connection waits, and no other one waited before.
    First,
}

impl RoomWaiter {
    /// Closes slow connections until there is room, which is reserved; returns `false` if too few are
    /// slow. A connection whose own peer holds much gets room from that peer only.
    fn reclaim_room(&self, slow: &mut Vec<(Arc<Account>, Arc<Mailbox>)>) -> bool {
        let pool = self.account.charge().pool;
        let Pool { most, .. } = &self.account.budget.pools[pool];
        let greedy = self.account.peer.held[pool].load(Ordering::Relaxed) > most / GREEDY;
        let mut kept = Vec::new();
        let mut fed = false;
        while !fed && let Some((account, mailbox)) = slow.pop() {
            let own = Arc::ptr_eq(&account.peer, &self.account.peer);
            if account.charge().pool == pool && (own || !greedy) {
                // What is not enough for this one is for the next in turn.
                account.give_up();
                mailbox.evict(Evicted::Memory);
                fed = self.account.reserve(self.need);
            } else {
                kept.push((account, mailbox));
            }
        }
        kept.reverse();
        slow.append(&mut kept);
        fed
    }
}

/// Sorts those that wait: first what leaves its peer with least, so that a new peer does not stand behind
/// all connections of peers that fill the pool. Of equals the first comes first.
fn in_turn(starving: &mut VecDeque<RoomWaiter>) {
    let mut peers: HashMap<*const Peer, u64> = HashMap::new();
    let turn = |one: RoomWaiter| {
        let peer = peers.entry(Arc::as_ptr(&one.account.peer));
        let held = peer.or_insert_with(|| one.account.peer_held());
        let before = *held;
        *held = held.saturating_add(one.need);
        (before, one)
    };
    let mut turns: Vec<(u64, RoomWaiter)> = starving.drain(..).map(turn).collect();
    turns.sort_by_key(|(held, _)| *held);
    starving.extend(turns.into_iter().map(|(_, one)| one));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic leaves the value inconsistent.
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

const POOLS: usize = 2;
const STRANGERS: usize = 0;
const CLIENTS: usize = 1;
/// Time in which a connection has to move bytes.
const SLOW: Duration = Duration::from_secs(1);
/// The part of the waiting bytes that has to move in that time.
const SHARE: u64 = 8;
/// Maximum number of waiting connections that are checked when memory is freed.
const LOOKS: usize = 16;
/// Interval at which slow connections are looked for while others wait.
const PERIOD: Duration = Duration::from_millis(250);
/// A peer with more than this part of a pool gets room only from its own slow connections.
const GREEDY: u64 = 8;
/// Maximum number of addresses without a connection that are remembered.
const PEERS_SWEPT: usize = 64;

#[cfg(test)]
mod tests;
