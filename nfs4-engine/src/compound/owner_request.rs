//! The request of an owner in 4.0, in the order of its seqids. [RFC 7530 §9.1.7]

use crate::keys::{LockOwnerKey, OpenKey, OpenOwnerKey};
use crate::state::owner_seqid::SeqidRequest;

/// A request that an operation has begun for an owner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerRequest {
    pub(crate) whose: SeqidOwner,
    pub(crate) asked: SeqidRequest,
    /// The open that a CLOSE closes.
    pub(crate) closes: Option<OpenKey>,
    /// Of a LOCK by a lock-owner without state in the file: its own seqid, and the lock-owner itself if
    /// it is known.
    pub(crate) lock: Option<(Option<LockOwnerKey>, u32)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum SeqidOwner {
    Open(OpenOwnerKey),
    Lock(LockOwnerKey),
}
