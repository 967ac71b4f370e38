//! Operations that failed, by what failed and how.

use alloc::vec::Vec;

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

/// How often an operation failed in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The operation.
    pub op: Op,
    /// The minor version that it was called in.
    pub minor: u32,
    /// What it answered.
    pub status: Status,
    /// How often.
    pub count: u64,
}

/// A short table, searched from its start: what fails often is soon in it.
#[derive(Debug, Default)]
pub(super) struct Failures {
    kinds: Vec<Failure>,
    /// Those that the table had no place for.
    others: u64,
}

impl Failures {
    pub(super) fn kinds(&self) -> &[Failure] {
        &self.kinds
    }

    pub(super) fn others(&self) -> u64 {
        self.others
    }

    pub(super) fn add(&mut self, op: Op, minor: u32, status: Status) {
        let same = |kind: &&mut Failure| (kind.op, kind.minor, kind.status) == (op, minor, status);
        if let Some(kind) = self.kinds.iter_mut().find(same) {
            kind.count += 1;
        } else if self.kinds.len() < MOST {
            self.kinds.reserve_exact(MOST - self.kinds.len());
            self.kinds.push(Failure {
                op,
                minor,
                status,
                count: 1,
            });
        } else {
            self.others += 1;
        }
    }

    pub(super) fn clear(&mut self) {
        self.kinds.clear();
        self.others = 0;
    }
}

/// A peer can provoke many kinds of failure; it must not make every search long.
const MOST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_still_counts() {
        let mut failures = Failures::default();
        for number in 0..200 {
            failures.add(Op::Open, 1, Status(number));
        }
        failures.add(Op::Open, 1, Status(3));
        assert_eq!(failures.kinds().len(), MOST);
        assert_eq!(failures.others(), 200 - MOST as u64);
        assert_eq!(failures.kinds()[3].count, 2);
        failures.clear();
        assert!(failures.kinds().is_empty() && failures.others() == 0);
    }
}
