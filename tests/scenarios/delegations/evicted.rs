//! Delegations of clients that are thrown out.

use nfs4_engine::Admin;
use nfs4_tests::sim::Request;

use super::*;

fn evict(sim: &mut Sim, client: &Client) {
    let client = client.id.0;
    sim.admin(Admin::EvictClient { client });
}

#[test]
fn what_is_being_recalled_from_one_that_goes_is_free_for_others() {
    let (mut sim, mut one, mut two) = two();
    delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let writing = || opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2, b"f");
    let reply = open(&mut sim, &mut two, writing());
    assert_last(&reply, Op::Open, Status::DELAY);
    let callback = called(&mut sim);
    recall(&callback);
    evict(&mut sim, &one);
    let tables = sim.tables();
    assert_eq!((tables.callbacks, counts(&sim)), (0, (0, 0, 0)));
    open(&mut sim, &mut two, writing()).all_ok();
    // The late answer belongs to no callback.
    sim.send(callback.conn, callback.ok());
    sim.settle();
    assert_eq!(sim.tables().flights, 0);
    assert_eq!(sim.metrics().stray_callback_replies, 1);
    sim.assert_nothing_is_left();
}

#[test]
fn an_evicted_holder_releases_the_request_that_waits_for_its_answer() {
    let (mut sim, mut one, two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let asks = ask_for_size(&mut sim, &two, &held.fh);
    called(&mut sim);
    assert_eq!(sim.tables().held, 1);
    evict(&mut sim, &one);
    sim.settle();
    assert_eq!(sim.tables().held, 0);
    sim.run();
    let reply = sim.take_reply(asks.xid()).expect("it is answered");
    reply.all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_client_that_is_evicted_while_it_waits_is_answered() {
    let (mut sim, mut one, two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let asks = ask_for_size(&mut sim, &two, &held.fh);
    let callback = called(&mut sim);
    evict(&mut sim, &two);
    sim.send(callback.conn, callback.ok());
    sim.run();
    let reply = sim.take_reply(asks.xid()).expect("it is answered");
    assert_last(&reply, Op::GetAttr, Status::DELAY);
    assert_eq!((sim.tables().held, sim.tables().clients), (0, 1));
    give_back(&mut sim, &mut one, &held).all_ok();
    sim.assert_nothing_is_left();
}

/// Sends a request for the size of a file.
fn ask_for_size(sim: &mut Sim, client: &Client, fh: &[u8]) -> Request {
    let look = args::GetAttr {
        attr_request: nfs4_proto::nfs4::Bitmap::of(&[nfs4_proto::nfs4::attr::num::SIZE]),
    };
    let put = args::PutFh { object: fh };
    let asks = client.request(sim, 0, true, |c| c.putfh(put).getattr(look));
    asks.send(sim, client.conn);
    asks
}
