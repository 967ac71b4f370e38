//! Clients that do not give back what is recalled, and get nothing more for a while.

use std::time::Duration;

use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_READ_DELEG;

use super::*;

/// A client, reachable under this owner and as this user.
fn reachable_as(sim: &mut Sim, owner: &str, uid: u32) -> Client {
    let mut client = Client::stranger(sim, owner);
    client.uid = uid;
    enter(sim, &mut client);
    client
}

/// The holder answers CB_RECALL and keeps the delegation until it is revoked.
pub(super) fn lets_a_recall_run_out(sim: &mut Sim, holder: &mut Client, other: &mut Client) {
    let held = delegated(sim, holder, 1, b"f", READ);
    let writing = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    assert_last(&open(sim, other, writing), Op::Open, Status::DELAY);
    let callback = called(sim);
    sim.send(callback.conn, callback.ok());
    let lease = sim.settings().lease;
    for _ in 0..4 {
        sim.sleep(lease / 3);
        for client in [&mut *holder, &mut *other] {
            client.call(sim, |c| c).all_ok();
        }
    }
    assert_eq!(sim.tables().revoked_delegations, 1);
    let stateid = held.delegation;
    let free = args::FreeStateid { stateid };
    holder.call(sim, |c| c.free_stateid(free)).all_ok();
    close(sim, holder, &held.fh, held.open);
}

/// What an OPEN for reading brings now to a client that wishes it.
pub(super) fn brings(sim: &mut Sim, client: &mut Client) -> Option<NoDelegation> {
    let wishing = opening(1 | OPEN4_SHARE_ACCESS_WANT_READ_DELEG, b"f");
    let reply = open(sim, client, wishing).all_ok();
    let (fh, ok) = (handle(&reply), ok!(reply, Open));
    let why = match ok.delegation {
        OpenDelegation::Read(read) => {
            let held = Held {
                fh: fh.clone(),
                open: ok.stateid,
                delegation: read.stateid,
            };
            give_back(sim, client, &held).all_ok();
            None
        }
        OpenDelegation::NoneExt(why) => Some(why),
        other => panic!("{other:?}"),
    };
    close(sim, client, &fh, ok.stateid);
    why
}

pub(super) const BARRED: Option<NoDelegation> = Some(NoDelegation::Resource(false));

#[test]
fn a_client_that_let_a_recall_run_out_gets_no_delegation_for_an_hour() {
    let (mut sim, mut one, mut two) = two();
    lets_a_recall_run_out(&mut sim, &mut one, &mut two);
    // Past the time for which the file itself is left alone.
    sim.sleep(Duration::from_secs(20));
    assert_eq!(brings(&mut sim, &mut one), BARRED);
    let mut third = reachable(&mut sim, "third");
    assert_eq!(brings(&mut sim, &mut third), None);
    // Neither a reboot nor an end of its lease changes that.
    one.reboot();
    enter(&mut sim, &mut one);
    assert_eq!(brings(&mut sim, &mut one), BARRED);
    sim.sleep(Duration::from_secs(3_600));
    let mut later = reachable(&mut sim, "one");
    assert_eq!(brings(&mut sim, &mut later), None);
}

#[test]
fn a_peer_gets_none_after_four_of_its_clients_and_an_address_after_sixteen() {
    let (mut sim, _, mut two) = two();
    for user in 0..4 {
        for number in 0..4 {
            let mut one = reachable_as(&mut sim, &format!("{user} {number}"), 2_000 + user);
            lets_a_recall_run_out(&mut sim, &mut one, &mut two);
            sim.sleep(Duration::from_secs(20));
        }
        let mut other = reachable_as(&mut sim, &format!("{user} again"), 2_000 + user);
        assert_eq!(brings(&mut sim, &mut other), BARRED, "{user}");
        let mut beside = reachable_as(&mut sim, &format!("{user} beside"), 3_000 + user);
        let expected = if user < 3 { None } else { BARRED };
        assert_eq!(brings(&mut sim, &mut beside), expected, "{user}");
    }
}

#[test]
fn a_client_counts_once_however_many_it_does_not_give_back() {
    let (mut sim, mut one, mut two) = two();
    let names: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];
    let mut kept = Vec::new();
    for name in names {
        make(&mut sim, &mut two, name);
        kept.push(delegated(&mut sim, &mut one, 1, name, READ));
    }
    for name in names {
        let writing = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, name);
        assert_last(&open(&mut sim, &mut two, writing), Op::Open, Status::DELAY);
    }
    sim.settle();
    for callback in sim.take_callbacks() {
        sim.send(callback.conn, callback.ok());
    }
    let lease = sim.settings().lease;
    for _ in 0..4 {
        sim.sleep(lease / 3);
        for client in [&mut one, &mut two] {
            client.call(&mut sim, |c| c).all_ok();
        }
    }
    assert_eq!(sim.tables().revoked_delegations, kept.len());
    assert_eq!(brings(&mut sim, &mut one), BARRED);
    assert_eq!(brings(&mut sim, &mut two), None);
}

#[test]
fn falling_silent_while_it_is_recalled_counts_as_well() {
    let config = Sim::config().with(|config| config.courtesy = Duration::ZERO);
    let (mut sim, mut one, mut two) = two_with(config);
    delegated(&mut sim, &mut one, 1, b"f", READ);
    let writing = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    assert_last(&open(&mut sim, &mut two, writing), Op::Open, Status::DELAY);
    let callback = called(&mut sim);
    sim.send(callback.conn, callback.ok());
    let lease = sim.settings().lease;
    for _ in 0..4 {
        sim.sleep(lease / 2);
        two.call(&mut sim, |c| c).all_ok();
    }
    assert_eq!(counts(&sim), (0, 0, 0));
    let mut again = reachable(&mut sim, "one");
    assert_eq!(brings(&mut sim, &mut again), BARRED);
}

#[test]
fn without_a_penalty_a_client_gets_the_next() {
    let (mut sim, mut one, mut two) =
        two_with(Sim::config().with(|config| config.delegation_penalty = Duration::ZERO));
    lets_a_recall_run_out(&mut sim, &mut one, &mut two);
    sim.sleep(Duration::from_secs(20));
    assert_eq!(brings(&mut sim, &mut one), None);
}
