//! Callbacks: what the server asks of its clients, over their own connections.
//! [RFC 8881 §2.10.3, §2.10.6, §20]
//!
//! A callback that is accepted waits in the queue of a session for a free slot of its backchannel, is
//! sent and retransmitted, and ends exactly once: what asked for it learns that by its
//! [`CallPurpose`]. Nothing waits for a callback but itself.

pub(crate) mod channel;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod flight;
pub(crate) mod path;
pub(crate) mod slot;

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
use crate::fh::Fh;
use crate::keys::{ClientKey, DelegationKey, FileKey, SessionKey, kind};
use crate::slab::Entry;
use crate::slab::Slab;
use crate::time::Mono;

/// All callbacks that are accepted and not ended, and those on the wire.
pub(crate) struct Callbacks {
    pub(crate) calls: Slab<Call>,
    /// Those to clients of minor version 0.
    pub(crate) path_calls: Slab<PathCall>,
    /// Connections that are being made, and to which client.
    pub(crate) dials: Slab<ClientKey>,
    pub(crate) flights: Flights,
    /// Sessions that a connection was bound to by the request in execution: what waits for one goes
    /// out after the reply, for before it the client does not know that it may come.
    pub(crate) resumed: Vec<SessionKey>,
}

/// What is asked of a client.
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
    /// CB_RECALL_SLOT, about the session that it is sent by. [RFC 8881 §20.8]
    RecallSlot { target: u32 },
    /// CB_NOTIFY_LOCK. [RFC 8881 §20.11]
    NotifyLock { fh: Fh, owner: Box<[u8]> },
}

/// What asked for a callback, and learns how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallPurpose {
    /// This delegation is to come back.
    Recall(DelegationKey),
    /// What the holder of this delegation has made of the file is to be known.
    GetAttr(DelegationKey),
    /// Some of this client's delegations are to come back.
    RecallAny(ClientKey),
    /// The slots of this session are to come back.
    RecallSlot(SessionKey),
    /// A lock that this client waits for on this file is free.
    NotifyLock { file: FileKey, client: ClientKey },
}

/// A kind of callback that something is granted on the strength of: it must be possible to make it,
/// however long it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// CB_RECALL: the server can recall a delegation that it grants.
    Recall,
    /// CB_NOTIFY_LOCK: a client that waits for a lock need not poll.
    NotifyLock,
}

/// A request of a client that a callback refers to: the client may not have seen the reply yet.
/// [RFC 8881 §2.10.6.3]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Referred {
    pub(crate) session: SessionKey,
    pub(crate) slot: u32,
    pub(crate) seqid: u32,
}

/// Why a callback is not even taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackRefused {
    /// The queue is full.
    QueueFull,
    /// There is no way to the client.
    NoPath,
}

/// How a callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackEnd {
    /// The client has executed it.
    Done {
        /// Of the operation after CB_SEQUENCE; DELAY if the client could not be brought to it.
        status: Status,
        /// What CB_GETATTR was answered.
        attrs: Option<HeldAttrs>,
    },
    /// It was executed or not.
    Failed(CallbackFailed),
}

/// Why a callback failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackFailed {
    /// Its connection was lost, and for a lease no other came.
    NoPath,
    /// It was sent as often as it may be, and no answer came in time.
    TimedOut,
    /// The client will have nothing to do with it.
    Refused,
    /// Its session has gone.
    Cancelled,
}

/// A callback that was accepted.
pub(crate) struct Call {
    pub(crate) client: ClientKey,
    pub(crate) session: SessionKey,
    pub(crate) op: CallbackOp,
    pub(crate) purpose: CallPurpose,
    pub(crate) phase: CallPhase,
    /// How often it was sent, and how often of these under the seqid that it has now.
    pub(crate) attempts: u32,
    pub(crate) repeats: u32,
    /// When to look at it next.
    pub(crate) at: Mono,
    /// When it was accepted long enough ago.
    pub(crate) until: Mono,
    /// CB_COMPOUND4args under the seqid that it has: what is sent again is the same.
    pub(crate) body: Box<[u8]>,
}

/// Where a callback is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallPhase {
    /// In the queue of its session.
    Queued,
    /// Sent, on this slot.
    Sent { slot: u32 },
    /// To be sent again on this slot, when it has waited for a while.
    Waiting { slot: u32 },
    /// To be sent again on this slot, when the client has bound a connection.
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
    /// Its number.
    pub(crate) fn op(&self) -> CbOp {
        match self {
            CallbackOp::Recall { .. } => CbOp::Recall,
            CallbackOp::GetAttr { .. } => CbOp::GetAttr,
            CallbackOp::RecallAny { .. } => CbOp::RecallAny,
            CallbackOp::RecallSlot { .. } => CbOp::RecallSlot,
            CallbackOp::NotifyLock { .. } => CbOp::NotifyLock,
        }
    }

    /// Whether it is about the session that it is sent by, and so can be sent by no other.
    pub(crate) fn is_of_session(&self) -> bool {
        matches!(self, CallbackOp::RecallSlot { .. })
    }
}

impl CallPurpose {
    /// Whether others wait for the answer: if it does not come in time, it is not asked again.
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
