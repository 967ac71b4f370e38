//! What waits for stable storage, and what happens meanwhile.

use nfs4_engine::stable::{StableError, StableWrite};
use nfs4_engine::{Admin, Event};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Client, Client40, Sim};

use super::{
    answered, ask_to_enter, ask_to_open, come_back, complete, config, make, open_anew, reclaim,
};

/// A client that has sent RECLAIM_COMPLETE, whose record is not written yet; and the transaction id.
fn completing() -> (Sim, Client, u32) {
    let mut sim = Sim::durable(config());
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    client.create_session(&mut sim).all_ok();
    sim.hold_stores(true);
    let done = args::ReclaimComplete { one_fs: false };
    let request = client.request(&mut sim, 0, true, |c| c.reclaim_complete(done));
    request.send(&mut sim, client.conn);
    sim.run();
    assert!(sim.take_reply(request.xid()).is_none(), "it waits");
    (sim, client, request.xid())
}

#[test]
fn reclaim_complete_is_answered_once_the_record_is_durable() {
    let (mut sim, mut client, xid) = completing();
    let [StableWrite::Client(record)] = &*sim.waiting_stores() else {
        panic!("the client is recorded");
    };
    assert_eq!(record.key.owner, b"a");
    assert!(!record.key.v40 && record.reclaims && record.lost.is_empty());
    assert_eq!((sim.tables().stores, sim.tables().storing), (1, 1));
    // Nothing new before that, by another slot.
    let open = nfs4_tests::sim::making_args(b"o", b"f");
    let early = client.request(&mut sim, 1, true, |c| c.putrootfh().open(open));
    let reply = early.exchange(&mut sim, client.conn);
    assert_eq!(reply.status(), Status::GRACE);
    client.advance(1);
    sim.store_next(Ok(()));
    sim.take_reply(xid).expect("it is stored").all_ok();
    client.advance(0);
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::OK);
    assert_eq!((sim.tables().stores, sim.tables().storing), (0, 0));
}

#[test]
fn a_record_that_cannot_be_written_is_no_promise() {
    let (mut sim, mut client, xid) = completing();
    sim.store_next(Err(StableError::NoSpace));
    let reply = sim.take_reply(xid).expect("it has failed");
    assert_eq!(reply.last(), (Op::ReclaimComplete, Status::DELAY));
    client.advance(0);
    let failed = Event::StableFailed {
        error: StableError::NoSpace,
        failures: 1,
    };
    assert!(sim.take_events().contains(&failed));
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::GRACE);
    assert_eq!(sim.records(), []);
    sim.hold_stores(false);
    complete(&mut sim, &mut client).all_ok();
    assert_eq!(sim.records().len(), 1);
}

#[test]
fn failures_are_reported_once_a_minute() {
    let mut sim = Sim::durable(config());
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    client.create_session(&mut sim).all_ok();
    sim.hold_stores(true);
    let mut reported = Vec::new();
    for _ in 0..70 {
        let done = args::ReclaimComplete { one_fs: false };
        let request = client.request(&mut sim, 0, true, |c| c.reclaim_complete(done));
        request.send(&mut sim, client.conn);
        sim.run();
        sim.store_next(Err(StableError::NoAnswer));
        sim.take_reply(request.xid()).expect("it has failed");
        client.advance(0);
        sim.sleep(std::time::Duration::from_secs(1));
        let events = sim.take_events().into_iter();
        reported.extend(events.filter_map(|event| match event {
            Event::StableFailed { failures, .. } => Some(failures),
            _ => None,
        }));
    }
    assert_eq!(reported, [1, 60]);
}

#[test]
fn an_answer_counts_once() {
    let (mut sim, mut client, xid) = completing();
    sim.store_twice();
    sim.take_reply(xid).expect("it is stored").all_ok();
    client.advance(0);
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::OK);
}

#[test]
fn a_client_that_goes_while_its_record_is_written_is_forgotten() {
    for stored in [Ok(()), Err(StableError::Failed)] {
        let (mut sim, client, xid) = completing();
        sim.admin(Admin::EvictClient {
            client: client.id.0,
        });
        sim.run();
        assert_eq!(sim.tables().clients, 0, "it has no state");
        let waiting = sim.waiting_stores();
        assert!(
            matches!(
                &*waiting,
                [StableWrite::Client(_), StableWrite::Forget { .. }]
            ),
            "{waiting:?}"
        );
        sim.store_next(stored);
        let reply = sim.take_reply(xid).expect("it continues");
        assert_eq!(reply.last(), (Op::ReclaimComplete, Status::DELAY));
        sim.store_next(Ok(()));
        assert_eq!(sim.records(), []);
        assert_eq!(sim.tables().storing, 0);
    }
}

#[test]
fn a_session_that_goes_while_the_record_is_written_waits_for_nothing() {
    let (mut sim, mut client, xid) = completing();
    sim.admin(Admin::DestroySession {
        session: client.session,
    });
    sim.run();
    assert_eq!(sim.tables().sessions, 0);
    sim.store_next(Ok(()));
    let reply = sim.take_reply(xid).expect("it continues");
    assert_eq!(reply.last(), (Op::ReclaimComplete, Status::DELAY));
    // The client can complete by another session: it is recorded, and has not completed.
    sim.hold_stores(false);
    client.create_session(&mut sim).all_ok();
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::GRACE);
    complete(&mut sim, &mut client).all_ok();
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::OK);
}

#[test]
fn a_connection_that_goes_while_the_record_is_written_costs_only_the_reply() {
    let (mut sim, mut client, xid) = completing();
    sim.kill(client.conn);
    sim.run();
    sim.store_next(Ok(()));
    assert!(sim.take_reply(xid).is_none());
    client.advance(0);
    client.conn = sim.connect();
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::OK);
}

#[test]
fn a_server_that_dies_before_the_record_is_durable_has_promised_nothing() {
    let (mut sim, mut client, xid) = completing();
    sim.restart();
    sim.hold_stores(false);
    assert!(sim.take_reply(xid).is_none());
    assert_eq!(sim.records(), []);
    come_back(&mut sim, &mut client);
    complete(&mut sim, &mut client).all_ok();
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::OK);
}

#[test]
fn a_server_that_dies_before_it_hears_of_the_record_knows_the_client() {
    let (mut sim, mut client, _) = completing();
    sim.store_silently();
    sim.restart();
    sim.hold_stores(false);
    assert_eq!(sim.records().len(), 1);
    come_back(&mut sim, &mut client);
    complete(&mut sim, &mut client).all_ok();
    assert_eq!(open_anew(&mut sim, &mut client, b"f"), Status::OK);
}

#[test]
fn many_requests_wait_for_one_record() {
    let mut sim = Sim::durable(config());
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    client.create_session(&mut sim).all_ok();
    sim.hold_stores(true);
    let done = args::ReclaimComplete { one_fs: false };
    let requests: Vec<_> = (0..client.slots.len() as u32)
        .map(|slot| client.request(&mut sim, slot, true, |c| c.reclaim_complete(done)))
        .collect();
    for request in &requests {
        request.send(&mut sim, client.conn);
    }
    sim.run();
    assert_eq!(
        (sim.tables().stores, sim.tables().storing),
        (1, requests.len())
    );
    sim.store_next(Ok(()));
    let statuses = requests.iter().map(|request| {
        let reply = sim.take_reply(request.xid());
        reply.expect("it continues").status()
    });
    let (done, again): (Vec<_>, Vec<_>) = statuses.partition(|status| *status == Status::OK);
    assert_eq!((done.len(), again.len()), (1, requests.len() - 1));
    assert!(
        again
            .iter()
            .all(|status| *status == Status::COMPLETE_ALREADY)
    );
}

#[test]
fn destruction_does_not_wait_for_the_record_of_another_client() {
    let (mut sim, _client, xid) = completing();
    sim.store_next(Ok(()));
    sim.take_reply(xid).expect("it is stored").all_ok();
    sim.hold_stores(false);
    let mut other = Client::mounted(&mut sim, "b");
    make(&mut sim, &mut other, b"g");
    sim.hold_stores(true);
    let sessionid = other.session;
    other
        .bare(&mut sim, |c| {
            c.destroy_session(args::DestroySession { sessionid })
        })
        .all_ok();
    assert_eq!(sim.waiting_stores(), []);
    sim.hold_stores(false);
    sim.restart();
    come_back(&mut sim, &mut other);
    let reply = reclaim(&mut sim, &mut other, b"\x01\0\0none");
    assert_ne!(reply.status(), Status::NO_GRACE);
}

#[test]
fn no_more_than_a_few_requests_wait_for_one_record() {
    let mut sim = Sim::durable(config());
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    sim.hold_stores(true);
    let mut xids = Vec::new();
    for _ in 0..10 {
        client.create_session(&mut sim).all_ok();
        for slot in 0..client.slots.len() as u32 {
            let done = args::ReclaimComplete { one_fs: false };
            let request = client.request(&mut sim, slot, true, |c| c.reclaim_complete(done));
            request.send(&mut sim, client.conn);
            sim.run();
            xids.push(request.xid());
        }
    }
    assert_eq!((xids.len(), sim.tables().storing), (80, 64));
    let early = xids.iter().filter_map(|xid| sim.take_reply(*xid));
    let early: Vec<_> = early.map(|reply| reply.status()).collect();
    assert_eq!(early, [Status::DELAY; 16]);
    sim.store_next(Ok(()));
    assert_eq!(sim.take_replies().len(), 64);
    assert_eq!(sim.tables().storing, 0);
}

#[test]
fn a_client_that_is_gone_is_forgotten_later_if_that_fails() {
    for comes_back in [false, true] {
        let mut sim = Sim::durable(config());
        let mut client = Client::mounted(&mut sim, "a");
        let mut other = Client::mounted(&mut sim, "b");
        let sessionid = client.session;
        client
            .bare(&mut sim, |c| {
                c.destroy_session(args::DestroySession { sessionid })
            })
            .all_ok();
        sim.hold_stores(true);
        let clientid = client.id;
        client
            .bare(&mut sim, |c| {
                c.destroy_clientid(args::DestroyClientId { clientid })
            })
            .all_ok();
        assert!(matches!(
            &*sim.waiting_stores(),
            [StableWrite::Forget { .. }]
        ));
        for _ in 0..3 {
            sim.store_next(Err(StableError::NoSpace));
            sim.sleep(std::time::Duration::from_secs(5));
            assert_eq!(sim.waiting_stores().len(), 1, "it is tried again");
        }
        sim.store_next(Err(StableError::NoSpace));
        sim.hold_stores(false);
        if comes_back {
            // The record is that of the new incarnation from now on.
            client.reboot();
            client.mount(&mut sim);
            make(&mut sim, &mut client, b"f");
        }
        sim.sleep(std::time::Duration::from_secs(30));
        other.call(&mut sim, |c| c.putrootfh()).all_ok();
        let owners: Vec<_> = sim.records().into_iter().map(|it| it.key.owner).collect();
        let expected: &[&[u8]] = if comes_back { &[b"a", b"b"] } else { &[b"b"] };
        assert_eq!(owners, expected);
    }
}

#[test]
fn of_clients_that_are_gone_a_bounded_number_is_forgotten_later() {
    let mut sim = Sim::durable(config());
    sim.hold_stores(true);
    for number in 0..300 {
        let mut client = Client::stranger(&mut sim, &format!("{number}"));
        client.exchange_id(&mut sim).all_ok();
        client.create_session(&mut sim).all_ok();
        let done = args::ReclaimComplete { one_fs: false };
        let request = client.request(&mut sim, 0, true, |c| c.reclaim_complete(done));
        request.send(&mut sim, client.conn);
        sim.run();
        sim.store_next(Ok(()));
        let gone = Admin::EvictClient {
            client: client.id.0,
        };
        sim.admin(gone);
        sim.run();
        sim.kill(client.conn);
        while !sim.waiting_stores().is_empty() {
            sim.store_next(Err(StableError::Failed));
        }
    }
    assert_eq!(sim.records().len(), 300);
    sim.hold_stores(false);
    sim.sleep(std::time::Duration::from_secs(200));
    assert_eq!(sim.records().len(), 300 - 256);
}

/// A client with a file, a new incarnation of it that waits until the first one is forgotten, and the transaction
/// id of its CREATE_SESSION.
fn replacing() -> (Sim, Client, Client, Vec<u8>, u32) {
    let mut sim = Sim::durable(config());
    let mut old = Client::mounted(&mut sim, "a");
    let file = make(&mut sim, &mut old, b"f");
    let mut new = old.clone();
    new.reboot();
    new.conn = sim.connect();
    new.exchange_id(&mut sim).all_ok();
    sim.hold_stores(true);
    let xid = ask_to_enter(&mut sim, &new);
    assert!(matches!(
        &*sim.waiting_stores(),
        [StableWrite::Forget { .. }]
    ));
    (sim, old, new, file.fh, xid)
}

#[test]
fn a_client_that_may_have_been_forgotten_is_recorded_again() {
    let (mut sim, mut old, _, fh, xid) = replacing();
    sim.store_in_doubt();
    let reply = sim.take_reply(xid).expect("it has failed");
    assert_eq!(reply.last(), (Op::CreateSession, Status::DELAY));
    assert_eq!(sim.records(), [], "it was carried out");
    sim.hold_stores(false);
    sim.sleep(std::time::Duration::from_secs(5));
    // The first incarnation goes on, and has what it had.
    assert_eq!(open_anew(&mut sim, &mut old, b"g"), Status::OK);
    sim.restart();
    come_back(&mut sim, &mut old);
    reclaim(&mut sim, &mut old, &fh).all_ok();
}

#[test]
fn a_client_that_may_have_been_forgotten_opens_nothing_before_it_is_recorded() {
    let (mut sim, mut old, _, _, _) = replacing();
    sim.store_in_doubt();
    let asked = ask_to_open(&mut sim, &mut old, 0, b"g");
    assert!(sim.take_reply(asked).is_none());
    assert!(matches!(&*sim.waiting_stores(), [StableWrite::Client(_)]));
    sim.store_next(Ok(()));
    assert_eq!(answered(&mut sim, asked), Status::OK);
}

#[test]
fn a_client_that_is_forgotten_and_not_replaced_is_recorded_again() {
    let (mut sim, mut old, new, fh, xid) = replacing();
    sim.admin(Admin::EvictClient { client: new.id.0 });
    sim.run();
    sim.store_next(Ok(()));
    let reply = sim.take_reply(xid).expect("it continues");
    assert_eq!(reply.last(), (Op::CreateSession, Status::STALE_CLIENTID));
    sim.hold_stores(false);
    assert_eq!(open_anew(&mut sim, &mut old, b"g"), Status::OK);
    sim.restart();
    come_back(&mut sim, &mut old);
    reclaim(&mut sim, &mut old, &fh).all_ok();
}

#[test]
fn a_client_of_minor_version_0_that_may_have_been_forgotten_is_recorded_before_it_opens() {
    let mut sim = Sim::durable(config());
    let mut old = Client40::mounted(&mut sim, "a");
    old.open(&mut sim, b"o", b"f");
    let mut new = old.clone();
    new.reboot();
    new.introduce(&mut sim).all_ok();
    sim.hold_stores(true);
    let confirm = args::SetClientIdConfirm {
        clientid: new.id,
        setclientid_confirm: new.confirm,
    };
    let xid = sim.xid();
    sim.send(
        new.conn,
        new.record(xid, |c| c.setclientid_confirm(confirm)),
    );
    sim.run();
    sim.store_in_doubt();
    let reply = sim.take_reply(xid).expect("it has failed");
    assert_eq!(reply.last(), (Op::SetClientIdConfirm, Status::DELAY));
    let open = old.open_args(b"o", b"g");
    let xid = sim.xid();
    sim.send(old.conn, old.record(xid, |c| c.putrootfh().open(open)));
    sim.run();
    assert!(sim.take_reply(xid).is_none(), "it waits for the record");
    sim.store_all();
    sim.take_reply(xid).expect("it is stored").all_ok();
    assert_eq!(sim.records().len(), 1);
}
