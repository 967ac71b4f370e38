//! Several callbacks at once: each has a slot of its own, and the queue has an end.
//! [RFC 8881 §2.10.6.1]
//!
//! What makes the server call is CB_NOTIFY_LOCK: many owners of one client wait to read what
//! another client has locked, and hear of it together when it is free.

use nfs4_proto::client::CbReplyBuilder;
use nfs4_proto::nfs4::any::CbResOp;
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::callback::res::CbSequenceOk;
use nfs4_proto::nfs4::res::Outcome;

use super::*;
use crate::holder::{Holder, owner, stateid};

const BYTES: (u64, u64) = (0, 10);

/// A client of which so many owners wait, on one file after the other of at most 64 each; its
/// session has so many slots for callbacks.
struct Crowd {
    client: Client,
    writers: Vec<(Holder, Stateid)>,
}

impl Crowd {
    fn new(sim: &mut Sim, slots: u32, waiting: usize) -> Crowd {
        let mut client = Client::stranger(sim, "crowd");
        client.exchange_id(sim).all_ok();
        let mut args = client.session_args();
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
        args.back_chan_attrs.maxrequests = slots;
        client.create_session_with(sim, args).all_ok();
        let done = args::ReclaimComplete { one_fs: false };
        client.call(sim, |c| c.reclaim_complete(done)).all_ok();
        let mut crowd = Crowd {
            client,
            writers: Vec::new(),
        };
        for file in 0..waiting.div_ceil(LINE) {
            crowd.gather(sim, file, LINE.min(waiting - file * LINE));
        }
        crowd
    }

    /// So many owners wait for what a writer has locked of a file.
    fn gather(&mut self, sim: &mut Sim, file: usize, waiting: usize) {
        let name = format!("file {file}");
        let writer = Client::mounted(sim, &format!("writer {file}"));
        let mut writer = Holder::of(sim, writer, name.as_bytes(), 3);
        let locked = stateid(writer.lock(sim, b"w", LockType::Write, BYTES));
        let mut crowd = Holder::of(sim, self.client.clone(), name.as_bytes(), 3);
        for number in 0..waiting {
            let reader = format!("reader {number}");
            let reply = crowd.lock(sim, reader.as_bytes(), LockType::ReadWait, BYTES);
            assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
        }
        self.client = crowd.client;
        self.writers.push((writer, locked));
    }

    /// All hear that they can have what they wait for; what has come of the calls.
    fn hear(&mut self, sim: &mut Sim) -> Vec<Callback> {
        for (writer, locked) in &mut self.writers {
            writer.unlock(sim, *locked, BYTES).all_ok();
        }
        sim.settle();
        sim.take_callbacks()
    }
}

/// Slots and seqids.
fn places(callbacks: &[Callback]) -> Vec<(u32, u32)> {
    let sequences = callbacks.iter().map(Callback::sequence);
    sequences
        .map(|found| (found.slotid, found.sequenceid))
        .collect()
}

#[test]
fn callbacks_under_way_have_slots_of_their_own_and_are_answered_in_any_order() {
    let mut sim = Sim::new();
    let mut crowd = Crowd::new(&mut sim, 8, 3);
    let callbacks = crowd.hear(&mut sim);
    assert_eq!(places(&callbacks), [(0, 1), (1, 1), (2, 1)]);
    let highest: Vec<u32> = callbacks
        .iter()
        .map(|c| c.sequence().highest_slotid)
        .collect();
    assert_eq!(highest, [0, 1, 2]);
    let told: Vec<_> = callbacks.iter().map(|callback| callback.ops()[1]).collect();
    for (number, op) in told.iter().enumerate() {
        let CbArgOp::NotifyLock(notify) = op else {
            panic!("{op:?}");
        };
        let name = format!("reader {number}");
        assert_eq!(notify.lock_owner.owner, owner(name.as_bytes()).owner);
    }
    for callback in callbacks.iter().rev() {
        answer(&mut sim, callback, callback.ok());
    }
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    crowd.gather(&mut sim, 9, 2);
    crowd.writers.remove(0);
    assert_eq!(places(&crowd.hear(&mut sim)), [(0, 2), (1, 2)]);
}

#[test]
fn a_slow_callback_reply_delays_no_other_callback() {
    let mut sim = Sim::new();
    let mut crowd = Crowd::new(&mut sim, 2, 5);
    let mut callbacks = crowd.hear(&mut sim);
    assert_eq!(places(&callbacks), [(0, 1), (1, 1)]);
    for seqid in 2..=4 {
        let fast = callbacks.pop().unwrap();
        answer(&mut sim, &fast, fast.ok());
        let next = only(&mut sim);
        assert_eq!(places(std::slice::from_ref(&next)), [(1, seqid)]);
        callbacks.push(next);
    }
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (2, 2));
}

#[test]
fn a_full_queue_refuses_at_once() {
    let mut sim = Sim::new();
    let mut crowd = Crowd::new(&mut sim, 1, 70);
    let callbacks = crowd.hear(&mut sim);
    assert_eq!(places(&callbacks), [(0, 1)]);
    assert_eq!(
        sim.tables().callbacks,
        1 + 64,
        "one under way, and the queue"
    );
    assert_eq!(sim.metrics().callback_failures(), 5);
    let mut next = callbacks[0].clone();
    for seqid in 2..=65 {
        answer(&mut sim, &next, next.ok());
        next = only(&mut sim);
        assert_eq!(next.sequence().sequenceid, seqid);
    }
    answer(&mut sim, &next, next.ok());
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    assert_eq!(sim.metrics().callbacks(), 65);
}

#[test]
fn when_no_slot_is_left_that_can_be_used_the_channel_is_faulty_until_an_answer_comes() {
    let mut sim = Sim::new();
    let mut crowd = Crowd::new(&mut sim, 1, 1);
    let conns = [(); 2].map(|()| bind_new(&mut sim, &crowd.client));
    let callback = crowd.hear(&mut sim).remove(0);
    for pause in [15, 20, 10] {
        assert_eq!(
            flags(&mut sim, &mut crowd.client) & SEQ4_STATUS_BACKCHANNEL_FAULT,
            0
        );
        wait(&mut sim, pause * SECOND);
    }
    sim.take_callbacks();
    assert_eq!(sim.tables().callbacks, 0);
    bind(
        &mut sim,
        &crowd.client,
        conns[0],
        ChannelDirFromClient::BackOrBoth,
    );
    assert_eq!(
        flags(&mut sim, &mut crowd.client),
        SEQ4_STATUS_BACKCHANNEL_FAULT
    );
    answer(&mut sim, &callback, callback.ok());
    assert_eq!(flags(&mut sim, &mut crowd.client), 0);
}

#[test]
fn a_slot_that_the_client_does_not_have_gives_its_callback_back() {
    let mut sim = Sim::new();
    let mut crowd = Crowd::new(&mut sim, 8, 2);
    let callbacks = crowd.hear(&mut sim);
    assert_eq!(places(&callbacks), [(0, 1), (1, 1)]);
    answer(
        &mut sim,
        &callbacks[1],
        callbacks[1].refused(Status::BADSLOT),
    );
    assert_eq!(sim.take_callbacks(), [], "slot 0 is taken");
    answer(&mut sim, &callbacks[0], callbacks[0].ok());
    let again = only(&mut sim);
    assert_eq!(places(std::slice::from_ref(&again)), [(0, 2)]);
    assert_eq!(again.ops()[1], callbacks[1].ops()[1]);
    answer(&mut sim, &again, again.ok());
    assert_eq!(flags(&mut sim, &mut crowd.client), 0);
}

#[test]
fn no_more_slots_are_used_than_the_client_wants() {
    let mut sim = Sim::new();
    let mut crowd = Crowd::new(&mut sim, 8, 4);
    let callbacks = crowd.hear(&mut sim);
    assert_eq!(callbacks.len(), 4);
    for callback in &callbacks {
        let sequence = callback.sequence();
        let ok = CbSequenceOk {
            sessionid: sequence.sessionid,
            sequenceid: sequence.sequenceid,
            slotid: sequence.slotid,
            highest_slotid: 7,
            target_highest_slotid: 1,
        };
        let reply = CbReplyBuilder::reply(callback.xid(), b"")
            .result(&CbResOp::Sequence(Outcome::Ok(ok)))
            .raw(callback.ops()[1].op().number(), Status::OK, &[])
            .finish();
        answer(&mut sim, callback, reply);
    }
    crowd.writers.clear();
    crowd.gather(&mut sim, 9, 4);
    let fewer = crowd.hear(&mut sim);
    assert_eq!(places(&fewer), [(0, 2), (1, 2)]);
    // The answer of a client that wants as many as it has again.
    answer(&mut sim, &fewer[0], fewer[0].ok());
    assert_eq!(places(&sim.take_callbacks()), [(0, 3), (2, 2)]);
}

#[test]
fn what_was_never_sent_goes_by_another_session_when_its_own_has_no_connection() {
    let mut sim = Sim::new();
    let mut crowd = Crowd::new(&mut sim, 1, 3);
    let mut other = crowd.client.clone();
    other.conn = sim.connect();
    let args = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..other.session_args()
    };
    other.create_session_with(&mut sim, args).all_ok();
    let first = crowd.hear(&mut sim).remove(0);
    assert_eq!(first.conn, crowd.client.conn);
    sim.kill(first.conn);
    sim.settle();
    let moved = sim.take_callbacks();
    assert_eq!(places(&moved), [(0, 1), (1, 1)]);
    for callback in &moved {
        assert_eq!(callback.sequence().sessionid, other.session);
        assert_eq!(callback.conn, other.conn);
        answer(&mut sim, callback, callback.ok());
    }
    // What was sent stays with the session that it was sent by.
    assert_eq!(sim.tables().callbacks, 1);
}

/// So many can wait for one file.
const LINE: usize = 64;
