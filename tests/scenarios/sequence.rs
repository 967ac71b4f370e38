//! The slot table: exactly-once execution. [RFC 8881 §2.10.6, §18.46]

mod mounted;
mod sizes;

use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, OpNum, Status};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Pace, Reply, Request, Sim};

use mounted::{assert_not_poisoned, assert_refused, assert_replayed, measured, mounted};

const ATTRS: args::GetAttr = args::GetAttr {
    attr_request: Bitmap::of(&[num::TYPE, num::CHANGE, num::SIZE, num::FILEID]),
};

/// A directory in the root.
fn mkdir<'a>(c: &'a mut CompoundBuilder, name: &[u8]) -> &'a mut CompoundBuilder {
    c.putrootfh().create(args::Create {
        objtype: args::CreateType::Directory,
        objname: name,
        createattrs: FattrRaw::EMPTY,
    })
}

#[test]
fn sequence_repeats_what_it_was_asked_and_tells_of_the_slots() {
    let (mut sim, client) = mounted();
    let request = client.request(&mut sim, 5, false, |c| c);
    let reply = request.exchange(&mut sim, client.conn).all_ok();
    let ok = ok!(reply, Sequence);
    assert_eq!(ok.sessionid, client.session);
    assert_eq!((ok.slotid, ok.sequenceid), (5, 1));
    assert_eq!(ok.highest_slotid as usize, client.slots.len() - 1);
    assert_eq!(ok.target_highest_slotid, ok.highest_slotid);
    assert_eq!(ok.status_flags, 0);
}

#[test]
fn a_slot_that_was_not_granted_is_bad() {
    let (mut sim, mut client) = mounted();
    for slot in [8, 9, u32::MAX] {
        let request = client.request(&mut sim, slot, true, |c| c);
        assert_refused(&request.exchange(&mut sim, client.conn), Status::BADSLOT);
    }
    assert_not_poisoned(&mut sim, &mut client);
}

#[test]
fn a_seqid_that_is_neither_the_last_nor_the_next_is_misordered() {
    let (mut sim, mut client) = mounted();
    // Slot 3 was never used: seqid 0 is not a retry of anything.
    for (slot, seqid) in [(3, 0), (3, 2), (3, u32::MAX), (0, 0), (0, 3), (0, u32::MAX)] {
        let mut wrong = client.clone();
        wrong.slots[slot as usize] = seqid;
        let request = wrong.request(&mut sim, slot, true, |c| c);
        let reply = request.exchange(&mut sim, client.conn);
        assert_refused(&reply, Status::SEQ_MISORDERED);
    }
    assert_not_poisoned(&mut sim, &mut client);
}

#[test]
fn a_retry_in_flight_is_told_to_wait_and_then_replayed() {
    let (mut sim, mut client) = mounted();
    sim.set_pace(Pace::Held);
    let request = client.request(&mut sim, 0, true, |c| mkdir(c, b"d"));
    request.send(&mut sim, client.conn);
    sim.run();
    assert_eq!(sim.held().len(), 1);
    let conn = sim.connect();
    let early = request.again(&mut sim).exchange(&mut sim, conn);
    assert_refused(&early, Status::DELAY);
    // The next seqid is not for now either.
    client.advance(0);
    let next = client.request(&mut sim, 0, true, |c| c);
    let reply = next.exchange(&mut sim, conn);
    assert_refused(&reply, Status::SEQ_MISORDERED);

    sim.complete(0);
    let first = sim.take_reply(request.xid()).expect("it is done").all_ok();
    let late = request.again(&mut sim).exchange(&mut sim, conn);
    assert_eq!(late.body(), first.body());
    assert_eq!(
        late.conn, conn,
        "the answer goes where the question came from"
    );
    assert_eq!(sim.fs().creations(b"d"), 1);
    next.exchange(&mut sim, conn).all_ok();
}

#[test]
fn a_cached_reply_is_replayed_and_nothing_is_executed_again() {
    let (mut sim, mut client) = mounted();
    let request = client.request(&mut sim, 0, true, |c| mkdir(c, b"d").getattr(ATTRS));
    let first = request.exchange(&mut sim, client.conn).all_ok();
    let before = sim.fs().tally();
    sim.kill(client.conn);
    client.conn = sim.connect();
    for _ in 0..3 {
        let again = request.again(&mut sim);
        let reply = again.exchange(&mut sim, client.conn);
        assert_eq!(reply.xid(), again.xid());
        assert_eq!(reply.body(), first.body());
    }
    assert_eq!(sim.fs().tally(), before);
    client.advance(0);
    assert_not_poisoned(&mut sim, &mut client);
}

#[test]
fn an_error_is_replayed_like_a_success() {
    let (mut sim, client) = mounted();
    let lookup = args::Lookup { objname: b"none" };
    let request = client.request(&mut sim, 0, true, |c| c.putrootfh().lookup(lookup));
    let first = request.exchange(&mut sim, client.conn);
    assert_eq!(first.last(), (Op::Lookup, Status::NOENT));
    assert_replayed(&mut sim, &client, &request, &first);
    assert_eq!(sim.fs().requests("Lookup"), 1);
}

#[test]
fn a_large_reply_is_replayed_whole() {
    let (mut sim, mut client) = mounted();
    let target = vec![b'x'; 1020];
    for at in 0..7 {
        let name = format!("link{at}");
        let link = args::Create {
            objtype: args::CreateType::Symlink(&target),
            objname: name.as_bytes(),
            createattrs: FattrRaw::EMPTY,
        };
        client
            .call(&mut sim, |c| c.putrootfh().create(link))
            .all_ok();
    }
    let request = client.request(&mut sim, 0, true, |c| {
        for name in [b"link0", b"link1", b"link2", b"link3", b"link4", b"link5"] {
            c.putrootfh().lookup(args::Lookup { objname: name });
        }
        c.readlink()
    });
    let first = request.exchange(&mut sim, client.conn).all_ok();
    assert!(first.len() > 1020);
    assert_replayed(&mut sim, &client, &request, &first);
}

#[test]
fn the_retry_of_an_uncached_request_fails_at_its_second_operation() {
    let (mut sim, mut client) = mounted();
    let request = client.request(&mut sim, 0, false, |c| mkdir(c, b"d"));
    request.exchange(&mut sim, client.conn).all_ok();
    for _ in 0..2 {
        let reply = request.again(&mut sim).exchange(&mut sim, client.conn);
        let expected = [
            (Op::Sequence, Status::OK),
            (Op::PutRootFh, Status::RETRY_UNCACHED_REP),
        ];
        assert_eq!(reply.statuses(), expected);
        assert_eq!(reply.status(), Status::RETRY_UNCACHED_REP);
    }
    assert_eq!(sim.fs().creations(b"d"), 1);
    client.advance(0);
    assert_not_poisoned(&mut sim, &mut client);
}

#[test]
fn what_an_uncached_request_never_executed_fails_again_as_the_first_time() {
    let (mut sim, mut client) = mounted();
    let refused = [
        (OpNum(77), &[][..]),
        (Op::Renew.number(), &[0; 8]),
        (Op::PutFh.number(), &[0, 0, 0, 9, 1]),
    ];
    for (op, args) in refused {
        let request = client.request(&mut sim, 0, false, |c| c.raw(op, args));
        let first = request.exchange(&mut sim, client.conn);
        assert_eq!(first.statuses().len(), 2);
        let again = request.again(&mut sim).exchange(&mut sim, client.conn);
        assert_eq!(again.statuses(), first.statuses(), "{op}");
        client.advance(0);
    }
}

#[test]
fn a_lone_sequence_is_always_replayed() {
    let (mut sim, client) = mounted();
    let request = client.request(&mut sim, 0, false, |c| c);
    let first = request.exchange(&mut sim, client.conn).all_ok();
    assert_replayed(&mut sim, &client, &request, &first);
}

#[test]
fn another_request_under_the_same_seqid_is_a_false_retry() {
    let (mut sim, mut client) = mounted();
    let request = client.request(&mut sim, 0, true, |c| mkdir(c, b"d"));
    let first = request.exchange(&mut sim, client.conn).all_ok();
    let mut other = client.clone();
    other.uid = 2000;
    let false_retries: [Request; 3] = [
        client.request(&mut sim, 0, true, |c| mkdir(c, b"e")),
        client.request(&mut sim, 0, true, |c| mkdir(c, b"d").getfh()),
        other.request(&mut sim, 0, true, |c| mkdir(c, b"d")),
    ];
    for retry in false_retries {
        let reply = retry.exchange(&mut sim, client.conn);
        assert_refused(&reply, Status::SEQ_FALSE_RETRY);
    }
    assert_eq!(sim.fs().creations(b"e"), 0);
    // The true one is still answered.
    assert_replayed(&mut sim, &client, &request, &first);
    client.advance(0);
    assert_not_poisoned(&mut sim, &mut client);
}

#[test]
fn a_retry_under_another_stamp_is_the_same_request() {
    let (mut sim, client) = mounted();
    let sequence = client.sequence(0, true);
    let sent = |sim: &mut Sim, stamp| {
        let cred = CallCredential::Sys(AuthSys {
            stamp,
            machinename: b"model",
            uid: 1000,
            gid: 1000,
            gids: List::empty(),
        });
        let mut builder = CompoundBuilder::call(sim.xid(), &cred, b"", 1);
        let record = mkdir(builder.sequence(sequence), b"d").finish();
        sim.exchange(client.conn, record).all_ok()
    };
    let first = sent(&mut sim, 1);
    assert_eq!(sent(&mut sim, 2).body(), first.body());
    assert_eq!(sim.fs().creations(b"d"), 1);
}

#[test]
fn a_request_whose_connection_died_is_answered_on_another() {
    let (mut sim, mut client) = mounted();
    sim.set_pace(Pace::Held);
    let request = client.request(&mut sim, 0, true, |c| mkdir(c, b"d"));
    request.send(&mut sim, client.conn);
    sim.run();
    sim.kill(client.conn);
    sim.run();
    assert_eq!(sim.tables().connections, 0);
    assert_eq!(sim.tables().sessions, 1, "a lost connection costs no state");
    sim.complete(0);
    assert_eq!(sim.take_replies(), [], "no connection takes the reply");
    client.conn = sim.connect();
    let reply = request
        .again(&mut sim)
        .exchange(&mut sim, client.conn)
        .all_ok();
    assert_eq!(reply.conn, client.conn);
    assert_eq!(sim.fs().creations(b"d"), 1);
}

#[test]
fn slots_run_side_by_side_and_end_in_any_order() {
    let (mut sim, client) = mounted();
    sim.set_pace(Pace::Held);
    let requests: Vec<Request> = (0..4_u8)
        .map(|slot| client.request(&mut sim, slot.into(), true, |c| mkdir(c, &[b'a' + slot])))
        .collect();
    for request in &requests {
        request.send(&mut sim, client.conn);
    }
    sim.run();
    assert_eq!(sim.held().len(), 4);
    assert_eq!(sim.tables().parked, 4);
    for index in [2, 0, 1, 0] {
        sim.complete(index);
    }
    let order: Vec<u32> = sim.take_replies().iter().map(Reply::xid).collect();
    let sent: Vec<u32> = requests.iter().map(Request::xid).collect();
    assert_eq!(order, [sent[2], sent[0], sent[3], sent[1]]);
    sim.assert_nothing_is_left();
}

#[test]
fn the_reply_cache_is_counted_and_given_back() {
    let (mut sim, client) = mounted();
    let before = sim.tables().cached_bytes;
    let request = client.request(&mut sim, 3, true, |c| c.putrootfh().getfh());
    let reply = request.exchange(&mut sim, client.conn).all_ok();
    // The RPC header is not kept.
    assert_eq!(sim.tables().cached_bytes - before, reply.len() - 24);
    sim.assert_nothing_is_left();
}

#[test]
fn a_sequence_alone_is_repeated_by_its_slot_and_takes_no_memory() {
    let (mut sim, client) = mounted();
    let before = sim.tables().cached_bytes;
    // Slot 0 has kept something before, slot 5 has not.
    for slot in [0, 5] {
        let sequence = client.sequence(slot, false);
        let tag = [b't'; 400];
        let ask = |sim: &mut Sim| {
            let record = client.record(sim.xid(), &tag, |c| c.sequence(sequence));
            sim.exchange(client.conn, record).all_ok()
        };
        let first = ask(&mut sim);
        let again = ask(&mut sim);
        assert_eq!(again.body(), first.body(), "slot {slot}");
        assert_ne!(again.xid(), first.xid());
    }
    assert!(sim.tables().cached_bytes <= before);
    sim.assert_nothing_is_left();
}

#[test]
fn a_session_id_does_not_reveal_another_session_id() {
    let mut sim = Sim::new();
    let mut clients = ["a", "b"].map(|name| Client::mounted(&mut sim, name));
    let [mine, other] = [0, 1].map(|at: usize| clients[at].session.0);
    assert_ne!(mine[12..], other[12..], "the last word is a secret");
    // Everything but that can be told from one's own.
    clients[0].session.0 = other;
    clients[0].session.0[12..].copy_from_slice(&mine[12..]);
    let refused = clients[0].call(&mut sim, |c| c.putrootfh());
    assert!(refused.is_only(Op::Sequence, Status::BADSESSION));
    clients[1].call(&mut sim, |c| c.putrootfh()).all_ok();
}
