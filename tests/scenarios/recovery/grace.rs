//! The grace period after a restart.

use std::time::Duration;

use nfs4_engine::stable::StableWrite;
use nfs4_engine::{Admin, GraceEnd};
use nfs4_proto::nfs4::args::{self, OpenClaim};
use nfs4_proto::nfs4::basic::{DelegationType, StableHow, Stateid};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fattr, Sim, making_args, open_args};

use super::{
    File, LEASE, assert_last, come_back, complete, config, ends, is_grace, lock, make, open_anew,
    reclaim, reclaim_args, reclaim_with, strict,
};

#[test]
fn without_known_clients_there_is_no_grace_period() {
    let mut sim = Sim::durable(config());
    assert!(!is_grace(&sim));
    let mut client = Client::mounted(&mut sim, "a");
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::OK);
    let destroyed = args::DestroySession {
        sessionid: client.session,
    };
    let put = args::Close {
        seqid: 0,
        open_stateid: Stateid::CURRENT,
    };
    let reopened = making_args(b"new", b"f");
    client
        .call(&mut sim, |c| c.putrootfh().open(reopened).close(put))
        .all_ok();
    client
        .bare(&mut sim, |c| c.destroy_session(destroyed))
        .all_ok();
    let clientid = client.id;
    client
        .bare(&mut sim, |c| {
            c.destroy_clientid(args::DestroyClientId { clientid })
        })
        .all_ok();
    sim.restart();
    assert_eq!(sim.records(), [], "it has nothing to come back for");
    assert!(!is_grace(&sim));
    sim.sleep(LEASE * 2);
    assert_eq!(ends(&mut sim), []);
}

#[test]
fn a_client_reclaims_opens_and_locks_and_the_grace_period_ends_with_the_last_one() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let file = make(&mut sim, &mut one, b"f");
    lock(&mut sim, &mut one, &file, false).all_ok();
    sim.restart();
    assert!(is_grace(&sim));
    let shown = sim.engine().grace(sim.clock());
    assert_eq!((shown.length, shown.known, shown.missing), (LEASE, 2, 2));
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &file.fh).all_ok();
    let file = File {
        stateid: ok!(reply, Open).stateid,
        ..file
    };
    lock(&mut sim, &mut one, &file, true).all_ok();
    complete(&mut sim, &mut one).all_ok();
    assert_eq!(open_anew(&mut sim, &mut one, b"g"), Status::GRACE);
    assert_eq!(ends(&mut sim), []);
    assert_eq!(sim.engine().grace(sim.clock()).missing, 1);
    come_back(&mut sim, &mut two);
    complete(&mut sim, &mut two).all_ok();
    assert_eq!(ends(&mut sim), [GraceEnd::Reclaimed]);
    assert_eq!(open_anew(&mut sim, &mut two, b"g"), Status::OK);
    // The lock is held.
    let reply = two.call(&mut sim, |c| {
        c.putrootfh().open(making_args(b"o", b"f")).getfh()
    });
    let own = File {
        fh: ok!(reply, GetFh).object.to_vec(),
        stateid: ok!(reply, Open).stateid,
    };
    let denied = lock(&mut sim, &mut two, &own, false);
    assert_last(&denied, Op::Lock, Status::DENIED);
}

#[test]
fn what_a_client_does_not_reclaim_is_free_after_the_grace_period() {
    let mut sim = Sim::durable(config());
    let mut lost = Client::mounted(&mut sim, "lost");
    let mut kept = Client::mounted(&mut sim, "kept");
    let theirs = make(&mut sim, &mut lost, b"theirs");
    lock(&mut sim, &mut lost, &theirs, false).all_ok();
    let own = make(&mut sim, &mut kept, b"own");
    sim.restart();
    come_back(&mut sim, &mut kept);
    reclaim(&mut sim, &mut kept, &own.fh).all_ok();
    complete(&mut sim, &mut kept).all_ok();
    assert_eq!(open_anew(&mut sim, &mut kept, b"theirs"), Status::GRACE);
    // It keeps its lease.
    sim.sleep(LEASE / 2);
    kept.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.sleep(LEASE / 2);
    assert_eq!(ends(&mut sim), [GraceEnd::Over]);
    let reply = kept
        .call(&mut sim, |c| c.putrootfh().open(open_args(b"x", b"theirs")))
        .all_ok();
    let found = File {
        fh: theirs.fh.clone(),
        stateid: ok!(reply, Open).stateid,
    };
    lock(&mut sim, &mut kept, &found, false).all_ok();
    // The lost client comes too late, now and after another restart.
    come_back(&mut sim, &mut lost);
    let reply = reclaim(&mut sim, &mut lost, &theirs.fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
    sim.restart();
    come_back(&mut sim, &mut lost);
    let reply = reclaim(&mut sim, &mut lost, &theirs.fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
}

#[test]
fn nothing_new_is_granted_before_the_end_of_the_grace_period_is_stored() {
    let mut sim = Sim::durable(config());
    let mut client = Client::mounted(&mut sim, "a");
    let file = make(&mut sim, &mut client, b"f");
    sim.restart();
    come_back(&mut sim, &mut client);
    sim.hold_stores(true);
    sim.sleep(LEASE);
    assert_eq!(sim.waiting_stores(), [StableWrite::GraceOver]);
    assert!(is_grace(&sim));
    // Nothing is left of it, and no client may reclaim.
    let shown = sim.engine().grace(sim.clock());
    assert_eq!(
        (shown.remaining, shown.known, shown.missing),
        (Duration::ZERO, 1, 0)
    );
    assert!(shown.some_missing.is_empty());
    assert_eq!(ends(&mut sim), []);
    come_back(&mut sim, &mut client);
    let reply = reclaim(&mut sim, &mut client, &file.fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
    sim.hold_stores(false);
    complete(&mut sim, &mut client).all_ok();
    assert_eq!(ends(&mut sim), [GraceEnd::Over]);
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::OK);
}

#[test]
fn an_end_that_cannot_be_stored_is_stored_later() {
    let mut sim = Sim::durable(config());
    Client::mounted(&mut sim, "a");
    sim.restart();
    sim.hold_stores(true);
    sim.admin(Admin::EndGrace);
    sim.store_next(Err(nfs4_engine::stable::StableError::NoSpace));
    assert!(is_grace(&sim), "its end is not durable");
    assert_eq!(sim.waiting_stores(), []);
    sim.sleep(Duration::from_secs(1));
    sim.store_next(Ok(()));
    assert!(!is_grace(&sim));
    assert_eq!(ends(&mut sim), [GraceEnd::Administrator]);
}

#[test]
fn accesses_that_a_reclaimed_share_may_deny_wait() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let denying = args::Open {
        share_deny: 3,
        ..making_args(b"o", b"f")
    };
    let reply = one
        .call(&mut sim, |c| c.putrootfh().open(denying).getfh())
        .all_ok();
    let fh = ok!(reply, GetFh).object.to_vec();
    sim.restart();
    come_back(&mut sim, &mut two);
    complete(&mut sim, &mut two).all_ok();
    let put = args::PutFh { object: &fh };
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 1,
    };
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    let cut = Fattr::size(0);
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: cut.raw(),
    };
    let rename = args::Rename {
        oldname: b"f",
        newname: b"g",
    };
    let remove = args::Remove { target: b"f" };
    let refused = |sim: &mut Sim, two: &mut Client| {
        [
            two.call(sim, |c| c.putfh(put).read(read)).status(),
            two.call(sim, |c| c.putfh(put).write(write)).status(),
            two.call(sim, |c| c.putfh(put).setattr(set)).status(),
            two.call(sim, |c| c.putrootfh().savefh().rename(rename))
                .status(),
            two.call(sim, |c| c.putrootfh().remove(remove)).status(),
        ]
    };
    assert_eq!(refused(&mut sim, &mut two), [Status::GRACE; 5]);
    let attributes = args::GetAttr {
        attr_request: nfs4_proto::nfs4::Bitmap::default(),
    };
    two.call(&mut sim, |c| c.putfh(put).getattr(attributes))
        .all_ok();
    come_back(&mut sim, &mut one);
    let again = args::Open {
        share_deny: 3,
        ..reclaim_args(DelegationType::None)
    };
    let reply = reclaim_with(&mut sim, &mut one, &fh, again).all_ok();
    let own = args::Write {
        stateid: ok!(reply, Open).stateid,
        ..write
    };
    one.call(&mut sim, |c| c.putfh(put).write(own)).all_ok();
    complete(&mut sim, &mut one).all_ok();
    let [read, write, set, ..] = refused(&mut sim, &mut two);
    assert_eq!([read, write, set], [Status::LOCKED; 3]);
}

#[test]
fn a_client_reclaims_nothing_more_once_it_has_completed() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    Client::mounted(&mut sim, "two");
    let file = make(&mut sim, &mut one, b"f");
    sim.restart();
    come_back(&mut sim, &mut one);
    // Before that, it gets nothing new, whether others may reclaim or not.
    assert_eq!(open_anew(&mut sim, &mut one, b"g"), Status::GRACE);
    let of_fs = args::ReclaimComplete { one_fs: true };
    let both = |c: &mut nfs4_proto::client::CompoundBuilder| {
        c.putrootfh().reclaim_complete(of_fs);
    };
    let reply = one.call(&mut sim, |c| {
        both(c);
        c
    });
    reply.all_ok();
    let reply = reclaim(&mut sim, &mut one, &file.fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
    let reply = one.call(&mut sim, |c| {
        both(c);
        c
    });
    assert_last(&reply, Op::ReclaimComplete, Status::COMPLETE_ALREADY);
    complete(&mut sim, &mut one).all_ok();
    let again = complete(&mut sim, &mut one);
    assert_last(&again, Op::ReclaimComplete, Status::COMPLETE_ALREADY);
    assert!(is_grace(&sim), "the other client is not back");
}

#[test]
fn a_reclaim_makes_and_cuts_no_file() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let file = make(&mut sim, &mut one, b"f");
    sim.restart();
    come_back(&mut sim, &mut one);
    let making = args::Open {
        claim: OpenClaim::Previous(DelegationType::None),
        ..making_args(b"o", b"")
    };
    let reply = reclaim_with(&mut sim, &mut one, &file.fh, making);
    assert_last(&reply, Op::Open, Status::INVAL);
}

#[test]
fn another_principal_reclaims_nothing_by_the_owners_name() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let file = make(&mut sim, &mut one, b"f");
    sim.restart();
    let mut thief = one.clone();
    thief.uid = 666;
    come_back(&mut sim, &mut thief);
    let reply = reclaim(&mut sim, &mut thief, &file.fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
    complete(&mut sim, &mut thief).all_ok();
    assert!(is_grace(&sim), "the client itself is missing");
    let clientid = thief.id;
    let destroyed = args::DestroySession {
        sessionid: thief.session,
    };
    thief
        .bare(&mut sim, |c| c.destroy_session(destroyed))
        .all_ok();
    thief
        .bare(&mut sim, |c| {
            c.destroy_clientid(args::DestroyClientId { clientid })
        })
        .all_ok();
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &file.fh).all_ok();
}

#[test]
fn a_clock_on_the_wall_that_is_set_back_changes_no_lease_and_no_grace_period() {
    const DAY: i64 = 86_400;
    let mut sim = Sim::durable(strict());
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let mut three = Client::mounted(&mut sim, "three");
    let files = [&mut one, &mut two, &mut three].map(|client| make(&mut sim, client, b"f"));
    sim.sleep(LEASE / 2);
    sim.set_back(DAY);
    sim.sleep(LEASE / 2);
    // No lease has expired early.
    for client in [&mut one, &mut two] {
        client.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    sim.set_back(400 * DAY);
    sim.sleep(Duration::from_secs(2));
    // And that of the third client has not become longer.
    assert_eq!((sim.tables().clients, sim.records().len()), (2, 2));
    sim.restart();
    assert!(is_grace(&sim));
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &files[0].fh).all_ok();
    complete(&mut sim, &mut one).all_ok();
    sim.set_back(DAY);
    sim.sleep(LEASE / 2);
    assert!(is_grace(&sim), "the second client may come");
    one.call(&mut sim, |c| c.putrootfh()).all_ok();
    sim.sleep(LEASE / 2 + Duration::from_secs(1));
    assert!(!is_grace(&sim));
    assert_eq!(open_anew(&mut sim, &mut one, b"g"), Status::OK);
    come_back(&mut sim, &mut two);
    let reply = reclaim(&mut sim, &mut two, &files[1].fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
}
