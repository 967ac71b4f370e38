//! Exports that are removed, also if they come back: what has ended with them is not reclaimed.
//! [RFC 8881 §8.4.3]

use std::time::Duration;

use nfs4_engine::stable::{StableError, StableWrite};
use nfs4_engine::{Admin, AdminFault, Export, ExportFault, ExportFaults};
use nfs4_proto::nfs4::consts::SEQ4_STATUS_ADMIN_STATE_REVOKED;
use nfs4_proto::nfs4::{Op, Status, args};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Sim, making_args};

use super::{File, LEASE, ask_to_enter, assert_last, come_back, reclaim};

/// A server with two exports, and the first of them under its number.
fn serving() -> (Sim, Export) {
    let sim = Sim::serving(&["/a", "/b"], |_| {}).recovering(&[]);
    let first = sim.exports()[0].clone();
    (sim, first.with(|export| export.number = Some(0)))
}

/// Makes a file in an export, which stays open.
#[track_caller]
fn make_at(sim: &mut Sim, client: &mut Client, export: &[u8]) -> File {
    let lookup = args::Lookup { objname: export };
    let making = making_args(b"o", b"f");
    let reply = client.call(sim, |c| c.putrootfh().lookup(lookup).open(making).getfh());
    let reply = reply.all_ok();
    File {
        fh: ok!(reply, GetFh).object.to_vec(),
        stateid: ok!(reply, Open).stateid,
    }
}

fn remove(sim: &mut Sim) {
    let path = "/a".to_owned();
    sim.admin(Admin::RemoveExport { path });
    sim.run_timers();
    sim.run();
}

fn put(sim: &mut Sim, export: &Export) {
    sim.admin(Admin::PutExport(Box::new(export.clone())));
}

#[track_caller]
fn flags(sim: &mut Sim, client: &mut Client) -> u32 {
    let reply = client.call(sim, |c| c).all_ok();
    ok!(reply, Sequence).status_flags
}

#[test]
fn a_client_reclaims_nothing_of_an_export_that_was_removed() {
    let (mut sim, _) = serving();
    let mut one = Client::mounted(&mut sim, "one");
    let there = make_at(&mut sim, &mut one, b"a");
    let kept = make_at(&mut sim, &mut one, b"b");
    remove(&mut sim);
    sim.restart();
    come_back(&mut sim, &mut one);
    // The simulated server starts with the export.
    let reply = reclaim(&mut sim, &mut one, &there.fh);
    assert_last(&reply, Op::Open, Status::RECLAIM_BAD);
    reclaim(&mut sim, &mut one, &kept.fh).all_ok();
}

#[test]
fn a_client_that_was_away_does_not_know_what_has_ended_with_an_export() {
    let (mut sim, first) = serving();
    let mut one = Client::mounted(&mut sim, "one");
    let there = make_at(&mut sim, &mut one, b"a");
    remove(&mut sim);
    put(&mut sim, &first);
    sim.sleep(LEASE + Duration::from_secs(1));
    assert_eq!(sim.tables().courteous_clients, 1);
    assert_eq!(flags(&mut sim, &mut one), SEQ4_STATUS_ADMIN_STATE_REVOKED);
    sim.restart();
    come_back(&mut sim, &mut one);
    let reply = reclaim(&mut sim, &mut one, &there.fh);
    assert_last(&reply, Op::Open, Status::RECLAIM_BAD);
}

#[test]
fn a_client_that_knows_what_has_ended_with_an_export_reclaims_what_it_has_opened_since() {
    let (mut sim, first) = serving();
    let mut one = Client::mounted(&mut sim, "one");
    let lost = make_at(&mut sim, &mut one, b"a");
    remove(&mut sim);
    put(&mut sim, &first);
    assert_eq!(flags(&mut sim, &mut one), SEQ4_STATUS_ADMIN_STATE_REVOKED);
    let stateids = [lost.stateid];
    let test = args::TestStateid {
        stateids: List::new(&stateids),
    };
    let reply = one.call(&mut sim, |c| c.test_stateid(test)).all_ok();
    let statuses: Vec<Status> = ok!(reply, TestStateid).status_codes.iter().collect();
    assert_eq!(statuses, [Status::ADMIN_REVOKED]);
    let close = args::Close {
        seqid: 0,
        open_stateid: lost.stateid,
    };
    let put_lost = args::PutFh { object: &lost.fh };
    let reply = one.call(&mut sim, |c| c.putfh(put_lost).close(close));
    assert_last(&reply, Op::Close, Status::ADMIN_REVOKED);
    let free = args::FreeStateid {
        stateid: lost.stateid,
    };
    one.call(&mut sim, |c| c.free_stateid(free)).all_ok();
    assert_eq!(flags(&mut sim, &mut one), 0);
    let new = make_at(&mut sim, &mut one, b"a");
    assert_eq!(new.fh, lost.fh);
    sim.restart();
    come_back(&mut sim, &mut one);
    reclaim(&mut sim, &mut one, &new.fh).all_ok();
}

#[test]
fn an_export_comes_back_under_its_number_once_all_losses_are_durable() {
    for goes in [false, true] {
        let (mut sim, first) = serving();
        let mut one = Client::mounted(&mut sim, "one");
        let there = make_at(&mut sim, &mut one, b"a");
        sim.hold_stores(true);
        remove(&mut sim);
        let ending = ExportFaults(vec![ExportFault::Ending("/a".to_owned())]);
        let ending = AdminFault::Exports(ending);
        let put_first = || Admin::PutExport(Box::new(first.clone()));
        assert_eq!(sim.refused(put_first()), ending);
        assert!(matches!(&*sim.waiting_stores(), [StableWrite::Client(_)]));
        sim.store_next(Err(StableError::NoSpace));
        assert_eq!(sim.refused(put_first()), ending);
        if goes {
            let (sessionid, clientid) = (one.session, one.id);
            let session = args::DestroySession { sessionid };
            one.bare(&mut sim, |c| c.destroy_session(session)).all_ok();
            let client = args::DestroyClientId { clientid };
            one.bare(&mut sim, |c| c.destroy_clientid(client)).all_ok();
            assert!(matches!(
                &*sim.waiting_stores(),
                [StableWrite::Forget { .. }]
            ));
        } else {
            sim.sleep(Duration::from_secs(2));
        }
        assert_eq!(sim.refused(put_first()), ending);
        sim.store_next(Ok(()));
        sim.run_timers();
        put(&mut sim, &first);
        assert_eq!(sim.tables().clients, usize::from(!goes));
        sim.hold_stores(false);
        sim.restart();
        come_back(&mut sim, &mut one);
        let reply = reclaim(&mut sim, &mut one, &there.fh);
        let expected = if goes {
            Status::NO_GRACE
        } else {
            Status::RECLAIM_BAD
        };
        assert_last(&reply, Op::Open, expected);
    }
}

#[test]
fn an_export_waits_for_a_client_that_could_not_be_forgotten() {
    for is_replaced in [false, true] {
        let (mut sim, first) = serving();
        let mut one = Client::mounted(&mut sim, "one");
        let there = make_at(&mut sim, &mut one, b"a");
        sim.hold_stores(true);
        let mut new = one.clone();
        if is_replaced {
            new.reboot();
            new.exchange_id(&mut sim).all_ok();
            let args = new.session_args();
            let record = new.record(sim.xid(), b"", |c| c.create_session(args));
            sim.send(new.conn, record);
        } else {
            let client = one.id.0;
            sim.admin(Admin::EvictClient { client });
        }
        sim.run();
        let [StableWrite::Forget { .. }] = &*sim.waiting_stores() else {
            panic!("the client is to be forgotten");
        };
        remove(&mut sim);
        sim.store_next(Err(StableError::NoSpace));
        let put_first = || Admin::PutExport(Box::new(first.clone()));
        let ending = ExportFaults(vec![ExportFault::Ending("/a".to_owned())]);
        assert_eq!(sim.refused(put_first()), AdminFault::Exports(ending));
        sim.sleep(Duration::from_secs(2));
        sim.store_next(Ok(()));
        sim.run_timers();
        put(&mut sim, &first);
        sim.hold_stores(false);
        sim.restart();
        come_back(&mut sim, &mut one);
        let reply = reclaim(&mut sim, &mut one, &there.fh);
        let expected = if is_replaced {
            Status::RECLAIM_BAD
        } else {
            Status::NO_GRACE
        };
        assert_last(&reply, Op::Open, expected);
    }
}

/// The forgetting is refused at once, while a record that was to be written before is on its way.
#[test]
fn a_record_that_is_written_after_a_forgetting_was_refused_is_written_again() {
    let (mut sim, _) = serving();
    let mut old = Client::mounted(&mut sim, "a");
    make_at(&mut sim, &mut old, b"a");
    let kept = make_at(&mut sim, &mut old, b"b");
    sim.hold_stores(true);
    remove(&mut sim);
    let mut new = old.clone();
    new.reboot();
    new.conn = sim.connect();
    new.exchange_id(&mut sim).all_ok();
    ask_to_enter(&mut sim, &new);
    let waiting = sim.waiting_stores();
    assert!(
        matches!(
            &*waiting,
            [StableWrite::Client(_), StableWrite::Forget { .. }]
        ),
        "{waiting:?}"
    );
    sim.refuse_newest_store();
    sim.sleep(Duration::from_secs(5));
    sim.store_next(Ok(()));
    assert!(
        matches!(&*sim.waiting_stores(), [StableWrite::Client(_)]),
        "the forgetting may be carried out last"
    );
    sim.hold_stores(false);
    sim.store_all();
    sim.restart();
    come_back(&mut sim, &mut old);
    reclaim(&mut sim, &mut old, &kept.fh).all_ok();
}
