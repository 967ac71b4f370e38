//! One lock owner that locks a file under several opens. [RFC 8881 §8.2.1, §9.5, RFC 7530 §9.1.4.1]

use nfs4_proto::nfs4::args::{self, ExistLockOwner, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{LockType, Stateid};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Opened, Reply, Sim, making_args};

use super::holder::{Holder, owner};

/// A client of either kind of minor version that has "f" open twice, and locks it as "x".
enum Peer {
    Later(Client),
    V40 { client: Client40, seqid: u32 },
}

struct Twice {
    peer: Peer,
    opens: [Opened; 2],
    /// The lock stateid under each open.
    locks: [Option<Stateid>; 2],
    /// Another client that has the file open.
    other: Holder,
}

const OWNERS: [&[u8]; 2] = [b"one", b"two"];

impl Twice {
    fn new(sim: &mut Sim, minor: u32) -> Twice {
        let other = Holder::new(sim, "other", 3);
        let (peer, opens) = if minor == 0 {
            let mut client = Client40::mounted(sim, "a");
            let opens = OWNERS.map(|owner| client.open(sim, owner, b"f"));
            (Peer::V40 { client, seqid: 1 }, opens)
        } else {
            let mut client = Client::mounted(sim, "a");
            client.minor = minor;
            let opens = OWNERS.map(|owner| {
                let open = making_args(owner, b"f");
                let reply = client
                    .call(sim, |c| c.putrootfh().open(open).getfh())
                    .all_ok();
                Opened {
                    fh: ok!(reply, GetFh).object.to_vec(),
                    stateid: ok!(reply, Open).stateid,
                }
            });
            (Peer::Later(client), opens)
        };
        Twice {
            peer,
            opens,
            locks: [None; 2],
            other,
        }
    }

    /// LOCK for writing under one of the opens.
    #[track_caller]
    fn lock(&mut self, sim: &mut Sim, at: usize, (offset, length): (u64, u64)) {
        let open = &self.opens[at];
        let (open_seqid, lock_seqid, lock_owner) = match &mut self.peer {
            Peer::Later(_) => (0, 0, owner(b"x")),
            Peer::V40 { client, seqid } => {
                let open = match self.locks[at] {
                    None => client.seqid(OWNERS[at]),
                    Some(_) => 0,
                };
                *seqid += 1;
                (open, *seqid - 1, client.owner(b"x"))
            }
        };
        let locker = match self.locks[at] {
            Some(lock_stateid) => Locker::Existing(ExistLockOwner {
                lock_stateid,
                lock_seqid,
            }),
            None => Locker::New(OpenToLockOwner {
                open_seqid,
                open_stateid: open.stateid,
                lock_seqid,
                lock_owner,
            }),
        };
        let lock = args::Lock {
            locktype: LockType::Write,
            reclaim: false,
            offset,
            length,
            locker,
        };
        let put = args::PutFh { object: &open.fh };
        let reply = match &mut self.peer {
            Peer::Later(client) => client.call(sim, |c| c.putfh(put).lock(lock)),
            Peer::V40 { client, .. } => client.call(sim, |c| c.putfh(put).lock(lock)),
        };
        self.locks[at] = Some(ok!(reply.all_ok(), Lock).lock_stateid);
    }

    #[track_caller]
    fn unlock(&mut self, sim: &mut Sim, at: usize, (offset, length): (u64, u64)) {
        let seqid = match &mut self.peer {
            Peer::Later(_) => 0,
            Peer::V40 { seqid, .. } => {
                *seqid += 1;
                *seqid - 1
            }
        };
        let unlock = args::LockU {
            locktype: LockType::Write,
            seqid,
            lock_stateid: self.locks[at].expect("it has one"),
            offset,
            length,
        };
        let put = args::PutFh {
            object: &self.opens[at].fh,
        };
        let reply = match &mut self.peer {
            Peer::Later(client) => client.call(sim, |c| c.putfh(put).locku(unlock)),
            Peer::V40 { client, .. } => client.call(sim, |c| c.putfh(put).locku(unlock)),
        };
        self.locks[at] = Some(ok!(reply.all_ok(), LockU).lock_stateid);
    }

    #[track_caller]
    fn close(&mut self, sim: &mut Sim, at: usize) {
        let open = &self.opens[at];
        let put = args::PutFh { object: &open.fh };
        let reply = match &mut self.peer {
            Peer::Later(client) => {
                let close = args::Close {
                    seqid: 0,
                    open_stateid: open.stateid,
                };
                client.call(sim, |c| c.putfh(put).close(close))
            }
            Peer::V40 { client, .. } => {
                let close = client.close_args(OWNERS[at], open);
                client.call(sim, |c| c.putfh(put).close(close))
            }
        };
        reply.all_ok();
        self.locks[at] = None;
    }

    /// Says that it is done with one of the lock stateids; in minor version 0 with both.
    fn forget(&mut self, sim: &mut Sim, at: usize) -> Reply {
        match &mut self.peer {
            Peer::Later(client) => {
                let stateid = self.locks[at].expect("it has one");
                client.call(sim, |c| c.free_stateid(args::FreeStateid { stateid }))
            }
            Peer::V40 { client, .. } => {
                let lock_owner = client.owner(b"x");
                let release = args::ReleaseLockOwner { lock_owner };
                client.call(sim, |c| c.release_lockowner(release))
            }
        }
    }

    /// Which of these bytes another finds locked.
    fn locked(&mut self, sim: &mut Sim, bytes: &[u64]) -> Vec<u64> {
        let mut found = Vec::new();
        for byte in bytes {
            match self.other.test(sim, b"other", (*byte, 1)).status() {
                Status::OK => {}
                Status::DENIED => found.push(*byte),
                status => panic!("{status}"),
            }
        }
        found
    }
}

#[test]
fn a_lock_goes_with_the_open_that_it_was_taken_under() {
    for minor in [0, 1, 2] {
        for first in [0, 1] {
            let mut sim = Sim::new();
            let mut file = Twice::new(&mut sim, minor);
            file.lock(&mut sim, 0, (0, 10));
            file.lock(&mut sim, 1, (20, 10));
            let [one, two] = file.locks.map(|lock| lock.expect("it has one"));
            assert_ne!(one.other, two.other, "one for each open");
            assert_eq!((one.seqid, two.seqid), (1, 1));
            assert_eq!(file.locked(&mut sim, &[5, 25]), [5, 25]);
            file.close(&mut sim, first);
            let left = [25, 5][first];
            assert_eq!(file.locked(&mut sim, &[5, 25]), [left], "minor {minor}");
            assert_eq!(sim.tables().locks, 1);
            file.close(&mut sim, 1 - first);
            assert_eq!(file.locked(&mut sim, &[5, 25]), [0; 0]);
            sim.assert_nothing_is_left();
        }
    }
}

#[test]
fn the_last_lock_of_a_byte_says_which_open_it_goes_with() {
    for minor in [0, 1, 2] {
        let mut sim = Sim::new();
        let mut file = Twice::new(&mut sim, minor);
        file.lock(&mut sim, 0, (0, 30));
        file.lock(&mut sim, 1, (10, 10));
        file.close(&mut sim, 0);
        let bytes = [5, 15, 25];
        assert_eq!(file.locked(&mut sim, &bytes), [15], "minor {minor}");
        let mut sim = Sim::new();
        let mut file = Twice::new(&mut sim, minor);
        file.lock(&mut sim, 0, (0, 30));
        file.lock(&mut sim, 1, (10, 10));
        file.lock(&mut sim, 0, (0, 30));
        file.close(&mut sim, 1);
        assert_eq!(file.locked(&mut sim, &bytes), bytes, "minor {minor}");
    }
}

#[test]
fn unlocking_under_one_open_unlocks_what_was_locked_under_the_other() {
    for minor in [0, 1, 2] {
        let mut sim = Sim::new();
        let mut file = Twice::new(&mut sim, minor);
        file.lock(&mut sim, 0, (0, 10));
        file.lock(&mut sim, 1, (10, 10));
        let before = file.locks;
        file.unlock(&mut sim, 1, (5, 10));
        let [one, two] = file.locks.map(|lock| lock.expect("it has one"));
        assert_eq!(Some(one), before[0], "only what was named counts on");
        assert_eq!(two.seqid, 2);
        let bytes = [4, 5, 9, 10, 14, 15];
        assert_eq!(file.locked(&mut sim, &bytes), [4, 15], "minor {minor}");
        // The other stateid is still good.
        file.unlock(&mut sim, 0, (0, u64::MAX));
        assert_eq!(file.locked(&mut sim, &bytes), [0; 0]);
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_stateid_is_done_with_when_nothing_is_locked_under_its_own_open() {
    for minor in [0, 1, 2] {
        let mut sim = Sim::new();
        let mut file = Twice::new(&mut sim, minor);
        file.lock(&mut sim, 0, (0, 10));
        file.lock(&mut sim, 1, (0, 10));
        assert_eq!(sim.tables().locks, 2);
        let held = file.forget(&mut sim, 1);
        assert_eq!(held.status(), Status::LOCKS_HELD, "minor {minor}");
        let taken_over = file.forget(&mut sim, 0);
        if minor == 0 {
            // A release is of all that the owner has.
            assert!(taken_over.is_only(Op::ReleaseLockOwner, Status::LOCKS_HELD));
            file.unlock(&mut sim, 0, (0, 10));
            file.forget(&mut sim, 0).all_ok();
            assert_eq!(sim.tables().locks, 0);
        } else {
            taken_over.all_ok();
            assert_eq!(sim.tables().locks, 1);
            assert_eq!(file.locked(&mut sim, &[5]), [5]);
        }
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_lock_under_one_open_is_not_in_the_way_of_its_owner_under_the_other() {
    let mut sim = Sim::new();
    let mut file = Twice::new(&mut sim, 1);
    file.lock(&mut sim, 0, (0, 10));
    file.other.test(&mut sim, b"y", (10, 10)).all_ok();
    let Peer::Later(client) = &mut file.peer else {
        unreachable!("it is of minor version 1");
    };
    let test = args::LockT {
        locktype: LockType::Write,
        offset: 0,
        length: 10,
        owner: owner(b"x"),
    };
    let put = args::PutFh {
        object: &file.opens[1].fh,
    };
    client.call(&mut sim, |c| c.putfh(put).lockt(test)).all_ok();
    file.lock(&mut sim, 1, (5, 10));
    // One range, though it is under two opens.
    let denied = file.other.test(&mut sim, b"y", (0, u64::MAX));
    assert_eq!(denied.status(), Status::DENIED);
    sim.assert_nothing_is_left();
}
