//! Counters: plain numbers inside the engine, taken by the driver whenever it likes.

use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

/// What was counted since it was last taken.
#[derive(Debug, Default)]
pub struct Metrics {
    operations: Vec<[u64; MINORS]>,
    /// Which rows of `operations` are not zero: a set of their places.
    counted: u128,
    /// Operations that failed.
    pub failed_operations: u64,
    /// SEQUENCE operations, whatever their result.
    pub sequences: u64,
    /// SEQUENCE operations that failed.
    pub sequence_errors: u64,
    /// Requests answered from the replay cache, or told that they were not kept.
    pub replay_hits: u64,
    /// Requests served on a connection that could not be bound to their session.
    pub unbound_requests: u64,
    /// COMPOUNDs answered.
    pub compounds: u64,
    /// Time from the arrival to the reply of all of them, in nanoseconds.
    pub compound_nanos: u64,
}

impl Metrics {
    /// How often an operation succeeded in a minor version.
    pub fn succeeded(&self, op: Op, minor: u32) -> u64 {
        let of_op = self.operations.get(op.index());
        of_op
            .and_then(|minors| minors.get(minor as usize))
            .copied()
            .unwrap_or(0)
    }

    /// Sets everything to zero.
    pub fn clear(&mut self) {
        let mut operations = core::mem::take(&mut self.operations);
        let mut counted = self.counted;
        while counted != 0 {
            if let Some(of_op) = operations.get_mut(counted.trailing_zeros() as usize) {
                *of_op = [0; MINORS];
            }
            counted &= counted - 1;
        }
        *self = Metrics {
            operations,
            ..Metrics::default()
        };
    }

    pub(crate) fn operation(&mut self, op: Op, minor: u32, status: Status) {
        if status != Status::OK {
            self.failed_operations += 1;
            return;
        }
        if self.operations.is_empty() {
            self.operations.resize(Op::COUNT, [0; MINORS]);
        }
        let of_op = self.operations.get_mut(op.index());
        if let Some(count) = of_op.and_then(|minors| minors.get_mut(minor as usize)) {
            *count += 1;
            self.counted |= 1 << op.index();
        }
    }

    pub(crate) fn sequence(&mut self) {
        self.sequences += 1;
    }

    pub(crate) fn sequence_error(&mut self) {
        self.sequence_errors += 1;
    }

    pub(crate) fn unbound_request(&mut self) {
        self.unbound_requests += 1;
    }

    pub(crate) fn replay_hit(&mut self) {
        self.replay_hits += 1;
    }

    pub(crate) fn compound(&mut self, took: Duration) {
        self.compounds += 1;
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.compound_nanos = self.compound_nanos.saturating_add(nanos);
    }
}

/// Minor versions 0 to 2.
const MINORS: usize = 3;
const _: () = assert!(Op::COUNT <= u128::BITS as usize, "a row has a bit");
