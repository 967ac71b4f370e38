//! The server reports one size with one change attribute of a file that its holder has changed, by
//! whatever operation a client asks. [RFC 8881 §10.4.3]

use std::time::Duration;

use nfs4_proto::nfs4::attr::{AttrReader, num};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Verifier};
use nfs4_tests::sim::Pace;

use super::probe::{MASK, Seen, answer, ask, learn, look, seen};
use super::*;

/// What a listing says of the file "f", asked for with these attributes.
#[track_caller]
fn listed(sim: &mut Sim, client: &mut Client, mask: Bitmap) -> Vec<u64> {
    let args = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 4096,
        maxcount: 4096,
        attr_request: mask,
    };
    let reply = client.call(sim, |c| c.putrootfh().readdir(args)).all_ok();
    let entries = ok!(reply, ReadDir).entries;
    let entry = entries.iter().find(|entry| entry.name == b"f");
    numbers(&entry.expect("it is there").attrs)
}

/// The change attribute and the length out of attributes, as far as they are there.
fn numbers(attrs: &FattrRaw<'_>) -> Vec<u64> {
    let mut values = AttrReader::new(attrs);
    let mut found = Vec::new();
    while let Some(number) = values.next_number() {
        match number {
            num::SUPPORTED_ATTRS => {
                values.value::<Bitmap>().expect("a bitmap");
            }
            num::TYPE | num::FH_EXPIRE_TYPE => {
                values.value::<u32>().expect("a number");
            }
            num::CHANGE | num::SIZE => found.push(values.value::<u64>().expect("a number")),
            _ => break,
        }
    }
    found
}

fn verify(sim: &mut Sim, client: &mut Client, fh: &[u8], told: Seen, same: bool) -> u32 {
    let values = [told.0.to_be_bytes(), told.1.to_be_bytes()].concat();
    let obj_attributes = FattrRaw {
        mask: MASK,
        values: &values,
    };
    let asks = client.request(sim, 0, true, |c| {
        let c = c.putfh(args::PutFh { object: fh });
        if same {
            c.verify(args::Verify { obj_attributes })
        } else {
            c.nverify(args::NVerify { obj_attributes })
        }
    });
    asks.send(sim, client.conn);
    client.advance(0);
    sim.settle();
    asks.xid()
}

#[test]
fn a_listing_shows_the_last_answer_of_the_holder_without_a_callback() {
    let (mut sim, mut one, mut two) = two();
    make(&mut sim, &mut one, b"g");
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let before = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    let pair = |(change, size): Seen| vec![change, size];
    assert_eq!(listed(&mut sim, &mut two, MASK), pair(before));
    let told = learn(&mut sim, &mut two, &held, (before.0 + 1, 100));
    assert_eq!(told.1, 100);
    let all = Bitmap::of(&[
        num::SUPPORTED_ATTRS,
        num::TYPE,
        num::FH_EXPIRE_TYPE,
        num::CHANGE,
        num::SIZE,
        num::MODE,
    ]);
    for mask in [MASK, all] {
        assert_eq!(listed(&mut sim, &mut two, mask), pair(told));
    }
    for (number, value) in [(num::CHANGE, told.0), (num::SIZE, told.1)] {
        let mask = Bitmap::of(&[num::TYPE, number, num::MODE]);
        assert_eq!(listed(&mut sim, &mut two, mask), [value]);
    }
    assert!(sim.take_callbacks().is_empty(), "nobody is asked");
    // What the holder writes is seen by itself.
    let write = args::Write {
        stateid: held.delegation,
        offset: 0,
        stable: nfs4_proto::nfs4::basic::StableHow::FileSync,
        data: b"0123456789",
    };
    let put = args::PutFh { object: &held.fh };
    one.call(&mut sim, |c| c.putfh(put).write(write)).all_ok();
    let written = listed(&mut sim, &mut two, MASK);
    assert_eq!(written[1], 10);
    assert!(written[0] > told.0);
}

#[test]
fn a_reported_change_attribute_has_no_other_size_when_the_delegation_ends() {
    #[derive(Clone, Copy, Debug)]
    enum End {
        Returned,
        Revoked,
        Evicted,
    }
    for end in [End::Returned, End::Revoked, End::Evicted] {
        let (mut sim, mut one, mut two) = two();
        let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
        let before = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
        let told = learn(&mut sim, &mut two, &held, (before.0 + 1, 100));
        match end {
            End::Returned => {
                give_back(&mut sim, &mut one, &held).all_ok();
            }
            End::Revoked => {
                let quiet = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 1, b"f");
                let reply = open(&mut sim, &mut two, quiet);
                assert_last(&reply, Op::Open, Status::DELAY);
                let lease = sim.settings().lease;
                for _ in 0..4 {
                    sim.sleep(lease / 3);
                    one.call(&mut sim, |c| c).all_ok();
                    two.call(&mut sim, |c| c).all_ok();
                }
            }
            End::Evicted => {
                let client = one.id.0;
                sim.admin(nfs4_engine::Admin::EvictClient { client });
            }
        }
        assert_eq!(sim.tables().write_delegations, 0, "{end:?}");
        let after = seen(&look(&mut sim, &mut two, &held.fh).all_ok());
        assert_eq!(after.1, 7, "{end:?}: the holder has not written");
        assert!(after.0 > told.0, "{end:?}: it is not what was told");
        let list = listed(&mut sim, &mut two, MASK);
        assert_eq!(list, [after.0, after.1], "{end:?}");
    }
}

#[test]
fn verify_and_nverify_ask_the_holder() {
    for same in [true, false] {
        let (mut sim, mut one, mut two) = two();
        let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
        let before = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
        // Of what the file system has, and of what the holder has made of it.
        for (guess, size, right) in [(before, 7, true), (before, 100, false)] {
            sim.sleep(Duration::from_millis(1));
            let xid = verify(&mut sim, &mut two, &held.fh, guess, same);
            assert!(sim.take_reply(xid).is_none(), "it waits");
            let callback = called(&mut sim);
            let change = before.0 + u64::from(!right);
            sim.send(callback.conn, answer(&callback, &held, (change, size)));
            sim.settle();
            let reply = sim.take_reply(xid).expect("it is answered");
            let expected = match (same, right) {
                (true, true) | (false, false) => Status::OK,
                (true, false) => Status::NOT_SAME,
                (false, true) => Status::SAME,
            };
            assert_eq!(reply.status(), expected);
        }
        // Its own holder is not asked.
        let xid = verify(&mut sim, &mut one, &held.fh, before, same);
        assert!(sim.take_callbacks().is_empty());
        sim.take_reply(xid).expect("it is answered");
        // No holder is asked for an attribute that only the server knows.
        let mode = Fattr::mode(0o666);
        let args = args::Verify {
            obj_attributes: mode.raw(),
        };
        let put = args::PutFh { object: &held.fh };
        two.call(&mut sim, |c| c.putfh(put).verify(args)).all_ok();
        assert!(sim.take_callbacks().is_empty());
    }
}

#[test]
fn attributes_read_while_the_holders_answer_is_stored_are_not_reported() {
    let (mut sim, mut one, mut two) = two();
    let mut three = reachable(&mut sim, "three");
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    let before = seen(&look(&mut sim, &mut one, &held.fh).all_ok());
    sim.set_pace(Pace::Held);
    let xid = ask(&mut sim, &mut two, &held.fh);
    // It may know them.
    sim.answer(0);
    sim.settle();
    let callback = called(&mut sim);
    let says = (before.0 + 1, 100);
    sim.send(callback.conn, answer(&callback, &held, says));
    sim.settle();
    // Its attributes, and then the first of two notes.
    sim.answer(0);
    sim.answer(0);
    sim.set_pace(Pace::Delayed);
    let args = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 4096,
        maxcount: 4096,
        attr_request: MASK,
    };
    let reply = three.call(&mut sim, |c| c.putrootfh().readdir(args));
    assert_last(&reply, Op::ReadDir, Status::DELAY);
    sim.complete_all();
    let told = seen(&sim.take_reply(xid).expect("it is answered").all_ok());
    assert_eq!(told.1, 100);
    assert_eq!(listed(&mut sim, &mut three, MASK), [told.0, told.1]);
}
