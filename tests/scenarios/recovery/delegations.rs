//! Delegations that clients reclaim, and those that they have lost. [RFC 8881 §10.2.1]

use std::time::Duration;

use nfs4_engine::stable::{StableError, StableWrite};
use nfs4_engine::{Config, Event};
use nfs4_proto::nfs4::any::CbArgOp;
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::{DelegationType, LockType, Stateid};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, making_args};

use super::{LEASE, assert_last, complete, config, is_grace, open_anew, reclaim, reclaim_args};

/// A client with a backchannel.
fn enter(sim: &mut Sim, client: &mut Client) {
    client.exchange_id(sim).all_ok();
    let args = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..client.session_args()
    };
    client.create_session_with(sim, args).all_ok();
}

fn come_back(sim: &mut Sim, client: &mut Client) {
    client.conn = sim.connect();
    enter(sim, client);
}

/// A server on which a client holds a write delegation; the filehandle, and the delegation's stateid.
fn delegated_with(config: Config) -> (Sim, Client, Client, Vec<u8>, Stateid) {
    let mut sim = Sim::durable(config);
    let (mut one, mut two) = (
        Client::stranger(&mut sim, "one"),
        Client::stranger(&mut sim, "two"),
    );
    for client in [&mut one, &mut two] {
        enter(&mut sim, client);
        complete(&mut sim, client).all_ok();
    }
    let reply = one
        .call(&mut sim, |c| {
            c.putrootfh().open(making_args(b"o", b"f")).getfh()
        })
        .all_ok();
    let fh = ok!(reply, GetFh).object.to_vec();
    let OpenDelegation::Write(held) = ok!(reply, Open).delegation else {
        panic!("the file is delegated");
    };
    let stateid = held.stateid;
    sim.take_writes();
    (sim, one, two, fh, stateid)
}

fn delegated() -> (Sim, Client, Client, Vec<u8>, Stateid) {
    delegated_with(config())
}

fn reclaim_as(sim: &mut Sim, client: &mut Client, fh: &[u8], kind: DelegationType) -> Reply {
    super::reclaim_with(sim, client, fh, reclaim_args(kind))
}

/// The kind of the delegation in a reply, and whether it is recalled.
fn granted(reply: &Reply) -> (DelegationType, bool) {
    match ok!(reply, Open).delegation {
        OpenDelegation::Write(held) => (DelegationType::Write, held.recall),
        OpenDelegation::Read(held) => (DelegationType::Read, held.recall),
        _ => (DelegationType::None, false),
    }
}

fn recalls(sim: &mut Sim) -> usize {
    let calls = sim.take_callbacks();
    let recalls = calls.iter().filter(|call| {
        let ops = call.ops();
        ops.iter().any(|op| matches!(op, CbArgOp::Recall(_)))
    });
    recalls.count()
}

#[test]
fn a_reclaimed_delegation_is_given_back_and_can_be_recalled() {
    let (mut sim, mut one, mut two, fh, _) = delegated();
    sim.restart();
    come_back(&mut sim, &mut one);
    let reply = reclaim_as(&mut sim, &mut one, &fh, DelegationType::Write).all_ok();
    assert_eq!(granted(&reply), (DelegationType::Write, false));
    // The client reclaims another open of the file: it gets the same delegation.
    let other = args::Open {
        owner: nfs4_proto::nfs4::basic::Owner {
            owner: b"other",
            ..reclaim_args(DelegationType::Write).owner
        },
        ..reclaim_args(DelegationType::Write)
    };
    let again = super::reclaim_with(&mut sim, &mut one, &fh, other).all_ok();
    assert_eq!(granted(&again), (DelegationType::Write, false));
    assert_eq!(sim.tables().write_delegations, 1);
    complete(&mut sim, &mut one).all_ok();
    come_back(&mut sim, &mut two);
    complete(&mut sim, &mut two).all_ok();
    assert!(!is_grace(&sim));
    assert_eq!(open_anew(&mut sim, &mut two, b"f"), Status::DELAY);
    sim.run();
    assert_eq!(recalls(&mut sim), 1);
}

#[test]
fn a_client_that_cannot_be_called_back_must_return_what_it_reclaims() {
    let (mut sim, mut one, _two, fh, _) = delegated();
    sim.restart();
    super::come_back(&mut sim, &mut one);
    let reply = reclaim_as(&mut sim, &mut one, &fh, DelegationType::Write).all_ok();
    assert_eq!(granted(&reply), (DelegationType::Write, true));
    let OpenDelegation::Write(held) = ok!(reply, Open).delegation else {
        panic!("the file is delegated");
    };
    let deleg_stateid = held.stateid;
    let put = args::PutFh { object: &fh };
    let returned = args::DelegReturn { deleg_stateid };
    one.call(&mut sim, |c| c.putfh(put).delegreturn(returned))
        .all_ok();
    assert_eq!(sim.tables().write_delegations, 0);
    assert_eq!(recalls(&mut sim), 0, "the reply has said so");
}

/// In the grace period, too, the server learns of opens and locks under a delegation, since the client returns it
/// after that.
#[test]
fn what_a_client_has_opened_and_locked_under_a_reclaimed_delegation_needs_no_reclaim() {
    for (kind, exclusive) in [
        (DelegationType::Write, Status::OK),
        (DelegationType::Read, Status::GRACE),
    ] {
        let (mut sim, mut one, _two, fh, _) = delegated();
        sim.restart();
        super::come_back(&mut sim, &mut one);
        let reply = reclaim_as(&mut sim, &mut one, &fh, kind).all_ok();
        let deleg_stateid = match ok!(reply, Open).delegation {
            OpenDelegation::Write(held) => held.stateid,
            OpenDelegation::Read(held) => held.stateid,
            _ => panic!("the file is delegated"),
        };
        let open = args::Open {
            claim: args::OpenClaim::DelegCurFh(deleg_stateid),
            ..super::open_args(b"under it", b"")
        };
        let early = super::reclaim_with(&mut sim, &mut one, &fh, open);
        assert_last(&early, Op::Open, Status::GRACE);
        let reply = reclaim_as(&mut sim, &mut one, &fh, DelegationType::None).all_ok();
        let mut file = super::File {
            fh: fh.clone(),
            stateid: ok!(reply, Open).stateid,
        };
        let early = super::lock(&mut sim, &mut one, &file, false);
        assert_last(&early, Op::Lock, Status::GRACE);
        complete(&mut sim, &mut one).all_ok();
        let opened = super::reclaim_with(&mut sim, &mut one, &fh, open).all_ok();
        file.stateid = ok!(opened, Open).stateid;
        let locked = super::lock(&mut sim, &mut one, &file, false);
        assert_eq!(locked.status(), exclusive, "{kind:?}");
        let shared = args::Lock {
            locktype: LockType::Read,
            ..super::lock_args(file.stateid, b"reader", false)
        };
        let put = args::PutFh { object: &fh };
        if kind == DelegationType::Read {
            one.call(&mut sim, |c| c.putfh(put).lock(shared)).all_ok();
        }
        let returned = args::DelegReturn { deleg_stateid };
        one.call(&mut sim, |c| c.putfh(put).delegreturn(returned))
            .all_ok();
        assert!(is_grace(&sim));
        let late = args::Lock {
            offset: 20,
            ..shared
        };
        let reply = one.call(&mut sim, |c| c.putfh(put).lock(late));
        assert_last(&reply, Op::Lock, Status::GRACE);
    }
}

#[test]
fn one_that_does_not_return_it_loses_it() {
    let (mut sim, mut one, _two, fh, _) = delegated();
    sim.restart();
    super::come_back(&mut sim, &mut one);
    reclaim_as(&mut sim, &mut one, &fh, DelegationType::Read).all_ok();
    for _ in 0..3 {
        sim.sleep(LEASE / 2);
        one.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    assert_eq!(sim.tables().revoked_delegations, 1);
}

#[test]
fn no_delegation_is_reclaimed_beside_what_another_client_has_reclaimed() {
    let (mut sim, mut one, mut two, fh, _) = delegated();
    sim.restart();
    for client in [&mut one, &mut two] {
        come_back(&mut sim, client);
    }
    reclaim(&mut sim, &mut two, &fh).all_ok();
    let reply = reclaim_as(&mut sim, &mut one, &fh, DelegationType::Write);
    assert_last(&reply, Op::Open, Status::RECLAIM_CONFLICT);
    assert_eq!(sim.tables().opens, 1, "no state of a reclaim that failed");
}

#[test]
fn nothing_is_reclaimed_beside_a_delegation_that_another_client_has_reclaimed() {
    let (mut sim, mut one, mut two, fh, _) = delegated();
    sim.restart();
    for client in [&mut one, &mut two] {
        come_back(&mut sim, client);
    }
    reclaim_as(&mut sim, &mut one, &fh, DelegationType::Write).all_ok();
    let reply = reclaim(&mut sim, &mut two, &fh);
    assert_last(&reply, Op::Open, Status::RECLAIM_CONFLICT);
    let reply = reclaim_as(&mut sim, &mut one, &fh, DelegationType::Read);
    assert_last(&reply, Op::Open, Status::RECLAIM_BAD);
}

#[test]
fn no_new_delegation_is_granted_in_the_grace_period() {
    let (mut sim, mut one, _two, fh, _) = delegated();
    sim.restart();
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &fh).all_ok();
    assert_eq!(granted(&reply).0, DelegationType::None);
}

/// The second client wants the file, and the first does not return the delegation.
fn run_out(sim: &mut Sim, one: &mut Client, two: &mut Client) {
    assert_eq!(open_anew(sim, two, b"f"), Status::DELAY);
    for _ in 0..3 {
        sim.sleep(LEASE / 2);
        for client in [&mut *one, &mut *two] {
            client.call(sim, |c| c.putrootfh()).all_ok();
        }
    }
}

#[test]
fn a_client_reclaims_nothing_of_a_file_whose_delegation_it_has_lost() {
    let (mut sim, mut one, mut two, fh, _) = delegated();
    let other = super::make(&mut sim, &mut one, b"g");
    run_out(&mut sim, &mut one, &mut two);
    let writes = sim.take_writes();
    let [StableWrite::Client(record)] = &*writes else {
        panic!("{writes:?}");
    };
    assert_eq!(record.lost, std::slice::from_ref(&fh));
    assert_eq!(open_anew(&mut sim, &mut two, b"f"), Status::OK);
    sim.restart();
    come_back(&mut sim, &mut one);
    for kind in [DelegationType::Write, DelegationType::None] {
        let reply = reclaim_as(&mut sim, &mut one, &fh, kind);
        assert_last(&reply, Op::Open, Status::RECLAIM_BAD);
    }
    reclaim(&mut sim, &mut one, &other.fh).all_ok();
    complete(&mut sim, &mut one).all_ok();
    // Now it knows.
    let records = sim.records();
    let own = records.iter().find(|record| record.key.owner == b"one");
    assert_eq!(own.expect("it is recorded").lost, Vec::<Vec<u8>>::new());
}

#[test]
fn a_delegation_is_revoked_once_that_is_stored() {
    let (mut sim, mut one, mut two, _fh, _) = delegated();
    sim.hold_stores(true);
    run_out(&mut sim, &mut one, &mut two);
    assert_eq!(sim.waiting_stores().len(), 1);
    assert_eq!(sim.tables().revoked_delegations, 0);
    let asked = super::ask_to_open(&mut sim, &mut two, 0, b"f");
    assert!(sim.take_reply(asked).is_none());
    sim.store_next(Err(StableError::Failed));
    assert_eq!(super::answered(&mut sim, asked), Status::DELAY);
    let asked = super::ask_to_open(&mut sim, &mut two, 0, b"f");
    sim.store_next(Ok(()));
    assert_eq!(super::answered(&mut sim, asked), Status::OK);
    assert_eq!(sim.tables().revoked_delegations, 1);
    let revoked = |event: &Event| matches!(event, Event::DelegationRevoked { .. });
    assert_eq!(sim.take_events().iter().filter(|e| revoked(e)).count(), 1);
}

#[test]
fn a_server_that_dies_before_a_revocation_is_stored_gives_the_delegation_back() {
    let (mut sim, mut one, mut two, fh, _) = delegated();
    sim.hold_stores(true);
    run_out(&mut sim, &mut one, &mut two);
    sim.restart();
    sim.hold_stores(false);
    come_back(&mut sim, &mut one);
    let reply = reclaim_as(&mut sim, &mut one, &fh, DelegationType::Write).all_ok();
    assert_eq!(granted(&reply).0, DelegationType::Write);
}

#[test]
fn a_client_that_acknowledges_a_revocation_can_reclaim_the_file_again() {
    let (mut sim, mut one, mut two, fh, stateid) = delegated();
    run_out(&mut sim, &mut one, &mut two);
    assert_eq!(sim.tables().revoked_delegations, 1);
    sim.take_writes();
    let stateid = Stateid {
        seqid: 0,
        ..stateid
    };
    let free = args::FreeStateid { stateid };
    one.call(&mut sim, |c| c.free_stateid(free)).all_ok();
    let writes = sim.take_writes();
    let [StableWrite::Client(record)] = &*writes else {
        panic!("{writes:?}");
    };
    assert!(record.lost.is_empty() && record.reclaims);
    sim.restart();
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &fh).all_ok();
}

#[test]
fn changes_that_a_delegation_forbids_wait_for_its_reclaim() {
    let (mut sim, _one, mut two, fh, _) = delegated();
    sim.restart();
    come_back(&mut sim, &mut two);
    complete(&mut sim, &mut two).all_ok();
    let mode = nfs4_tests::sim::Fattr::mode(0o600);
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: mode.raw(),
    };
    let put = args::PutFh { object: &fh };
    let reply = two.call(&mut sim, |c| c.putfh(put).setattr(set));
    assert_last(&reply, Op::SetAttr, Status::GRACE);
    let link = args::Link { newname: b"g" };
    let reply = two.call(&mut sim, |c| c.putfh(put).savefh().putrootfh().link(link));
    assert_last(&reply, Op::Link, Status::GRACE);
    sim.sleep(LEASE + Duration::from_secs(1));
    assert!(!is_grace(&sim));
}
