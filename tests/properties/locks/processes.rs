//! Processes that are no clients, and lock bytes of the same files.

use nfs4_engine::fs::{ByteLock, ByteRange, LockKind};
use nfs4_proto::nfs4::Status;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::basic::ClientId;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_tests::sim::Reply;

use super::model::BYTES;
use super::play::{NAMES, Play, Seen};

impl Play {
    /// It gets the lock unless a client has one that conflicts.
    pub(super) fn lock_locally(&mut self, file: usize, write: bool, range: (usize, usize)) {
        if self.handles[file].is_empty() {
            return;
        }
        let of = &self.files[file];
        let mut bytes = range.0..=range.1;
        let in_the_way = |byte| {
            of.strength(byte)
                .is_some_and(|exclusive| write || exclusive)
        };
        let is_free = !bytes.any(in_the_way);
        let got = self
            .sim
            .fs()
            .lock_locally(&self.handles[file], lock(range, write));
        assert_eq!(got, is_free, "{range:?} of file {file}");
        if got {
            self.files[file].local.push((range, write));
            self.seen.insert(Seen::LocalLock);
        } else {
            self.seen.insert(Seen::LocalDenied);
        }
    }

    pub(super) fn unlock_locally(&mut self, file: usize) {
        self.files[file].local.clear();
        if !self.handles[file].is_empty() {
            self.sim.fs().unlock_locally(&self.handles[file]);
        }
    }

    /// Processes find locked what the strongest lock of any client says.
    pub(super) fn compare_locally(&self) {
        for file in 0..NAMES.len() {
            if self.handles[file].is_empty() {
                continue;
            }
            for byte in 0..BYTES {
                let found = self.sim.fs().strength(&self.handles[file], byte as u64);
                let strength = self.files[file].strength(byte);
                assert_eq!(found, strength.map(kind), "byte {byte} of file {file}");
            }
        }
    }

    /// The first lock of a process that is in the way is told, without a client.
    #[track_caller]
    pub(super) fn assert_denied_locally(
        &mut self,
        reply: &Reply,
        (range, write): ((usize, usize), bool),
    ) {
        self.seen.insert(Seen::DeniedLocally);
        let results = reply.results();
        let (ResOp::Lock(Outcome::Err(Status::DENIED, Some(denied)))
        | ResOp::LockT(Outcome::Err(Status::DENIED, Some(denied)))) =
            results.last().expect("there is a result")
        else {
            panic!("not denied: {reply:?}");
        };
        let lock = lock(range, write);
        let length = match lock.range.last {
            u64::MAX => u64::MAX,
            last => last - lock.range.first + 1,
        };
        assert_eq!((denied.offset, denied.length), (lock.range.first, length));
        assert_eq!(denied.locktype.is_write(), write);
        assert_eq!(
            (denied.owner.clientid, denied.owner.owner),
            (ClientId(0), &b""[..])
        );
    }
}

fn lock((first, last): (usize, usize), write: bool) -> ByteLock {
    let last = if last == BYTES - 1 {
        u64::MAX
    } else {
        last as u64
    };
    ByteLock {
        range: ByteRange {
            first: first as u64,
            last,
        },
        kind: kind(write),
    }
}

fn kind(write: bool) -> LockKind {
    if write {
        LockKind::Write
    } else {
        LockKind::Read
    }
}
