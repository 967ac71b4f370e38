//! Clients whose leases have expired keep what no other client needs. [RFC 8881 §8.4.2.4, RFC 7530 §9.6.3]

mod incarnations;
mod limits;
mod locks;
mod opens;
mod v40;

use std::time::Duration;

use nfs4_engine::{Admin, Change, Event};
use nfs4_proto::nfs4::args::{self, CreateHow, OpenFlag};
use nfs4_proto::nfs4::basic::{LockType, StableHow};
use nfs4_proto::nfs4::consts::{
    OPEN4_SHARE_ACCESS_WANT_NO_DELEG, SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED,
    SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED,
};
use nfs4_proto::nfs4::{FattrRaw, Op, Stateid, Status};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, open_args};

use super::holder::{Holder, stateid};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const SOME: u32 = SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED;
const ALL: u32 = SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED;

/// The leases of all clients that there are expire.
fn expire(sim: &mut Sim) {
    sim.sleep(sim.settings().lease + SECOND);
}

fn configure(sim: &mut Sim, set: impl FnOnce(&mut Change)) {
    sim.admin(Admin::Configure(Box::new(Change::default().with(set))));
}

/// An OPEN that makes the file if it is not there, without a delegation.
fn opening(share: (u32, u32), name: &[u8]) -> args::Open<'_> {
    args::Open {
        share_access: share.0 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny: share.1,
        openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
        ..open_args(b"opener", name)
    }
}

#[track_caller]
fn open(sim: &mut Sim, client: &mut Client, share: (u32, u32), name: &[u8]) -> Reply {
    let args = opening(share, name);
    client.call(sim, |c| c.putrootfh().open(args).getfh())
}

#[track_caller]
fn opened(sim: &mut Sim, client: &mut Client, share: (u32, u32), name: &[u8]) -> Stateid {
    let reply = open(sim, client, share, name).all_ok();
    ok!(reply, Open).stateid
}

/// The status flags of a SEQUENCE.
#[track_caller]
fn flags(sim: &mut Sim, client: &mut Client) -> u32 {
    let reply = client.call(sim, |c| c).all_ok();
    ok!(reply, Sequence).status_flags
}

#[track_caller]
fn tested(sim: &mut Sim, client: &mut Client, stateids: &[Stateid]) -> Vec<Status> {
    let args = args::TestStateid {
        stateids: List::new(stateids),
    };
    let reply = client.call(sim, |c| c.test_stateid(args)).all_ok();
    ok!(reply, TestStateid).status_codes.iter().collect()
}

#[track_caller]
fn free(sim: &mut Sim, client: &mut Client, stateid: Stateid) -> Status {
    let args = args::FreeStateid { stateid };
    client.call(sim, |c| c.free_stateid(args)).status()
}

#[test]
fn a_client_that_was_away_for_a_day_has_all_that_it_had() {
    let mut sim = Sim::new();
    let mut one = Holder::called_back(&mut sim, "one", 3);
    let lock = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 10)));
    let write = args::Write {
        stateid: one.open,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"once",
    };
    let put = args::PutFh { object: &one.fh };
    let request = one
        .client
        .request(&mut sim, 3, true, |c| c.putfh(put).write(write));
    let first = request.exchange(&mut sim, one.client.conn).all_ok();
    let written = sim.fs().requests("Write");
    sim.kill(one.client.conn);
    sim.run();
    sim.take_events();
    expire(&mut sim);
    let id = one.client.id.0;
    assert_eq!(sim.take_events(), [Event::ClientCourteous { client: id }]);
    sim.sleep(DAY - 2 * SECOND);
    let tables = sim.tables();
    assert_eq!((tables.courteous_clients, tables.timers), (1, 1));
    one.client.conn = sim.connect();
    // What it sent last is not executed again.
    let again = request.again(&mut sim).exchange(&mut sim, one.client.conn);
    assert_eq!(again.body(), first.body());
    assert_eq!(sim.fs().requests("Write"), written);
    assert!(
        sim.take_events()
            .contains(&Event::ClientReturned { client: id })
    );
    assert_eq!(sim.tables().courteous_clients, 0);
    one.client.advance(3);
    assert_eq!(flags(&mut sim, &mut one.client) & (SOME | ALL), 0);
    let both = [one.open, lock];
    assert_eq!(tested(&mut sim, &mut one.client, &both), [Status::OK; 2]);
    let mut two = Holder::new(&mut sim, "two", 3);
    let reply = two.lock(&mut sim, b"y", LockType::Write, (5, 1));
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    one.unlock(&mut sim, lock, (0, 10)).all_ok();
    two.lock(&mut sim, b"y", LockType::Write, (5, 1)).all_ok();
    one.close(&mut sim).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn courtesy_ends_by_the_clock_and_by_its_timer() {
    for wait in [Sim::jump, Sim::sleep] {
        let mut sim = Sim::new();
        let mut client = Client::mounted(&mut sim, "a");
        opened(&mut sim, &mut client, (3, 0), b"f");
        let (lease, courtesy) = (sim.settings().lease, sim.settings().courtesy);
        wait(&mut sim, lease + courtesy);
        flags(&mut sim, &mut client);
        wait(&mut sim, lease + courtesy + SECOND);
        let reply = client.call(&mut sim, |c| c);
        assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
        sim.assert_nothing_is_left();
    }
}

#[test]
fn without_a_session_or_state_there_is_nothing_to_keep() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let session = args::DestroySession {
        sessionid: client.session,
    };
    client
        .call(&mut sim, |c| c.destroy_session(session))
        .all_ok();
    Client::stranger(&mut sim, "b")
        .exchange_id(&mut sim)
        .all_ok();
    assert_eq!(sim.tables().clients, 2);
    expire(&mut sim);
    assert_eq!(sim.tables().clients, 0);
}

#[test]
fn the_time_of_courtesy_can_change() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    opened(&mut sim, &mut one, (3, 0), b"f");
    expire(&mut sim);
    let set = |sim: &mut Sim, courtesy| configure(sim, |change| change.courtesy = Some(courtesy));
    set(&mut sim, 2 * DAY);
    sim.sleep(2 * DAY - 4 * SECOND);
    flags(&mut sim, &mut one);
    expire(&mut sim);
    assert_eq!(sim.tables().courteous_clients, 1);
    set(&mut sim, Duration::ZERO);
    sim.sleep(SECOND);
    assert_eq!(sim.tables().clients, 0);
    let reply = one.call(&mut sim, |c| c);
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    // A reminder from before the change stays until it is due.
    sim.sleep(2 * DAY);
    sim.assert_nothing_is_left();
}

#[test]
fn a_longer_lease_time_brings_back_no_client_that_does_not_speak() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "one");
    opened(&mut sim, &mut one, (3, 3), b"f");
    expire(&mut sim);
    let longer = Some(Duration::from_secs(3_600));
    configure(&mut sim, |change| change.lease = longer);
    let mut two = Client::mounted(&mut sim, "two");
    opened(&mut sim, &mut two, (1, 0), b"f");
    opened(&mut sim, &mut one, (1, 0), b"g");
    assert_eq!(sim.tables().courteous_clients, 0);
    assert_eq!(flags(&mut sim, &mut one), SOME);
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_comes_and_goes_has_one_timer() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for _ in 0..20 {
        expire(&mut sim);
        assert_eq!(sim.tables().timers, 1);
        client.call(&mut sim, |c| c).all_ok();
        assert!(sim.tables().timers <= 2, "its own, and that of courtesy");
    }
    sim.assert_nothing_is_left();
}
