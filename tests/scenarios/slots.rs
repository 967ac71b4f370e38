//! How many slots a session may use, as the memory for kept replies fills and empties.
//! [RFC 8881 §2.10.6.1, §18.46.3]

use nfs4_engine::Config;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenHow};
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_proto::nfs4::{FattrRaw, Op, Status, res};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, open_args};

const LARGE: u32 = 30_000;
const MEMORY: u64 = 8 * LARGE as u64;

/// A server with little memory for replies, and a client with the file "f" of [`LARGE`] bytes.
fn tight() -> (Sim, Client) {
    let config = Config {
        max_reply_cache: MEMORY,
        ..Sim::config()
    };
    let mut sim = Sim::with(config);
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let mut args = client.session_args();
    args.fore_chan_attrs.maxrequests = 64;
    args.fore_chan_attrs.maxresponsesize_cached = 2 * LARGE;
    client.create_session_with(&mut sim, args).all_ok();
    let done = args::ReclaimComplete { one_fs: false };
    client.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
    let making = args::Open {
        openhow: OpenHow::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
        ..open_args(b"opener", b"f")
    };
    let data = vec![7; LARGE as usize];
    let write = args::Write {
        stateid: Stateid::CURRENT,
        offset: 0,
        stable: StableHow::FileSync,
        data: &data,
    };
    client
        .call(&mut sim, |c| c.putrootfh().open(making).write(write))
        .all_ok();
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
