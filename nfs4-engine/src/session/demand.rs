//! The number of slots that a session should have: what its client needs, within what memory allows.
//! [RFC 8881 §2.10.6.1]

use core::time::Duration;

use super::slot_store::whole;
use crate::time::Mono;

/// Number of slots a client needs, as its use of them shows.
///
/// It gets all that were negotiated. When it has used few for a lease, unused slots that hold memory
/// are recalled; when it uses more than half of what is left, it gets all again, so that no client
/// waits for slots step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    slots: u32,
    /// Maximum number of slots used at once since `since`.
    peak: u32,
    /// Beginning of the period over which the peak is taken.
    since: Mono,
}

/// How much of the memory for kept replies is used, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pressure {
    pub(crate) kept: u64,
    pub(crate) budget: u64,
}

impl Demand {
    pub(crate) fn new(negotiated: u32, now: Mono) -> Demand {
        Demand {
            slots: negotiated,
            peak: 0,
            since: now,
        }
    }

    /// The number of slots that it needs.
    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    /// Notes a new request of a client that uses this many slots; `made` returns the number of slots
    /// up to the last one that has memory.
    pub(crate) fn note(
        &mut self,
        used: u32,
        negotiated: u32,
        now: Mono,
        lease: Duration,
        made: impl FnOnce() -> u32,
    ) {
        let used = used.min(negotiated);
        self.peak = self.peak.max(used);
        if used > self.slots / 2 {
            self.slots = negotiated;
        }
        if now > self.since.after(lease) {
            let enough = whole(self.peak.saturating_mul(2)).min(negotiated);
            if enough < made() {
                self.slots = self.slots.min(enough);
            }
            (self.peak, self.since) = (used, now);
        }
    }
}

impl Pressure {
    /// Whether less than half of the memory is left, so that slots are recalled.
    pub(crate) fn is_high(&self) -> bool {
        self.budget.saturating_sub(self.kept) < self.budget / 2
    }

    /// Number of a session's slots that memory allows: all while half of it is left, then ever fewer,
    /// down to one. Unused slots cost nothing.
    pub(crate) fn allows(&self, negotiated: u32) -> u32 {
        let half = self.budget / 2;
        let left = self.budget.saturating_sub(self.kept);
        if left >= half {
            return negotiated;
        }
        let share = u64::from(negotiated) * left / half.max(1);
        u32::try_from(share).map_or(negotiated, |share| share.clamp(1, negotiated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_nanos(10);
    const ALL: u32 = 64;

    /// Number of slots needed after these requests, each a time and the number of slots used. All
    /// slots have memory.
    fn after(requests: &[(u64, u32)]) -> u32 {
        let mut demand = Demand::new(ALL, Mono::ZERO);
        for (at, used) in requests {
            demand.note(*used, ALL, Mono::from_nanos(*at), LEASE, || ALL);
        }
        demand.slots()
    }

    #[test]
    fn a_client_needs_all_slots_until_it_used_few_for_a_lease() {
        assert_eq!(after(&[]), ALL);
        assert_eq!(after(&[(1, 3), (10, 1)]), ALL);
        assert_eq!(after(&[(1, 3), (11, 1)]), 9);
        assert_eq!(after(&[(1, 4), (11, 1)]), 9);
        assert_eq!(after(&[(1, 5), (11, 1)]), 17);
        assert_eq!(after(&[(1, 11), (11, 1)]), 25);
        assert_eq!(after(&[(1, 11), (11, 1), (22, 1)]), 9);
        assert_eq!(after(&[(1, 40), (11, 1)]), ALL);
    }

    #[test]
    fn a_client_that_uses_more_than_half_gets_all_at_once() {
        let shrunk = [(1, 11), (11, 1)];
        assert_eq!(after(&[&shrunk[..], &[(12, 12)]].concat()), 25);
        assert_eq!(after(&[&shrunk[..], &[(12, 13)]].concat()), ALL);
        // The slots stay as long as the client uses them within a lease.
        let grown = [&shrunk[..], &[(12, 40), (22, 1)]].concat();
        assert_eq!(after(&grown), ALL);
        assert_eq!(after(&[&grown[..], &[(33, 1)]].concat()), 9);
    }

    #[test]
    fn slots_without_memory_are_not_recalled() {
        let mut demand = Demand::new(ALL, Mono::ZERO);
        demand.note(1, ALL, Mono::from_nanos(11), LEASE, || 9);
        assert_eq!(demand.slots(), ALL);
        demand.note(1, ALL, Mono::from_nanos(22), LEASE, || 17);
        assert_eq!(demand.slots(), 9);
    }

    #[test]
    fn a_client_cannot_need_more_than_was_negotiated() {
        let mut demand = Demand::new(3, Mono::ZERO);
        demand.note(u32::MAX, 3, Mono::from_nanos(11), LEASE, || 8);
        assert_eq!(demand.slots(), 3);
        demand.note(1, 3, Mono::from_nanos(22), LEASE, || 8);
        assert_eq!(demand.slots(), 3);
    }

    #[test]
    fn memory_allows_fewer_slots_as_it_fills() {
        let allows = |kept| Pressure { kept, budget: 100 }.allows(ALL);
        assert_eq!(
            [0, 50, 75, 99, 100, 1_000].map(allows),
            [64, 64, 32, 1, 1, 1]
        );
        let nothing = Pressure { kept: 0, budget: 0 };
        assert_eq!(nothing.allows(ALL), ALL);
    }

    #[test]
    fn pressure_is_high_when_memory_does_not_allow_all_slots() {
        for budget in [0, 1, 2, 3, 100, 101] {
            for kept in 0..=budget + 1 {
                let pressure = Pressure { kept, budget };
                let allows_all = pressure.allows(ALL) == ALL;
                assert_eq!(pressure.is_high(), !allows_all, "{pressure:?}");
            }
        }
    }
}
