use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use nfs4_engine::Input;

use super::*;
use crate::mailbox::LateAnswers;

struct NoNode;

impl LateAnswers for NoNode {
    fn answer_late(self: Arc<Self>, _: Input) {}
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A pool of this many units, and its connections.
struct Scene {
    budget: Arc<Budget>,
    next: ConnId,
    now: Mono,
}

struct Conn {
    id: ConnId,
    account: Arc<Account>,
    woken: Arc<Woken>,
}

impl Scene {
    fn new(most: u64) -> Scene {
        let limits = Limits::default().with(|limits| {
            limits.max_held_by_strangers = most;
            limits.max_held = 4 * most;
        });
        Scene {
            budget: Budget::new(&limits),
            next: ConnId::FIRST,
            now: Mono::ZERO,
        }
    }

    fn open(&mut self, host: u8) -> Conn {
        let id = self.next;
        self.next = id.next();
        let node: Weak<dyn LateAnswers> = Weak::<NoNode>::new();
        let mailbox = Mailbox::new(id, node);
        Conn {
            id,
            account: self.budget.open(&format!("192.0.2.{host}:1"), &mailbox),
            woken: Arc::default(),
        }
    }

    /// A connection that holds this much and moves nothing, and is known to be slow.
    fn slow(&mut self, host: u8, held: u64) -> Conn {
        let conn = self.open(host);
        assert!(conn.account.take(held), "there is room");
        conn.account.hold(held, held);
        conn
    }

    /// Time goes on until all that does not move is slow.
    fn pass(&mut self) {
        self.now = self.now.after(SLOW);
    }

    fn relieve(&self) -> Option<Duration> {
        self.budget.relieve(self.now)
    }
}

impl Conn {
    fn waits(&self, need: u64) -> RoomWait {
        let waker = Waker::from(Arc::clone(&self.woken));
        self.account.wait_for_room(need, &waker)
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed) > 0
    }
}

#[test]
fn room_that_is_freed_belongs_to_the_waiter_before_it_takes_it() {
    let mut scene = Scene::new(16);
    let holder = scene.slow(1, 8);
    let (waiter, other) = (scene.open(2), scene.open(3));
    assert!(!waiter.account.take(8));
    assert_eq!(waiter.waits(8), RoomWait::First);
    holder.account.hold(0, 0);
    assert!(waiter.is_woken());
    assert_eq!(scene.budget.held(), (8, 0), "it is charged already");
    assert!(!other.account.take(5), "it is not free any more");
    assert_eq!(waiter.waits(8), RoomWait::Room);
    assert_eq!(scene.budget.held(), (8, 0), "once is enough");
    assert!(waiter.account.take(8));
    assert_eq!(scene.budget.held(), (8, 0));
    waiter.account.forgo();
    assert_eq!(scene.budget.held(), (8, 0), "it has used all of it");
    scene.budget.close(waiter.id);
    assert_eq!(scene.budget.held(), (0, 0));
}

#[test]
fn the_first_to_wait_after_a_wait_that_found_room_wakes_the_timer() {
    let mut scene = Scene::new(16);
    let (lucky, waiter) = (scene.open(1), scene.open(2));
    assert_eq!(lucky.waits(8), RoomWait::Room, "it was freed meanwhile");
    assert_eq!(waiter.waits(8), RoomWait::First);
    assert_eq!(scene.relieve(), Some(PERIOD));
    assert_eq!(scene.open(3).waits(8), RoomWait::Waits);
}

#[test]
fn what_is_reserved_and_not_used_is_for_the_next() {
    let mut scene = Scene::new(16);
    let holder = scene.slow(1, 8);
    let (first, second) = (scene.open(2), scene.open(3));
    assert_eq!(first.waits(8), RoomWait::First);
    assert_eq!(second.waits(8), RoomWait::Waits);
    holder.account.hold(0, 0);
    assert!(first.is_woken() && !second.is_woken());
    assert!(first.account.take(2), "a part of it");
    first.account.hold(0, 0);
    assert!(!second.is_woken(), "the rest is still reserved");
    first.account.forgo();
    assert!(second.is_woken());
    assert_eq!(scene.budget.held(), (8, 0));
    scene.budget.close(second.id);
    assert_eq!(scene.budget.held(), (0, 0));
}

#[test]
fn a_waiter_that_closes_gives_its_room_to_the_next_and_gets_no_more() {
    let mut scene = Scene::new(16);
    let holder = scene.slow(1, 8);
    let (gone, next) = (scene.open(2), scene.open(3));
    assert_eq!(gone.waits(8), RoomWait::First);
    assert_eq!(next.waits(8), RoomWait::Waits);
    holder.account.hold(0, 0);
    scene.budget.close(gone.id);
    assert!(next.is_woken());
    assert_eq!(scene.budget.held(), (8, 0));
    // Its owner may be about to wait once more.
    assert_eq!(gone.waits(8), RoomWait::Room);
    assert_eq!(scene.budget.held(), (8, 0));
}

#[test]
fn room_is_reclaimed_for_the_peer_with_least_and_for_no_other() {
    let mut scene = Scene::new(1_600);
    let slow = [scene.slow(1, 400), scene.slow(2, 400), scene.slow(3, 200)];
    // Connections of those peers have waited longer than the new peer.
    let many: Vec<Conn> = (0..30).map(|_| scene.open(3)).collect();
    for conn in &many {
        assert_ne!(conn.waits(400), RoomWait::Room);
    }
    let new = scene.open(9);
    assert_eq!(new.waits(400), RoomWait::Waits);
    assert_eq!(scene.relieve(), Some(PERIOD), "none is known to be slow");
    assert!(!new.is_woken());
    scene.pass();
    scene.relieve();
    assert!(new.is_woken());
    let before = scene.budget.held();
    assert!(new.account.take(400), "it is charged already");
    assert_eq!(scene.budget.held(), before);
    drop(slow);
}

#[test]
fn what_is_reserved_moves_with_a_client_that_becomes_known() {
    let mut scene = Scene::new(16);
    let holder = scene.slow(1, 8);
    let waiter = scene.open(2);
    assert_eq!(waiter.waits(8), RoomWait::First);
    holder.account.hold(0, 0);
    waiter.account.known();
    assert_eq!(scene.budget.held(), (0, 8));
    assert!(waiter.account.take(8));
    waiter.account.hold(3, 0);
    assert_eq!(scene.budget.held(), (0, 3));
    scene.budget.close(waiter.id);
    assert_eq!(scene.budget.held(), (0, 0));
}

#[test]
fn whatever_happens_the_sum_of_all_accounts_is_what_the_pool_holds() {
    let mut scene = Scene::new(64);
    let mut conns: Vec<Conn> = (0..24).map(|number| scene.open(number % 6)).collect();
    let mut random = 0x2545_f491_u32;
    for step in 0..20_000 {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let place = random as usize % conns.len();
        let (conn, amount) = (&conns[place], u64::from(random >> 8 & 15));
        match random >> 16 & 7 {
            0 | 1 => drop(conn.account.take(amount)),
            2 | 3 => drop(conn.waits(amount)),
            4 => conn.account.hold(amount / 4, amount / 4),
            5 => conn.account.forgo(),
            6 if step % 50 == 0 => {
                scene.budget.close(conn.id);
                conns[place] = scene.open((random >> 24) as u8 % 6);
            }
            _ => {
                scene.now = scene.now.after(PERIOD);
                scene.relieve();
            }
        }
        let of = |conn: &Conn| {
            let charge = conn.account.charge();
            charge.held + charge.reserved
        };
        let sum: u64 = conns.iter().map(of).sum();
        assert_eq!(scene.budget.held(), (sum, 0), "after step {step}");
    }
    for conn in &conns {
        scene.budget.close(conn.id);
    }
    assert_eq!(scene.budget.held(), (0, 0));
}
