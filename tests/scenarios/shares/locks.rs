//! Locked ranges, and places in the waiting line of a lock.

use nfs4_proto::nfs4::args::{Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{LockType, Stateid};

use crate::holder::{Holder, owner, stateid};

use super::*;

/// One that has the file "f" open.
pub(super) fn holder(sim: &mut Sim, host: &str, name: &str) -> Holder {
    let client = mounted(sim, host, name);
    Holder::of(sim, client, b"f", 3)
}

/// LOCK of a byte for writing, by a lock-owner that may have no lock on the file yet.
fn lock_args(name: &[u8], open_stateid: Stateid, offset: u64) -> args::Lock<'_> {
    args::Lock {
        locktype: LockType::Write,
        reclaim: false,
        offset,
        length: 1,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid,
            lock_seqid: 0,
            lock_owner: owner(name),
        }),
    }
}

#[test]
fn locks_of_one_peer_leave_others_room_in_the_same_file() {
    let mut sim = Sim::new();
    let mut greedy = ["one", "two"].map(|name| holder(&mut sim, GREEDY, name));
    const AT_ONCE: u64 = 13;
    let (requests, refused) = until_refused(|number| {
        let Holder { client, fh, open } = &mut greedy[number as usize % 2];
        let put = args::PutFh { object: fh };
        client.call(&mut sim, |c| {
            c.putfh(put);
            for at in 0..AT_ONCE {
                // Two bytes apart, so that they do not join.
                let offset = 2 * (AT_ONCE * u64::from(number) + at);
                c.lock(lock_args(b"o", *open, offset));
            }
            c
        })
    });
    assert_eq!(refused.last(), (Op::Lock, Status::SERVERFAULT));
    let locked = AT_ONCE as usize * requests as usize + refused.statuses().len() - 3;
    assert_eq!(locked, 16_384 / 3);
    // Of 4.0, too.
    let mut of_v40 = Client40::by(greedy[0].client.conn, "greedy of 4.0");
    of_v40.mount(&mut sim);
    let opened = of_v40.open(&mut sim, b"o", b"f");
    let lock = of_v40.lock_args(b"o", &opened, b"l", (1 << 20, 1));
    let reply = of_v40.on(&mut sim, &opened.fh, |c| c.lock(lock));
    assert_eq!(reply.last(), (Op::Lock, Status::RESOURCE));
    let mut modest = holder(&mut sim, MODEST, "modest");
    let id = stateid(modest.lock(&mut sim, b"o", LockType::Write, (1 << 30, 100)));
    // And what it has it can cut, as can the greedy one.
    modest.unlock(&mut sim, id, ((1 << 30) + 10, 1)).all_ok();
    let [one, _] = &mut greedy;
    let reply = one.lock(&mut sim, b"o", LockType::Read, (0, 1));
    assert_eq!(reply.last(), (Op::Lock, Status::SERVERFAULT));
    sim.assert_nothing_is_left();
}

#[test]
fn what_is_locked_can_be_unlocked_in_the_middle_though_there_is_no_room_for_another_lock() {
    let mut sim = Sim::with(few_states());
    let mut one = holder(&mut sim, GREEDY, "one");
    let id = stateid(one.lock(&mut sim, b"o", LockType::Write, (0, 1_000)));
    let (count, refused) = until_refused(|number| {
        one.lock(
            &mut sim,
            b"o",
            LockType::Write,
            (2_000 + 2 * u64::from(number), 1),
        )
    });
    assert_eq!((count, refused.status()), (7, Status::SERVERFAULT));
    let (count, refused) = until_refused(|number| {
        let id = Stateid { seqid: 0, ..id };
        one.unlock(&mut sim, id, (10 + 10 * u64::from(number), 1))
    });
    assert_eq!((count, refused.status()), (10, Status::SERVERFAULT));
    let id = Stateid { seqid: 0, ..id };
    one.unlock(&mut sim, id, (0, u64::MAX)).all_ok();
    assert_eq!(sim.tables().locks, 1);
    sim.assert_nothing_is_left();
}

#[test]
fn lock_waiters_of_one_peer_leave_places_for_other_peers() {
    let mut sim = Sim::new();
    const BYTES: (u64, u64) = (0, 10);
    let mut holds = holder(&mut sim, OTHER, "holds");
    let id = stateid(holds.lock(&mut sim, b"o", LockType::Write, BYTES));
    let mut greedy = holder(&mut sim, GREEDY, "greedy");
    for number in 0..200_u32 {
        let owner = number.to_be_bytes();
        let reply = greedy.lock(&mut sim, &owner, LockType::WriteWait, BYTES);
        assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    }
    assert_eq!(sim.tables().waiting, 64);
    let mut modest = holder(&mut sim, MODEST, "modest");
    let reply = modest.lock(&mut sim, b"m", LockType::WriteWait, BYTES);
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    assert_eq!(sim.tables().waiting, 65, "it stands in the line");
    let id = Stateid { seqid: 0, ..id };
    holds.unlock(&mut sim, id, BYTES).all_ok();
    sim.assert_nothing_is_left();
}
