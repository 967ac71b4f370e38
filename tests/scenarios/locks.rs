//! LOCK, LOCKT and LOCKU. [RFC 8881 §18.10 to 18.12, §18.38]

use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{self, CreateHow, ExistLockOwner, Locker, OpenHow, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, Stateid};
use nfs4_proto::nfs4::res::{LockDenied, Outcome};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, open_args};

/// A client that has the file "f" open.
struct Holder {
    client: Client,
    fh: Vec<u8>,
    open: Stateid,
}

const fn owner(owner: &[u8]) -> Owner<'_> {
    Owner {
        clientid: ClientId(0),
        owner,
    }
}

impl Holder {
    fn new(sim: &mut Sim, name: &str, access: u32) -> Holder {
        let mut client = Client::mounted(sim, name);
        let open = args::Open {
            share_access: access,
            openhow: OpenHow::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
            ..open_args(b"opener", b"f")
        };
        let reply = client
            .call(sim, |c| c.putrootfh().open(open).getfh())
            .all_ok();
        Holder {
            client,
            fh: ok!(reply, GetFh).object.to_vec(),
            open: ok!(reply, Open).stateid,
        }
    }

    /// LOCK under the open, by an owner that is called like this.
    fn lock(&mut self, sim: &mut Sim, name: &[u8], kind: LockType, range: (u64, u64)) -> Reply {
        let new = Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid: self.open,
            lock_seqid: 0,
            lock_owner: owner(name),
        });
        self.lock_as(sim, new, kind, range)
    }

    fn lock_as(
        &mut self,
        sim: &mut Sim,
        locker: Locker<'_>,
        locktype: LockType,
        (offset, length): (u64, u64),
    ) -> Reply {
        let lock = args::Lock {
            locktype,
            reclaim: false,
            offset,
            length,
            locker,
        };
        let put = args::PutFh { object: &self.fh };
        self.client.call(sim, |c| c.putfh(put).lock(lock))
    }

    fn test(&mut self, sim: &mut Sim, name: &[u8], (offset, length): (u64, u64)) -> Reply {
        let test = args::LockT {
            locktype: LockType::Write,
            offset,
            length,
            owner: owner(name),
        };
        let put = args::PutFh { object: &self.fh };
        self.client.call(sim, |c| c.putfh(put).lockt(test))
    }

    fn unlock(
        &mut self,
        sim: &mut Sim,
        lock_stateid: Stateid,
        (offset, length): (u64, u64),
    ) -> Reply {
        let unlock = args::LockU {
            locktype: LockType::Write,
            seqid: 0,
            lock_stateid,
            offset,
            length,
        };
        let put = args::PutFh { object: &self.fh };
        self.client.call(sim, |c| c.putfh(put).locku(unlock))
    }

    fn free(&mut self, sim: &mut Sim, stateid: Stateid) -> Reply {
        let free = args::FreeStateid { stateid };
        self.client.call(sim, |c| c.free_stateid(free))
    }

    fn close(&mut self, sim: &mut Sim) -> Reply {
        let close = args::Close {
            seqid: 0,
            open_stateid: self.open,
        };
        let put = args::PutFh { object: &self.fh };
        self.client.call(sim, |c| c.putfh(put).close(close))
    }
}

fn stateid(reply: Reply) -> Stateid {
    ok!(reply.all_ok(), Lock).lock_stateid
}

/// Who is in the way.
#[track_caller]
fn assert_denied(reply: &Reply, by: &Client, name: &[u8], kind: LockType, range: (u64, u64)) {
    let (ResOp::Lock(Outcome::Err(Status::DENIED, denied))
    | ResOp::LockT(Outcome::Err(Status::DENIED, denied))) = reply.results()[2]
    else {
        panic!("not denied: {:?}", reply.statuses());
    };
    let expected = LockDenied {
        offset: range.0,
        length: range.1,
        locktype: kind,
        owner: Owner {
            clientid: by.id,
            owner: name,
        },
    };
    assert_eq!(denied, Some(expected));
}

#[test]
fn a_lock_keeps_others_out_and_tells_them_by_whom() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    let id = stateid(one.lock(&mut sim, b"x", LockType::Write, (10, 10)));
    assert_eq!(id.seqid, 1);
    for reply in [
        two.lock(&mut sim, b"x", LockType::Read, (19, 1)),
        two.lock(&mut sim, b"y", LockType::WriteWait, (0, u64::MAX)),
        two.test(&mut sim, b"x", (0, 11)),
        one.test(&mut sim, b"another of the same client", (15, 1)),
    ] {
        assert_denied(&reply, &one.client, b"x", LockType::Write, (10, 10));
    }
    one.test(&mut sim, b"x", (10, 10)).all_ok();
    two.test(&mut sim, b"x", (20, u64::MAX)).all_ok();
    two.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    sim.assert_nothing_is_left();
}

#[test]
fn readers_share_and_a_lock_to_the_end_has_all_ones_for_its_length() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    one.lock(&mut sim, b"x", LockType::Read, (5, u64::MAX))
        .all_ok();
    two.lock(&mut sim, b"x", LockType::Read, (5, u64::MAX))
        .all_ok();
    let reply = two.lock(&mut sim, b"x", LockType::Write, (1 << 40, 1));
    assert_denied(&reply, &one.client, b"x", LockType::Read, (5, u64::MAX));
}

#[test]
fn each_change_raises_the_seqid_and_the_stateid_stays() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let first = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 10)));
    let locker = Locker::Existing(ExistLockOwner {
        lock_stateid: first,
        lock_seqid: 0,
    });
    let second = stateid(one.lock_as(&mut sim, locker, LockType::Write, (20, 10)));
    assert_eq!((second.seqid, second.other), (2, first.other));
    let reply = one.unlock(&mut sim, first, (0, 10));
    assert_eq!(reply.last(), (Op::LockU, Status::OLD_STATEID));
    let reply = one.unlock(&mut sim, second, (2, 3)).all_ok();
    assert_eq!(ok!(reply, LockU).lock_stateid.seqid, 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    two.lock(&mut sim, b"x", LockType::Write, (2, 3)).all_ok();
    let reply = two.lock(&mut sim, b"x", LockType::Write, (2, 4));
    assert_denied(&reply, &one.client, b"x", LockType::Write, (5, 5));
    assert_eq!(sim.tables().locks, 2);
}

#[test]
fn ranges_that_cannot_be_are_invalid() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    for range in [(0, 0), (1, u64::MAX), (2, u64::MAX - 1)] {
        let valid = range.1 == u64::MAX;
        let status = if valid { Status::OK } else { Status::INVAL };
        assert_eq!(
            one.lock(&mut sim, b"x", LockType::Read, range).status(),
            status
        );
        assert_eq!(one.test(&mut sim, b"x", range).status(), status);
    }
}

#[test]
fn a_lock_needs_an_open_of_its_kind() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 1);
    let reply = one.lock(&mut sim, b"x", LockType::Write, (0, 1));
    assert_eq!(reply.last(), (Op::Lock, Status::OPENMODE));
    one.lock(&mut sim, b"x", LockType::Read, (0, 1)).all_ok();
}

#[test]
fn a_stateid_is_freed_when_nothing_is_locked_under_it() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let id = stateid(one.lock(&mut sim, b"x", LockType::Write, (0, 10)));
    assert_eq!(
        one.free(&mut sim, id).last(),
        (Op::FreeStateid, Status::LOCKS_HELD)
    );
    let reply = one.unlock(&mut sim, id, (0, u64::MAX)).all_ok();
    let id = ok!(reply, LockU).lock_stateid;
    assert_eq!(sim.tables().locks, 1, "the stateid outlives its last range");
    one.free(&mut sim, id).all_ok();
    assert_eq!(sim.tables().locks, 0);
    assert_eq!(
        one.free(&mut sim, id).last(),
        (Op::FreeStateid, Status::BAD_STATEID)
    );
}

#[test]
fn what_is_locked_goes_with_its_open_or_is_held_against_the_close() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    let mut two = Holder::new(&mut sim, "two", 3);
    one.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    let reply = one.close(&mut sim);
    match reply.status() {
        Status::OK => {
            assert_eq!(sim.tables().locks, 0);
            two.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
        }
        Status::LOCKS_HELD => assert_eq!(sim.tables().locks, 1),
        other => panic!("{other}"),
    }
    sim.assert_nothing_is_left();
}

#[test]
fn locks_of_an_expired_client_are_free() {
    let mut sim = Sim::new();
    let mut one = Holder::new(&mut sim, "one", 3);
    one.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    sim.sleep(sim.settings().lease / 2);
    let mut two = Holder::new(&mut sim, "two", 3);
    let reply = two.lock(&mut sim, b"x", LockType::Write, (0, 10));
    assert_eq!(reply.status(), Status::DENIED);
    sim.sleep(sim.settings().lease * 3 / 4);
    two.lock(&mut sim, b"x", LockType::Write, (0, 10)).all_ok();
    sim.assert_nothing_is_left();
}
