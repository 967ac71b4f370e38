//! Memory for replies that slots keep, and the slots themselves.

use super::*;

/// A client, and what reads the 7 000 bytes of a file of its own.
fn reader(sim: &mut Sim, host: &str, name: &str) -> (Client, args::Read) {
    let mut client = mounted(sim, host, name);
    let stateid = client.make_file(sim, name.as_bytes(), 7_000);
    let read = args::Read {
        stateid,
        offset: 0,
        count: 7_000,
    };
    (client, read)
}

/// How much it gets on a slot, in a reply that is to be kept.
fn read_kept(sim: &mut Sim, client: &mut Client, slot: u32, read: args::Read) -> Option<usize> {
    let name = client.owner.clone();
    let opened = making_args(b"opener", &name);
    let request = client.request(sim, slot, true, |c| c.putrootfh().open(opened).read(read));
    let reply = request.exchange(sim, client.conn);
    client.advance(slot);
    if reply.status() != Status::OK {
        assert_eq!(reply.last(), (Op::Read, Status::REP_TOO_BIG_TO_CACHE));
        return None;
    }
    Some(ok!(reply, Read).data.len())
}

fn with_memory(max_reply_cache: u64) -> Config {
    Sim::config().with(|config| {
        config.max_reply_cache = max_reply_cache;
        config.max_cached_reply = 8 << 10;
    })
}

#[test]
fn replies_kept_for_one_peer_leave_memory_and_slots_to_others() {
    let mut sim = Sim::with(with_memory(900 << 10));
    let (mut greedy, read) = reader(&mut sim, GREEDY, "greedy");
    for _ in 0..7 {
        for slot in 0..8 {
            read_kept(&mut sim, &mut greedy, slot, read);
            // A third, and what little is kept anyway.
            assert!(sim.tables().cached_bytes < 320 << 10, "{:?}", sim.tables());
        }
        greedy.create_session(&mut sim).all_ok();
    }
    let (mut modest, read) = reader(&mut sim, MODEST, "modest");
    for slot in [0, 7] {
        let got = read_kept(&mut sim, &mut modest, slot, read);
        assert_eq!(got, Some(7_000), "{slot}");
    }
    // The greedy one is asked for its slots, and the other one is not.
    for (client, all) in [(&mut greedy, false), (&mut modest, true)] {
        let reply = client.call(&mut sim, |c| c);
        let told = ok!(reply, Sequence).target_highest_slotid;
        assert_eq!(told == 7, all, "{told}");
    }
    sim.assert_nothing_is_left();
}

#[test]
fn small_replies_are_kept_whatever_others_have_but_not_beyond_half_of_all_for_one_host() {
    let mut sim = Sim::with(with_memory(90 << 10));
    let mut greedy = mounted(&mut sim, GREEDY, "greedy");
    let tag = [b't'; 800];
    let mut refused = None;
    'all: for _ in 0..15 {
        greedy.create_session(&mut sim).all_ok();
        for slot in 0..8 {
            let sequence = greedy.sequence(slot, true);
            let record = greedy.record(sim.xid(), &tag, |c| c.sequence(sequence).putrootfh());
            let reply = sim.exchange(greedy.conn, record);
            greedy.advance(slot);
            if reply.status() != Status::OK {
                refused = Some(reply);
                break 'all;
            }
        }
    }
    let refused = refused.expect("there is an end to it");
    assert_eq!(
        refused.last(),
        (Op::PutRootFh, Status::REP_TOO_BIG_TO_CACHE)
    );
    assert!(sim.tables().cached_bytes < 47 << 10, "{:?}", sim.tables());
    let modest = mounted(&mut sim, MODEST, "modest");
    let sequence = modest.sequence(0, true);
    let record = modest.record(sim.xid(), &tag, |c| c.sequence(sequence).putrootfh());
    sim.exchange(modest.conn, record).all_ok();
    sim.assert_nothing_is_left();
}
