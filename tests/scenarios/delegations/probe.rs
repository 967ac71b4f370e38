//! Which attributes other clients see of a file with a write delegation. [RFC 8881 §10.4.3]

use std::time::Duration;

use nfs4_proto::client::CbReplyBuilder;
use nfs4_proto::nfs4::any::CbResOp;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::callback::res;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, FattrRaw};

use super::*;

pub(super) const MASK: Bitmap = Bitmap::of(&[num::CHANGE, num::SIZE]);

/// Change attribute and size.
pub(super) type Seen = (u64, u64);

pub(super) fn request(fh: &[u8], mask: Bitmap, c: &mut nfs4_proto::client::CompoundBuilder) {
    let args = args::GetAttr { attr_request: mask };
    c.putfh(args::PutFh { object: fh }).getattr(args);
}

pub(super) fn look(sim: &mut Sim, client: &mut Client, fh: &[u8]) -> Reply {
    client.call(sim, |c| {
        request(fh, MASK, c);
        c
    })
}

pub(super) fn seen(reply: &Reply) -> Seen {
    let values = ok!(reply, GetAttr).obj_attributes.values;
    let (change, size) = values.split_at(8);
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    (number(change), number(size))
}

/// Asks for the attributes of a file and does not wait for the reply.
pub(super) fn ask(sim: &mut Sim, client: &mut Client, fh: &[u8]) -> u32 {
    let asks = client.request(sim, 0, true, |c| {
        request(fh, MASK, c);
        c
    });
    asks.send(sim, client.conn);
    client.advance(0);
    sim.settle();
    asks.xid()
}

/// The holder's answer to CB_GETATTR: change attribute and size.
pub(super) fn answer(callback: &Callback, held: &Held, (change, size): Seen) -> Vec<u8> {
    let values = [change.to_be_bytes(), size.to_be_bytes()].concat();
    answer_with(callback, held, MASK, &values)
}

pub(super) fn answer_with(
    callback: &Callback,
    held: &Held,
    mask: Bitmap,
    values: &[u8],
) -> Vec<u8> {
    let ops = callback.ops();
    let [CbArgOp::Sequence(sequence), CbArgOp::GetAttr(asked)] = ops.as_slice() else {
        panic!("{ops:?}");
    };
    assert_eq!(asked.fh, held.fh);
    assert_eq!(asked.attr_request, MASK);
    let ok = res::CbSequenceOk {
        sessionid: sequence.sessionid,
        sequenceid: sequence.sequenceid,
        slotid: sequence.slotid,
        highest_slotid: 15,
        target_highest_slotid: 15,
    };
    let attrs = res::CbGetAttrOk {
        obj_attributes: FattrRaw { mask, values },
    };
    CbReplyBuilder::reply(callback.xid(), b"")
        .result(&CbResOp::Sequence(Outcome::Ok(ok)))
        .result(&CbResOp::GetAttr(Outcome::Ok(attrs)))
        .finish()
}

/// Lets one see what another holds and answers so.
#[track_caller]
pub(super) fn learn(sim: &mut Sim, two: &mut Client, held: &Held, told: Seen) -> Seen {
    // A GETATTR at another moment asks the holder again.
    sim.sleep(Duration::from_millis(1));
    let xid = ask(sim, two, &held.fh);
    assert!(sim.take_reply(xid).is_none(), "it waits");
    assert_eq!((sim.tables().parked, sim.tables().held), (0, 1));
    let callback = called(sim);
    sim.send(callback.conn, answer(&callback, held, told));
    sim.settle();
    let reply = sim.take_reply(xid).expect("it is answered").all_ok();
    assert_eq!(sim.tables().held, 0);
    seen(&reply)
}

#[test]
fn an_unchanged_file_of_a_holder_keeps_its_attributes() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let before = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    assert_eq!(before.1, 7);
    assert!(
        sim.take_callbacks().is_empty(),
        "its holder is not asked for itself"
    );
    for _ in 0..2 {
        assert_eq!(learn(&mut sim, &mut two, &held, before), before);
    }
    assert_eq!(sim.fs().requests("SetAttrs"), 0);
    assert_eq!(counts(&sim), (0, 1, 0));
    give_back(&mut sim, &mut one, &held).all_ok();
    assert_eq!(seen(&look(&mut sim, &mut two, &held.fh).all_ok()), before);
    sim.assert_nothing_is_left();
}

#[test]
fn what_the_holder_has_written_is_seen_and_never_goes_back() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let (change, size) = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    // A holder says the same as long as it has not written back.
    let told = (change + 1, size + 100);
    let first = learn(&mut sim, &mut two, &held, told);
    assert_eq!(first.1, size + 100);
    assert!(first.0 > change);
    let second = learn(&mut sim, &mut two, &held, told);
    assert!(second.0 > first.0, "it may have changed once more");
    // That the size differs is enough.
    let third = learn(&mut sim, &mut two, &held, (change, size + 5));
    assert_eq!(third.1, size + 5);
    assert!(third.0 > second.0);
    give_back(&mut sim, &mut one, &held).all_ok();
    let last = seen(&look(&mut sim, &mut two, &held.fh).all_ok());
    assert!(
        last.0 >= third.0,
        "the holder did not write, and it does not go back"
    );
    assert_eq!(last.1, size);
}

#[test]
fn an_attribute_that_the_holder_cannot_change_is_told_at_once() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let args = args::GetAttr {
        attr_request: Bitmap::of(&[num::MODE, num::FILEID]),
    };
    two.call(&mut sim, |c| {
        c.putfh(args::PutFh { object: &held.fh }).getattr(args)
    })
    .all_ok();
    assert!(sim.take_callbacks().is_empty());
}

#[test]
fn attributes_that_come_with_a_name_are_no_way_around() {
    let (mut sim, mut one, two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let (change, _) = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    let attrs = args::GetAttr { attr_request: MASK };
    let named = args::Lookup { objname: b"f" };
    let asks = two.request(&mut sim, 0, true, |c| {
        c.putrootfh().lookup(named).getattr(attrs)
    });
    asks.send(&mut sim, two.conn);
    sim.settle();
    let callback = called(&mut sim);
    sim.send(callback.conn, answer(&callback, &held, (change + 1, 123)));
    sim.settle();
    let reply = sim.take_reply(asks.xid()).expect("it is answered").all_ok();
    assert_eq!(seen(&reply).1, 123);
}

#[test]
fn a_retry_after_delay_finds_the_answer_of_the_holder() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let (change, _) = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    let xid = ask(&mut sim, &mut two, &held.fh);
    sim.sleep(Duration::from_millis(300));
    sim.settle();
    let reply = sim.take_reply(xid).expect("it is not kept waiting");
    assert_last(&reply, Op::GetAttr, Status::DELAY);
    let callback = called(&mut sim);
    let xid = ask(&mut sim, &mut two, &held.fh);
    sim.sleep(Duration::from_millis(300));
    sim.settle();
    let reply = sim.take_reply(xid).expect("nor the second time");
    assert_last(&reply, Op::GetAttr, Status::DELAY);
    assert!(sim.take_callbacks().is_empty(), "the holder is asked once");
    sim.send(callback.conn, answer(&callback, &held, (change + 1, 50)));
    sim.settle();
    sim.sleep(Duration::from_secs(1));
    let reply = look(&mut sim, &mut two, &held.fh).all_ok();
    assert_eq!(seen(&reply).1, 50);
    // The next one is told what is so then.
    assert_eq!(learn(&mut sim, &mut two, &held, (change + 1, 51)).1, 51);
}

#[test]
fn more_than_was_asked_for_is_no_harm() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let xid = ask(&mut sim, &mut two, &held.fh);
    let callback = called(&mut sim);
    // With an attribute of a later RFC, which has no length that could be known.
    let mask = MASK.with(84);
    sim.send(callback.conn, answer_with(&callback, &held, mask, &[0; 28]));
    sim.settle();
    sim.take_reply(xid).expect("it is answered").all_ok();
    assert_eq!(counts(&sim), (0, 1, 0));
}

#[test]
fn one_answer_of_the_holder_serves_several_waiting_requests() {
    let (mut sim, mut one, mut two) = two();
    let mut three = reachable(&mut sim, "three");
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let (change, _) = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    let first = ask(&mut sim, &mut two, &held.fh);
    let second = ask(&mut sim, &mut three, &held.fh);
    assert_eq!(sim.tables().held, 2);
    let callback = called(&mut sim);
    sim.send(callback.conn, answer(&callback, &held, (change + 1, 9)));
    sim.settle();
    for xid in [first, second] {
        let reply = sim.take_reply(xid).expect("it is answered").all_ok();
        assert_eq!(seen(&reply).1, 9);
    }
}

#[test]
fn a_holder_that_cannot_answer_a_getattr_is_recalled() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let xid = ask(&mut sim, &mut two, &held.fh);
    let callback = called(&mut sim);
    sim.send(callback.conn, callback.with(Status::BADHANDLE));
    sim.settle();
    let reply = sim.take_reply(xid).expect("it has not to wait");
    assert_last(&reply, Op::GetAttr, Status::DELAY);
    comes_back(&mut sim, &mut one, &held);
    look(&mut sim, &mut two, &held.fh).all_ok();
}

#[test]
fn while_it_goes_back_others_wait_for_that() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let args = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 1, b"f");
    let reply = open(&mut sim, &mut two, args);
    assert_last(&reply, Op::Open, Status::DELAY);
    let reply = look(&mut sim, &mut two, &held.fh);
    assert_last(&reply, Op::GetAttr, Status::DELAY);
    comes_back(&mut sim, &mut one, &held);
    look(&mut sim, &mut two, &held.fh).all_ok();
}

#[test]
fn an_ended_session_or_delegation_leaves_no_request_waiting() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let xid = ask(&mut sim, &mut two, &held.fh);
    give_back(&mut sim, &mut one, &held).all_ok();
    sim.settle();
    let reply = sim.take_reply(xid).expect("the file is free").all_ok();
    assert_eq!(seen(&reply).1, 7);
    sim.take_callbacks();

    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let xid = ask(&mut sim, &mut two, &held.fh);
    two.reboot();
    two.exchange_id(&mut sim).all_ok();
    two.create_session(&mut sim).all_ok();
    sim.sleep(Duration::from_millis(300));
    sim.settle();
    let reply = sim.take_reply(xid).expect("it is answered all the same");
    assert_last(&reply, Op::GetAttr, Status::DELAY);
    assert_eq!(sim.tables().held, 0);
    sim.assert_nothing_is_left();
}

#[test]
fn requests_of_one_peer_that_wait_for_a_holder_leave_room_for_others() {
    let (mut sim, mut one, _) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let conn = sim.connect_from("192.0.2.66");
    let mut put_off = 0;
    for number in 0..3 {
        let mut greedy = Client::on(conn, &format!("greedy {number}"));
        greedy.mount(&mut sim);
        for _ in 0..11 {
            for slot in 0..8 {
                let asks = greedy.request(&mut sim, slot, false, |c| {
                    request(&held.fh, MASK, c);
                    c
                });
                asks.send(&mut sim, conn);
                sim.settle();
                if let Some(reply) = sim.take_reply(asks.xid()) {
                    assert_last(&reply, Op::GetAttr, Status::DELAY);
                    put_off += 1;
                }
            }
            greedy.create_session(&mut sim).all_ok();
        }
    }
    // A third of 256.
    assert_eq!((sim.tables().held, put_off), (85, 3 * 11 * 8 - 85));
    let mut modest = Client::on(sim.connect_from("192.0.2.7"), "modest");
    modest.mount(&mut sim);
    let xid = ask(&mut sim, &mut modest, &held.fh);
    assert!(sim.take_reply(xid).is_none(), "it waits");
    let callback = called(&mut sim);
    let known = (1 << 40, 7);
    sim.jump(Duration::ZERO);
    sim.send(callback.conn, answer(&callback, &held, known));
    sim.settle();
    // They go on a few at once, and requests that come meanwhile are served between.
    assert_eq!((sim.tables().held, sim.tables().yielded), (0, 86 - 8));
    let mut steps = 0;
    while sim.tables().yielded > 0 {
        one.call(&mut sim, |c| c.putrootfh()).all_ok();
        sim.step_timers(1);
        steps += 1;
    }
    assert_eq!(steps, 86 - 8);
    sim.settle();
    sim.take_reply(xid).expect("it is answered").all_ok();
    sim.run_timers();
}

#[test]
fn a_length_that_no_file_can_have_reaches_no_client() {
    let (mut sim, mut one, mut two) = two();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let (change, size) = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    let xid = ask(&mut sim, &mut two, &held.fh);
    let callback = called(&mut sim);
    sim.send(
        callback.conn,
        answer(&callback, &held, (change + 1, u64::MAX)),
    );
    sim.settle();
    let reply = sim.take_reply(xid).expect("it is answered");
    assert_last(&reply, Op::GetAttr, Status::DELAY);
    // A holder with an impossible answer returns the delegation.
    comes_back(&mut sim, &mut one, &held);
    let told = seen(&look(&mut sim, &mut two, &held.fh).all_ok());
    assert_eq!(told, (change, size));
}
