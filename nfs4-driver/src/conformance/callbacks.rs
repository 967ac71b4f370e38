//! Calls of the server, on the connection of the client's own.

use std::time::Duration;

use nfs4_engine::Config;
use nfs4_engine::proto::client::{CbCallReader, CbReplyBuilder};
use nfs4_engine::proto::nfs4::any::{CbArgOp, CbResOp};
use nfs4_engine::proto::nfs4::attr::num;
use nfs4_engine::proto::nfs4::callback::args::CbSequence;
use nfs4_engine::proto::nfs4::callback::res;
use nfs4_engine::proto::nfs4::res::{OpenDelegation, Outcome};
use nfs4_engine::proto::nfs4::{Bitmap, ClientId, FattrRaw, Op, Owner, Stateid, Status, args};
use nfs4_engine::proto::rpc::reply::write_success;
use nfs4_engine::proto::rpc::write_mark;
use nfs4_engine::proto::xdr::Writer;

use super::Transport;
use super::client::{Client, last, next_xid, results, succeeded};
use super::files::{Answers, NAME, SIZE};
use super::scene::Scene;

/// A holder is called back, answers and returns its delegation, while its own calls wait for a file
/// system on the same connection.
pub fn a_recall_is_answered_while_calls_are_in_flight<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut holder = scene.mounted("holder");
    let mut other = scene.mounted("other");
    let (held, fh) = delegated(&scene, &mut holder);
    scene.files.answer(Answers::Held);
    // Slot 0 stays free for the return.
    let late: Vec<u32> = (1..5)
        .map(|slot| {
            let (xid, call) = holder.getattr(slot);
            holder.send(&call).expect("it is read");
            xid
        })
        .collect();
    scene.has_waiting(4);
    let refused = other.try_call(|call| call.putrootfh().open(open()));
    assert_eq!(last(&refused), (Op::Open, Status::DELAY));

    let callback = holder.called();
    let (xid, answer) = answer(&callback, held, &fh);
    // A stray reply is not taken for the answer, nor the answer for a call.
    holder
        .send(&stray_reply(xid.wrapping_add(99)))
        .expect("it is read");
    holder.send(&answer).expect("it is read");
    let object = args::PutFh { object: &fh };
    let back = args::DelegReturn {
        deleg_stateid: held,
    };
    holder.call(|call| call.putfh(object).delegreturn(back));
    let reply = other.call(|call| call.putrootfh().open(open()));
    assert!(delegation_of(&reply).is_none(), "the holder has it open");

    assert_eq!(scene.files.waiting(), 4, "they are in flight all the time");
    scene.files.release_all();
    for reply in holder.replies_to(&late).into_values() {
        succeeded(reply);
    }
    let stray = scene.node.metrics(|seen| seen.stray_callback_replies);
    assert_eq!(stray, Ok(1));
    drop((holder, other));
    scene.end();
}

/// A call that waits for a holder is answered on its own connection, by the thread that reads the
/// holder's answer; a reply to another call, on the holder's.
pub fn a_call_that_waits_for_a_holder_gets_its_reply<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut holder = scene.mounted("holder");
    let mut other = scene.mounted("other");
    let mut bystander = scene.mounted("bystander");
    let (_, fh) = delegated(&scene, &mut holder);
    for _ in 0..5 {
        let attr_request = Bitmap::of(&[num::CHANGE, num::SIZE]);
        let object = args::PutFh { object: &fh };
        let (xid, call) = other.request(0, |call| {
            call.putfh(object).getattr(args::GetAttr { attr_request })
        });
        other.send(&call).expect("it is read");
        let callback = holder.called();
        assert!(other.is_quiet(Duration::from_millis(5)), "it waits");
        let answer = tell(&callback, &fh);
        // The same read brings a call of the holder's own.
        let (own, call) = holder.getattr(1);
        let both = [answer, call].concat();
        holder.send(&both).expect("it is read");
        succeeded(other.reply_to(xid));
        succeeded(holder.reply_to(own));
        assert!(bystander.is_served());
    }
    drop((holder, other, bystander));
    scene.end();
}

/// A reply with the transaction id of no callback changes nothing, and the call behind it is answered.
pub fn a_reply_to_no_call_is_ignored<T: Transport>(transport: &T) {
    let scene = Scene::start(transport);
    let mut client = scene.mounted("stray");
    for _ in 0..3 {
        client.send(&stray_reply(next_xid())).expect("it is read");
        client.call(|call| call.putrootfh());
    }
    let stray = scene.node.metrics(|seen| seen.stray_callback_replies);
    assert_eq!(stray, Ok(3));
    client.unmount();
    drop(client);
    scene.end();
}

/// A client that reconnects while a call is in flight, as Linux does, ends its half of the old
/// connection: a recall goes by the new one.
pub fn a_recall_does_not_go_by_a_half_closed_connection<T: Transport>(transport: &T) {
    reconnects(transport, false);
}

/// The same if the recall was sent before the client ended its half.
pub fn a_recall_under_way_leaves_a_half_closed_connection<T: Transport>(transport: &T) {
    reconnects(transport, true);
}

fn reconnects<T: Transport>(transport: &T, under_way: bool) {
    let scene = Scene::start(transport);
    let mut old = scene.mounted("holder");
    let mut other = scene.mounted("other");
    let (held, fh) = delegated(&scene, &mut old);
    let mut new = scene.connect();
    new.bind(old.session().clone());
    scene.files.answer(Answers::Held);
    // The connection that was used last is the first to carry a callback.
    let (late, call) = old.getattr(5);
    old.send(&call).expect("it is read");
    scene.has_waiting(1);
    let conflict = |other: &mut Client<'_, T>| {
        let refused = other.try_call(|call| call.putrootfh().open(open()));
        assert_eq!(last(&refused), (Op::Open, Status::DELAY));
    };
    if under_way {
        conflict(&mut other);
        old.called();
    }
    old.end_writes();
    if !under_way {
        scene.wait_for("the end of a half", |scene| {
            let view = scene.node.sessions_of(old.session().client.0);
            let view = view.expect("the engine lives").expect("a client");
            view[0].connection_summary.both == 1
        });
        conflict(&mut other);
    }
    let (_, answer) = answer(&new.called(), held, &fh);
    new.send(&answer).expect("it is read");
    let object = args::PutFh { object: &fh };
    let back = args::DelegReturn {
        deleg_stateid: held,
    };
    new.call(|call| call.putfh(object).delegreturn(back));
    scene.files.release_all();
    succeeded(old.reply_to(late));
    assert!(old.is_closed(), "all is answered");
    drop((old, new, other));
    scene.end();
}

/// Opens the file until it is delegated to the client for writing; returns the delegation and the
/// filehandle.
fn delegated<T: Transport>(scene: &Scene<'_, T>, holder: &mut Client<'_, T>) -> (Stateid, Vec<u8>) {
    // A delegation is granted once the server knows that it can call the client.
    loop {
        let (delegation, fh) = open_file(holder);
        if let Some(stateid) = delegation {
            return (stateid, fh);
        }
        scene.clock.jump(Config::default().delegation_pause);
    }
}

/// Opens the file; returns its delegation, if there is one, and its filehandle.
fn open_file<T: Transport>(client: &mut Client<'_, T>) -> (Option<Stateid>, Vec<u8>) {
    let reply = client.call(|call| call.putrootfh().open(open()).getfh());
    let mut results = results(&reply);
    for _ in 0..3 {
        results.next_result().expect("a result");
    }
    let fh = results.getfh().expect("a filehandle").object.to_vec();
    (delegation_of(&reply), fh)
}

/// The delegation that came with an OPEN.
fn delegation_of(reply: &[u8]) -> Option<Stateid> {
    let mut results = results(reply);
    results.sequence().expect("in its session");
    results.putrootfh().expect("a root");
    match results.open().expect("an open").delegation {
        OpenDelegation::None | OpenDelegation::NoneExt(_) => None,
        OpenDelegation::Read(read) => Some(read.stateid),
        OpenDelegation::Write(write) => Some(write.stateid),
    }
}

/// The transaction id of a CB_RECALL of this delegation, and the answer that agrees.
fn answer(callback: &[u8], stateid: Stateid, fh: &[u8]) -> (u32, Vec<u8>) {
    let mut reader = CbCallReader::parse(callback).expect("a callback");
    let xid = reader.rpc().xid;
    let Ok(Some(CbArgOp::Sequence(sequence))) = reader.next_op() else {
        panic!("a callback begins with CB_SEQUENCE");
    };
    let Ok(Some(CbArgOp::Recall(recall))) = reader.next_op() else {
        panic!("the delegation is recalled");
    };
    assert_eq!((recall.stateid, recall.fh), (stateid, fh));
    let reply = CbReplyBuilder::reply(xid, b"")
        .result(&CbResOp::Sequence(Outcome::Ok(sequence_ok(&sequence))))
        .result(&CbResOp::Recall(Outcome::Ok(())))
        .finish();
    (xid, reply)
}

/// The answer to a CB_GETATTR of this file: it is as it was.
fn tell(callback: &[u8], fh: &[u8]) -> Vec<u8> {
    let mut reader = CbCallReader::parse(callback).expect("a callback");
    let mut reply = CbReplyBuilder::reply(reader.rpc().xid, b"");
    let Ok(Some(CbArgOp::Sequence(sequence))) = reader.next_op() else {
        panic!("a callback begins with CB_SEQUENCE");
    };
    let Ok(Some(CbArgOp::GetAttr(wanted))) = reader.next_op() else {
        panic!("the holder is asked for attributes");
    };
    assert_eq!(wanted.fh, fh);
    let values = [1, SIZE as u64].map(u64::to_be_bytes).concat();
    let obj_attributes = FattrRaw {
        mask: Bitmap::of(&[num::CHANGE, num::SIZE]),
        values: &values,
    };
    let ok = res::CbGetAttrOk { obj_attributes };
    reply
        .result(&CbResOp::Sequence(Outcome::Ok(sequence_ok(&sequence))))
        .result(&CbResOp::GetAttr(Outcome::Ok(ok)))
        .finish()
}

fn sequence_ok(sequence: &CbSequence<'_>) -> res::CbSequenceOk {
    res::CbSequenceOk {
        sessionid: sequence.sessionid,
        sequenceid: sequence.sequenceid,
        slotid: sequence.slotid,
        highest_slotid: sequence.highest_slotid,
        target_highest_slotid: sequence.highest_slotid,
    }
}

fn stray_reply(xid: u32) -> Vec<u8> {
    let mut reply = Writer::new();
    write_success(&mut reply, xid);
    [&write_mark(reply.len())[..], reply.as_slice()].concat()
}

/// OPEN of the file for reading and writing.
fn open() -> args::Open<'static> {
    args::Open {
        seqid: 0,
        share_access: 3,
        share_deny: 0,
        owner: Owner {
            clientid: ClientId(0),
            owner: b"opener",
        },
        openhow: args::OpenFlag::Create(args::CreateHow::Unchecked(FattrRaw::EMPTY)),
        claim: args::OpenClaim::Null(NAME),
    }
}
