//! Locks that somebody waits for. [RFC 8881 §9.6]

use std::time::Duration;

use nfs4_proto::nfs4::basic::{LockType, Stateid};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Reply, Sim};

use super::holder::{Holder, assert_denied, stateid};

const BYTES: (u64, u64) = (0, 10);
const BOTH: u32 = 3;

/// One who waits, one who comes and goes, and the file that both have open.
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

    /// The quick one unlocks, and locks again before anybody else can.
    fn take_again(&mut self, sim: &mut Sim) -> Reply {
        self.quick.unlock(sim, self.locked, BYTES).all_ok();
        let reply = self.quick.lock(sim, b"q", LockType::Write, BYTES);
        if reply.status() == Status::OK {
            self.locked = stateid(reply.clone());
        }
        reply
    }

    /// He has overtaken the patient one as often as he may.
    fn overtake(&mut self, sim: &mut Sim) {
        for _ in 0..3 {
            self.take_again(sim).all_ok();
        }
    }
}

#[test]
fn one_who_polls_is_overtaken_three_times_and_then_it_is_his_turn() {
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
fn other_bytes_are_nobodys_turn() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.overtake(&mut sim);
    rivals.quick.unlock(&mut sim, rivals.locked, BYTES).all_ok();
    let beyond = (10, 10);
    stateid(rivals.quick.lock(&mut sim, b"q", LockType::Write, beyond));
}

#[test]
fn who_stops_polling_loses_his_turn_after_a_lease() {
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
fn who_asks_without_waiting_does_not_wait_any_more() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.overtake(&mut sim);
    let reply = rivals.patient.lock(&mut sim, b"p", LockType::Write, BYTES);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    assert_eq!(sim.tables().waiting, 0);
    rivals.take_again(&mut sim).all_ok();
}

#[test]
fn who_waited_first_is_first() {
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
fn nobody_waits_for_a_file_that_he_has_closed() {
    let mut sim = Sim::new();
    let mut rivals = Rivals::new(&mut sim);
    rivals.overtake(&mut sim);
    rivals.patient.close(&mut sim).all_ok();
    assert_eq!(sim.tables().waiting, 0);
    rivals.take_again(&mut sim).all_ok();
}

#[test]
fn nothing_waits_for_a_client_that_has_gone() {
    let mut sim = Sim::new();
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
