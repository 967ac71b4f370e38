//! Lock-owners of minor version 0, which have seqids of their own.
//! [RFC 7530 §9.1.5, §16.10, §16.37]

use nfs4_proto::nfs4::args::{self, ExistLockOwner, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{LockType, Stateid};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client40, Opened, Sim};

fn lock_existing(lock_stateid: Stateid, lock_seqid: u32, range: (u64, u64)) -> args::Lock<'static> {
    args::Lock {
        locktype: LockType::Write,
        reclaim: false,
        offset: range.0,
        length: range.1,
        locker: Locker::Existing(ExistLockOwner {
            lock_stateid,
            lock_seqid,
        }),
    }
}

fn unlock(lock_stateid: Stateid, seqid: u32) -> args::LockU {
    args::LockU {
        locktype: LockType::Write,
        seqid,
        lock_stateid,
        offset: 0,
        length: u64::MAX,
    }
}

fn setup() -> (Sim, Client40, Opened) {
    let mut sim = Sim::new();
    let mut client = Client40::mounted(&mut sim, "a");
    let file = client.open(&mut sim, b"o", b"f");
    (sim, client, file)
}

#[test]
fn lock_owners_count_for_themselves() {
    let (mut sim, mut client, file) = setup();
    let lock = client.lock_args(b"o", &file, b"l", (0, 10));
    let first = client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
    let id = ok!(first, Lock).lock_stateid;
    assert_eq!(id.seqid, 1);
    // Sent again, it is told by the open owner.
    let again = client.on(&mut sim, &file.fh, |c| c.lock(lock));
    assert_eq!(again.body(), first.body());
    for seqid in [1, 3, 9] {
        let reply = client.on(&mut sim, &file.fh, |c| {
            c.lock(lock_existing(id, seqid, (20, 5)))
        });
        assert_eq!(reply.last(), (Op::Lock, Status::BAD_SEQID), "{seqid}");
    }
    let more = lock_existing(id, 2, (20, 5));
    let second = client.on(&mut sim, &file.fh, |c| c.lock(more)).all_ok();
    let again = client.on(&mut sim, &file.fh, |c| c.lock(more));
    assert_eq!(again.body(), second.body());
    let id = ok!(second, Lock).lock_stateid;
    let reply = client.on(&mut sim, &file.fh, |c| c.locku(unlock(id, 2)));
    assert_eq!(reply.last(), (Op::LockU, Status::BAD_SEQID));
    let gone = client
        .on(&mut sim, &file.fh, |c| c.locku(unlock(id, 3)))
        .all_ok();
    let again = client.on(&mut sim, &file.fh, |c| c.locku(unlock(id, 3)));
    assert_eq!(again.body(), gone.body());
    // The open owner's seqid has moved by the one LOCK that named it.
    let close = client.close_args(b"o", &file);
    client.on(&mut sim, &file.fh, |c| c.close(close)).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn a_lock_owner_continues_its_seqid_on_another_file() {
    let (mut sim, mut client, file) = setup();
    let other = client.open(&mut sim, b"o", b"g");
    let lock = client.lock_args(b"o", &file, b"l", (0, 10));
    client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
    let with = |client: &mut Client40, lock_seqid| {
        let args = client.lock_args(b"o", &other, b"l", (0, 10));
        let Locker::New(new) = args.locker else {
            unreachable!("the lock-owner is new to the file");
        };
        args::Lock {
            locker: Locker::New(OpenToLockOwner { lock_seqid, ..new }),
            ..args
        }
    };
    let wrong = with(&mut client.clone(), 1);
    let reply = client.on(&mut sim, &other.fh, |c| c.lock(wrong));
    assert_eq!(reply.last(), (Op::Lock, Status::BAD_SEQID));
    let right = with(&mut client, 2);
    client.on(&mut sim, &other.fh, |c| c.lock(right)).all_ok();
}

#[test]
fn a_malformed_range_of_another_user_does_not_advance_the_seqid() {
    let (mut sim, mut client, file) = setup();
    let lock = client.lock_args(b"o", &file, b"l", (0, 10));
    let reply = client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
    let id = ok!(reply, Lock).lock_stateid;
    let mut thief = client.clone();
    thief.uid = 2_000;
    let beyond = (u64::MAX, 2);
    let reply = thief.on(&mut sim, &file.fh, |c| c.lock(lock_existing(id, 2, beyond)));
    assert_eq!(reply.last(), (Op::Lock, Status::BAD_STATEID));
    let wrong = args::LockU {
        offset: u64::MAX,
        length: 2,
        ..unlock(id, 2)
    };
    let reply = thief.on(&mut sim, &file.fh, |c| c.locku(wrong));
    assert_eq!(reply.last(), (Op::LockU, Status::BAD_STATEID));
    client
        .on(&mut sim, &file.fh, |c| c.locku(unlock(id, 2)))
        .all_ok();
}

#[test]
fn a_denied_lock_is_denied_again_in_the_same_words() {
    let (mut sim, mut client, file) = setup();
    let lock = client.lock_args(b"o", &file, b"l", (0, 10));
    client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
    let refused = client.lock_args(b"o", &file, b"m", (5, 1));
    let first = client.on(&mut sim, &file.fh, |c| c.lock(refused));
    assert_eq!(first.last(), (Op::Lock, Status::DENIED));
    let again = client.on(&mut sim, &file.fh, |c| c.lock(refused));
    assert_eq!(again.body(), first.body());
    assert_eq!(sim.tables().locks, 1);
}

#[test]
fn a_lock_owner_is_released_when_it_holds_no_lock() {
    let (mut sim, mut client, file) = setup();
    let lock = client.lock_args(b"o", &file, b"l", (0, 10));
    let reply = client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
    let id = ok!(reply, Lock).lock_stateid;
    let release = args::ReleaseLockOwner {
        lock_owner: client.owner(b"l"),
    };
    let reply = client.call(&mut sim, |c| c.release_lockowner(release));
    assert!(reply.is_only(Op::ReleaseLockOwner, Status::LOCKS_HELD));
    client
        .on(&mut sim, &file.fh, |c| c.locku(unlock(id, 2)))
        .all_ok();
    for _ in 0..2 {
        client
            .call(&mut sim, |c| c.release_lockowner(release))
            .all_ok();
    }
    assert_eq!((sim.tables().locks, sim.tables().owners), (0, 1));
    let stranger = args::ReleaseLockOwner {
        lock_owner: Client40::stranger(&mut sim, "b").owner(b"l"),
    };
    let reply = client.call(&mut sim, |c| c.release_lockowner(stranger));
    assert!(reply.is_only(Op::ReleaseLockOwner, Status::STALE_CLIENTID));
}

#[test]
fn a_lock_that_names_another_clients_lock_owner_does_not_count_for_it() {
    let (mut sim, mut client, file) = setup();
    let lock = client.lock_args(b"o", &file, b"l", (0, 10));
    let first = client.on(&mut sim, &file.fh, |c| c.lock(lock)).all_ok();
    let id = ok!(first, Lock).lock_stateid;
    let mut other = Client40::mounted(&mut sim, "b");
    let opened = other.open(&mut sim, b"p", b"f");
    let args = other.lock_args(b"p", &opened, b"l", (0, 10));
    let Locker::New(new) = args.locker else {
        unreachable!("the lock-owner is new to the file");
    };
    // LOCK4denied tells each client the client id and the lock-owner of the conflicting lock.
    let args = args::Lock {
        locker: Locker::New(OpenToLockOwner {
            lock_seqid: 2,
            lock_owner: client.owner(b"l"),
            ..new
        }),
        ..args
    };
    let reply = other.on(&mut sim, &opened.fh, |c| c.lock(args));
    assert_eq!(reply.last(), (Op::Lock, Status::DENIED));
    client
        .on(&mut sim, &file.fh, |c| c.locku(unlock(id, 2)))
        .all_ok();
}
