//! How many slots a session may use, as its client needs them and as the memory for kept replies
//! fills and empties.
//! [RFC 8881 §2.10.6.1, §18.46.3]

use std::time::Duration;

use nfs4_proto::nfs4::args::{self};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::{FattrRaw, Op, Status, res};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Request, Sim};

const LARGE: u32 = 30_000;
const MEMORY: u64 = 8 * LARGE as u64;

/// A server with little memory for replies, and a client with the file "f" of [`LARGE`] bytes.
fn tight() -> (Sim, Client) {
    with_memory(MEMORY)
}

/// A server with enough memory for replies, and the same client.
fn ample() -> (Sim, Client) {
    with_memory(100 * MEMORY)
}

fn with_memory(share: u64) -> (Sim, Client) {
    let config = Sim::config().with(|config| config.max_reply_cache = 3 * share);
    let mut sim = Sim::with(config);
    let mut client = Client::mounted_with(&mut sim, "a", |args| {
        args.fore_chan_attrs.maxrequests = 64;
        args.fore_chan_attrs.maxresponsesize_cached = 2 * LARGE;
    });
    client.make_file(&mut sim, b"f", LARGE);
    (sim, client)
}

/// A request on a slot, by a client that says that it has nothing outstanding above `highest`; it
/// reads the whole file if `reads`, and is kept.
fn ask(sim: &mut Sim, client: &mut Client, slot: u32, highest: u32, reads: bool) -> Reply {
    let sequence = args::Sequence {
        highest_slotid: highest,
        ..client.sequence(slot, true)
    };
    let read = args::Read {
        stateid: Stateid::READ_BYPASS,
        offset: 0,
        count: LARGE,
    };
    let look = args::Lookup { objname: b"f" };
    let record = client.record(sim.xid(), b"", |c| {
        let c = c.sequence(sequence);
        if reads {
            c.putrootfh().lookup(look).read(read)
        } else {
            c
        }
    });
    let reply = sim.exchange(client.conn, record);
    if reply.statuses().first() == Some(&(Op::Sequence, Status::OK)) {
        client.advance(slot);
    }
    reply
}

fn sequence(reply: &Reply) -> res::SequenceOk {
    ok!(reply, Sequence)
}

/// Time passes in which the client uses no slot but the first; not so long that its lease ends.
fn idle(sim: &mut Sim, client: &mut Client, leases: u32) {
    let lease = sim.settings().lease;
    for _ in 0..4 * leases {
        sim.sleep(lease / 4 + Duration::from_secs(1));
        ask(sim, client, 0, 0, false).all_ok();
    }
}

/// Fills three quarters of the memory, by replies on the slots from 10 on.
fn fill(sim: &mut Sim, client: &mut Client) {
    for slot in 10..16 {
        ask(sim, client, slot, 15, true).all_ok();
    }
}

#[test]
fn fewer_slots_are_wanted_as_the_memory_for_replies_fills() {
    let (mut sim, mut client) = tight();
    let before = sequence(&ask(&mut sim, &mut client, 0, 0, false));
    assert_eq!(
        (before.highest_slotid, before.target_highest_slotid),
        (63, 63)
    );
    fill(&mut sim, &mut client);
    let after = sequence(&ask(&mut sim, &mut client, 0, 15, false));
    assert_eq!(after.highest_slotid, 63, "none is taken away at once");
    assert!(after.target_highest_slotid < 40, "{after:?}");
}

#[test]
fn slots_are_taken_from_a_client_that_obeys_and_given_back() {
    let (mut sim, mut client) = tight();
    fill(&mut sim, &mut client);
    for slot in [40, 63] {
        ask(&mut sim, &mut client, slot, 63, false).all_ok();
    }
    let told = sequence(&ask(&mut sim, &mut client, 0, 0, false)).target_highest_slotid;
    assert!(told < 40, "{told}");
    // The client has seen the reply, and has nothing outstanding above.
    let obeyed = sequence(&ask(&mut sim, &mut client, 0, 0, false));
    assert_eq!(obeyed.highest_slotid, told);
    let gone = ask(&mut sim, &mut client, 40, 40, false);
    assert!(gone.is_only(Op::Sequence, Status::BADSLOT));
    // What was kept goes as its slots are used for other things, and all slots come back.
    for slot in 10..16 {
        ask(&mut sim, &mut client, slot, 15, false).all_ok();
    }
    let back = sequence(&ask(&mut sim, &mut client, 0, 0, false));
    assert_eq!((back.highest_slotid, back.target_highest_slotid), (63, 63));
    // A slot that was taken and given again goes on where it was, or begins at 1.
    ask(&mut sim, &mut client, 40, 63, false).all_ok();
    client.slots[63] = 1;
    ask(&mut sim, &mut client, 63, 63, false).all_ok();
    ask(&mut sim, &mut client, 63, 63, false).all_ok();
}

#[test]
fn no_slot_is_taken_from_a_client_that_still_uses_it() {
    let (mut sim, mut client) = tight();
    fill(&mut sim, &mut client);
    for _ in 0..5 {
        let reply = ask(&mut sim, &mut client, 0, 63, false);
        assert_eq!(sequence(&reply).highest_slotid, 63);
        ask(&mut sim, &mut client, 63, 63, false).all_ok();
    }
}

#[test]
fn slots_that_were_not_used_for_a_lease_are_given_back_with_their_memory() {
    let (mut sim, mut client) = ample();
    for slot in 0..64 {
        ask(&mut sim, &mut client, slot, 63, slot >= 32).all_ok();
    }
    let before = sim.tables().cached_bytes;
    idle(&mut sim, &mut client, 3);
    let after = sequence(&ask(&mut sim, &mut client, 0, 0, false));
    assert_eq!((after.highest_slotid, after.target_highest_slotid), (8, 8));
    let freed = before - sim.tables().cached_bytes;
    assert!(freed > 32 * LARGE as usize, "{freed}");
    let gone = ask(&mut sim, &mut client, 9, 9, false);
    assert!(gone.is_only(Op::Sequence, Status::BADSLOT));
    sim.assert_nothing_is_left();
}

#[test]
fn all_slots_are_there_again_as_soon_as_more_than_half_are_used() {
    let (mut sim, mut client) = ample();
    for slot in 0..64 {
        ask(&mut sim, &mut client, slot, 63, true).all_ok();
    }
    idle(&mut sim, &mut client, 3);
    let few = sequence(&ask(&mut sim, &mut client, 3, 3, false));
    assert_eq!((few.highest_slotid, few.target_highest_slotid), (8, 8));
    let all = sequence(&ask(&mut sim, &mut client, 4, 4, false));
    assert_eq!((all.highest_slotid, all.target_highest_slotid), (63, 63));
    // A slot goes on where it was, or begins anew.
    for slot in 32..64 {
        client.slots[slot] = 1;
    }
    for slot in (0..64).rev() {
        ask(&mut sim, &mut client, slot, 63, true).all_ok();
    }
    // They stay as long as they are used now and then.
    for _ in 0..8 {
        idle(&mut sim, &mut client, 1);
        let reply = ask(&mut sim, &mut client, 40, 40, false);
        assert_eq!(sequence(&reply).target_highest_slotid, 63);
    }
}

#[test]
fn a_new_session_has_all_its_slots_and_keeps_those_that_cost_nothing() {
    let (mut sim, mut client) = ample();
    idle(&mut sim, &mut client, 3);
    let reply = sequence(&ask(&mut sim, &mut client, 0, 0, false));
    assert_eq!(
        (reply.highest_slotid, reply.target_highest_slotid),
        (63, 63)
    );
    for slot in 0..64 {
        ask(&mut sim, &mut client, slot, 63, false).all_ok();
    }
}

#[test]
fn a_client_that_says_it_needs_its_slots_keeps_them() {
    let (mut sim, mut client) = ample();
    for slot in 0..64 {
        ask(&mut sim, &mut client, slot, 63, true).all_ok();
    }
    let lease = sim.settings().lease;
    for _ in 0..8 {
        sim.sleep(lease / 2);
        let reply = sequence(&ask(&mut sim, &mut client, 0, 63, false));
        assert_eq!(
            (reply.highest_slotid, reply.target_highest_slotid),
            (63, 63)
        );
    }
}

#[test]
fn a_reply_that_the_client_may_not_have_takes_no_slot_away() {
    let (mut sim, mut client) = tight();
    fill(&mut sim, &mut client);
    let told = sequence(&ask(&mut sim, &mut client, 0, 15, false)).target_highest_slotid;
    assert!(told < 40, "{told}");
    let kept = sim.tables().cached_bytes;
    // These may have been sent before the reply arrived, whatever they say.
    for slot in 1..8 {
        let reply = ask(&mut sim, &mut client, slot, slot, false);
        assert_eq!(sequence(&reply).highest_slotid, 63);
    }
    assert!(sim.tables().cached_bytes >= kept);
    ask(&mut sim, &mut client, 63, 63, false).all_ok();
}

#[test]
fn slots_are_taken_on_whatever_slot_the_client_goes_on() {
    let (mut sim, mut client) = tight();
    ask(&mut sim, &mut client, 0, 0, false).all_ok();
    fill(&mut sim, &mut client);
    let told = sequence(&ask(&mut sim, &mut client, 5, 15, false)).target_highest_slotid;
    assert!(told < 40, "{told}");
    let obeyed = sequence(&ask(&mut sim, &mut client, 5, 5, false));
    assert_eq!(obeyed.highest_slotid, told);
}

#[test]
fn a_client_that_does_not_yield_gets_nothing_new_above_and_every_retry() {
    let (mut sim, mut client) = tight();
    fill(&mut sim, &mut client);
    let name = args::Lookup { objname: b"f" };
    let request = client.request(&mut sim, 60, true, |c| c.putrootfh().lookup(name));
    let first = request.exchange(&mut sim, client.conn).all_ok();
    client.advance(60);
    let told = sequence(&ask(&mut sim, &mut client, 0, 63, false)).target_highest_slotid;
    assert!(told < 40, "{told}");
    let lease = sim.settings().lease;
    sim.sleep(lease);
    let reply = sequence(&ask(&mut sim, &mut client, 0, 63, false));
    assert_eq!(reply.highest_slotid, 63, "it has time to obey");
    sim.sleep(Duration::from_secs(1));
    let reply = sequence(&ask(&mut sim, &mut client, 0, 63, false));
    assert_eq!(reply.highest_slotid, told);
    // The answer is still there until the client shows that it has it.
    for _ in 0..2 {
        let again = request.again(&mut sim).exchange(&mut sim, client.conn);
        assert_eq!(again.body(), first.body());
    }
    let kept = sim.tables().cached_bytes;
    let refused = ask(&mut sim, &mut client, 60, 63, false);
    assert!(refused.is_only(Op::Sequence, Status::BADSLOT));
    assert!(sim.tables().cached_bytes < kept);
    let again = request.again(&mut sim).exchange(&mut sim, client.conn);
    assert!(again.is_only(Op::Sequence, Status::BADSLOT));
    // There is room again; but it must first say that it knows.
    for slot in 10..16 {
        ask(&mut sim, &mut client, slot, 63, false).all_ok();
    }
    let reply = sequence(&ask(&mut sim, &mut client, 0, 63, false));
    assert_eq!(reply.highest_slotid, told);
    let reply = sequence(&ask(&mut sim, &mut client, 0, 0, false));
    assert_eq!(reply.highest_slotid, 63);
    client.slots[60] = 1;
    ask(&mut sim, &mut client, 60, 60, false).all_ok();
    sim.assert_nothing_is_left();
}

/// A request on a slot that makes something of this name, to be kept.
fn making(sim: &mut Sim, client: &Client, slot: u32, name: &[u8]) -> Request {
    let directory = args::Create {
        objtype: args::CreateType::Directory,
        objname: name,
        createattrs: FattrRaw::EMPTY,
    };
    client.request(sim, slot, true, |c| c.putrootfh().create(directory))
}

/// The client uses all its slots, so many times those from 40 on, and then few for so long that the
/// others are taken from it; then so many that they are given again. The last request of slot 40 is
/// returned; the client begins its slots anew.
fn taken_and_given(sim: &mut Sim, client: &mut Client, times: u32) -> Request {
    for slot in 0..40 {
        ask(sim, client, slot, 63, false).all_ok();
    }
    let mut last = None;
    for time in 0..times {
        for slot in 40..64 {
            let made = making(sim, client, slot, format!("{slot} {time}").as_bytes());
            made.exchange(sim, client.conn).all_ok();
            client.advance(slot);
            last = last.filter(|_| slot > 40).or(Some(made));
        }
    }
    idle(sim, client, 3);
    let few = sequence(&ask(sim, client, 0, 0, false));
    assert!(few.highest_slotid < 40, "{few:?}");
    let gone = ask(sim, client, 40, 40, false);
    assert!(gone.is_only(Op::Sequence, Status::BADSLOT));
    ask(sim, client, few.highest_slotid, few.highest_slotid, false).all_ok();
    let all = sequence(&ask(sim, client, 0, 0, false));
    assert_eq!(all.highest_slotid, 63);
    client.slots[few.highest_slotid as usize + 1..].fill(1);
    last.expect("it was used")
}

#[test]
fn a_copy_from_before_a_slot_was_taken_away_is_not_executed_again() {
    // The copy comes before the client uses the slot again, or after so many requests.
    for (times, after) in [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 2)] {
        let (mut sim, mut client) = ample();
        let copy = taken_and_given(&mut sim, &mut client, times);
        let name = format!("40 {}", times - 1).into_bytes();
        let mut made = 0;
        let mut go_on = |sim: &mut Sim, client: &mut Client, times| {
            for _ in 0..times {
                made += 1;
                let new = making(sim, client, 40, format!("new {made}").as_bytes());
                let reply = new.exchange(sim, client.conn).all_ok();
                let again = new.again(sim).exchange(sim, client.conn);
                assert_eq!(again.body(), reply.body());
                client.advance(40);
            }
        };
        go_on(&mut sim, &mut client, after);
        for _ in 0..2 {
            let reply = copy.exchange(&mut sim, client.conn);
            assert_ne!(reply.status(), Status::EXIST, "{times} {after}");
            assert_eq!(sim.fs().creations(&name), 1, "{times} {after}");
        }
        go_on(&mut sim, &mut client, 4);
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_client_that_asks_the_same_as_before_its_slot_was_taken_away_goes_on() {
    for times in 1..4 {
        let (mut sim, mut client) = ample();
        let copy = taken_and_given(&mut sim, &mut client, times);
        for number in 1..times {
            let other = making(&mut sim, &client, 40, format!("new {number}").as_bytes());
            other.exchange(&mut sim, client.conn).all_ok();
            client.advance(40);
        }
        let reply = copy.exchange(&mut sim, client.conn);
        let expected = [
            (Op::Sequence, Status::OK),
            (Op::PutRootFh, Status::RETRY_UNCACHED_REP),
        ];
        assert_eq!(reply.statuses(), expected);
        client.advance(40);
        for _ in 0..3 {
            ask(&mut sim, &mut client, 40, 40, false).all_ok();
        }
    }
}

#[test]
fn a_sequence_alone_can_be_said_again_on_a_slot_that_was_given_again() {
    let (mut sim, mut client) = ample();
    for slot in 0..64 {
        ask(&mut sim, &mut client, slot, 63, slot == 32).all_ok();
    }
    idle(&mut sim, &mut client, 3);
    ask(&mut sim, &mut client, 8, 8, false).all_ok();
    let all = sequence(&ask(&mut sim, &mut client, 0, 0, false));
    assert_eq!(all.highest_slotid, 63);
    client.slots[40] = 1;
    for _ in 0..3 {
        let reply = ask(&mut sim, &mut client, 40, 40, false).all_ok();
        assert_eq!(reply.statuses().len(), 1);
        assert_eq!(sequence(&reply).highest_slotid, 63);
    }
}
