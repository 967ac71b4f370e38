//! The slots of a session, and how their number changes while the client uses them.
//! [RFC 8881 §2.10.6.1]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::slot::{Acquire, Retired, Slot};
use crate::time::Mono;

/// Slots: the first, which every client uses and most use alone, lies within; the others are made in
/// small chunks when they are first used.
#[derive(Default)]
pub(crate) struct Slots {
    /// Number of slots that take new requests: `sr_highest_slotid`, and one more.
    count: u32,
    /// Number of slots that answer retransmissions: more than `count` if slots were taken from a client that does not
    /// say whether it knows.
    retained: u32,
    first: Slot,
    /// A request for fewer slots that the client has got and has not fulfilled yet.
    told: Option<ShrinkRequest>,
    chunks: Vec<Chunk>,
}

/// Some slots beside each other.
enum Chunk {
    /// Never used.
    Unused,
    Used(Box<[Slot; CHUNK]>),
    /// All were taken away: only what distinguishes their last requests is remembered.
    Retired(Box<[Retired; CHUNK]>),
}

/// A reply that asked for fewer slots. [RFC 8881 §18.46.3, sr_target_highest_slotid]
#[derive(Clone, Copy, Debug)]
struct ShrinkRequest {
    /// Where it was asked. A later request on this slot was sent after the reply had arrived; of
    /// any other this is not known, for requests overtake each other.
    slot: u32,
    target: u32,
    /// Since when it was asked for so few.
    since: Mono,
}

/// What a new request says of the slots in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Its own.
    pub(crate) slot: u32,
    /// `sa_highest_slotid`: on those above nothing is outstanding.
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

    /// How many take new requests.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Up to which one there is memory to get back.
    pub(crate) fn made(&self) -> u32 {
        let used = |chunk: &Chunk| matches!(chunk, Chunk::Used(_));
        let chunks = self
            .chunks
            .iter()
            .rposition(used)
            .map_or(0, |last| last + 1);
        // There are no more slots than a u32 counts.
        u32::try_from(1 + chunks * CHUNK).unwrap_or(u32::MAX)
    }

    /// Takes a request in, as [`Slot::acquire`] does.
    pub(crate) fn acquire(&mut self, number: u32, seqid: u32, fingerprint: u64) -> Acquire {
        let for_retries = number >= self.count;
        let slot = if number >= self.retained {
            None
        } else if for_retries {
            self.get_mut(number)
        } else {
            self.make(number)
        };
        let Some(slot) = slot else {
            return Acquire::NoSlot { freed: 0 };
        };
        if for_retries && !slot.has_answered(seqid) {
            // By the next seqid the client says that it has the reply to the last: the slot must
            // go, the only one that an error changes. [RFC 8881 §2.10.6.1]
            let freed = if slot.is_next(seqid) {
                slot.retire()
            } else {
                0
            };
            return Acquire::NoSlot { freed };
        }
        slot.acquire(seqid, fingerprint)
    }

    /// The slot of this number, if it was ever used.
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Slot> {
        let Some((chunk, within)) = place(number) else {
            return Some(&mut self.first);
        };
        match self.chunks.get_mut(chunk)? {
            Chunk::Used(slots) => slots.get_mut(within),
            Chunk::Unused | Chunk::Retired(_) => None,
        }
    }

    /// The slot of this number, if it was ever used.
    pub(crate) fn get(&self, number: u32) -> Option<&Slot> {
        let Some((chunk, within)) = place(number) else {
            return Some(&self.first);
        };
        match self.chunks.get(chunk)? {
            Chunk::Used(slots) => slots.get(within),
            Chunk::Unused | Chunk::Retired(_) => None,
        }
    }

    /// All that are in use or hold something.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> + '_ {
        let others = self.chunks.iter().flat_map(|chunk| match chunk {
            Chunk::Used(slots) => &slots[..],
            Chunk::Unused | Chunk::Retired(_) => &[],
        });
        core::iter::once(&self.first).chain(others)
    }

    /// A new request comes: slots whose loss the client acknowledges, by having nothing outstanding
    /// above, goes.
    ///
    /// Returns how many bytes of kept replies went with it.
    #[inline]
    pub(crate) fn hear(&mut self, usage: Usage) -> usize {
        // Mostly no slots were recalled.
        self.told.map_or(0, |told| self.yield_after(told, usage))
    }

    fn yield_after(&mut self, told: ShrinkRequest, usage: Usage) -> usize {
        let forced = self.retained > self.count;
        if usage.slot == told.slot && usage.highest < told.target && !self.any_running(told.target)
        {
            self.told = None;
            return self.retire(told.target);
        }
        if forced && usage.slot < told.slot {
            // The reply to this says it, too: the client need not use the other slot ever again.
            self.told = Some(ShrinkRequest {
                slot: usage.slot,
                ..told
            });
        }
        0
    }

    /// The number of slots that can be used from now on, at least as many as now. A client that has not
    /// acknowledged the loss of slots does not get them again: the server could not know whether the
    /// client continues their seqids or begins anew.
    pub(crate) fn give(&mut self, target: u32) {
        debug_assert!(target >= self.count, "fewer are wanted back, not given");
        if self.retained == self.count {
            (self.count, self.retained) = (target, target);
            self.told = None;
        }
    }

    /// The reply on this slot asks for fewer slots. If the client does not yield them for as long
    /// as `patience`, those that it does not use take no new requests; what they have to repeat
    /// stays until it does.
    pub(crate) fn request_shrink(&mut self, target: u32, slot: u32, now: Mono, patience: Duration) {
        let forced = self.retained > self.count;
        let Some(told) = &mut self.told else {
            if slot < target {
                let since = now;
                self.told = Some(ShrinkRequest {
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
        if slot <= told.slot {
            // The lowest slot is the one that is used again soonest.
            if target < told.target {
                told.since = now;
            }
            (told.slot, told.target) = (slot, target);
        } else {
            // The client may know, too, of slots that were recalled and then not.
            told.target = told.target.max(target);
        }
        let ShrinkRequest { target, since, .. } = *told;
        if now > since.after(patience) && !self.any_running(target) {
            self.count = target;
        }
    }

    fn any_running(&self, first: u32) -> bool {
        let Some((chunk, mut skip)) = place(first) else {
            return self.iter().any(Slot::is_running);
        };
        self.chunks.iter().skip(chunk).any(|chunk| {
            let from = core::mem::take(&mut skip);
            match chunk {
                Chunk::Used(slots) => slots.iter().skip(from).any(Slot::is_running),
                Chunk::Unused | Chunk::Retired(_) => false,
            }
        })
    }

    /// Takes the slots from this one on away, and what was kept in them; the first stays.
    fn retire(&mut self, first: u32) -> usize {
        (self.count, self.retained) = (first, first);
        let Some((chunk, mut skip)) = place(first) else {
            debug_assert!(false, "a session has a slot");
            return 0;
        };
        let mut freed = 0;
        for chunk in self.chunks.iter_mut().skip(chunk) {
            let from = core::mem::take(&mut skip);
            let Chunk::Used(slots) = chunk else { continue };
            freed += slots.iter_mut().skip(from).map(Slot::retire).sum::<usize>();
            if from == 0 {
                let retired = slots.each_ref().map(Slot::retired);
                *chunk = Chunk::Retired(Box::new(retired));
            }
        }
        freed
    }

    /// The slot of this number, made if it was not used before.
    fn make(&mut self, number: u32) -> Option<&mut Slot> {
        let Some((chunk, within)) = place(number) else {
            return Some(&mut self.first);
        };
        while chunk >= self.chunks.len() {
            self.chunks.push(Chunk::Unused);
        }
        let chunk = self.chunks.get_mut(chunk)?;
        match chunk {
            Chunk::Used(_) => {}
            Chunk::Unused => *chunk = Chunk::Used(Box::default()),
            Chunk::Retired(retired) => {
                let slots = retired.map(Slot::given_again);
                *chunk = Chunk::Used(Box::new(slots));
            }
        }
        match chunk {
            Chunk::Used(slots) => slots.get_mut(within),
            Chunk::Unused | Chunk::Retired(_) => None,
        }
    }
}

/// In which chunk a slot is, and where in it; none if it is the first.
fn place(number: u32) -> Option<(usize, usize)> {
    let number = number.checked_sub(1)? as usize;
    Some((number / CHUNK, number % CHUNK))
}

/// At least this many slots, and no chunk that is only used in part.
pub(super) fn whole(count: u32) -> u32 {
    let others = count
        .saturating_sub(1)
        .checked_next_multiple_of(CHUNK as u32);
    others.map_or(u32::MAX, |others| others.saturating_add(1))
}

/// Number of slots that are made together, after the first.
const CHUNK: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::slot::ReplyToKeep;

    const PATIENCE: Duration = Duration::from_nanos(10);

    /// A session of 32 slots whose client sends one request after the other.
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

        /// A new request, whose reply of ten bytes is kept; `false` if the slot is refused.
        fn ask(&mut self, slot: u32, highest: u32) -> bool {
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
            self.freed += self.slots.hear(Usage { slot, highest });
            if target < self.slots.count() {
                self.slots.request_shrink(target, slot, now, PATIENCE);
            } else {
                self.slots.give(target);
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

        /// Whether the last request on a slot is answered again.
        fn is_replayed(&mut self, slot: u32) -> bool {
            let seqid = self.seqids[slot as usize];
            let got = self.slots.acquire(slot, seqid, 0);
            matches!(got, Acquire::Replay)
        }

        /// Uses all slots, and has some recalled.
        fn told_of(target: u32) -> Client {
            let mut client = Client::new();
            for slot in 0..32 {
                assert!(client.ask(slot, 31));
            }
            client.target = target;
            assert!(client.ask(0, 31));
            client
        }
    }

    #[test]
    fn slots_go_when_the_client_has_heard_and_yields_them() {
        let mut client = Client::told_of(8);
        assert_eq!(client.slots.count(), 32);
        assert!(client.ask(0, 7));
        assert_eq!((client.slots.count(), client.freed), (8, 24 * 10));
        assert_eq!(client.slots.made(), whole(8), "their memory is given back");
        assert!(!client.ask(8, 8));
    }

    #[test]
    fn a_request_on_another_slot_may_have_been_sent_before_the_client_heard() {
        let mut client = Client::told_of(8);
        assert!(client.ask(1, 1));
        assert_eq!(client.slots.count(), 32);
        assert!(client.is_replayed(20));
    }

    #[test]
    fn a_client_that_is_slow_to_obey_is_believed_when_it_does() {
        let mut client = Client::told_of(8);
        for highest in [31, 20, 8] {
            assert!(client.ask(0, highest));
            assert_eq!(client.slots.count(), 32);
        }
        assert!(client.ask(0, 7));
        assert_eq!(client.slots.count(), 8);
    }

    #[test]
    fn a_slot_that_runs_keeps_all_below_it() {
        let mut client = Client::told_of(8);
        assert!(client.begin(20, 31));
        assert!(client.ask(0, 0));
        assert_eq!(client.slots.count(), 32);
        client.end(20);
        assert!(client.ask(0, 0));
        assert_eq!(client.slots.count(), 8);
    }

    #[test]
    fn a_slot_given_again_goes_on_or_begins_at_one() {
        for begins_anew in [false, true] {
            let mut client = Client::told_of(4);
            assert!(client.ask(0, 0));
            client.target = 32;
            assert!(client.ask(0, 0));
            assert_eq!(client.slots.count(), 32);
            for slot in [5, 30] {
                if begins_anew {
                    client.seqids[slot] = 0;
                }
                assert!(client.ask(slot as u32, 31));
                assert!(client.is_replayed(slot as u32));
                assert!(client.ask(slot as u32, 31));
            }
        }
    }

    #[test]
    fn a_client_that_does_not_yield_gets_no_new_request_above_and_every_retry() {
        let mut client = Client::told_of(8);
        client.now = 10;
        assert!(client.ask(0, 31));
        assert_eq!(client.slots.count(), 32, "it has time to obey");
        client.now = 11;
        assert!(client.ask(0, 31));
        assert_eq!(client.slots.count(), 8);
        for _ in 0..2 {
            assert!(client.is_replayed(20));
        }
        // The next seqid says that the last reply is not needed any more.
        assert!(!client.ask(20, 31));
        assert_eq!(client.freed, 10);
        assert!(!client.is_replayed(20));
        // A client gets more slots only after it has acknowledged the loss of these: it begins them anew.
        client.target = 32;
        assert!(client.ask(0, 31));
        assert_eq!(client.slots.count(), 8);
        assert!(client.ask(0, 7));
        assert_eq!((client.freed, client.slots.count()), (24 * 10, 32));
        client.seqids[20] = 0;
        assert!(client.ask(20, 31));
    }

    #[test]
    fn the_client_has_its_whole_time_again_when_yet_fewer_are_wanted() {
        let mut client = Client::told_of(24);
        client.target = 8;
        client.now = 10;
        assert!(client.ask(0, 31));
        client.now = 20;
        assert!(client.ask(0, 31));
        assert_eq!(client.slots.count(), 32);
        // That more are left to it does not give it more time.
        client.target = 16;
        assert!(client.ask(0, 31));
        client.now = 21;
        assert!(client.ask(0, 31));
        assert_eq!(client.slots.count(), 16);
    }

    #[test]
    fn a_client_is_told_on_a_slot_that_it_keeps() {
        let mut client = Client::told_of(32);
        client.target = 8;
        for slot in [8, 20] {
            assert!(client.ask(slot, 31));
        }
        client.now = 11;
        assert!(client.ask(0, 31));
        assert_eq!(client.slots.count(), 32, "its time begins now");
        client.now = 22;
        assert!(client.ask(0, 31));
        assert_eq!(client.slots.count(), 8);
    }

    #[test]
    fn what_does_not_take_new_requests_goes_when_that_is_yielded_though_fewer_are_wanted() {
        let mut client = Client::told_of(8);
        client.now = 11;
        assert!(client.ask(0, 31));
        assert_eq!(client.slots.count(), 8);
        client.target = 4;
        assert!(client.ask(0, 31));
        assert_eq!(client.freed, 0);
        assert!(client.ask(0, 7));
        assert_eq!((client.slots.count(), client.freed), (8, 24 * 10));
        assert!(client.ask(0, 3));
        assert_eq!(client.slots.count(), 4);
    }

    #[test]
    fn a_client_that_lost_slots_is_heard_on_any_slot_below_that_it_was_told_on() {
        let mut client = Client::told_of(32);
        client.target = 8;
        for now in [0, 11] {
            client.now = now;
            assert!(client.ask(5, 31));
        }
        assert_eq!((client.slots.count(), client.freed), (8, 0));
        // The first of these may have been sent before the client knew.
        for freed in [0, 24 * 10] {
            assert!(client.ask(0, 0));
            assert_eq!(client.freed, freed);
        }
        client.target = 32;
        assert!(client.ask(0, 0));
        assert_eq!(client.slots.count(), 32);
    }

    #[test]
    fn ever_fewer_are_wanted_back_while_the_client_obeys() {
        let mut client = Client::told_of(30);
        for target in [24, 16, 8] {
            client.target = target;
            assert!(client.ask(0, 20));
        }
        client.target = 4;
        assert!(client.ask(0, 7));
        assert_eq!(client.slots.count(), 8);
        assert!(client.ask(0, 3));
        assert_eq!(client.slots.count(), 4);
    }

    #[test]
    fn what_is_wanted_back_and_then_not_is_left_alone() {
        let mut client = Client::told_of(8);
        client.target = 24;
        assert!(client.ask(1, 23));
        assert!(client.ask(0, 7));
        assert_eq!(client.slots.count(), 24);
        client.target = 32;
        assert!(client.ask(0, 7));
        assert_eq!(client.slots.count(), 32);
        assert!(client.is_replayed(20));
    }
}
