//! LOCK, LOCKT and LOCKU, and the stateids that they go by.

use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, Stateid};
use nfs4_proto::nfs4::res::{LockDenied, Outcome};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::Reply;

use super::model::{BYTES, Locked};
use super::peer::{Held, LOCKERS, next};
use super::play::{PEERS, Play, Seen, is_refusal};

impl Play {
    /// One of the lock stateids.
    pub(super) fn which_lock(&self, which: u8) -> Option<(usize, Held)> {
        let all = self.peers.iter().enumerate();
        let all = all.flat_map(|(peer, of)| of.locks.keys().map(move |held| (peer, *held)));
        let all: Vec<_> = all.collect();
        Some(all[usize::from(which).checked_rem(all.len())?])
    }

    pub(super) fn lock(&mut self, which: u8, locker: usize, write: bool, range: (usize, usize)) {
        let Some((peer, opened)) = self.which_open(which) else {
            return;
        };
        let (owner, file) = opened;
        let held = (locker, opened);
        let of = &mut self.peers[peer];
        let before = of.locks.get(&held).copied();
        let args = args::Lock {
            locktype: kind(write),
            reclaim: false,
            offset: range.0 as u64,
            length: length(range),
            locker: of.locker(held, range.0.is_multiple_of(2)),
        };
        let by_open = before.is_none();
        let put = args::PutFh {
            object: &self.handles[file],
        };
        let reply = of.look(&mut self.sim, |c| c.putfh(put).lock(args));
        of.lock_spent(held, by_open, reply.status());
        let by = (peer, locker);
        let access = self.files[file].opens[&(peer, owner)].share().access;
        if access & if write { 2 } else { 1 } == 0 {
            assert_eq!(reply.last(), (Op::Lock, Status::OPENMODE));
            return;
        }
        if self.files[file].in_the_way(range, write, by).is_some() {
            self.assert_denied(&reply, file, range, write, by);
            return;
        }
        if is_refusal(reply.last()) {
            self.assert_much_state();
            return;
        }
        if let Some(local) = self.files[file].in_the_way_locally(range, write) {
            self.assert_denied_locally(&reply, local);
            return;
        }
        let stateid = ok!(reply.all_ok(), Lock).lock_stateid;
        let expected = before.map_or(
            Stateid {
                seqid: 1,
                ..stateid
            },
            next,
        );
        assert_eq!(stateid, expected);
        let of = &mut self.peers[peer];
        let mut same = of
            .locks
            .keys()
            .filter(|(other, under)| *other == locker && under.1 == file && *under != opened);
        if same.next().is_some() {
            self.seen.insert(Seen::TwoStateids);
        }
        assert!(
            of.locks
                .iter()
                .all(|(other, id)| *other == held || id.other != stateid.other),
            "a stateid of its own"
        );
        of.locks.insert(held, stateid);
        let locked = Locked {
            write,
            under: owner,
        };
        if self.files[file].lock(range, by, locked) {
            self.seen.insert(Seen::TakenOver);
        }
    }

    /// The lock that is told of is in the way.
    #[track_caller]
    fn assert_denied(
        &mut self,
        reply: &Reply,
        file: usize,
        range: (usize, usize),
        write: bool,
        by: (usize, usize),
    ) {
        self.seen.insert(Seen::LockDenied);
        let results = reply.results();
        let (ResOp::Lock(Outcome::Err(Status::DENIED, Some(denied)))
        | ResOp::LockT(Outcome::Err(Status::DENIED, Some(denied)))) =
            results.last().expect("there is a result")
        else {
            panic!("not denied: {reply:?}");
        };
        let LockDenied {
            offset,
            length,
            locktype,
            owner,
        } = denied;
        let (first, last) = (*offset as usize, offset.saturating_add(*length));
        let last = usize::try_from(last).map_or(BYTES, |end| end.min(BYTES)) - 1;
        let common = (first.max(range.0), last.min(range.1));
        assert!(common.0 <= common.1, "what is told of is elsewhere");
        let locker = LOCKERS.iter().position(|name| *name == owner.owner);
        let locker = locker.expect("one of ours");
        let told: Vec<_> = (0..PEERS).map(|peer| (peer, locker)).collect();
        let told = told.into_iter().filter(|told| *told != by);
        let kind = locktype.is_write();
        let mut told = told.filter(|told| {
            (first..=last).all(|byte| {
                let locked = self.files[file].locked(byte, *told);
                locked.is_some_and(|locked| locked.write == kind)
            })
        });
        assert!(told.next().is_some(), "it is locked otherwise: {denied:?}");
        assert!(write || kind, "readers share");
    }

    pub(super) fn unlock(&mut self, which: u8, range: (usize, usize)) {
        let Some((peer, held)) = self.which_lock(which) else {
            return;
        };
        let (locker, (_, file)) = held;
        let of = &mut self.peers[peer];
        let unlock = args::LockU {
            locktype: LockType::Write,
            seqid: of.lock_seqid(locker),
            lock_stateid: of.locks[&held],
            offset: range.0 as u64,
            length: length(range),
        };
        let put = args::PutFh {
            object: &self.handles[file],
        };
        let reply = of.ask(&mut self.sim, |c| c.putfh(put).locku(unlock));
        of.lock_spent(held, false, reply.status());
        if is_refusal(reply.last()) {
            self.assert_much_state();
            return;
        }
        let stateid = ok!(reply.all_ok(), LockU).lock_stateid;
        assert_eq!(stateid, next(of.locks[&held]));
        of.locks.insert(held, stateid);
        self.files[file].unlock(range, (peer, locker));
        self.audit(file);
    }

    pub(super) fn test(
        &mut self,
        by: (usize, usize),
        file: usize,
        write: bool,
        range: (usize, usize),
    ) {
        if self.handles[file].is_empty() {
            return;
        }
        let of = &mut self.peers[by.0];
        let test = args::LockT {
            locktype: kind(write),
            offset: range.0 as u64,
            length: length(range),
            owner: of.owner(LOCKERS[by.1]),
        };
        let put = args::PutFh {
            object: &self.handles[file],
        };
        let reply = of.look(&mut self.sim, |c| c.putfh(put).lockt(test));
        if self.files[file].in_the_way(range, write, by).is_some() {
            self.assert_denied(&reply, file, range, write, by);
        } else if let Some(local) = self.files[file].in_the_way_locally(range, write) {
            self.assert_denied_locally(&reply, local);
        } else {
            reply.all_ok();
        }
    }

    /// Another owner finds locked just what is.
    pub(super) fn audit(&mut self, file: usize) {
        let put = args::PutFh {
            object: &self.handles[file],
        };
        let of = &self.files[file];
        let mut locked = of.all_locked();
        for (byte, locked) in locked.iter_mut().enumerate() {
            *locked |= of.in_the_way_locally((byte, byte), true).is_some();
        }
        for (byte, locked) in locked.into_iter().enumerate() {
            let test = args::LockT {
                locktype: LockType::Write,
                offset: byte as u64,
                length: 1,
                owner: Owner {
                    clientid: ClientId(0),
                    owner: b"observer",
                },
            };
            let request = self
                .observer
                .request(&mut self.sim, 0, true, |c| c.putfh(put).lockt(test));
            self.observer.advance(0);
            let held = self.sim.held().len();
            request.send(&mut self.sim, self.observer.conn);
            self.sim.run();
            while self.sim.held().len() > held {
                self.sim.complete(held);
            }
            let reply = self.sim.take_reply(request.xid()).expect("it is answered");
            let found = reply.status() == Status::DENIED;
            assert!(found || reply.status() == Status::OK, "{reply:?}");
            assert_eq!(found, locked, "byte {byte} of file {file}");
        }
    }

    pub(super) fn free(&mut self, which: u8) {
        let Some((peer, held)) = self.which_lock(which) else {
            return;
        };
        let (locker, (owner, file)) = held;
        let status = self.peers[peer].free(&mut self.sim, held);
        let by = (peer, locker);
        let is_v40 = self.peers[peer].is_v40();
        let holds = if is_v40 {
            self.files.iter().any(|file| file.holds(by, None))
        } else {
            self.files[file].holds(by, Some(owner))
        };
        if holds {
            assert_eq!(status, Status::LOCKS_HELD);
            self.seen.insert(Seen::LocksHeld);
            return;
        }
        assert_eq!(status, Status::OK);
        self.seen.insert(Seen::Freed);
        let locks = &mut self.peers[peer].locks;
        locks.retain(|other, _| {
            let same_owner = other.0 == locker;
            if is_v40 { !same_owner } else { *other != held }
        });
    }
}

/// A range that has the last byte goes on to the end of any file.
fn length((first, last): (usize, usize)) -> u64 {
    if last == BYTES - 1 {
        u64::MAX
    } else {
        (last - first + 1) as u64
    }
}

fn kind(write: bool) -> LockType {
    if write {
        LockType::Write
    } else {
        LockType::Read
    }
}
