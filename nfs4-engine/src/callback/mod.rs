//! Callbacks: calls of the server to its clients, on the clients' own connections.
//! [RFC 8881 §2.10.3, §2.10.6, §20]
//!
//! An accepted callback waits in the queue of a session until a slot of its backchannel is free. It
//! is sent, retransmitted if needed, and ends exactly once. Its [`CallPurpose`] says which part of
//! the engine gets the outcome. A callback blocks nothing but itself.

pub(crate) mod channel;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod flight;
pub(crate) mod path;
pub(crate) mod slot;
pub(crate) mod slowness;

use alloc::boxed::Box;
use alloc::vec::Vec;

use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::opnum::CbOp;
use nfs4_proto::nfs4::status::Status;

pub(crate) use self::channel::BackChannel;
pub(crate) use self::decode::HeldAttrs;
use self::flight::Flights;
pub(crate) use self::path::{CallbackPath, PathCall};
pub(crate) use self::slowness::Slowness;
use crate::fh::Fh;
use crate::keys::{ClientKey, DelegationKey, FileKey, SessionKey, kind};
use crate::slab::Entry;
use crate::slab::Slab;
use crate::time::Mono;

/// All callbacks that are accepted and not ended, and those on the wire.
pub(crate) struct Callbacks {
    pub(crate) calls: Slab<Call>,
    /// Callbacks to clients of minor version 0.
    pub(crate) path_calls: Slab<PathCall>,
    /// Connections that are being made, each with its client.
    pub(crate) dials: Slab<ClientKey>,
    pub(crate) flights: Flights,
    /// Sessions that the request in execution bound to a connection. Their queued callbacks are
    /// sent after its reply: before that, the client does not expect them.
    pub(crate) resumed: Vec<SessionKey>,
}

/// The operation of a callback.
#[derive(Debug)]
pub(crate) enum CallbackOp {
    /// CB_RECALL. [RFC 8881 §20.2]
    Recall {
        stateid: Stateid,
        truncate: bool,
        fh: Fh,
        /// The request that the delegation was granted to, in 4.1.
        granted: Option<Referred>,
    },
    /// CB_GETATTR. [RFC 8881 §20.1]
    GetAttr { fh: Fh, mask: Bitmap },
    /// CB_RECALL_ANY. [RFC 8881 §20.6]
    RecallAny { keep: u32, types: Bitmap },
    /// CB_RECALL_SLOT, for the session that it is sent on. [RFC 8881 §20.8]
    RecallSlot { target: u32 },
    /// CB_NOTIFY_LOCK. [RFC 8881 §20.11]
    NotifyLock { fh: Fh, owner: Box<[u8]> },
}

/// The purpose of a callback: the part of the engine that gets its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallPurpose {
    /// Recalls this delegation.
    Recall(DelegationKey),
    /// Asks the holder of this delegation for the attributes of the file.
    GetAttr(DelegationKey),
    /// Recalls some delegations of this client.
    RecallAny(ClientKey),
    /// Recalls slots of this session.
    RecallSlot(SessionKey),
    /// Notifies a lock-owner of this client that the lock on this file that it waits for is free.
    NotifyLock { file: FileKey, client: ClientKey },
}

/// A kind of callback that the engine promises when it grants something: a callback of this kind
/// must be possible at any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// CB_RECALL, promised with a delegation.
    Recall,
    /// CB_NOTIFY_LOCK, promised to a client that waits for a lock, so that it need not poll.
    NotifyLock,
}

/// A request that a callback refers to: the client may not have seen the reply yet.
/// [RFC 8881 §2.10.6.3]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Referred {
    pub(crate) session: SessionKey,
    pub(crate) slot: u32,
    pub(crate) seqid: u32,
}

/// The reason for which a callback is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackRefused {
    /// The queue has its maximum length.
    QueueFull,
    /// No connection leads to the client.
    NoPath,
}

/// How a callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackEnd {
    /// The client has executed it.
    Done {
        /// The status of the operation after CB_SEQUENCE; DELAY if the client kept refusing it for
        /// now.
        status: Status,
        /// The attributes in the result of CB_GETATTR.
        attrs: Option<HeldAttrs>,
    },
    /// The callback may or may not have been executed.
    Failed(CallbackFailed),
}

impl CallbackEnd {
    /// Whether it counts as failed: it was not given up because its session is gone.
    pub(crate) fn is_failure(self) -> bool {
        match self {
            CallbackEnd::Done { .. } | CallbackEnd::Failed(CallbackFailed::Cancelled) => false,
            CallbackEnd::Failed(
                CallbackFailed::NoPath | CallbackFailed::TimedOut | CallbackFailed::Refused,
            ) => true,
        }
    }
}

/// Why a callback failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackFailed {
    /// Its connection was lost, and no other was bound within a lease.
    NoPath,
    /// It was sent the maximum number of times, and no reply came in time.
    TimedOut,
    /// The client refuses it for good.
    Refused,
    /// Its session is gone.
    Cancelled,
}

/// A callback that was accepted.
pub(crate) struct Call {
    pub(crate) client: ClientKey,
    pub(crate) session: SessionKey,
    pub(crate) op: CallbackOp,
    pub(crate) purpose: CallPurpose,
    pub(crate) phase: CallPhase,
    /// Number of transmissions, and how many of these had its present seqid.
    pub(crate) attempts: u32,
    pub(crate) repeats: u32,
    pub(crate) slowness: Slowness,
    /// The time of its next check.
    pub(crate) at: Mono,
    /// The time at which it is given up.
    pub(crate) until: Mono,
    /// CB_COMPOUND4args under its present seqid: a retransmission is identical.
    pub(crate) body: Box<[u8]>,
}

/// The progress of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallPhase {
    /// In the queue of its session.
    Queued,
    /// Sent on this slot.
    Sent { slot: u32 },
    /// To be sent again on this slot after a pause.
    Waiting { slot: u32 },
    /// To be sent again on this slot once the client has bound a connection.
    Parked { slot: u32 },
}

impl Entry for ClientKey {
    type Kind = kind::Dial;
}

impl Entry for Call {
    type Kind = kind::Call;
}

impl Callbacks {
    pub(crate) const fn new() -> Callbacks {
        Callbacks {
            calls: Slab::new(),
            path_calls: Slab::new(),
            dials: Slab::new(),
            flights: Flights::new(),
            resumed: Vec::new(),
        }
    }
}

impl CallbackOp {
    /// The number of the operation.
    pub(crate) fn op(&self) -> CbOp {
        match self {
            CallbackOp::Recall { .. } => CbOp::Recall,
            CallbackOp::GetAttr { .. } => CbOp::GetAttr,
            CallbackOp::RecallAny { .. } => CbOp::RecallAny,
            CallbackOp::RecallSlot { .. } => CbOp::RecallSlot,
            CallbackOp::NotifyLock { .. } => CbOp::NotifyLock,
        }
    }

    /// Whether the operation concerns the session that carries it, so that no other session can
    /// carry it.
    pub(crate) fn is_of_session(&self) -> bool {
        matches!(self, CallbackOp::RecallSlot { .. })
    }
}

impl CallPurpose {
    /// Whether operations wait for the result: a callback that gets no reply in time is not sent
    /// again.
    pub(crate) fn is_probe(self) -> bool {
        matches!(self, CallPurpose::GetAttr(_))
    }
}

impl CallPhase {
    /// The slot that it has.
    pub(crate) fn slot(self) -> Option<u32> {
        match self {
            CallPhase::Queued => None,
            CallPhase::Sent { slot } | CallPhase::Waiting { slot } | CallPhase::Parked { slot } => {
                Some(slot)
            }
        }
    }
}
