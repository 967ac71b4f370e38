//! How many delegations there may be, and when there are to be none.

use std::time::Duration;

use nfs4_proto::nfs4::consts::{OPEN4_SHARE_ACCESS_WANT_ANY_DELEG, WND4_NOT_SUPP_FTYPE};

use super::*;

const WANT_ANY: u32 = OPEN4_SHARE_ACCESS_WANT_ANY_DELEG;
const RESOURCE: NoDelegation = NoDelegation::Resource(false);

/// Tries to have files delegated to a client; how many are.
pub(super) fn take(sim: &mut Sim, client: &mut Client, names: &[&[u8]]) -> Vec<Held> {
    let mut taken = Vec::new();
    for name in names {
        let reply = open(sim, client, opening(1 | WANT_ANY, name)).all_ok();
        match ok!(reply, Open).delegation {
            OpenDelegation::Read(read) => taken.push(Held {
                fh: handle(&reply),
                open: ok!(reply, Open).stateid,
                delegation: read.stateid,
            }),
            OpenDelegation::NoneExt(why) => assert_eq!(why, RESOURCE),
            other => panic!("{other:?}"),
        }
    }
    taken
}

#[test]
fn none_are_given_where_they_are_switched_off() {
    let (mut sim, mut one, _) = two_with(Sim::config().with(|config| config.delegations = false));
    let reply = open(&mut sim, &mut one, opening(1 | WANT_ANY, b"f")).all_ok();
    let why = NoDelegation::WhyNone(WND4_NOT_SUPP_FTYPE);
    assert_eq!(refused(&reply), why);
    let reply = open(&mut sim, &mut one, opening(3, b"f")).all_ok();
    assert_eq!(ok!(reply, Open).delegation, OpenDelegation::None);
}

#[test]
fn a_client_has_no_more_than_its_limit() {
    let (mut sim, mut one, mut two) =
        two_with(Sim::config().with(|config| config.max_delegations_per_client = 2));
    for name in [b"g", b"h"] {
        make(&mut sim, &mut one, name);
    }
    let names: [&[u8]; 3] = [b"f", b"g", b"h"];
    let taken = take(&mut sim, &mut one, &names);
    assert_eq!(taken.len(), 2);
    assert_eq!(take(&mut sim, &mut two, &names).len(), 2);
    give_back(&mut sim, &mut one, &taken[0]).all_ok();
    assert_eq!(take(&mut sim, &mut one, &[b"h"]).len(), 1);
}

#[test]
fn nor_have_all_of_a_peer_together_more_than_theirs() {
    // A third of all.
    let (mut sim, mut one, mut two) =
        two_with(Sim::config().with(|config| config.max_delegations = 6));
    make(&mut sim, &mut one, b"g");
    let names: [&[u8]; 2] = [b"f", b"g"];
    let taken = take(&mut sim, &mut one, &names);
    assert_eq!(taken.len(), 2);
    assert!(take(&mut sim, &mut two, &names).is_empty());
    for held in &taken {
        give_back(&mut sim, &mut one, held).all_ok();
    }
    assert_eq!(take(&mut sim, &mut two, &names).len(), 2);
}

#[test]
fn excess_delegations_get_a_recall_any_and_then_single_recalls() {
    let (mut sim, mut one, _) =
        two_with(Sim::config().with(|config| config.max_delegations_per_client = 4));
    let names: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"f"];
    for name in &names[..4] {
        make(&mut sim, &mut one, name);
    }
    let taken = take(&mut sim, &mut one, &names);
    assert_eq!(taken.len(), 4);
    let callback = called(&mut sim);
    let ops = callback.ops();
    let [CbArgOp::Sequence(_), CbArgOp::RecallAny(asked)] = ops.as_slice() else {
        panic!("{ops:?}");
    };
    assert_eq!(asked.objects_to_keep, 3);
    assert_eq!(asked.type_mask, nfs4_proto::nfs4::Bitmap::of(&[0, 1]));
    sim.send(callback.conn, callback.ok());
    sim.settle();
    take(&mut sim, &mut one, &[b"f"]);
    assert!(sim.take_callbacks().is_empty(), "it has time");
    sim.sleep(Duration::from_secs(11));
    take(&mut sim, &mut one, &[b"f"]);
    sim.settle();
    let callbacks = sim.take_callbacks();
    let mut asked: Vec<_> = callbacks.iter().map(|call| recall(call).stateid).collect();
    asked.sort_by_key(|stateid| stateid.other);
    let mut all: Vec<_> = taken.iter().map(|held| held.delegation).collect();
    all.sort_by_key(|stateid| stateid.other);
    assert_eq!(asked, all);
    let reason = nfs4_engine::RecallReason::ResourcePressure;
    assert_eq!(sim.metrics().delegations_recalled(READ, reason), 4);
    for callback in &callbacks {
        sim.send(callback.conn, callback.ok());
    }
    sim.settle();
    for held in &taken {
        give_back(&mut sim, &mut one, held).all_ok();
    }
    assert_eq!(take(&mut sim, &mut one, &[b"f"]).len(), 1);
}

#[test]
fn opens_have_the_rest_of_what_state_there_may_be() {
    let (mut sim, mut one, _) = two_with(Sim::config().with(|config| config.max_states = 48));
    let names = (b'a'..b'o').map(|letter| [letter]);
    for name in names.clone().filter(|name| name != b"f") {
        make(&mut sim, &mut one, &name);
    }
    let mut delegated = 0;
    for name in names {
        let reply = open(&mut sim, &mut one, opening(1, &name));
        if reply.status() != Status::OK {
            break;
        }
        let got = ok!(reply, Open).delegation;
        delegated += usize::from(got != OpenDelegation::None);
    }
    // Each open weighs as much as its delegation.
    assert_eq!(delegated, 6);
    assert_eq!(sim.tables().opens, 10);
}

#[test]
fn a_file_that_came_back_is_left_alone_for_a_while() {
    let (mut sim, mut one, mut two) =
        two_with(Sim::config().with(|config| config.delegation_pause = Duration::from_secs(30)));
    let held = delegated(&mut sim, &mut one, 1, b"f", READ);
    let reply = open(&mut sim, &mut two, opening(2, b"f"));
    assert_last(&reply, Op::Open, Status::DELAY);
    let callback = called(&mut sim);
    assert_eq!(recall(&callback).stateid, held.delegation);
    sim.send(callback.conn, callback.ok());
    // It counts from when it is back.
    sim.sleep(Duration::from_secs(20));
    give_back(&mut sim, &mut one, &held).all_ok();
    let contention = NoDelegation::Contention(false);
    for waits in [0, 29] {
        sim.sleep(Duration::from_secs(waits));
        let reply = open(&mut sim, &mut one, opening(1 | WANT_ANY, b"f")).all_ok();
        assert_eq!(refused(&reply), contention, "{waits}");
    }
    sim.sleep(Duration::from_secs(2));
    delegated(&mut sim, &mut one, 1, b"f", READ);
}

#[test]
fn settings_have_ranges() {
    let wrong = Config::default().with(|config| {
        config.max_delegations_per_client = 0;
        config.max_delegations = 0;
        config.delegation_pause = Duration::from_secs(3_601);
    });
    let faults = wrong.validate().unwrap_err().0;
    let named: Vec<&str> = faults.iter().map(|fault| fault.setting).collect();
    let all = [
        "max_delegations_per_client",
        "max_delegations",
        "delegation_pause (seconds)",
    ];
    assert_eq!(named, all);
}
