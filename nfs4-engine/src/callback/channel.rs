//! The backchannel of one session: what was negotiated, its slots, and what waits for one.
//! [RFC 8881 §2.10.3.1, §18.36]

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

/// A session's backchannel, whether or not a connection serves it now.
pub(crate) struct BackChannel {
    /// The client has asked for it: its loss is worth telling.
    pub(crate) wanted: bool,
    /// The seqids cannot be mended, or the client does not know the session.
    pub(crate) faulty: bool,
    /// A callback went wrong, and since then none was executed and no connection bound.
    pub(crate) failing: bool,
    /// The number of fore channel slots that the client was last asked to come down to.
    pub(crate) recalled_slots: Option<u32>,
    /// The RPC program that the client serves for callbacks.
    program: u32,
    /// The minor version of callbacks.
    pub(crate) minor: u32,
    /// The credential of callbacks, as it is sent; without one there are none.
    credential: Option<Box<[u8]>>,
    max_request: u32,
    /// Whether a callback can be made of CB_SEQUENCE and another operation.
    has_place: bool,
    /// How long a CB_COMPOUND4args may be, in bytes.
    room: usize,
    /// Whether it can carry any CB_RECALL.
    carries_recalls: bool,
    /// Whether it can carry any CB_NOTIFY_LOCK.
    carries_locks: bool,
    /// Slots of it that are used.
    slots: u32,
    /// Number of them that the client wants used.
    allowed: u32,
    /// Slots, made when they are first used.
    seats: Vec<SlotInUse>,
    queue: VecDeque<CallKey>,
}

/// A slot with what is on it.
#[derive(Debug, Default)]
pub(crate) struct SlotInUse {
    pub(crate) slot: CbSlot,
    /// The callback that has it; none if that was given up.
    pub(crate) call: Option<CallKey>,
    /// The sendings of that callback that may still be answered.
    pub(crate) flights: Vec<FlightKey>,
    /// The highest slot that the callback was sent with.
    pub(crate) told: u32,
}

/// What a backchannel had on its slots, and what waited for one.
pub(crate) type Cleared = (Vec<SlotInUse>, VecDeque<CallKey>);

/// The credentials that a client offers cannot be used, all of them being of RPCSEC_GSS.
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
            recalled_slots: None,
            program,
            minor,
            credential,
            max_request: attrs.maxrequestsize,
            has_place: attrs.maxoperations >= 2 && slots > 0,
            room: 0,
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

    /// Whether as many operations and requests were negotiated as a callback takes.
    pub(crate) fn has_place(&self) -> bool {
        self.has_place
    }

    /// Whether the client has offered a credential that callbacks can have.
    pub(crate) fn is_secured(&self) -> bool {
        self.credential.is_some()
    }

    /// Whether callbacks can be made by it.
    pub(crate) fn can_call(&self) -> bool {
        self.has_place && self.is_secured()
    }

    /// Whether it can carry a callback whose arguments have this many bytes.
    pub(crate) fn carries(&self, args: usize) -> bool {
        self.can_call() && args <= self.room
    }

    /// Whether it can carry every callback of a kind that is promised beforehand.
    pub(crate) fn carries_all(&self, kind: Promise) -> bool {
        match kind {
            Promise::Recall => self.carries_recalls,
            Promise::NotifyLock => self.carries_locks,
        }
    }

    /// Finds out anew what it can carry.
    fn measure(&mut self) {
        let head = encode::head(0, self.program, CB_COMPOUND, self.credential(), 0);
        // The record mark does not count. [RFC 8881 §18.36.3, ca_maxrequestsize]
        self.room = (self.max_request as usize).saturating_sub(head.len() - 4);
        self.carries_recalls = self.carries(Promise::Recall.longest());
        self.carries_locks = self.carries(Promise::NotifyLock.longest());
    }

    /// How many slots of it are used, at most.
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

    /// Takes another program and credential from the next callback on; without a credential, the
    /// old one stays. [RFC 8881 §18.33]
    pub(crate) fn control(&mut self, program: u32, credential: Option<Box<[u8]>>) {
        self.program = program;
        if credential.is_some() {
            self.credential = credential;
        }
        self.measure();
    }

    /// Whether nothing more can be learned of any slot: the seqids of all are lost.
    pub(crate) fn is_stuck(&self) -> bool {
        self.seats.len() >= self.slots as usize
            && self.seats.iter().all(|seat| seat.slot.is_quarantined())
    }

    /// Whether a fault was found that only another session mends. [RFC 8881 §18.46.3,
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

    /// Takes all callbacks out, with their slots.
    pub(crate) fn clear(&mut self) -> Cleared {
        (mem::take(&mut self.seats), mem::take(&mut self.queue))
    }

    pub(crate) fn queue_mut(&mut self) -> &mut VecDeque<CallKey> {
        &mut self.queue
    }

    /// A slot that is free; it is the callback's now.
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

    /// The client wants no slot used above this; a client that only repeats what it got wants
    /// nothing. [RFC 8881 §20.9.3, csr_target_highest_slotid]
    pub(crate) fn steer(&mut self, told: u32, target: u32) {
        let wanted = target.saturating_add(1).min(self.slots);
        if target < told || wanted > self.allowed {
            self.allowed = wanted;
        }
    }

    /// The client does not take callbacks on this slot: neither on those above.
    pub(crate) fn forbid_from(&mut self, slot: u32) {
        self.allowed = self.allowed.min(slot);
    }
}

/// The credential for callbacks, as it is sent: the first that can be used, or none if nothing at
/// all is offered. [RFC 8881 §18.36.3, csa_sec_parms]
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

/// AUTH_NONE, as it is sent.
pub(crate) fn no_credential() -> Box<[u8]> {
    let mut w = Writer::new();
    OpaqueAuth::NONE.encode(&mut w);
    w.into_vec().into_boxed_slice()
}

/// Maximum number of slots that are used, whatever a client offers.
const MAX_SLOTS: u32 = 64;
/// Maximum number of callbacks that wait for a slot.
pub(crate) const QUEUE: usize = 64;
