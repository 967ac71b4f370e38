//! A COMPOUND in execution, and what it keeps while it is parked.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::IpAddr;

use bytes::Bytes;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::opnum::Op;

use super::reply::Reply;
use crate::compound::owner_request::OwnerRequest;
use crate::compound::wait::Wait;
use crate::compound::{Sequenced, Stage};
use crate::fh::Fh;
use crate::fs::{Attrs, Credential, Expected, FsStat};
use crate::guards::{ChangeWatch, Guard};
use crate::ids::{ConnId, RequestId};
use crate::keys::{ClientKey, RequestKey, kind};
use crate::session::slot::SequenceValues;
use crate::slab::Entry;
use crate::slow::WaitsFor;
use crate::slow_log::Reported;
use crate::terms::KnownTerms;
use crate::time::Mono;
use crate::traffic::Moved;

/// One COMPOUND. It borrows nothing, so that it can be parked; boxed, and used again for another
/// when it is done.
pub(crate) struct Compound {
    pub(crate) conn: ConnId,
    pub(crate) xid: u32,
    pub(crate) cred: Arc<Credential>,
    /// Length of the RPC message.
    pub(crate) message_len: u32,
    /// COMPOUND4args, while it is parked.
    pub(crate) record: Bytes,
    pub(crate) arrived: Mono,
    pub(crate) minor: u32,
    /// Operations in the request, and how many of them have begun.
    pub(crate) count: u32,
    pub(crate) begun: u32,
    /// The operation in execution, and where in the record its arguments begin.
    pub(crate) op: Op,
    pub(crate) args_at: usize,
    /// Where in the record the next operation begins.
    pub(crate) next_at: usize,
    pub(crate) stage: Stage,
    /// What must hold for the answer to the last request to a file system.
    pub(crate) expected: Expected,
    pub(crate) current: Option<Fh>,
    pub(crate) saved: Option<Fh>,
    /// The anonymous one if no operation has returned one for the current filehandle.
    /// [RFC 8881 §16.2.3.1.2]
    pub(crate) current_stateid: Stateid,
    pub(crate) saved_stateid: Stateid,
    pub(crate) sequenced: Option<Sequenced>,
    /// The values of its SEQUENCE's result.
    pub(crate) sequence_values: SequenceValues,
    /// In minor version 0, the client whose lease it holds.
    pub(crate) leased_by: Option<ClientKey>,
    /// In minor version 0, the owner's request that the operation is.
    pub(crate) owner_request: Option<OwnerRequest>,
    /// In 4.0, the key that a retransmission finds it by.
    pub(crate) request: Option<RequestKey>,
    /// An operation that changes something has begun.
    pub(crate) changes: bool,
    /// The first operation that may answer DELAY does so: the client sends the request again.
    pub(crate) answers_delay: bool,
    /// It was parked at least once.
    pub(crate) has_waited: bool,
    /// When the operation in execution began, once it has waited.
    pub(crate) waits_since: Option<Mono>,
    /// Bytes that its READs and WRITEs have moved.
    pub(crate) moved: Moved,
    /// What it waits for while it is parked, and since when.
    pub(crate) waits_for: WaitsFor,
    pub(crate) parked_at: Mono,
    pub(crate) longest: Wait,
    /// Whether it was reported as slow.
    pub(crate) reported: Reported,
    /// The draining of its connection in which it is counted; 0 for none.
    pub(crate) awaited: u32,
    /// The reply is to be kept for replay.
    pub(crate) keep: bool,
    /// Maximum bytes of the RPC reply, and of one that is kept.
    pub(crate) max_reply: usize,
    pub(crate) max_kept: usize,
    /// The memory that is left for a kept one, in bytes.
    pub(crate) cache_room: usize,
    pub(crate) reply: Reply,
    pub(crate) fetched: Option<Fetched>,
    /// What must not be delegated while the current operation runs.
    pub(crate) guard: Guard,
    /// The moment from which the current operation watches for changes.
    pub(crate) watch: ChangeWatch,
    /// The write to stable storage that it waited for has failed.
    pub(crate) not_stored: bool,
    /// Number of times that an operation of it has waited for stable storage instead of answering DELAY.
    pub(crate) stores_awaited: u8,
    /// The terms of the peer for an export that is not for every host in the same way.
    pub(crate) known_terms: Option<KnownTerms>,
    /// The address of the peer, once the request was parked: its connection may be closed meanwhile.
    pub(crate) address: Option<IpAddr>,
    /// The user for which the next request to the file system is made, if not the caller.
    pub(crate) acting_as: Option<Arc<Credential>>,
}

/// Attributes that came with another answer and are still true.
#[derive(Clone, Copy)]
pub(crate) struct Fetched {
    pub(crate) fh: Fh,
    pub(crate) attrs: Attrs,
    pub(crate) stat: Option<FsStat>,
}

impl Entry for Box<Compound> {
    type Kind = kind::Compound;
}

impl Compound {
    pub(crate) fn new(cred: Arc<Credential>) -> Compound {
        Compound {
            conn: ConnId::FIRST,
            xid: 0,
            cred,
            message_len: 0,
            record: Bytes::new(),
            arrived: Mono::ZERO,
            minor: 0,
            count: 0,
            begun: 0,
            op: Op::Illegal,
            args_at: 0,
            next_at: 0,
            stage: Stage::Last,
            expected: Expected::Nothing,
            current: None,
            saved: None,
            current_stateid: Stateid::ANONYMOUS,
            saved_stateid: Stateid::ANONYMOUS,
            sequenced: None,
            sequence_values: SequenceValues::default(),
            leased_by: None,
            owner_request: None,
            request: None,
            changes: false,
            answers_delay: false,
            has_waited: false,
            waits_since: None,
            moved: Moved::default(),
            waits_for: WaitsFor::Others,
            parked_at: Mono::ZERO,
            longest: Wait::NONE,
            reported: Reported::No,
            awaited: 0,
            keep: false,
            max_reply: usize::MAX,
            max_kept: usize::MAX,
            cache_room: usize::MAX,
            reply: Reply::new(),
            fetched: None,
            guard: Guard::None,
            watch: ChangeWatch::default(),
            not_stored: false,
            stores_awaited: 0,
            known_terms: None,
            address: None,
            acting_as: None,
        }
    }

    /// The nanoseconds from the start of the operation to its result, if it has waited.
    pub(crate) fn end_operation(&mut self, now: Mono) -> Option<u64> {
        self.waits_since.take().map(|since| now.nanos_since(since))
    }

    /// Makes another filehandle the current one; the stateid of the old one goes with it.
    pub(crate) fn set_current(&mut self, fh: Fh) {
        self.current = Some(fh);
        self.current_stateid = Stateid::ANONYMOUS;
    }

    /// The name of the request.
    pub(crate) fn id(&self) -> RequestId {
        RequestId {
            conn: self.conn,
            xid: self.xid,
        }
    }

    /// When it arrived, unless it was reported as slow or counted.
    pub(crate) fn unreported_since(&self) -> Option<Mono> {
        (self.reported == Reported::No).then_some(self.arrived)
    }

    /// It is about to be parked.
    #[inline]
    pub(crate) fn begin_wait(&mut self, waits_for: WaitsFor, now: Mono) {
        (self.waits_for, self.parked_at) = (waits_for, now);
    }

    /// It was parked, and continues.
    #[inline]
    pub(crate) fn end_wait(&mut self, now: Mono) {
        let wait = self.waits(now);
        if wait.nanos >= self.longest.nanos {
            self.longest = wait;
        }
    }

    /// Its present wait.
    #[inline]
    pub(crate) fn waits(&self, now: Mono) -> Wait {
        Wait {
            op: self.op,
            waits_for: self.waits_for,
            nanos: now.nanos_since(self.parked_at),
        }
    }
}
