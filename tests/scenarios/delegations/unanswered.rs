//! A reachable holder that does not answer CB_GETATTR: no request waits longer than a callback may
//! take. [RFC 8881 §10.4.3]

use std::time::Duration;

use nfs4_engine::{Event, RecallReason};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, FattrRaw};

use super::probe::{MASK, answer, ask, learn, look, seen};
use super::v40::{delegated_v40, reachable_v40};
use super::*;

/// What the holder of the delegation does meanwhile; it renews its lease in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// It does not answer callbacks.
    Silent,
    /// It says that it is busy.
    Busy,
    /// It was recalled before, and does not give the file back.
    Recalled,
}

/// Asks again and again, as Linux does: soon at first, and then ever later. When the answer came.
#[track_caller]
fn comes_again(
    sim: &mut Sim,
    mut others: impl FnMut(&mut Sim),
    mut asks: impl FnMut(&mut Sim) -> Reply,
) -> (Duration, Reply) {
    let started = sim.now();
    let mut pause = Duration::from_millis(100);
    loop {
        let reply = asks(sim);
        if reply.status() != Status::DELAY {
            return (sim.now() - started, reply);
        }
        let until = sim.now() + pause;
        while sim.now() < until {
            sim.sleep(Duration::from_millis(100));
            sim.settle();
            others(sim);
        }
        pause = (2 * pause).min(Duration::from_secs(15));
        assert!(
            sim.now() < started + sim.settings().lease,
            "it waits for ever"
        );
    }
}

/// A request that may be kept waiting for a moment.
#[track_caller]
fn call_slowly(
    sim: &mut Sim,
    client: &mut Client,
    build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
) -> Reply {
    let request = client.request(sim, 0, true, build);
    request.send(sim, client.conn);
    sim.settle();
    let reply = sim.take_reply(request.xid()).unwrap_or_else(|| {
        sim.sleep(Duration::from_millis(201));
        sim.settle();
        let reply = sim.take_reply(request.xid());
        reply.expect("it is not kept waiting for long")
    });
    client.advance(0);
    reply
}

fn look_slowly(sim: &mut Sim, client: &mut Client, fh: &[u8]) -> Reply {
    let attrs = args::GetAttr { attr_request: MASK };
    let put = args::PutFh { object: fh };
    call_slowly(sim, client, |c| c.putfh(put).getattr(attrs))
}

#[test]
fn a_request_waits_for_a_holder_no_longer_than_a_callback_may_take() {
    for holder in [Holder::Silent, Holder::Busy, Holder::Recalled] {
        for verifies in [false, true] {
            let (mut sim, mut one, mut two) = two();
            let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
            let before = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
            if holder == Holder::Recalled {
                let quiet = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 1, b"f");
                let reply = open(&mut sim, &mut two, quiet);
                assert_last(&reply, Op::Open, Status::DELAY);
            }
            sim.take_events();
            let renews = |sim: &mut Sim| {
                one.call(sim, |c| c).all_ok();
                for callback in sim.take_callbacks() {
                    if holder == Holder::Busy {
                        sim.send(callback.conn, callback.with(Status::DELAY));
                    }
                }
            };
            let fh = held.fh.clone();
            let values = [before.0.to_be_bytes(), before.1.to_be_bytes()].concat();
            let known = FattrRaw {
                mask: MASK,
                values: &values,
            };
            let (took, reply) = comes_again(&mut sim, renews, |sim| {
                if verifies {
                    let args = args::Verify {
                        obj_attributes: known,
                    };
                    let put = args::PutFh { object: &fh };
                    call_slowly(sim, &mut two, |c| c.putfh(put).verify(args))
                } else {
                    look_slowly(sim, &mut two, &fh)
                }
            });
            let most = sim.settings().callback_timeout;
            assert!(took <= most, "{holder:?}: {took:?}");
            let reply = reply.all_ok();
            if !verifies {
                assert_eq!(seen(&reply), before, "{holder:?}");
            }
            // It is recalled, at the latest when its time for the callback is over.
            if holder != Holder::Recalled {
                sim.sleep(most - took + Duration::from_millis(1));
                one.call(&mut sim, |c| c).all_ok();
                let told = Event::DelegationRecalled {
                    client: one.id.0,
                    kind: WRITE,
                    reason: RecallReason::Conflict,
                };
                assert!(sim.take_events().contains(&told), "{holder:?}");
            }
            assert_eq!(counts(&sim), (0, 1, 0), "{holder:?}");
            sim.assert_nothing_is_left();
        }
    }
}

#[test]
fn nor_for_one_without_a_session() {
    let (mut sim, _, mut two) = two();
    let mut old = reachable_v40(&mut sim, "old");
    let held = delegated_v40(&mut sim, &mut old, 3, b"f", WRITE);
    sim.take_events();
    let renews = |sim: &mut Sim| {
        old.renew(sim);
    };
    let (took, reply) = comes_again(&mut sim, renews, |sim| look_slowly(sim, &mut two, &held.fh));
    let most = sim.settings().callback_timeout;
    assert!(took <= most, "{took:?}");
    assert_eq!(seen(&reply.all_ok()).1, 7);
    sim.sleep(most - took + Duration::from_millis(1));
    let recalled = |event: &Event| matches!(event, Event::DelegationRecalled { .. });
    assert!(sim.take_events().iter().any(recalled));
}

#[test]
fn what_a_holder_said_last_is_told_while_it_says_nothing() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let (change, _) = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    let told = learn(&mut sim, &mut two, &held, (change + 1, 100));
    sim.sleep(Duration::from_secs(20));
    one.call(&mut sim, |c| c).all_ok();
    let fh = held.fh.clone();
    let (_, reply) = comes_again(
        &mut sim,
        |sim| {
            one.call(sim, |c| c).all_ok();
        },
        |sim| look_slowly(sim, &mut two, &fh),
    );
    assert_eq!(seen(&reply.all_ok()), told);
}

#[test]
fn a_holder_that_answers_is_waited_for_anew_each_time() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let (change, _) = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    for size in [50, 51, 52] {
        sim.sleep(Duration::from_millis(1));
        let xid = ask(&mut sim, &mut two, &held.fh);
        // Just within its time, though not within that of the request.
        sim.sleep(Duration::from_secs(4));
        sim.settle();
        let reply = sim.take_reply(xid).expect("it is not kept waiting");
        assert_last(&reply, Op::GetAttr, Status::DELAY);
        let callback = called(&mut sim);
        sim.send(callback.conn, answer(&callback, &held, (change + 1, size)));
        sim.settle();
        let reply = look(&mut sim, &mut two, &held.fh).all_ok();
        assert_eq!(seen(&reply).1, size);
    }
    let attrs = args::GetAttr {
        attr_request: Bitmap::of(&[num::MODE]),
    };
    let put = args::PutFh { object: &held.fh };
    two.call(&mut sim, |c| c.putfh(put).getattr(attrs)).all_ok();
    assert_eq!(counts(&sim), (0, 1, 0));
}
