//! Sets of operations.

use nfs4_proto::nfs4::opnum::Op;

/// A set of operations, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpSet(u128);

impl OpSet {
    pub(crate) fn of(ops: &[Op]) -> OpSet {
        OpSet(ops.iter().fold(0, |bits, op| bits | bit(*op)))
    }

    pub(crate) fn contains(self, op: Op) -> bool {
        self.0 & bit(op) != 0
    }
}

fn bit(op: Op) -> u128 {
    const { assert!(Op::COUNT <= 128, "a bit for every operation") };
    1 << op.index()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_contains_only_its_members() {
        let set = OpSet::of(&[Op::Access, Op::RemoveXattr]);
        let members: alloc::vec::Vec<Op> = Op::ALL
            .iter()
            .copied()
            .filter(|op| set.contains(*op))
            .collect();
        assert_eq!(members, [Op::Access, Op::RemoveXattr]);
    }
}
