//! One of the waits of a COMPOUND.

use nfs4_proto::nfs4::opnum::Op;

use crate::slow::WaitsFor;

/// What a COMPOUND waits for while it is parked, and how long, in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) op: Op,
    pub(crate) waits_for: WaitsFor,
    pub(crate) nanos: u64,
}

impl Wait {
    /// Of a COMPOUND that has not waited.
    pub(crate) const NONE: Wait = Wait {
        op: Op::Illegal,
        waits_for: WaitsFor::Others,
        nanos: 0,
    };
}
