//! Settings of delegations change while the server runs.

use std::time::Duration;

use nfs4_engine::{Admin, Change, Event};
use nfs4_proto::nfs4::consts::WND4_NOT_SUPP_FTYPE;

use super::lapse::{BARRED, brings, lets_a_recall_run_out};
use super::limits::take;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn configure(sim: &mut Sim, set: impl FnOnce(&mut Change)) {
    sim.admin(Admin::Configure(Box::new(Change::default().with(set))));
}

#[test]
fn once_they_are_off_none_are_granted_and_those_that_are_there_stay() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    configure(&mut sim, |change| change.delegations = Some(false));
    assert_eq!(counts(&sim), (1, 0, 0));
    let off = Some(NoDelegation::WhyNone(WND4_NOT_SUPP_FTYPE));
    assert_eq!(brings(&mut sim, &mut two), off);
    // It is recalled as ever.
    let writing = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    assert_last(&open(&mut sim, &mut two, writing), Op::Open, Status::DELAY);
    comes_back(&mut sim, &mut one, &held);
    configure(&mut sim, |change| change.delegations = Some(true));
    sim.sleep(20 * SECOND);
    assert_eq!(brings(&mut sim, &mut two), None);
}

#[test]
fn each_one_that_is_granted_is_told_of() {
    let (mut sim, mut one, _) = two();
    sim.take_events();
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    let client = one.id.0;
    let told = |kind| Event::DelegationGranted { client, kind };
    assert_eq!(sim.take_events(), [told(READ)]);
    give_back(&mut sim, &mut one, &held).all_ok();
    assert_eq!(sim.take_events(), []);
    delegated(&mut sim, &mut one, 3, b"f", WRITE);
    assert_eq!(sim.take_events(), [told(WRITE)]);
}

#[test]
fn limits_count_from_the_next_open_on() {
    let set: [fn(&mut Change, u32); 2] = [
        |change, most| change.max_delegations_per_client = Some(most),
        |change, most| change.max_delegations = Some(most),
    ];
    for set in set {
        let (mut sim, mut one, _) = two();
        make(&mut sim, &mut one, b"g");
        make(&mut sim, &mut one, b"h");
        assert_eq!(take(&mut sim, &mut one, &[b"f", b"g"]).len(), 2);
        configure(&mut sim, |change| set(change, 1));
        assert_eq!(take(&mut sim, &mut one, &[b"h"]).len(), 0);
        assert_eq!(counts(&sim), (2, 0, 0));
        configure(&mut sim, |change| set(change, 100));
        assert_eq!(take(&mut sim, &mut one, &[b"h"]).len(), 1);
    }
}

#[test]
fn a_file_is_left_alone_for_as_long_as_the_setting_was_when_the_recall_began() {
    let (mut sim, mut one, mut two) = two();
    configure(&mut sim, |change| {
        change.delegation_pause = Some(60 * SECOND);
    });
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    let writing = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    assert_last(&open(&mut sim, &mut two, writing), Op::Open, Status::DELAY);
    comes_back(&mut sim, &mut one, &held);
    close(&mut sim, &mut one, &held.fh, held.open);
    configure(&mut sim, |change| {
        change.delegation_pause = Some(Duration::ZERO);
    });
    sim.sleep(58 * SECOND);
    assert_ne!(brings(&mut sim, &mut one), None);
    sim.sleep(3 * SECOND);
    assert_eq!(brings(&mut sim, &mut one), None);
    // A recall of now costs no pause.
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    assert_last(&open(&mut sim, &mut two, writing), Op::Open, Status::DELAY);
    comes_back(&mut sim, &mut one, &held);
    close(&mut sim, &mut one, &held.fh, held.open);
    sim.sleep(SECOND);
    assert_eq!(brings(&mut sim, &mut one), None);
}

#[test]
fn a_client_is_barred_for_as_long_as_the_setting_was_when_its_delegation_was_revoked() {
    let (mut sim, mut one, mut two) = two();
    configure(&mut sim, |change| {
        change.delegation_penalty = Some(100 * SECOND);
    });
    lets_a_recall_run_out(&mut sim, &mut one, &mut two);
    configure(&mut sim, |change| {
        change.delegation_penalty = Some(Duration::ZERO);
    });
    // It was revoked half a minute ago.
    sim.sleep(20 * SECOND);
    assert_eq!(brings(&mut sim, &mut one), BARRED);
    sim.sleep(60 * SECOND);
    assert_eq!(brings(&mut sim, &mut one), None);
    lets_a_recall_run_out(&mut sim, &mut one, &mut two);
    sim.sleep(20 * SECOND);
    assert_eq!(brings(&mut sim, &mut one), None);
}
