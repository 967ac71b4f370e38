//! Rare facts, for logs and for observers.

use alloc::string::String;
use alloc::vec::Vec;

use nfs4_proto::nfs4::basic::SessionId;

use crate::delegation_kind::{DelegationKind, RecallReason};
use crate::direction::Direction;
use crate::fs::driver::{FsCall, FsFault};
use crate::ids::{ConnId, RequestId};
use crate::slow::{SlowCallback, SlowRequest};
use crate::stable::StableError;

/// A fact that is worth a line in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client record was confirmed.
    ClientConfirmed {
        /// Its id.
        client: u64,
        /// The connection that it confirmed by.
        conn: ConnId,
        /// The peer's address of the connection.
        peer: String,
    },
    /// Two clients keep replacing each other under one owner string, as containers do that share a
    /// host name: neither keeps its state.
    SharedOwner {
        /// `co_ownerid`.
        owner: Vec<u8>,
        /// How often in a row a client has come back that was replaced before.
        times: u32,
    },
    /// A client's state was removed.
    ClientGone {
        /// Its id.
        client: u64,
        /// Why.
        reason: ClientGone,
    },
    /// A client's lease has expired, and the server keeps its state for as long as no other client needs it.
    ClientCourteous {
        /// Its id.
        client: u64,
    },
    /// A client whose lease had expired has come back, and has its lease again.
    ClientReturned {
        /// Its id.
        client: u64,
    },
    /// A session was created.
    SessionCreated {
        /// Its id.
        session: SessionId,
        /// Its client.
        client: u64,
        /// The connection that it was created by.
        conn: ConnId,
        /// Fore channel slots granted.
        slots: u32,
    },
    /// A connection was bound to a session, or in another direction.
    Bound {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
        /// The channels that it serves.
        direction: Direction,
    },
    /// The connection that a session was created by could not be bound to it; the session exists all the
    /// same.
    NotBound {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
    },
    /// A client has asked for RDMA on a connection, which is refused.
    RdmaRefused {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
    },
    /// A connection is not bound to a session any more.
    Unbound {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
        /// Why.
        reason: Unbound,
    },
    /// A connection does not serve the backchannel of a session any more, although it is open.
    BackChannelLost {
        /// The session.
        session: SessionId,
        /// The connection, which may still serve the fore channel.
        conn: ConnId,
        /// What the client did.
        why: BackChannelLost,
    },
    /// A session can carry no more callbacks; only another session can.
    BackChannelFaulty {
        /// The session.
        session: SessionId,
    },
    /// A session was destroyed.
    SessionDestroyed {
        /// Its id.
        session: SessionId,
        /// Why.
        reason: SessionGone,
    },
    /// A file was delegated.
    DelegationGranted {
        /// The client's id.
        client: u64,
        /// The kind of the delegation.
        kind: DelegationKind,
    },
    /// A delegation is recalled.
    DelegationRecalled {
        /// The client's id.
        client: u64,
        /// The kind of the delegation.
        kind: DelegationKind,
        /// Why it is recalled.
        reason: RecallReason,
    },
    /// A delegation is revoked that the client did not return.
    DelegationRevoked {
        /// The client's id.
        client: u64,
        /// The kind of the delegation.
        kind: DelegationKind,
    },
    /// The grace period ended.
    GraceEnded {
        /// Why.
        reason: GraceEnd,
    },
    /// Stable storage has not taken what had to be written: the requests that depend on it get DELAY, and
    /// nothing is granted. Reported once a minute.
    StableFailed {
        /// Why the last write failed.
        error: StableError,
        /// Number of writes that have failed since the last report.
        failures: u64,
    },
    /// The administrator has changed settings.
    SettingsChanged {
        /// The names in [`Config`](crate::Config) of those that have another value now.
        settings: Vec<String>,
    },
    /// The administrator has added an export.
    ExportAdded {
        /// Its path.
        path: String,
        /// Its number.
        number: u16,
    },
    /// The administrator has changed the options of an export.
    ExportChanged {
        /// Its path.
        path: String,
        /// Its number.
        number: u16,
        /// The names in [`Export`](crate::Export) of those that have another value now.
        options: Vec<String>,
    },
    /// The administrator has removed an export; its state ends part by part.
    ExportRemoved {
        /// Its path.
        path: String,
        /// Its number.
        number: u16,
    },
    /// A file system has broken its contract; it has cost a request. Reported once a minute for each
    /// pair of call and fault.
    FileSystemFault {
        /// The number of its export, if that is known.
        export: Option<u16>,
        /// The call.
        call: FsCall,
        /// The fault.
        fault: FsFault,
        /// How often that was so since the last report.
        untold: u64,
        /// The request that it has cost; none if it cost no request.
        request: Option<RequestId>,
    },
    /// A request takes long. Reported once while it waits, and once when it is answered; of one host and of
    /// all hosts a few in ten seconds.
    SlowRequest(SlowRequest),
    /// A callback takes long. Reported once after each transmission, and once when it has ended; as often as
    /// requests.
    SlowCallback(SlowCallback),
    /// What took long and was not reported, because too much did.
    SlowUnreported {
        /// Number of requests.
        requests: u64,
        /// Number of callbacks.
        callbacks: u64,
    },
}

/// Why a client's state was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientGone {
    /// Its lease expired.
    LeaseExpired,
    /// The client sent DESTROY_CLIENTID.
    Request,
    /// A new incarnation of it took its place.
    Replaced,
    /// The administrator evicted it.
    Evicted,
    /// It had no state, and its record was needed for another client.
    Crowded,
}

/// Why a connection is not bound to a session any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unbound {
    /// The client bound it to another session.
    Explicit,
    /// The connection is gone.
    Disconnect,
    /// The session was destroyed.
    SessionDestroyed,
    /// The session's lease expired, or the connection was silent when its place was needed.
    Reaper,
}

/// What a client did, so that its connection carries no callbacks any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackChannelLost {
    /// It did not answer in time.
    Silent,
    /// Its reply cannot be decoded.
    Garbled,
    /// It refused the callback on this connection.
    Refused,
    /// It ended its half of the connection: it can answer no callback there.
    HalfClosed,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionGone {
    /// DESTROY_SESSION.
    Request,
    /// Its client's lease expired.
    LeaseExpired,
    /// A new incarnation of its client took its place.
    Replaced,
    /// The administrator destroyed it, or evicted its client.
    Evicted,
}

/// Why the grace period ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraceEnd {
    /// Its time is over.
    Over,
    /// The administrator ended it.
    Administrator,
    /// All clients that could reclaim state have done so.
    Reclaimed,
}

impl ClientGone {
    /// What it is called in the administration interface.
    pub const fn label(self) -> &'static str {
        match self {
            ClientGone::LeaseExpired => "lease_expired",
            ClientGone::Request => "client_request",
            ClientGone::Replaced => "replaced",
            ClientGone::Evicted => "admin_evict",
            ClientGone::Crowded => "crowded",
        }
    }
}

impl BackChannelLost {
    /// What it is called in the administration interface.
    pub const fn label(self) -> &'static str {
        match self {
            BackChannelLost::Silent => "silent",
            BackChannelLost::Garbled => "garbled",
            BackChannelLost::Refused => "refused",
            BackChannelLost::HalfClosed => "half_closed",
        }
    }
}

impl GraceEnd {
    /// What it is called in the administration interface.
    pub const fn label(self) -> &'static str {
        match self {
            GraceEnd::Over => "over",
            GraceEnd::Administrator => "admin",
            GraceEnd::Reclaimed => "reclaimed",
        }
    }
}

impl Unbound {
    /// All of them, in the order of their declaration.
    pub const ALL: &'static [Unbound] = &[
        Unbound::Explicit,
        Unbound::Disconnect,
        Unbound::SessionDestroyed,
        Unbound::Reaper,
    ];

    /// What it is called in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            Unbound::Explicit => "explicit",
            Unbound::Disconnect => "disconnect",
            Unbound::SessionDestroyed => "session_destroy",
            Unbound::Reaper => "reaper",
        }
    }
}

impl SessionGone {
    /// All of them, in the order of their declaration.
    pub const ALL: &'static [SessionGone] = &[
        SessionGone::Request,
        SessionGone::LeaseExpired,
        SessionGone::Replaced,
        SessionGone::Evicted,
    ];

    /// What it is called in a metric.
    pub const fn label(self) -> &'static str {
        match self {
            SessionGone::Request => "client_request",
            SessionGone::LeaseExpired => "lease_expired",
            SessionGone::Replaced => "replaced",
            SessionGone::Evicted => "admin_evict",
        }
    }
}
