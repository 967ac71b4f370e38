//! Locks that a client waits for. [RFC 8881 §9.6]

use std::time::Duration;

use nfs4_engine::ConnId;
use nfs4_proto::nfs4::any::CbArgOp;
use nfs4_proto::nfs4::basic::{LockType, Stateid};
use nfs4_proto::nfs4::consts::OPEN4_RESULT_MAY_NOTIFY_LOCK;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Reply, Sim, open_args};

use super::holder::{Holder, assert_denied, stateid};

const BYTES: (u64, u64) = (0, 10);
const BOTH: u32 = 3;

/// A client that waits, a client that locks and unlocks, and the file that both have open.
struct Rivals {
    patient: Holder,
    quick: Holder,
    /// What the quick one has locked.
    locked: Stateid,
}

impl Rivals {
    /// The patient one has been denied the lock and waits for it.
    fn new(sim: &mut Sim) -> Rivals {
        let mut patient = Holder::new(sim, "patient", BOTH);
        let mut quick = Holder::new(sim, "quick", BOTH);
        let locked = stateid(quick.lock(sim, b"q", LockType::Write, BYTES));
        let reply = patient.lock(sim, b"p", LockType::WriteWait, BYTES);
        assert_denied(&reply, &quick.client, b"q", LockType::Write, BYTES);
        assert_eq!(sim.tables().waiting, 1);
        Rivals {
            patient,
            quick,
            locked,
        }
    }

    /// The quick client unlocks, and locks again before any other client.
    fn take_again(&mut self, sim: &mut Sim) -> Reply {
        self.quick.unlock(sim, self.locked, BYTES).all_ok();
        let reply = self.quick.lock(sim, b"q", LockType::Write, BYTES);
        if reply.status() == Status::OK {
            self.locked = stateid(reply.clone());
        }
        reply
    }

    /// The quick client overtakes the patient one as often as it may.
    fn overtake(&mut self, sim: &mut Sim) {
        for _ in 0..3 {
            self.take_again(sim).all_ok();
        }
    }
}

#[test]
fn a_polling_waiter_is_overtaken_three_times_and_then_comes_first() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.overtake(&mut sim);
    let reply = rivals.take_again(&mut sim);
    let patient = &rivals.patient.client;
    assert_denied(&reply, patient, b"p", LockType::Write, BYTES);
    // To look whether anything is locked is not to lock it.
    rivals.quick.test(&mut sim, b"q", BYTES).all_ok();
    let reply = rivals
        .patient
        .lock(&mut sim, b"p", LockType::WriteWait, BYTES);
    stateid(reply);
    assert_eq!(sim.tables().waiting, 0);
}

#[test]
fn a_waiter_for_other_bytes_is_not_notified() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.overtake(&mut sim);
    rivals.quick.unlock(&mut sim, rivals.locked, BYTES).all_ok();
    let beyond = (10, 10);
    stateid(rivals.quick.lock(&mut sim, b"q", LockType::Write, beyond));
}

#[test]
fn a_waiter_that_stops_polling_loses_its_place_after_a_lease() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.overtake(&mut sim);
    let reply = rivals.take_again(&mut sim);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    let half = sim.settings().lease / 2;
    for _ in 0..2 {
        sim.sleep(half);
        rivals.patient.client.call(&mut sim, |c| c).all_ok();
        rivals.quick.client.call(&mut sim, |c| c).all_ok();
    }
    sim.sleep(Duration::from_secs(1));
    stateid(rivals.quick.lock(&mut sim, b"q", LockType::Write, BYTES));
}

#[test]
fn a_lock_without_waiting_ends_the_wait_of_its_owner() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.overtake(&mut sim);
    let reply = rivals.patient.lock(&mut sim, b"p", LockType::Write, BYTES);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    assert_eq!(sim.tables().waiting, 0);
    rivals.take_again(&mut sim).all_ok();
}

#[test]
fn the_first_lock_waiter_is_served_first() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    let mut third = Holder::new(&mut sim, "third", BOTH);
    let reply = third.lock(&mut sim, b"t", LockType::WriteWait, BYTES);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    rivals.overtake(&mut sim);
    rivals.quick.unlock(&mut sim, rivals.locked, BYTES).all_ok();
    let reply = third.lock(&mut sim, b"t", LockType::WriteWait, BYTES);
    let patient = &rivals.patient.client;
    assert_denied(&reply, patient, b"p", LockType::Write, BYTES);
    let reply = rivals
        .patient
        .lock(&mut sim, b"p", LockType::WriteWait, BYTES);
    let taken = stateid(reply);
    // The third has been overtaken often enough, too.
    rivals.patient.unlock(&mut sim, taken, BYTES).all_ok();
    let reply = rivals.quick.lock(&mut sim, b"q", LockType::Write, BYTES);
    assert_denied(&reply, &third.client, b"t", LockType::Write, BYTES);
    stateid(third.lock(&mut sim, b"t", LockType::WriteWait, BYTES));
}

#[test]
fn a_closed_file_leaves_its_owner_waiting_for_no_lock() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.overtake(&mut sim);
    rivals.patient.close(&mut sim).all_ok();
    assert_eq!(sim.tables().waiting, 0);
    rivals.take_again(&mut sim).all_ok();
}

#[test]
fn nothing_waits_for_a_client_that_has_gone() {
    let mut sim = Sim::without_courtesy();
    let mut rivals = Rivals::new(&mut sim);
    let third = sim.settings().lease / 3;
    for _ in 0..4 {
        sim.sleep(third);
        rivals.quick.client.call(&mut sim, |c| c).all_ok();
    }
    assert_eq!(sim.tables().clients, 1);
    assert_eq!(sim.tables().waiting, 0);
    rivals.take_again(&mut sim).all_ok();
}

#[test]
fn the_line_of_a_file_is_bounded() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    for number in 0..100_u32 {
        let name = number.to_be_bytes();
        let reply = rivals
            .patient
            .lock(&mut sim, &name, LockType::WriteWait, BYTES);
        assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    }
    assert_eq!(sim.tables().waiting, 64);
}

/// The lock owners that a client was told of, and the answers of one that is glad to hear it.
fn told(sim: &mut Sim, answer: Status) -> Vec<(ConnId, Vec<u8>)> {
    sim.settle();
    let mut told = Vec::new();
    for callback in sim.take_callbacks() {
        let ops = callback.ops();
        let Some(CbArgOp::NotifyLock(notify)) = ops.get(1) else {
            panic!("{callback:?}");
        };
        told.push((callback.conn, notify.lock_owner.owner.to_vec()));
        sim.send(callback.conn, callback.with(answer));
    }
    sim.settle();
    told
}

/// Two that are told, in the order in which they wait, and the one that has the lock.
fn told_in_turn(sim: &mut Sim) -> (Holder, Holder, Rivals) {
    let mut first = Holder::called_back(sim, "first", BOTH);
    let mut second = Holder::called_back(sim, "second", BOTH);
    let mut rivals = Rivals::new(sim);
    rivals.patient.close(sim).all_ok();
    for (holder, name) in [(&mut first, b"1"), (&mut second, b"2")] {
        let reply = holder.lock(sim, name, LockType::WriteWait, BYTES);
        assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    }
    assert_eq!(told(sim, Status::OK), []);
    (first, second, rivals)
}

#[test]
fn an_open_says_whether_the_client_is_told_of_free_locks() {
    let mut sim = Sim::new();
    let mut plain = Holder::new(&mut sim, "plain", BOTH);
    let mut called = Holder::called_back(&mut sim, "called", BOTH);
    let flags = |sim: &mut Sim, holder: &mut Holder| {
        let open = open_args(b"again", b"f");
        let reply = holder.client.call(sim, |c| c.putrootfh().open(open));
        ok!(reply.all_ok(), Open).rflags & OPEN4_RESULT_MAY_NOTIFY_LOCK
    };
    assert_eq!(flags(&mut sim, &mut plain), 0);
    assert_eq!(flags(&mut sim, &mut called), OPEN4_RESULT_MAY_NOTIFY_LOCK);
}

#[test]
fn the_next_lock_waiter_is_notified_and_has_a_second_to_lock() {
    let mut sim = Sim::new();
    let (mut first, second, mut rivals) = told_in_turn(&mut sim);
    let reply = rivals.take_again(&mut sim);
    assert_denied(&reply, &first.client, b"1", LockType::Write, BYTES);
    let expected = (first.client.conn, b"1".to_vec());
    assert_eq!(told(&mut sim, Status::OK), [expected]);
    let taken = stateid(first.lock(&mut sim, b"1", LockType::WriteWait, BYTES));
    first.unlock(&mut sim, taken, BYTES).all_ok();
    let expected = (second.client.conn, b"2".to_vec());
    assert_eq!(told(&mut sim, Status::OK), [expected]);
    assert_eq!(sim.tables().waiting, 1);
}

#[test]
fn a_notified_waiter_that_does_not_lock_is_passed_over() {
    let mut sim = Sim::new();
    let (first, second, mut rivals) = told_in_turn(&mut sim);
    let locked = rivals.locked;
    rivals.quick.unlock(&mut sim, locked, BYTES).all_ok();
    let expected = (first.client.conn, b"1".to_vec());
    assert_eq!(told(&mut sim, Status::OK), [expected]);
    sim.sleep(Duration::from_millis(1_001));
    let expected = (second.client.conn, b"2".to_vec());
    assert_eq!(told(&mut sim, Status::OK), [expected]);
    sim.sleep(Duration::from_millis(1_001));
    assert_eq!(sim.tables().waiting, 0);
    stateid(rivals.quick.lock(&mut sim, b"q", LockType::Write, BYTES));
}

#[test]
fn compatible_lock_waiters_are_notified_together() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.patient.close(&mut sim).all_ok();
    let mut readers = Vec::new();
    for name in ["one", "two", "three"] {
        let mut reader = Holder::called_back(&mut sim, name, BOTH);
        let reply = reader.lock(&mut sim, b"r", LockType::ReadWait, BYTES);
        assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
        readers.push(reader);
    }
    let mut writer = Holder::called_back(&mut sim, "writer", BOTH);
    let reply = writer.lock(&mut sim, b"w", LockType::WriteWait, BYTES);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    // A lock for reading is what the writer's neighbours want, too.
    let read = rivals.quick.lock(&mut sim, b"q", LockType::Read, BYTES);
    stateid(read);
    let told = told(&mut sim, Status::OK);
    let conns: Vec<ConnId> = readers.iter().map(|reader| reader.client.conn).collect();
    assert_eq!(told.iter().map(|told| told.0).collect::<Vec<_>>(), conns);
    for reader in &mut readers {
        stateid(reader.lock(&mut sim, b"r", LockType::ReadWait, BYTES));
    }
    assert_eq!(sim.tables().waiting, 1);
}

#[test]
fn a_waiter_that_cannot_be_notified_polls() {
    let mut sim = Sim::new();
    let (mut first, _, mut rivals) = told_in_turn(&mut sim);
    let locked = rivals.locked;
    rivals.quick.unlock(&mut sim, locked, BYTES).all_ok();
    assert_eq!(told(&mut sim, Status::SERVERFAULT).len(), 1);
    // The waiter keeps its place, and no lock is reserved for it.
    assert_eq!(sim.tables().waiting, 2);
    stateid(first.lock(&mut sim, b"1", LockType::WriteWait, BYTES));
}

#[test]
fn a_lock_waiter_counts_as_state_and_is_bounded_like_it() {
    let config = Sim::config().with(|config| config.max_states = 48);
    let mut sim = Sim::with(config);
    let mut rivals = Rivals::new(&mut sim);
    for number in 0..20_u32 {
        let name = number.to_be_bytes();
        let reply = rivals
            .patient
            .lock(&mut sim, &name, LockType::WriteWait, BYTES);
        assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    }
    let tables = sim.tables();
    // Two opens, a lock stateid and what it has locked: all of one peer.
    assert_eq!(tables.opens + tables.locks + 1 + tables.waiting, 16);
    // A waiter keeps its place.
    let reply = rivals
        .patient
        .lock(&mut sim, b"p", LockType::WriteWait, BYTES);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    assert_eq!(sim.tables().waiting, tables.waiting);
}
