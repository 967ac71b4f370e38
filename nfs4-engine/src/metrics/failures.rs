//! Failed operations, by operation and status.

use alloc::vec::Vec;

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

/// The number of failures of one operation with one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The operation.
    pub op: Op,
    /// The minor version of its COMPOUND.
    pub minor: u32,
    /// The status of its result.
    pub status: Status,
    /// Number of failures.
    pub count: u64,
}

/// A short table, searched from its start: frequent failures enter it early.
#[derive(Debug, Default)]
pub(super) struct Failures {
    kinds: Vec<Failure>,
    /// Number of failures that the table had no room for.
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
        } else if self.kinds.len() < MAX_KINDS {
            self.kinds.reserve_exact(MAX_KINDS - self.kinds.len());
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

/// Maximum number of rows: a peer can provoke many kinds of failure, and each makes searches
/// longer.
const MAX_KINDS: usize = 128;

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
        assert_eq!(failures.kinds().len(), MAX_KINDS);
        assert_eq!(failures.others(), 200 - MAX_KINDS as u64);
        assert_eq!(failures.kinds()[3].count, 2);
        failures.clear();
        assert!(failures.kinds().is_empty() && failures.others() == 0);
    }
}
