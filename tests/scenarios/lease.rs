//! How long a client may be silent. [RFC 8881 §8.3]

use std::time::Duration;

use nfs4_engine::{Admin, ClientGone, Event, SessionGone, Unbound};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::consts::OPEN4_SHARE_DENY_BOTH;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::sim::{Client, Pace, Sim, making_args};

use super::holder::{Holder, owner, stateid};

const SECOND: Duration = Duration::from_secs(1);

fn create<'a>(c: &'a mut CompoundBuilder, owner: &[u8], name: &[u8]) -> &'a mut CompoundBuilder {
    c.putrootfh().open(making_args(owner, name))
}

#[test]
fn a_client_that_speaks_keeps_its_lease() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let lease = sim.settings().lease;
    for _ in 0..5 {
        sim.sleep(lease - SECOND);
        client.call(&mut sim, |c| c).all_ok();
    }
}

#[test]
fn a_replay_renews_and_a_refused_sequence_does_not() {
    let mut sim = Sim::without_courtesy();
    let mut client = Client::mounted(&mut sim, "a");
    let lease = sim.settings().lease;
    let request = client.request(&mut sim, 0, true, |c| c.putrootfh());
    request.exchange(&mut sim, client.conn).all_ok();
    for _ in 0..3 {
        sim.sleep(lease - SECOND);
        request
            .again(&mut sim)
            .exchange(&mut sim, client.conn)
            .all_ok();
    }
    sim.sleep(lease - SECOND);
    let wrong = client.request(&mut sim, 99, true, |c| c);
    let reply = wrong.exchange(&mut sim, client.conn);
    assert!(reply.is_only(Op::Sequence, Status::BADSLOT));
    sim.sleep(2 * SECOND);
    client.advance(0);
    let reply = client.call(&mut sim, |c| c);
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
}

#[test]
fn the_clock_ends_a_lease_also_when_no_timer_passes() {
    let mut sim = Sim::without_courtesy();
    let mut client = Client::mounted(&mut sim, "a");
    sim.jump(sim.settings().lease);
    client.call(&mut sim, |c| c).all_ok();
    sim.jump(sim.settings().lease + SECOND);
    let late = client.request(&mut sim, 0, true, |c| c);
    let reply = late.exchange(&mut sim, client.conn);
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    assert_eq!(sim.tables().sessions, 1, "no timer has passed");
    sim.assert_nothing_is_left();
}

#[test]
fn what_an_expired_client_had_can_be_neither_used_nor_destroyed_also_when_no_timer_passes() {
    let mut sim = Sim::without_courtesy();
    let client = Client::mounted(&mut sim, "a");
    let mut unconfirmed = Client::stranger(&mut sim, "b");
    unconfirmed.exchange_id(&mut sim).all_ok();
    let session = args::DestroySession {
        sessionid: client.session,
    };
    let id_of = |client: &Client| args::DestroyClientId {
        clientid: client.id,
    };
    sim.jump(sim.settings().lease + SECOND);
    let reply = client.bare(&mut sim, |c| c.destroy_session(session));
    assert!(reply.is_only(Op::DestroySession, Status::BADSESSION));
    for client in [&client, &unconfirmed] {
        let reply = client.bare(&mut sim, |c| c.destroy_clientid(id_of(client)));
        assert!(reply.is_only(Op::DestroyClientId, Status::STALE_CLIENTID));
        let create = client.session_args();
        let reply = client.bare(&mut sim, |c| c.create_session(create));
        assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    }
    assert_eq!((sim.tables().sessions, sim.tables().clients), (1, 2));
    sim.assert_nothing_is_left();
}

#[test]
fn an_expired_client_loses_everything_and_files_are_let_go() {
    let mut sim = Sim::without_courtesy();
    let mut client = Client::mounted(&mut sim, "a");
    for at in 0..10_u8 {
        client
            .call(&mut sim, |c| create(c, &[at % 3], &[b'a' + at]))
            .all_ok();
    }
    assert_eq!(sim.tables().opens, 10);
    assert_eq!(sim.fs().held(), 10);
    sim.take_events();
    sim.sleep(sim.settings().lease + SECOND);
    let tables = sim.tables();
    assert_eq!((tables.clients, tables.sessions), (0, 0));
    assert_eq!((tables.opens, tables.owners, tables.files), (0, 0, 0));
    assert_eq!(tables.cached_bytes, 0);
    assert_eq!(sim.fs().held(), 0);
    let expected = [
        Event::Unbound {
            conn: client.conn,
            session: client.session,
            reason: Unbound::Reaper,
        },
        Event::SessionDestroyed {
            session: client.session,
            reason: SessionGone::LeaseExpired,
        },
        Event::ClientGone {
            client: client.id.0,
            reason: ClientGone::LeaseExpired,
        },
    ];
    assert_eq!(sim.take_events(), expected);
    sim.assert_nothing_is_left();
}

#[test]
fn a_lease_does_not_run_out_while_a_request_waits_and_counts_anew_from_its_reply() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let lease = sim.settings().lease;
    sim.set_pace(Pace::Held);
    let request = client.request(&mut sim, 0, true, |c| create(c, b"o", b"f"));
    request.send(&mut sim, client.conn);
    sim.run();
    sim.sleep(5 * lease);
    assert_eq!(sim.tables().clients, 1);
    sim.complete(0);
    sim.take_reply(request.xid()).expect("it is done").all_ok();
    sim.sleep(lease - SECOND);
    client.advance(0);
    client.call(&mut sim, |c| c).all_ok();
    assert_eq!(sim.tables().opens, 1);
    sim.assert_nothing_is_left();
}

#[test]
fn clients_expire_one_by_one() {
    let mut sim = Sim::without_courtesy();
    let lease = sim.settings().lease;
    let mut first = Client::mounted(&mut sim, "first");
    sim.sleep(lease / 2);
    let mut second = Client::mounted(&mut sim, "second");
    sim.sleep(lease / 2 + SECOND);
    assert_eq!(sim.tables().clients, 1);
    let reply = first.call(&mut sim, |c| c);
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    second.call(&mut sim, |c| c).all_ok();
}

#[test]
fn in_the_grace_period_nothing_new_is_opened() {
    let config = Sim::config().with(|config| config.grace = Duration::from_secs(60));
    let mut sim = Sim::with(config);
    let mut client = Client::mounted(&mut sim, "a");
    let reply = client.call(&mut sim, |c| create(c, b"o", b"f"));
    assert_eq!(reply.last(), (Op::Open, Status::GRACE));
    assert_eq!(sim.fs().requests("Open"), 0);
    sim.sleep(Duration::from_secs(61));
    client.call(&mut sim, |c| create(c, b"o", b"f")).all_ok();
}

#[test]
fn before_reclaim_complete_nothing_new_is_opened() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    client.create_session(&mut sim).all_ok();
    let reply = client.call(&mut sim, |c| create(c, b"o", b"f"));
    assert_eq!(reply.last(), (Op::Open, Status::GRACE));
    let done = args::ReclaimComplete { one_fs: false };
    client.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
    client.call(&mut sim, |c| create(c, b"o", b"f")).all_ok();
}

#[test]
fn a_session_unused_for_a_lease_ends_while_its_client_stays() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let unused = client.session;
    client.create_session(&mut sim).all_ok();
    let lease = sim.settings().lease;
    sim.take_events();
    for _ in 0..5 {
        sim.sleep(lease / 2);
        client.call(&mut sim, |c| c).all_ok();
    }
    let ended = sim.take_events().into_iter().find_map(|event| match event {
        Event::SessionDestroyed { session, reason } => Some((session, reason)),
        _ => None,
    });
    assert_eq!(ended, Some((unused, SessionGone::LeaseExpired)));
    assert_eq!((sim.tables().sessions, sim.tables().clients), (1, 1));
}

#[test]
fn state_of_an_expired_client_is_in_no_ones_way_before_its_timer() {
    let mut sim = Sim::new();
    let mut gone = Holder::new(&mut sim, "gone", 3);
    let mut here = Holder::new(&mut sim, "here", 3);
    let all = (0, u64::MAX);
    stateid(gone.lock(&mut sim, b"g", LockType::Write, all));
    let alone = args::Open {
        share_deny: OPEN4_SHARE_DENY_BOTH,
        ..making_args(b"gone", b"alone")
    };
    gone.client
        .call(&mut sim, |c| c.putrootfh().open(alone))
        .all_ok();
    let half = sim.settings().lease / 2;
    for _ in 0..3 {
        sim.jump(half);
        here.client.call(&mut sim, |c| c).all_ok();
    }
    assert_eq!(sim.tables().clients, 2, "no timer has passed");
    let put = args::PutFh { object: &here.fh };
    let lock = args::Lock {
        locktype: LockType::Write,
        reclaim: false,
        offset: all.0,
        length: all.1,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid: here.open,
            lock_seqid: 0,
            lock_owner: owner(b"h"),
        }),
    };
    here.client
        .call(&mut sim, |c| c.putfh(put).lock(lock))
        .all_ok();
    let open = making_args(b"here", b"alone");
    here.client
        .call(&mut sim, |c| c.putrootfh().open(open))
        .all_ok();
}

#[test]
fn of_very_many_expired_clients_a_request_removes_only_some() {
    let mut sim = Sim::without_courtesy();
    let mut gone = Holder::new(&mut sim, "gone", 3);
    let all = (0, u64::MAX);
    stateid(gone.lock(&mut sim, b"g", LockType::Write, all));
    for number in 0..300 {
        Client::mounted(&mut sim, &format!("also gone {number}"));
    }
    let mut here = Holder::new(&mut sim, "here", 3);
    let half = sim.settings().lease / 2;
    for _ in 0..3 {
        sim.jump(half);
        here.client.call(&mut sim, |c| c).all_ok();
    }
    assert_eq!(sim.tables().clients, 302, "no timer has passed");
    stateid(here.lock(&mut sim, b"h", LockType::Write, all));
    let left = sim.tables().clients;
    assert!((50..302).contains(&left), "{left}");
    sim.assert_nothing_is_left();
}

#[test]
fn a_request_that_removes_the_expired_leaves_other_reminders_alone() {
    let mut sim = Sim::without_courtesy();
    let mut gone = Holder::new(&mut sim, "gone", 3);
    let all = (0, u64::MAX);
    stateid(gone.lock(&mut sim, b"g", LockType::Write, all));
    let mut here = Holder::new(&mut sim, "here", 3);
    let drained = Client::mounted(&mut sim, "drained");
    sim.set_pace(Pace::Held);
    let absent = args::Lookup { objname: b"absent" };
    let begun = drained.request(&mut sim, 0, true, |c| c.putrootfh().lookup(absent));
    begun.send(&mut sim, drained.conn);
    sim.settle();
    sim.admin(Admin::Drain { conn: drained.conn });
    let half = sim.settings().lease / 2;
    for _ in 0..3 {
        sim.jump(half);
        here.client.call(&mut sim, |c| c).all_ok();
    }
    stateid(here.lock(&mut sim, b"h", LockType::Write, all));
    assert_eq!(sim.tables().clients, 2);
    assert!(sim.network().is_alive(drained.conn), "no timer has passed");
    sim.run_timers();
    assert!(!sim.network().is_alive(drained.conn));
    sim.assert_nothing_is_left();
}
