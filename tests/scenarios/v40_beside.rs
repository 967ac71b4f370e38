//! Clients of minor version 0 beside those of later ones: on one connection, on the same files.

use nfs4_proto::nfs4::args::{self, ExistLockOwner, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, StableHow, Stateid};
use nfs4_proto::nfs4::consts::{OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_WRITE};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Reply, Sim, open_args};

fn open_later(sim: &mut Sim, client: &mut Client, args: args::Open<'_>) -> Reply {
    client.call(sim, |c| c.putrootfh().open(args).getfh())
}

fn lock_later(open_stateid: Stateid, length: u64) -> args::Lock<'static> {
    args::Lock {
        locktype: LockType::Write,
        reclaim: false,
        offset: 0,
        length,
        locker: Locker::New(OpenToLockOwner {
            // The server ignores these.
            open_seqid: 55,
            open_stateid,
            lock_seqid: 66,
            lock_owner: Owner {
                clientid: ClientId(77),
                owner: b"l",
            },
        }),
    }
}

#[test]
fn versions_take_turns_on_one_connection() {
    let mut sim = Sim::new();
    let mut old = Client40::mounted(&mut sim, "old");
    let mut new = Client::stranger(&mut sim, "new");
    new.conn = old.conn;
    new.mount(&mut sim);
    let mut newest = Client::stranger(&mut sim, "newest");
    newest.conn = old.conn;
    newest.minor = 2;
    newest.mount(&mut sim);
    let file = old.open(&mut sim, b"o", b"f");
    for round in 0_u8..4 {
        let write = args::Write {
            stateid: file.stateid,
            offset: u64::from(round),
            stable: StableHow::FileSync,
            data: &[round],
        };
        old.on(&mut sim, &file.fh, |c| c.write(write)).all_ok();
        for client in [&mut new, &mut newest] {
            let read = args::Read {
                stateid: Stateid::ANONYMOUS,
                offset: u64::from(round),
                count: 9,
            };
            let put = args::PutFh { object: &file.fh };
            let reply = client.call(&mut sim, |c| c.putfh(put).read(read)).all_ok();
            assert_eq!(ok!(reply, Read).data, [round]);
        }
    }
    for client in [&mut new, &mut newest] {
        client
            .call(&mut sim, |c| c.putrootfh().open(open_args(b"o", b"f")))
            .all_ok();
    }
    assert_eq!(sim.tables().opens, 3);
    sim.assert_nothing_is_left();
}

#[test]
fn shares_of_one_version_deny_the_other() {
    let mut sim = Sim::new();
    let mut old = Client40::mounted(&mut sim, "old");
    let mut new = Client::mounted(&mut sim, "new");
    let file = old.open(&mut sim, b"o", b"f");
    let alone = args::Open {
        share_access: OPEN4_SHARE_ACCESS_READ,
        share_deny: OPEN4_SHARE_DENY_WRITE,
        ..open_args(b"o", b"f")
    };
    let reply = open_later(&mut sim, &mut new, alone);
    assert_eq!(reply.last(), (Op::Open, Status::SHARE_DENIED));
    let close = old.close_args(b"o", &file);
    old.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
    open_later(&mut sim, &mut new, alone).all_ok();
    let again = old.open_args(b"o", b"f");
    let reply = old.call(&mut sim, |c| c.putrootfh().open(again));
    assert_eq!(reply.last(), (Op::Open, Status::SHARE_DENIED));
    // Nor by a special stateid.
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"x",
    };
    let reply = old.on(&mut sim, &file.fh, |c| c.write(write));
    assert_eq!(reply.last(), (Op::Write, Status::LOCKED));
}

#[test]
fn locks_of_one_version_deny_the_other() {
    let mut sim = Sim::new();
    let mut old = Client40::mounted(&mut sim, "old");
    let mut new = Client::mounted(&mut sim, "new");
    let file = old.open(&mut sim, b"o", b"f");
    let reply = open_later(&mut sim, &mut new, open_args(b"o", b"f")).all_ok();
    let (fh, id) = (ok!(reply, GetFh).object.to_vec(), ok!(reply, Open).stateid);
    assert_eq!(fh, file.fh);
    let lock = old.lock_args(b"o", &file, b"l", (0, 10));
    let reply = old.on(&mut sim, &fh, |c| c.lock(lock)).all_ok();
    let held = ok!(reply, Lock).lock_stateid;
    let put = args::PutFh { object: &fh };
    let wanted = lock_later(id, 5);
    let reply = new.call(&mut sim, |c| c.putfh(put).lock(wanted));
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    // The other one's lock owner of the same name is another.
    let test = args::LockT {
        locktype: LockType::Write,
        offset: 0,
        length: 5,
        owner: Owner {
            clientid: ClientId(0),
            owner: b"l",
        },
    };
    let reply = new.call(&mut sim, |c| c.putfh(put).lockt(test));
    assert_eq!(reply.last(), (Op::LockT, Status::DENIED));
    let unlock = args::LockU {
        locktype: LockType::Write,
        seqid: 2,
        lock_stateid: held,
        offset: 0,
        length: 10,
    };
    old.on(&mut sim, &fh, |c| c.locku(unlock)).all_ok();
    new.call(&mut sim, |c| c.putfh(put).lock(wanted)).all_ok();
    let again = args::Lock {
        locktype: LockType::Read,
        reclaim: false,
        offset: 0,
        length: 1,
        locker: Locker::Existing(ExistLockOwner {
            lock_stateid: ok_stateid(held, 2),
            lock_seqid: 3,
        }),
    };
    let reply = old.on(&mut sim, &fh, |c| c.lock(again));
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    let theirs = args::LockT {
        owner: old.owner(b"l"),
        ..test
    };
    let reply = old.on(&mut sim, &fh, |c| c.lockt(theirs));
    assert_eq!(reply.last(), (Op::LockT, Status::DENIED));
    sim.assert_nothing_is_left();
}

const fn ok_stateid(stateid: Stateid, seqid: u32) -> Stateid {
    Stateid { seqid, ..stateid }
}

#[test]
fn the_expiry_of_one_version_frees_for_the_other() {
    let mut sim = Sim::new();
    let mut old = Client40::mounted(&mut sim, "old");
    let file = old.open(&mut sim, b"o", b"f");
    let lock = old.lock_args(b"o", &file, b"l", (0, 10));
    old.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
    let lease = sim.settings().lease;
    sim.sleep(2 * lease);
    let mut new = Client::mounted(&mut sim, "new");
    let reply = open_later(&mut sim, &mut new, open_args(b"o", b"f")).all_ok();
    let put = args::PutFh { object: &file.fh };
    let wanted = lock_later(ok!(reply, Open).stateid, 5);
    new.call(&mut sim, |c| c.putfh(put).lock(wanted)).all_ok();
}
