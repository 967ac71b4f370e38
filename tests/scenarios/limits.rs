//! What a peer can make the server keep, however fast it asks, is bounded.

use nfs4_proto::nfs4::args::{self, ExistLockOwner, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, StableHow, Stateid};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Sim, making_args, open_args};

#[test]
fn a_client_that_reboots_for_ever_does_not_pile_up_timers() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    for _ in 0..1_000 {
        client.reboot();
        client.exchange_id(&mut sim).all_ok();
        assert!(sim.tables().timers < 200, "{:?}", sim.tables());
    }
    assert_eq!(sim.tables().clients, 1);
    sim.assert_nothing_is_left();
}

/// A client that has the file "f" open, and the open's stateid.
fn opened(sim: &mut Sim) -> (Client, Stateid) {
    let mut client = Client::mounted(sim, "a");
    let reply = client
        .call(sim, |c| c.putrootfh().open(making(b"f")))
        .all_ok();
    (client, ok!(reply, Open).stateid)
}

fn making(name: &[u8]) -> args::Open<'_> {
    making_args(b"opener", name)
}

/// LOCK of one byte under an open, always as if by a new lock owner.
fn lock(open_stateid: Stateid, owner: &[u8], offset: u64) -> args::Lock<'_> {
    args::Lock {
        locktype: LockType::Read,
        reclaim: false,
        offset,
        length: 1,
        locker: Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid: Stateid {
                seqid: 0,
                ..open_stateid
            },
            lock_seqid: 0,
            lock_owner: Owner {
                clientid: ClientId(0),
                owner,
            },
        }),
    }
}

fn unlock(lock_stateid: Stateid, offset: u64, length: u64) -> args::LockU {
    args::LockU {
        locktype: LockType::Read,
        seqid: 0,
        lock_stateid: Stateid {
            seqid: 0,
            ..lock_stateid
        },
        offset,
        length,
    }
}

#[test]
fn a_file_has_only_so_many_locks_and_can_always_be_unlocked() {
    let mut sim = Sim::new();
    let (mut client, open) = opened(&mut sim);
    let first = client
        .call(&mut sim, |c| {
            let again = open_args(b"opener", b"f");
            c.putrootfh().open(again).lock(lock(open, b"o", 0))
        })
        .all_ok();
    let held = ok!(first, Lock).lock_stateid;
    let mut offset = 2;
    let refused = loop {
        // Two bytes apart, so that the ranges do not join; ten in a request.
        let reply = client.call(&mut sim, |c| {
            c.putrootfh().open(open_args(b"opener", b"f"));
            for _ in 0..10 {
                c.lock(lock(open, b"o", offset));
                offset += 2;
            }
            c
        });
        if reply.status() != Status::OK {
            break reply;
        }
        assert!(offset < 1 << 20, "there is no end to it");
    };
    assert_eq!(refused.last(), (Op::Lock, Status::SERVERFAULT));
    // No further lock and no useless request, but every request that releases state.
    let existing = args::Lock {
        locker: Locker::Existing(ExistLockOwner {
            lock_stateid: Stateid { seqid: 0, ..held },
            lock_seqid: 0,
        }),
        ..lock(open, b"o", offset)
    };
    let reply = client.call(&mut sim, |c| {
        c.putrootfh()
            .open(open_args(b"opener", b"f"))
            .lock(existing)
    });
    assert_eq!(reply.last(), (Op::Lock, Status::SERVERFAULT));
    client
        .call(&mut sim, |c| {
            c.putrootfh()
                .open(open_args(b"opener", b"f"))
                .locku(unlock(held, 0, 1))
                .locku(unlock(held, 0, u64::MAX))
                .lock(lock(open, b"o", 0))
        })
        .all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_lock_costs_the_same_however_many_others_have_locked_the_bytes_around_it() {
    let mut sim = Sim::new();
    let (mut client, open) = opened(&mut sim);
    let mut locks = |owners: &[u16], offset: u64, length: u64| {
        let reply = client.call(&mut sim, |c| {
            c.putrootfh().open(open_args(b"opener", b"f"));
            for owner in owners {
                c.lock(args::Lock {
                    length,
                    ..lock(open, &owner.to_be_bytes(), offset)
                });
            }
            c
        });
        reply.all_ok();
    };
    for first in (0..200).step_by(10) {
        let owners: Vec<u16> = (first..first + 10).collect();
        locks(&owners, 0, u64::MAX);
    }
    // Were these to cut what the two hundred have, the file would be full before the end.
    for at in 0..100 {
        locks(&[200], 2 * at, 1);
    }
    assert_eq!(sim.tables().locks, 201);
    sim.assert_nothing_is_left();
}

#[test]
fn there_is_only_so_much_state_and_what_is_given_back_counts() {
    let mut sim = Sim::with(Sim::config().with(|config| config.max_states = 48));
    let (mut client, open) = opened(&mut sim);
    // Of sixteen, which are its share: one open, and two for each lock owner: a stateid and a range.
    for owner in 0..7_u8 {
        client
            .call(&mut sim, |c| {
                c.putrootfh()
                    .open(open_args(b"opener", b"f"))
                    .lock(lock(open, &[owner], 0))
            })
            .all_ok();
    }
    client
        .call(&mut sim, |c| c.putrootfh().open(making(b"g")))
        .all_ok();
    let reply = client.call(&mut sim, |c| c.putrootfh().open(making(b"h")));
    assert_eq!(reply.last(), (Op::Open, Status::DQUOT));
    let reply = client.call(&mut sim, |c| {
        c.putrootfh()
            .open(open_args(b"opener", b"f"))
            .lock(lock(open, b"o", 0))
    });
    assert_eq!(reply.last(), (Op::Lock, Status::SERVERFAULT));
    let close = args::Close {
        seqid: 0,
        open_stateid: Stateid::CURRENT,
    };
    client
        .call(&mut sim, |c| {
            c.putrootfh().open(open_args(b"opener", b"f")).close(close)
        })
        .all_ok();
    assert_eq!((sim.tables().opens, sim.tables().locks), (1, 0));
    for name in [b"h", b"i", b"j"] {
        client
            .call(&mut sim, |c| c.putrootfh().open(making(name)))
            .all_ok();
    }
    sim.assert_nothing_is_left();
}

#[test]
fn replies_are_kept_only_as_long_as_there_is_memory_for_them() {
    let mut sim = Sim::with(Sim::config().with(|config| {
        config.max_reply_cache = 3 * (64 << 10);
        config.max_cached_reply = 8 << 10;
    }));
    let (mut client, open) = opened(&mut sim);
    let data = args::Write {
        stateid: open,
        offset: 0,
        stable: StableHow::FileSync,
        data: &[7; 7_000],
    };
    let again = || open_args(b"opener", b"f");
    let any = Stateid { seqid: 0, ..open };
    client
        .call(&mut sim, |c| {
            c.putrootfh().open(again()).write(args::Write {
                stateid: any,
                ..data
            })
        })
        .all_ok();
    let read = args::Read {
        stateid: any,
        offset: 0,
        count: 7_000,
    };
    let mut refused = None;
    'all: for _ in 0..3 {
        client.create_session(&mut sim).all_ok();
        for slot in 0..8 {
            let reply = client
                .request(&mut sim, slot, true, |c| {
                    c.putrootfh().open(again()).read(read)
                })
                .exchange(&mut sim, client.conn);
            client.advance(slot);
            if reply.status() == Status::OK {
                assert!(sim.tables().cached_bytes <= 64 << 10);
            } else {
                // A short one is kept anyway.
                assert!(sim.tables().cached_bytes <= (64 << 10) + 1_024);
                refused = Some((slot, reply));
                break 'all;
            }
        }
    }
    let (slot, reply) = refused.expect("there is an end to it");
    assert_eq!(reply.last(), (Op::Read, Status::REP_TOO_BIG_TO_CACHE));
    // It can be had without being kept, and small replies are kept all the same.
    client
        .request(&mut sim, slot, false, |c| {
            c.putrootfh().open(again()).read(read)
        })
        .exchange(&mut sim, client.conn)
        .all_ok();
    client.advance(slot);
    let small = client.request(&mut sim, slot, true, |c| {
        c.putrootfh().open(again()).getfh()
    });
    let reply = small.exchange(&mut sim, client.conn).all_ok();
    let replayed = small.again(&mut sim).exchange(&mut sim, client.conn);
    assert_eq!(ok!(reply, Open).stateid, ok!(replayed, Open).stateid);
    sim.assert_nothing_is_left();
}

#[test]
fn there_are_only_so_many_sessions() {
    let mut sim = Sim::with(Sim::config().with(|config| config.max_sessions = 2));
    let conns = ["192.0.2.2", "192.0.2.3", "192.0.2.4"].map(|host| sim.connect_from(host));
    let mut a = Client::on(conns[0], "a");
    a.mount(&mut sim);
    assert_eq!(a.create_session(&mut sim).status(), Status::NOSPC);
    Client::on(conns[1], "b").mount(&mut sim);
    let mut c = Client::on(conns[2], "c");
    c.exchange_id(&mut sim).all_ok();
    assert_eq!(c.create_session(&mut sim).status(), Status::NOSPC);
    sim.assert_nothing_is_left();
}
