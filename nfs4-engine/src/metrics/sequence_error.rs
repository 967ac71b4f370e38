//! The reasons for which a SEQUENCE begins no new request.

use nfs4_proto::nfs4::status::Status;

/// Why a SEQUENCE did not begin a new request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SequenceError {
    /// The session does not exist, or its client's lease has expired.
    BadSession,
    /// The session has no such slot.
    BadSlot,
    /// The seqid is neither the last of the slot nor the next.
    SeqMisordered,
    /// The seqid is the slot's last, but the request differs.
    FalseRetry,
    /// The request of the slot is still in execution.
    SlotBusy,
    /// A retry, answered from the replay cache.
    ReplayHit,
    /// A retry of a request whose reply was not kept.
    RetryUncached,
    /// The arguments cannot be decoded.
    BadXdr,
    /// The request, or its reply, has more bytes or operations than the session allows.
    TooBig,
}

impl SequenceError {
    /// All variants, in the order of their declaration.
    pub const ALL: &'static [SequenceError] = &[
        SequenceError::BadSession,
        SequenceError::BadSlot,
        SequenceError::SeqMisordered,
        SequenceError::FalseRetry,
        SequenceError::SlotBusy,
        SequenceError::ReplayHit,
        SequenceError::RetryUncached,
        SequenceError::BadXdr,
        SequenceError::TooBig,
    ];

    /// The label in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            SequenceError::BadSession => "bad_session",
            SequenceError::BadSlot => "bad_slot",
            SequenceError::SeqMisordered => "seq_misordered",
            SequenceError::FalseRetry => "false_retry",
            SequenceError::SlotBusy => "slot_busy",
            SequenceError::ReplayHit => "replay_hit",
            SequenceError::RetryUncached => "retry_uncached",
            SequenceError::BadXdr => "bad_xdr",
            SequenceError::TooBig => "too_big",
        }
    }

    /// The reason behind the status of a SEQUENCE.
    pub(crate) fn of(status: Status) -> Option<SequenceError> {
        Some(match status {
            Status::BADSESSION => SequenceError::BadSession,
            Status::BADSLOT => SequenceError::BadSlot,
            Status::SEQ_MISORDERED => SequenceError::SeqMisordered,
            Status::SEQ_FALSE_RETRY => SequenceError::FalseRetry,
            Status::DELAY => SequenceError::SlotBusy,
            Status::BADXDR => SequenceError::BadXdr,
            Status::REQ_TOO_BIG
            | Status::TOO_MANY_OPS
            | Status::REP_TOO_BIG
            | Status::REP_TOO_BIG_TO_CACHE => SequenceError::TooBig,
            _ => return None,
        })
    }
}
