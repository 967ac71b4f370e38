//! The backchannel of one session: what was negotiated, its slots, and the callbacks that wait for
//! one. [RFC 8881 §2.10.3.1, §18.36]

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use nfs4_proto::nfs4::args::{CallbackSecParms, ChannelAttrs};
use nfs4_proto::rpc::{AuthFlavor, CB_COMPOUND, OpaqueAuth};
use nfs4_proto::xdr::{Encode, List, Writer};

use super::slot::CbSlot;
use super::{Promise, encode};
use crate::keys::{CallKey, FlightKey};

/// The backchannel of a session, whether or not a connection serves it now.
pub(crate) struct BackChannel {
    /// The client has requested it, so its loss is reported.
    pub(crate) wanted: bool,
    /// The seqids are lost for good, or the client does not know the session.
    pub(crate) faulty: bool,
    /// A callback failed, and since then none was executed and no connection was bound.
    pub(crate) failing: bool,
    /// Number of its callbacks that failed.
    pub(crate) failures: u64,
    /// The fore-channel slot count of the last CB_RECALL_SLOT.
    pub(crate) recalled_slots: Option<u32>,
    /// The RPC program that the client serves for callbacks.
    program: u32,
    /// The minor version of its callbacks.
    pub(crate) minor: u32,
    /// The encoded credential of callbacks; without one there are no callbacks.
    credential: Option<Box<[u8]>>,
    max_request: u32,
    /// Whether a CB_COMPOUND may hold CB_SEQUENCE and one more operation.
    has_place: bool,
    /// Maximum length of a CB_COMPOUND4args, in bytes.
    max_args: usize,
    /// Whether it can carry any CB_RECALL.
    carries_recalls: bool,
    /// Whether it can carry any CB_NOTIFY_LOCK.
    carries_locks: bool,
    /// Number of its slots that the server uses.
    slots: u32,
    /// Number of these that the client allows.
    allowed: u32,
    /// The slots, each made at its first use.
    seats: Vec<SlotInUse>,
    queue: VecDeque<CallKey>,
}

/// A slot and the callback on it.
#[derive(Debug, Default)]
pub(crate) struct SlotInUse {
    pub(crate) slot: CbSlot,
    /// The callback that has the slot; none if that callback was given up.
    pub(crate) call: Option<CallKey>,
    /// The transmissions of that callback that may still be answered.
    pub(crate) flights: Vec<FlightKey>,
    /// The highest slot that the callback was sent with.
    pub(crate) highest_sent: u32,
}

/// What a backchannel had on its slots, and the callbacks that waited for one.
pub(crate) type Cleared = (Vec<SlotInUse>, VecDeque<CallKey>);

/// Every credential that the client offers is of RPCSEC_GSS, which callbacks cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnlyGss;

impl BackChannel {
    pub(crate) fn new(
        attrs: &ChannelAttrs,
        program: u32,
        minor: u32,
        credential: Option<Box<[u8]>>,
    ) -> BackChannel {
        let slots = attrs.maxrequests.min(MAX_SLOTS);
        let mut back = BackChannel {
            wanted: false,
            faulty: false,
            failing: false,
            failures: 0,
            recalled_slots: None,
            program,
            minor,
            credential,
            max_request: attrs.maxrequestsize,
            has_place: attrs.maxoperations >= 2 && slots > 0,
            max_args: 0,
            carries_recalls: false,
            carries_locks: false,
            slots,
            allowed: slots,
            seats: Vec::new(),
            queue: VecDeque::new(),
        };
        back.measure();
        back
    }

    /// Whether the client negotiated enough operations and requests for a callback.
    pub(crate) fn has_place(&self) -> bool {
        self.has_place
    }

    /// Whether the client has offered a credential that callbacks can use.
    pub(crate) fn is_secured(&self) -> bool {
        self.credential.is_some()
    }

    /// Whether the backchannel can carry callbacks.
    pub(crate) fn can_call(&self) -> bool {
        self.has_place && self.is_secured()
    }

    /// Whether the backchannel can carry a callback with arguments of `args` bytes.
    pub(crate) fn carries(&self, args: usize) -> bool {
        self.can_call() && args <= self.max_args
    }

    /// Whether the backchannel can carry every callback of a kind that is promised beforehand.
    pub(crate) fn carries_all(&self, kind: Promise) -> bool {
        match kind {
            Promise::Recall => self.carries_recalls,
            Promise::NotifyLock => self.carries_locks,
        }
    }

    /// Computes again what the backchannel can carry.
    fn measure(&mut self) {
        let head = encode::head(0, self.program, CB_COMPOUND, self.credential(), 0);
        // The record mark does not count. [RFC 8881 §18.36.3, ca_maxrequestsize]
        self.max_args = (self.max_request as usize).saturating_sub(head.len() - 4);
        self.carries_recalls = self.carries(Promise::Recall.longest());
        self.carries_locks = self.carries(Promise::NotifyLock.longest());
    }

    /// Maximum number of slots in use.
    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    pub(crate) fn program(&self) -> u32 {
        self.program
    }

    pub(crate) fn credential(&self) -> &[u8] {
        self.credential.as_deref().unwrap_or_default()
    }

    pub(crate) fn max_request(&self) -> u32 {
        self.max_request
    }

    /// Sets the program and the credential of all later callbacks; without a credential the old one
    /// stays. [RFC 8881 §18.33]
    pub(crate) fn control(&mut self, program: u32, credential: Option<Box<[u8]>>) {
        self.program = program;
        if credential.is_some() {
            self.credential = credential;
        }
        self.measure();
    }

    /// Whether no slot is usable any more: the seqids of all are lost.
    pub(crate) fn is_stuck(&self) -> bool {
        self.seats.len() >= self.slots as usize
            && self.seats.iter().all(|seat| seat.slot.is_quarantined())
    }

    /// Whether there is a fault that only another session mends. [RFC 8881 §18.46.3,
    /// SEQ4_STATUS_BACKCHANNEL_FAULT]
    pub(crate) fn has_fault(&self) -> bool {
        self.faulty || self.can_call() && self.is_stuck()
    }

    pub(crate) fn seats(&self) -> &[SlotInUse] {
        &self.seats
    }

    pub(crate) fn seat_mut(&mut self, slot: u32) -> Option<&mut SlotInUse> {
        self.seats.get_mut(slot as usize)
    }

    pub(crate) fn queue(&self) -> &VecDeque<CallKey> {
        &self.queue
    }

    /// Removes all callbacks, with their slots.
    pub(crate) fn clear(&mut self) -> Cleared {
        (mem::take(&mut self.seats), mem::take(&mut self.queue))
    }

    /// Number of callbacks that were accepted and have not ended.
    pub(crate) fn outstanding(&self) -> usize {
        let on_slots = self.seats.iter().filter(|seat| seat.call.is_some());
        self.queue.len() + on_slots.count()
    }

    pub(crate) fn queue_mut(&mut self) -> &mut VecDeque<CallKey> {
        &mut self.queue
    }

    /// Takes a free slot for the callback.
    pub(crate) fn take_slot(&mut self, call: CallKey) -> Option<u32> {
        if self.faulty {
            return None;
        }
        let allowed = self.allowed as usize;
        let free = |seat: &SlotInUse| seat.slot.is_free();
        let place = match self.seats.iter().take(allowed).position(free) {
            Some(place) => place,
            None if self.seats.len() < allowed => {
                self.seats.push(SlotInUse::default());
                self.seats.len() - 1
            }
            None => return None,
        };
        let seat = self.seats.get_mut(place)?;
        seat.slot.take()?;
        seat.call = Some(call);
        // There are at most MAX_SLOTS.
        u32::try_from(place).ok()
    }

    /// The highest slot that has a callback. [RFC 8881 §20.9.3, csa_highest_slotid]
    pub(crate) fn highest_taken(&self) -> u32 {
        let taken = self.seats.iter().rposition(|seat| !seat.slot.is_free());
        taken
            .and_then(|place| u32::try_from(place).ok())
            .unwrap_or(0)
    }

    /// Applies the target of the client: no slot above it is used. A target equal to the slot that
    /// was sent asks for nothing. [RFC 8881 §20.9.3, csr_target_highest_slotid]
    pub(crate) fn steer(&mut self, sent: u32, target: u32) {
        let wanted = target.saturating_add(1).min(self.slots);
        if target < sent || wanted > self.allowed {
            self.allowed = wanted;
        }
    }

    /// Stops the use of this slot and those above: the client refuses callbacks on it.
    pub(crate) fn forbid_from(&mut self, slot: u32) {
        self.allowed = self.allowed.min(slot);
    }
}

/// The encoded credential for callbacks: the first usable one, or none if the client offers none.
/// [RFC 8881 §18.36.3, csa_sec_parms]
///
/// # Errors
/// Only RPCSEC_GSS is offered.
pub(crate) fn credential(
    offered: &List<'_, CallbackSecParms<'_>>,
) -> Result<Option<Box<[u8]>>, OnlyGss> {
    if offered.is_empty() {
        return Ok(None);
    }
    let mut w = Writer::new();
    for parms in offered {
        match parms {
            CallbackSecParms::None => OpaqueAuth::NONE.encode(&mut w),
            CallbackSecParms::Sys(sys) => {
                let mut body = Writer::new();
                sys.encode(&mut body);
                let (flavor, body) = (AuthFlavor::SYS, body.as_slice());
                OpaqueAuth { flavor, body }.encode(&mut w);
            }
            CallbackSecParms::Gss(_) => continue,
        }
        return Ok(Some(w.into_vec().into_boxed_slice()));
    }
    Err(OnlyGss)
}

/// AUTH_NONE, encoded.
pub(crate) fn no_credential() -> Box<[u8]> {
    let mut w = Writer::new();
    OpaqueAuth::NONE.encode(&mut w);
    w.into_vec().into_boxed_slice()
}

/// Maximum number of slots, whatever a client offers.
const MAX_SLOTS: u32 = 64;
/// Maximum number of callbacks that wait for a slot.
pub(crate) const QUEUE: usize = 64;
