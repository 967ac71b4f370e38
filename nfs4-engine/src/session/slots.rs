//! The number of slots of a session, and how it changes while the client uses them.
//! [RFC 8881 §2.10.6.1]

use core::time::Duration;

use super::slot::{Acquire, Slot};
use super::slot_store::SlotStore;
use crate::time::Mono;

/// The slots of a session, of which the client may use the first `count`.
#[derive(Default)]
pub(crate) struct Slots {
    /// Number of slots that take new requests: `sr_highest_slotid`, and one more.
    count: u32,
    /// Number of slots that answer retransmissions: more than `count` while the client has not
    /// acknowledged the loss of slots.
    retained: u32,
    store: SlotStore,
    /// A request for fewer slots that the client has not fulfilled yet.
    shrink: Option<ShrinkRequest>,
}

/// A reply that asked for fewer slots. [RFC 8881 §18.46.3, sr_target_highest_slotid]
#[derive(Clone, Copy, Debug)]
struct ShrinkRequest {
    /// The slot of the reply. A later request on this slot was sent after the reply had arrived; a
    /// request on another slot may have overtaken it.
    slot: u32,
    /// Number of slots that the client is to keep.
    target: u32,
    /// When a reply first asked for this few slots.
    since: Mono,
}

/// What a new request says of the slots in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// The slot of the request.
    pub(crate) slot: u32,
    /// `sa_highest_slotid`: no request is outstanding on a slot above it.
    pub(crate) highest: u32,
}

impl Slots {
    pub(crate) fn new(count: u32) -> Slots {
        Slots {
            count,
            retained: count,
            ..Slots::default()
        }
    }

    /// Number of slots that take new requests.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Number of slots up to the last one that has memory.
    pub(crate) fn made(&self) -> u32 {
        self.store.made()
    }

    /// The slot of this number, if it has memory.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&Slot> {
        self.store.get(number)
    }

    /// The slot of this number, if it has memory.
    #[inline]
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Slot> {
        self.store.get_mut(number)
    }

    /// All slots that have memory.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> + '_ {
        self.store.iter()
    }

    /// Passes a request to its slot, as [`Slot::acquire`] does.
    #[inline]
    pub(crate) fn acquire(&mut self, number: u32, seqid: u32, fingerprint: u64) -> Acquire {
        let for_retries = number >= self.count;
        let slot = if number >= self.retained {
            None
        } else if for_retries {
            self.store.get_mut(number)
        } else {
            self.store.make(number)
        };
        let Some(slot) = slot else {
            return Acquire::NoSlot { freed: 0 };
        };
        if for_retries && !slot.has_answered(seqid) {
            // With the next seqid the client acknowledges the reply to the last one, so the slot is
            // retired. It is the only slot that an error changes. [RFC 8881 §2.10.6.1]
            let freed = if slot.is_next(seqid) {
                slot.retire()
            } else {
                0
            };
            return Acquire::NoSlot { freed };
        }
        slot.acquire(seqid, fingerprint)
    }

    /// Retires the slots that the client returns: it knows of the request for fewer slots, and this
    /// new request says that nothing is outstanding on the slots above.
    ///
    /// Returns the number of bytes of kept replies that went with them.
    #[inline]
    pub(crate) fn note_usage(&mut self, usage: Usage) -> usize {
        // Mostly the client was not asked for slots.
        self.shrink
            .map_or(0, |shrink| self.shrink_if_returned(shrink, usage))
    }

    fn shrink_if_returned(&mut self, shrink: ShrinkRequest, usage: Usage) -> usize {
        let ShrinkRequest { slot, target, .. } = shrink;
        let forced = self.retained > self.count;
        if usage.slot == slot && usage.highest < target && !self.store.any_running(target) {
            self.shrink = None;
            (self.count, self.retained) = (target, target);
            return self.store.retire(target);
        }
        if forced && usage.slot < slot {
            // The reply to this request asks, too: the client may never use the other slot again.
            self.shrink = Some(ShrinkRequest {
                slot: usage.slot,
                ..shrink
            });
        }
        0
    }

    /// Raises the number of slots to `target`, which is not below the present one. A client that has
    /// not acknowledged the loss of slots does not get them again: the server could not know whether
    /// the client continues their seqids or begins anew.
    pub(crate) fn grow_to(&mut self, target: u32) {
        debug_assert!(target >= self.count, "fewer slots are requested, not set");
        if self.retained == self.count {
            (self.count, self.retained) = (target, target);
            self.shrink = None;
        }
    }

    /// The reply on this slot asks for fewer slots. If the client does not return them within
    /// `patience`, they take no new requests as soon as none runs on them; they answer
    /// retransmissions until the client returns them.
    pub(crate) fn request_shrink(&mut self, target: u32, slot: u32, now: Mono, patience: Duration) {
        let forced = self.retained > self.count;
        let Some(shrink) = &mut self.shrink else {
            if slot < target {
                let since = now;
                self.shrink = Some(ShrinkRequest {
                    slot,
                    target,
                    since,
                });
            }
            return;
        };
        if forced {
            return;
        }
        if slot <= shrink.slot {
            // The client uses the lowest slot again soonest.
            if target < shrink.target {
                shrink.since = now;
            }
            (shrink.slot, shrink.target) = (slot, target);
        } else {
            // The client may know a higher target, too, and use the slots below it.
            shrink.target = shrink.target.max(target);
        }
        let ShrinkRequest { target, since, .. } = *shrink;
        if now > since.after(patience) && !self.store.any_running(target) {
            self.count = target;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::session::slot::ReplyToKeep;
    use crate::session::slot_store::whole;

    const PATIENCE: Duration = Duration::from_nanos(10);

    /// A client with a session of 32 slots, which sends one request after the other.
    struct Client {
        slots: Slots,
        seqids: [u32; 32],
        now: u64,
        target: u32,
        freed: usize,
    }

    impl Client {
        fn new() -> Client {
            Client {
                slots: Slots::new(32),
                seqids: [0; 32],
                now: 0,
                target: 32,
                freed: 0,
            }
        }

        /// Sends a new request, whose reply of ten bytes is kept; `false` if the slot is refused.
        fn request(&mut self, slot: u32, highest: u32) -> bool {
            if !self.begin(slot, highest) {
                return false;
            }
            self.end(slot);
            true
        }

        fn begin(&mut self, slot: u32, highest: u32) -> bool {
            let seqid = self.seqids[slot as usize] + 1;
            let got = self.slots.acquire(slot, seqid, 0);
            if let Acquire::NoSlot { freed } = got {
                self.freed += freed;
                return false;
            }
            assert_eq!(got, Acquire::New);
            self.seqids[slot as usize] = seqid;
            let (target, now) = (self.target, Mono::from_nanos(self.now));
            self.freed += self.slots.note_usage(Usage { slot, highest });
            if target < self.slots.count() {
                self.slots.request_shrink(target, slot, now, PATIENCE);
            } else {
                self.slots.grow_to(target);
            }
            true
        }

        fn end(&mut self, slot: u32) {
            let slot = self.slots.get_mut(slot).expect("it runs");
            slot.finish(
                ReplyToKeep::Body(|cache: &mut Vec<u8>| cache.resize(10, 7)),
                false,
            );
        }

        /// Whether a retransmission of the last request on a slot gets the kept reply.
        fn is_replayed(&mut self, slot: u32) -> bool {
            let seqid = self.seqids[slot as usize];
            let got = self.slots.acquire(slot, seqid, 0);
            matches!(got, Acquire::Replay)
        }

        /// A client that has used all slots, and has got a request to keep this many.
        fn asked_to_keep(target: u32) -> Client {
            let mut client = Client::new();
            for slot in 0..32 {
                assert!(client.request(slot, 31));
            }
            client.target = target;
            assert!(client.request(0, 31));
            client
        }
    }

    #[test]
    fn slots_are_retired_when_the_client_returns_them() {
        let mut client = Client::asked_to_keep(8);
        assert_eq!(client.slots.count(), 32);
        assert!(client.request(0, 7));
        assert_eq!((client.slots.count(), client.freed), (8, 24 * 10));
        assert_eq!(client.slots.made(), whole(8), "their memory is freed");
        assert!(!client.request(8, 8));
    }

    #[test]
    fn a_request_on_another_slot_returns_no_slots() {
        let mut client = Client::asked_to_keep(8);
        assert!(client.request(1, 1));
        assert_eq!(client.slots.count(), 32);
        assert!(client.is_replayed(20));
    }

    #[test]
    fn a_client_returns_slots_several_requests_later() {
        let mut client = Client::asked_to_keep(8);
        for highest in [31, 20, 8] {
            assert!(client.request(0, highest));
            assert_eq!(client.slots.count(), 32);
        }
        assert!(client.request(0, 7));
        assert_eq!(client.slots.count(), 8);
    }

    #[test]
    fn a_running_slot_keeps_all_slots_below_it() {
        let mut client = Client::asked_to_keep(8);
        assert!(client.begin(20, 31));
        assert!(client.request(0, 0));
        assert_eq!(client.slots.count(), 32);
        client.end(20);
        assert!(client.request(0, 0));
        assert_eq!(client.slots.count(), 8);
    }

    #[test]
    fn a_restored_slot_continues_its_seqid_or_begins_at_one() {
        for begins_anew in [false, true] {
            let mut client = Client::asked_to_keep(4);
            assert!(client.request(0, 0));
            client.target = 32;
            assert!(client.request(0, 0));
            assert_eq!(client.slots.count(), 32);
            for slot in [5, 30] {
                if begins_anew {
                    client.seqids[slot] = 0;
                }
                assert!(client.request(slot as u32, 31));
                assert!(client.is_replayed(slot as u32));
                assert!(client.request(slot as u32, 31));
            }
        }
    }

    #[test]
    fn a_slot_that_is_not_returned_answers_only_retransmissions() {
        let mut client = Client::asked_to_keep(8);
        client.now = 10;
        assert!(client.request(0, 31));
        assert_eq!(client.slots.count(), 32, "the patience is not over");
        client.now = 11;
        assert!(client.request(0, 31));
        assert_eq!(client.slots.count(), 8);
        for _ in 0..2 {
            assert!(client.is_replayed(20));
        }
        // With the next seqid the client acknowledges the last reply.
        assert!(!client.request(20, 31));
        assert_eq!(client.freed, 10);
        assert!(!client.is_replayed(20));
        // The client gets more slots only after it has returned these; it begins them anew.
        client.target = 32;
        assert!(client.request(0, 31));
        assert_eq!(client.slots.count(), 8);
        assert!(client.request(0, 7));
        assert_eq!((client.freed, client.slots.count()), (24 * 10, 32));
        client.seqids[20] = 0;
        assert!(client.request(20, 31));
    }

    #[test]
    fn a_request_for_still_fewer_slots_restarts_the_patience() {
        let mut client = Client::asked_to_keep(24);
        client.target = 8;
        client.now = 10;
        assert!(client.request(0, 31));
        client.now = 20;
        assert!(client.request(0, 31));
        assert_eq!(client.slots.count(), 32);
        // A higher target does not restart the patience.
        client.target = 16;
        assert!(client.request(0, 31));
        client.now = 21;
        assert!(client.request(0, 31));
        assert_eq!(client.slots.count(), 16);
    }

    #[test]
    fn a_request_for_fewer_slots_goes_out_on_a_slot_that_stays() {
        let mut client = Client::asked_to_keep(32);
        client.target = 8;
        for slot in [8, 20] {
            assert!(client.request(slot, 31));
        }
        client.now = 11;
        assert!(client.request(0, 31));
        assert_eq!(client.slots.count(), 32, "the patience begins now");
        client.now = 22;
        assert!(client.request(0, 31));
        assert_eq!(client.slots.count(), 8);
    }

    #[test]
    fn lost_slots_are_retired_when_returned_though_the_target_is_lower() {
        let mut client = Client::asked_to_keep(8);
        client.now = 11;
        assert!(client.request(0, 31));
        assert_eq!(client.slots.count(), 8);
        client.target = 4;
        assert!(client.request(0, 31));
        assert_eq!(client.freed, 0);
        assert!(client.request(0, 7));
        assert_eq!((client.slots.count(), client.freed), (8, 24 * 10));
        assert!(client.request(0, 3));
        assert_eq!(client.slots.count(), 4);
    }

    #[test]
    fn a_client_that_lost_slots_returns_them_on_any_lower_slot() {
        let mut client = Client::asked_to_keep(32);
        client.target = 8;
        for now in [0, 11] {
            client.now = now;
            assert!(client.request(5, 31));
        }
        assert_eq!((client.slots.count(), client.freed), (8, 0));
        // The client may have sent the first of these before it knew.
        for freed in [0, 24 * 10] {
            assert!(client.request(0, 0));
            assert_eq!(client.freed, freed);
        }
        client.target = 32;
        assert!(client.request(0, 0));
        assert_eq!(client.slots.count(), 32);
    }

    #[test]
    fn the_target_sinks_step_by_step_while_the_client_returns_slots() {
        let mut client = Client::asked_to_keep(30);
        for target in [24, 16, 8] {
            client.target = target;
            assert!(client.request(0, 20));
        }
        client.target = 4;
        assert!(client.request(0, 7));
        assert_eq!(client.slots.count(), 8);
        assert!(client.request(0, 3));
        assert_eq!(client.slots.count(), 4);
    }

    #[test]
    fn slots_that_are_no_longer_requested_stay() {
        let mut client = Client::asked_to_keep(8);
        client.target = 24;
        assert!(client.request(1, 23));
        assert!(client.request(0, 7));
        assert_eq!(client.slots.count(), 24);
        client.target = 32;
        assert!(client.request(0, 7));
        assert_eq!(client.slots.count(), 32);
        assert!(client.is_replayed(20));
    }
}
