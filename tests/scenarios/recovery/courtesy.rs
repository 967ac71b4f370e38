//! Clients whose leases have expired: what another client has got meanwhile is not reclaimed, and the rest is.
//! [RFC 8881 §8.4.3, first edge condition]

use nfs4_engine::Admin;
use nfs4_engine::stable::{StableError, StableWrite};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::StableHow;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Client, Client40, Sim, making_args};

use super::*;

/// A server on which a client that is away has "f", which it denies to others, and "g".
fn away() -> (Sim, Client, Client, File, File) {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let denying = args::Open {
        share_deny: 3,
        ..making_args(b"o", b"f")
    };
    let reply = one
        .call(&mut sim, |c| c.putrootfh().open(denying).getfh())
        .all_ok();
    let f = File {
        fh: ok!(reply, GetFh).object.to_vec(),
        stateid: ok!(reply, Open).stateid,
    };
    let g = make(&mut sim, &mut one, b"g");
    sim.sleep(LEASE + Duration::from_secs(1));
    assert_eq!(sim.tables().courteous_clients, 1);
    let mut two = Client::mounted(&mut sim, "two");
    // So that it has a record.
    make(&mut sim, &mut two, b"h");
    sim.take_writes();
    (sim, one, two, f, g)
}

/// The files that the first client has lost, by what is to be written.
#[track_caller]
fn lost(writes: &[StableWrite]) -> Vec<Vec<u8>> {
    match writes {
        [StableWrite::Client(record)] => record.lost.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_another_client_has_got_is_not_reclaimed_and_the_rest_is() {
    let (mut sim, mut one, mut two, f, g) = away();
    // The OPEN waits until the loss is durable.
    assert_eq!(open_anew(&mut sim, &mut two, b"f"), Status::OK);
    assert_eq!(lost(&sim.take_writes()), std::slice::from_ref(&f.fh));
    sim.restart();
    come_back(&mut sim, &mut one);
    come_back(&mut sim, &mut two);
    reclaim(&mut sim, &mut one, &g.fh).all_ok();
    let reply = reclaim(&mut sim, &mut one, &f.fh);
    assert_last(&reply, Op::Open, Status::RECLAIM_BAD);
    reclaim(&mut sim, &mut two, &f.fh).all_ok();
}

#[test]
fn nothing_is_granted_before_the_loss_is_durable() {
    let (mut sim, mut one, mut two, f, _) = away();
    sim.hold_stores(true);
    let asked = [0, 1].map(|slot| ask_to_open(&mut sim, &mut two, slot, b"f"));
    assert_eq!(lost(&sim.waiting_stores()), std::slice::from_ref(&f.fh));
    assert_eq!(sim.waiting_stores().len(), 1, "it is asked for once");
    assert_eq!(sim.tables().storing, 2);
    assert!(sim.take_replies().is_empty());
    sim.store_next(Err(StableError::NoSpace));
    for xid in asked {
        assert_eq!(answered(&mut sim, xid), Status::DELAY);
    }
    assert_eq!(sim.tables().lost_states, 1);
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    // The server dies before the write is carried out: the other client has got nothing.
    sim.restart();
    assert!(sim.take_reply(asked).is_none());
    sim.hold_stores(false);
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
}

/// Whether what its stateid names is still there for the client.
fn write(sim: &mut Sim, client: &mut Client, file: &File) -> Status {
    let args = args::Write {
        stateid: file.stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    let put = args::PutFh { object: &file.fh };
    let reply = client.call(sim, |c| c.putfh(put).write(args));
    reply.status()
}

#[test]
fn a_client_that_is_back_before_the_loss_is_durable_has_lost_what_was_contended() {
    for knows in [false, true] {
        let (mut sim, mut one, mut two, f, g) = away();
        sim.hold_stores(true);
        let asked = ask_to_open(&mut sim, &mut two, 1, b"f");
        assert_eq!(write(&mut sim, &mut one, &f), Status::EXPIRED);
        assert_eq!(write(&mut sim, &mut one, &g), Status::OK);
        assert!(sim.take_reply(asked).is_none());
        if knows {
            let free = args::FreeStateid { stateid: f.stateid };
            one.call(&mut sim, |c| c.free_stateid(free)).all_ok();
            sim.run();
            // A client that knows of a loss does not reclaim it.
            assert_eq!(open_anew(&mut sim, &mut two, b"f"), Status::OK);
        }
        sim.store_all();
        sim.hold_stores(false);
        sim.run();
        assert_eq!(answered(&mut sim, asked), Status::OK);
        sim.restart();
        come_back(&mut sim, &mut one);
        let reclaimed = reclaim(&mut sim, &mut one, &f.fh).status();
        let expected = if knows {
            Status::OK
        } else {
            Status::RECLAIM_BAD
        };
        assert_eq!(reclaimed, expected);
        reclaim(&mut sim, &mut one, &g.fh).all_ok();
    }
}

#[test]
fn a_client_that_is_being_forgotten_is_not_recorded_again() {
    let (mut sim, _, mut two, _, _) = away();
    let mut evicted = Client::mounted(&mut sim, "evicted");
    let denying = args::Open {
        share_deny: 3,
        ..making_args(b"o", b"k")
    };
    evicted
        .call(&mut sim, |c| c.putrootfh().open(denying))
        .all_ok();
    make(&mut sim, &mut evicted, b"l");
    sim.hold_stores(true);
    let client = evicted.id.0;
    sim.admin(Admin::EvictClient { client });
    sim.run();
    let [StableWrite::Forget { .. }] = &*sim.waiting_stores() else {
        panic!("it is to be forgotten");
    };
    let asked = ask_to_open(&mut sim, &mut two, 0, b"k");
    assert!(sim.take_reply(asked).is_none());
    sim.store_all();
    sim.hold_stores(false);
    sim.run();
    assert_eq!(answered(&mut sim, asked), Status::OK);
    let owners = sim.records().into_iter().map(|record| record.key.owner);
    assert!(owners.into_iter().all(|owner| owner != b"evicted"));
}

#[test]
fn a_loss_that_could_not_be_stored_is_stored_later() {
    let (mut sim, _, mut two, _, _) = away();
    sim.hold_stores(true);
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    sim.store_next(Err(StableError::NoSpace));
    assert_eq!(answered(&mut sim, asked), Status::DELAY);
    assert_eq!(sim.waiting_stores(), []);
    sim.sleep(Duration::from_secs(2));
    assert_eq!(sim.waiting_stores().len(), 1, "without another request");
    sim.store_next(Ok(()));
    assert_eq!(open_anew(&mut sim, &mut two, b"f"), Status::OK);
}

#[test]
fn a_storage_that_fails_is_asked_ever_more_seldom_and_then_for_all() {
    let mut sim = Sim::durable(config().with(|config| config.courtesy = Duration::ZERO));
    for number in 0..100 {
        let mut client = Client::mounted(&mut sim, &format!("client {number}"));
        make(&mut sim, &mut client, format!("f{number}").as_bytes());
    }
    assert_eq!(sim.records().len(), 100);
    sim.hold_stores(true);
    sim.sleep(LEASE + Duration::from_secs(1));
    let first = sim.waiting_stores().len();
    assert_eq!(first, 100, "all are to be forgotten");
    let mut tried = 0;
    for _ in 0..600 {
        while !sim.waiting_stores().is_empty() {
            sim.store_next(Err(StableError::ReadOnly));
            tried += 1;
        }
        sim.sleep(Duration::from_secs(1));
    }
    assert!((105..125).contains(&tried), "{tried} writes in ten minutes");
    assert_eq!(sim.tables().clients, 100, "they may still reclaim");
    sim.hold_stores(false);
    sim.store_all();
    sim.sleep(Duration::from_secs(70));
    assert_eq!((sim.tables().clients, sim.records().len()), (0, 0));
}

#[test]
fn a_lost_lock_is_not_reclaimed_and_a_loss_that_is_known_is_no_obstacle() {
    for knows in [false, true] {
        let mut sim = Sim::durable(config());
        let mut one = Client::mounted(&mut sim, "one");
        let file = make(&mut sim, &mut one, b"f");
        let reply = lock(&mut sim, &mut one, &file, false).all_ok();
        let held = ok!(reply, Lock).lock_stateid;
        sim.sleep(LEASE + Duration::from_secs(1));
        let mut two = Client::mounted(&mut sim, "two");
        let other = make(&mut sim, &mut two, b"f");
        lock(&mut sim, &mut two, &other, false).all_ok();
        if knows {
            let free = args::FreeStateid { stateid: held };
            one.call(&mut sim, |c| c.free_stateid(free)).all_ok();
        }
        sim.restart();
        come_back(&mut sim, &mut one);
        let reply = reclaim(&mut sim, &mut one, &file.fh);
        let expected = if knows {
            Status::OK
        } else {
            Status::RECLAIM_BAD
        };
        assert_eq!(reply.status(), expected);
    }
}

#[test]
fn what_a_client_of_minor_version_0_has_lost_it_does_not_reclaim() {
    let mut sim = Sim::durable(config());
    let mut one = Client40::mounted(&mut sim, "one");
    let (f, g) = (
        one.open(&mut sim, b"o", b"f"),
        one.open(&mut sim, b"o", b"g"),
    );
    sim.sleep(LEASE + Duration::from_secs(1));
    let mut two = Client::mounted(&mut sim, "two");
    let denying = args::Open {
        share_deny: 2,
        share_access: 1,
        ..making_args(b"o", b"f")
    };
    two.call(&mut sim, |c| c.putrootfh().open(denying)).all_ok();
    sim.restart();
    one.seqids.clear();
    one.conn = sim.connect();
    one.mount(&mut sim);
    for (file, expected) in [(g, Status::OK), (f, Status::RECLAIM_BAD)] {
        let args = args::Open {
            openhow: args::OpenFlag::NoCreate,
            claim: OpenClaim::Previous(DelegationType::None),
            ..one.open_args(b"o", b"")
        };
        let reply = one.on(&mut sim, &file.fh, |c| c.open(args));
        assert_eq!(reply.status(), expected);
        if expected == Status::OK {
            let ok = ok!(reply, Open);
            let opened = nfs4_tests::sim::Opened {
                fh: file.fh.clone(),
                stateid: ok.stateid,
            };
            if ok.rflags & nfs4_proto::nfs4::consts::OPEN4_RESULT_CONFIRM != 0 {
                let args = one.confirm_args(b"o", &opened);
                one.on(&mut sim, &opened.fh, |c| c.open_confirm(args))
                    .all_ok();
            }
        }
    }
}

#[test]
fn when_courtesy_ends_the_client_is_forgotten_first() {
    let (mut sim, mut one, mut two, f, _) = away();
    sim.hold_stores(true);
    for _ in 0..1_000 {
        sim.sleep(LEASE - Duration::from_secs(2));
        two.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    assert!(matches!(
        &*sim.waiting_stores(),
        [StableWrite::Forget { .. }]
    ));
    assert_eq!((sim.tables().clients, sim.tables().opens), (2, 3));
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    assert!(sim.take_reply(asked).is_none());
    sim.store_all();
    sim.run();
    assert_eq!(answered(&mut sim, asked), Status::OK);
    assert_eq!((sim.tables().clients, sim.tables().opens), (1, 2));
    sim.hold_stores(false);
    sim.restart();
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &f.fh);
    assert_last(&reply, Op::Open, Status::NO_GRACE);
}

#[test]
fn what_is_opened_again_after_a_loss_can_be_reclaimed_once_that_is_answered() {
    let (mut sim, mut one, mut two, f, _) = away();
    let open = making_args(b"o", b"f");
    let reply = two.call(&mut sim, |c| c.putrootfh().open(open)).all_ok();
    let stateid = ok!(reply, Open).stateid;
    let close = args::Close {
        seqid: 0,
        open_stateid: stateid,
    };
    let put = args::PutFh { object: &f.fh };
    two.call(&mut sim, |c| c.putfh(put).close(close)).all_ok();
    sim.hold_stores(true);
    let free = args::FreeStateid { stateid: f.stateid };
    one.call(&mut sim, |c| c.free_stateid(free)).all_ok();
    let asked = ask_to_open(&mut sim, &mut one, 1, b"f");
    assert!(sim.take_reply(asked).is_none());
    assert_eq!(lost(&sim.waiting_stores()), [] as [Vec<u8>; 0]);
    sim.store_all();
    assert_eq!(answered(&mut sim, asked), Status::OK);
    sim.restart();
    sim.hold_stores(false);
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
}

#[test]
fn a_session_that_goes_while_its_open_waits_for_a_loss_takes_nothing() {
    let (mut sim, _, mut two, _, _) = away();
    sim.hold_stores(true);
    let asked = ask_to_open(&mut sim, &mut two, 0, b"f");
    let opens = sim.tables().opens;
    let session = two.session;
    sim.admin(Admin::DestroySession { session });
    sim.run();
    sim.store_all();
    assert_eq!(answered(&mut sim, asked), Status::DELAY);
    sim.run_timers();
    assert_eq!(sim.tables().opens, opens - 1, "only the lost one is gone");
}

#[test]
fn what_is_lost_before_the_reclaims_are_completed_is_not_reclaimed_again() {
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let mut two = Client::mounted(&mut sim, "two");
    let f = make(&mut sim, &mut one, b"f");
    sim.restart();
    come_back(&mut sim, &mut one);
    come_back(&mut sim, &mut two);
    let denying = args::Open {
        share_deny: 3,
        ..reclaim_args(DelegationType::None)
    };
    reclaim_with(&mut sim, &mut one, &f.fh, denying).all_ok();
    complete(&mut sim, &mut two).all_ok();
    for _ in 0..3 {
        sim.sleep(LEASE / 2 + Duration::from_secs(1));
        two.call(&mut sim, |c| c).all_ok();
    }
    assert!(!is_grace(&sim));
    assert_eq!(open_anew(&mut sim, &mut two, b"f"), Status::OK);
    // It does not say that it knows what it has lost.
    complete(&mut sim, &mut one).all_ok();
    sim.restart();
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &f.fh);
    assert_last(&reply, Op::Open, Status::RECLAIM_BAD);
}

#[test]
fn a_client_acknowledges_all_that_it_has_lost_however_much_that_is() {
    const LOCKS: u32 = 2_100;
    let mut sim = Sim::durable(config());
    let mut one = Client::mounted(&mut sim, "one");
    let f = make(&mut sim, &mut one, b"f");
    let put = args::PutFh { object: &f.fh };
    let locks: Vec<_> = (0..LOCKS)
        .map(|number| {
            let owner = number.to_be_bytes();
            let args = args::Lock {
                offset: 10 * u64::from(number),
                ..lock_args(f.stateid, &owner, false)
            };
            let reply = one.call(&mut sim, |c| c.putfh(put).lock(args)).all_ok();
            ok!(reply, Lock).lock_stateid
        })
        .collect();
    sim.sleep(LEASE + Duration::from_secs(1));
    let mut two = Client::mounted(&mut sim, "two");
    let own = make(&mut sim, &mut two, b"f");
    let everything = args::Lock {
        length: u64::MAX,
        ..lock_args(own.stateid, b"l", false)
    };
    let tries = std::iter::repeat_with(|| {
        sim.run_timers();
        two.call(&mut sim, |c| c.putfh(put).lock(everything))
            .status()
    });
    assert_eq!(
        tries.take(50).find(|status| *status != Status::DELAY),
        Some(Status::OK)
    );
    let freed = locks.iter().filter(|stateid| {
        let free = args::FreeStateid { stateid: **stateid };
        let reply = one.call(&mut sim, |c| c.free_stateid(free));
        reply.status() == Status::OK
    });
    assert_eq!(freed.count(), LOCKS as usize);
    let reply = one.call(&mut sim, |c| c).all_ok();
    assert_eq!(ok!(reply, Sequence).status_flags, 0);
    assert_eq!(sim.tables().lost_states, 0);
    // It still has the file open.
    sim.restart();
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &f.fh).all_ok();
}
