//! A request of minor version 0 that arrives again is not executed again. [RFC 7530 §3.1.1, §9.1.7]

use std::time::Duration;

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::sim::{Client40, Pace, Sim};

fn mkdir(name: &[u8]) -> impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder + '_ {
    let args = args::Create {
        objtype: CreateType::Directory,
        objname: name,
        createattrs: FattrRaw::EMPTY,
    };
    move |c| c.putrootfh().create(args)
}

#[test]
fn a_retry_by_a_new_connection_gets_the_first_answer() {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let record = client.record(sim.xid(), mkdir(b"d"));
    let first = sim.exchange(client.conn, record.clone()).all_ok();
    let hits = sim.metrics().replay_hits;
    sim.kill(client.conn);
    for _ in 0..2 {
        client.conn = sim.connect();
        let again = sim.exchange(client.conn, record.clone());
        assert_eq!(again.body(), first.body());
    }
    // A client that does not keep to the rules sends it by the same connection.
    let again = sim.exchange(client.conn, record.clone());
    assert_eq!(again.body(), first.body());
    assert_eq!(sim.metrics().replay_hits, hits + 3);
    // Under another transaction id it is another request.
    let reply = client.call(&mut sim, mkdir(b"d"));
    assert_eq!(reply.last(), (Op::Create, Status::EXIST));
    sim.assert_nothing_is_left();
}

#[test]
fn clients_of_one_host_may_count_alike() {
    let mut sim = Sim::new();
    let one = Client40::mounted(&mut sim, "a");
    let two = Client40::mounted(&mut sim, "b");
    let record = one.record(sim.xid(), mkdir(b"d"));
    sim.exchange(one.conn, record.clone()).all_ok();
    // The same bytes by a connection that was there before.
    let reply = sim.exchange(two.conn, record.clone());
    assert_eq!(reply.last(), (Op::Create, Status::EXIST));
    // Of another user it is another request also by a new one.
    let other = Client40 {
        uid: 7,
        conn: sim.connect(),
        ..one.clone()
    };
    let xid = u32::from_be_bytes(*record[4..].first_chunk().expect("a record"));
    let record = other.record(xid, mkdir(b"d"));
    let reply = sim.exchange(other.conn, record);
    assert_eq!(reply.last(), (Op::Create, Status::EXIST));
}

#[test]
fn the_retry_of_a_request_that_runs_is_answered_with_it() {
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let record = client.record(sim.xid(), mkdir(b"d"));
    sim.send(client.conn, record.clone());
    sim.settle();
    let later = sim.connect();
    sim.send(later, record.clone());
    sim.send(client.conn, record);
    sim.settle();
    assert_eq!(sim.held().len(), 1);
    sim.complete_all();
    let replies = sim.take_replies();
    assert_eq!(replies.len(), 3);
    for reply in &replies {
        assert_eq!(reply.body(), replies[0].body());
        assert_eq!(reply.status(), Status::OK);
    }
    let by_later = replies.iter().filter(|reply| reply.conn == later);
    assert_eq!(by_later.count(), 1);
    sim.assert_nothing_is_left();
}

#[test]
fn what_is_sent_again_too_often_is_put_off() {
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    sim.set_pace(Pace::Held);
    let record = client.record(sim.xid(), mkdir(b"d"));
    for _ in 0..10 {
        sim.send(client.conn, record.clone());
    }
    sim.settle();
    let put_off = sim.take_replies();
    assert_eq!(put_off.len(), 1);
    assert!(put_off[0].is_only(Op::PutRootFh, Status::DELAY));
    sim.complete_all();
    assert_eq!(sim.take_replies().len(), 9);
}

#[test]
fn what_changes_nothing_is_executed_again() {
    let mut sim = Sim::new();
    let client = Client40::mounted(&mut sim, "a");
    let lookup = args::Lookup { objname: b"d" };
    let record = client.record(sim.xid(), |c| c.putrootfh().lookup(lookup));
    let reply = sim.exchange(client.conn, record.clone());
    assert_eq!(reply.status(), Status::NOENT);
    client.call(&mut sim, mkdir(b"d")).all_ok();
    sim.exchange(client.conn, record).all_ok();
}

#[test]
fn replies_are_kept_for_a_lease() {
    let mut sim = Sim::new();
    let client = Client40::stranger(&mut sim, "a");
    let record = client.record(sim.xid(), mkdir(b"d"));
    let first = sim.exchange(client.conn, record.clone()).all_ok();
    assert_eq!(sim.tables().kept_replies, 1);
    assert_eq!(sim.tables().cached_bytes, first.len() - 24);
    let lease = sim.settings().lease;
    sim.sleep(lease);
    let again = sim.exchange(client.conn, record.clone());
    assert_eq!(again.body(), first.body());
    sim.sleep(Duration::from_secs(1));
    assert_eq!(
        (sim.tables().kept_replies, sim.tables().cached_bytes),
        (0, 0)
    );
    let reply = sim.exchange(client.conn, record);
    assert_eq!(reply.last(), (Op::Create, Status::EXIST));
}
