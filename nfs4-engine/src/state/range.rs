//! Byte ranges of one file and who has them locked. [RFC 8881 §9.5, §18.10]

use alloc::collections::BTreeMap;

use super::overlap::{Held, Overlaps};

/// A range of bytes, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Whether others may lock what is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Others may have it for reading, too.
    Read,
    /// Nobody else.
    Write,
}

/// The locked bytes of a file: of each owner ranges that do not overlap, cut where the kind changes.
/// `O` names a lock owner. What others lock changes nothing of an owner's ranges.
#[derive(Debug)]
pub(crate) struct Ranges<O> {
    /// By owner and first byte: the last byte, and the kind.
    by_owner: BTreeMap<(O, u64), (u64, Kind)>,
    overlaps: Overlaps<O>,
}

/// Somebody else's lock that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict<O> {
    pub(crate) owner: O,
    pub(crate) kind: Kind,
    pub(crate) range: Range,
}

impl Range {
    /// The range of an offset and a length; a length of all ones goes to the end of any file.
    /// [RFC 8881 §18.10.3]
    pub(crate) fn new(offset: u64, length: u64) -> Option<Range> {
        match length {
            0 => None,
            u64::MAX => Some(Range {
                first: offset,
                last: u64::MAX,
            }),
            _ => Some(Range {
                first: offset,
                // Even the end, one past the last byte, must not overflow.
                last: offset.checked_add(length)? - 1,
            }),
        }
    }

    /// Whether they have a byte in common.
    pub(crate) fn overlaps(self, other: Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The length as the wire has it.
    pub(crate) fn length(self) -> u64 {
        if self.last == u64::MAX {
            u64::MAX
        } else {
            self.last - self.first + 1
        }
    }
}

impl<O: Copy + Ord> Ranges<O> {
    pub(crate) const fn new() -> Ranges<O> {
        Ranges {
            by_owner: BTreeMap::new(),
            overlaps: Overlaps::new(),
        }
    }

    /// How many ranges there are, those of each owner counted.
    pub(crate) fn len(&self) -> usize {
        self.by_owner.len()
    }

    /// Whether the range lies inside a larger one of this owner's, of which two would be left.
    pub(crate) fn cuts(&self, range: Range, owner: O) -> bool {
        let before = self.before(owner, range.first);
        before.is_some_and(|(_, (last, _))| last > range.last)
    }

    /// The owner of each range.
    pub(crate) fn owners(&self) -> impl Iterator<Item = O> + '_ {
        self.by_owner.keys().map(|(owner, _)| *owner)
    }

    /// The first lock that keeps `owner` from locking `range`.
    pub(crate) fn conflict(&self, range: Range, kind: Kind, owner: O) -> Option<Conflict<O>> {
        let held = self.overlaps.conflict(range, kind, owner)?;
        Some(Conflict {
            owner: held.owner,
            kind: held.kind,
            range: held.range,
        })
    }

    /// Gives `owner` the range; [`Ranges::conflict`] has found none. What that owner had of it
    /// before becomes `kind`.
    pub(crate) fn lock(&mut self, range: Range, kind: Kind, owner: O) {
        self.unlock(range, owner);
        let Range {
            mut first,
            mut last,
        } = range;
        // Neighbours of the same kind become one range with it.
        if let Some((before, (end, of))) = self.before(owner, first)
            && of == kind
            && end.checked_add(1) == Some(first)
        {
            self.remove(owner, before);
            first = before;
        }
        if let Some(next) = last.checked_add(1)
            && let Some((end, of)) = self.by_owner.get(&(owner, next)).copied()
            && of == kind
        {
            self.remove(owner, next);
            last = end;
        }
        self.insert(owner, kind, Range { first, last });
    }

    /// Takes the range from `owner`, whatever of it that owner has.
    pub(crate) fn unlock(&mut self, range: Range, owner: O) {
        if let Some((first, (last, kind))) = self.before(owner, range.first)
            && last >= range.first
        {
            self.remove(owner, first);
            let end = range.first - 1;
            self.insert(owner, kind, Range { first, last: end });
            if last > range.last {
                let first = range.last + 1;
                self.insert(owner, kind, Range { first, last });
                return;
            }
        }
        let within = (owner, range.first)..=(owner, range.last);
        while let Some((key, held)) = self.by_owner.range(within.clone()).next() {
            let ((_, first), (last, kind)) = (*key, *held);
            self.remove(owner, first);
            if last > range.last {
                let first = range.last + 1;
                self.insert(owner, kind, Range { first, last });
            }
        }
    }

    /// Takes all that an owner has.
    pub(crate) fn unlock_all(&mut self, owner: O) {
        let all = (owner, 0)..=(owner, u64::MAX);
        while let Some(((_, first), _)) = self.by_owner.range(all.clone()).next() {
            self.remove(owner, *first);
        }
    }

    /// Whether `owner` has anything locked.
    pub(crate) fn holds(&self, owner: O) -> bool {
        let mut held = self.by_owner.range((owner, 0)..=(owner, u64::MAX));
        held.next().is_some()
    }

    /// The last range of an owner that begins before this byte.
    fn before(&self, owner: O, first: u64) -> Option<(u64, (u64, Kind))> {
        let mut before = self.by_owner.range((owner, 0)..(owner, first));
        let ((_, first), held) = before.next_back()?;
        Some((*first, *held))
    }

    fn insert(&mut self, owner: O, kind: Kind, range: Range) {
        self.by_owner
            .insert((owner, range.first), (range.last, kind));
        self.overlaps.insert(Held { owner, kind, range });
    }

    fn remove(&mut self, owner: O, first: u64) {
        self.by_owner.remove(&(owner, first));
        self.overlaps.remove(first, owner);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn range(first: u64, last: u64) -> Range {
        Range { first, last }
    }

    #[test]
    fn lengths_of_the_wire() {
        assert_eq!(Range::new(5, 0), None);
        assert_eq!(Range::new(5, 1), Some(range(5, 5)));
        assert_eq!(Range::new(5, u64::MAX), Some(range(5, u64::MAX)));
        assert_eq!(Range::new(u64::MAX, 2), None);
        assert_eq!(range(5, u64::MAX).length(), u64::MAX);
        assert_eq!(range(5, 6).length(), 2);
    }

    /// Against an array of bytes: every sequence of four operations out of a small set.
    #[test]
    fn ranges_agree_with_single_bytes() {
        const BYTES: u64 = 6;
        let mut steps = Vec::new();
        for (first, last) in [(0, 5), (1, 2), (2, 4), (3, 3), (5, 5)] {
            for owner in [1_u8, 2] {
                for kind in [Some(Kind::Read), Some(Kind::Write), None] {
                    steps.push((range(first, last), owner, kind));
                }
            }
        }
        let n = steps.len();
        for word in 0..n * n * n {
            let mut ranges = Ranges::new();
            let mut model: Vec<BTreeMap<u8, Kind>> = alloc::vec![BTreeMap::new(); BYTES as usize];
            for step in [word / (n * n), word / n % n, word % n] {
                let (range, owner, kind) = steps[step];
                let bytes = range.first as usize..=range.last as usize;
                match kind {
                    None => {
                        ranges.unlock(range, owner);
                        for byte in &mut model[bytes] {
                            byte.remove(&owner);
                        }
                    }
                    Some(kind) => {
                        let refused = model[bytes.clone()].iter().any(|byte| {
                            byte.iter().any(|(other, held)| {
                                *other != owner && (kind == Kind::Write || *held == Kind::Write)
                            })
                        });
                        let conflict = ranges.conflict(range, kind, owner);
                        assert_eq!(conflict.is_some(), refused);
                        if !refused {
                            ranges.lock(range, kind, owner);
                            for byte in &mut model[bytes] {
                                byte.insert(owner, kind);
                            }
                        }
                    }
                }
            }
            for (byte, model) in model.iter().enumerate() {
                for owner in [1, 2] {
                    let found = ranges
                        .by_owner
                        .iter()
                        .find_map(|((of, first), (last, kind))| {
                            let there =
                                range(*first, *last).overlaps(range(byte as u64, byte as u64));
                            (*of == owner && there).then_some(*kind)
                        });
                    assert_eq!(found, model.get(&owner).copied());
                }
            }
            let all: Vec<_> = ranges.by_owner.iter().collect();
            for pair in all.windows(2) {
                let (((one, _), left), ((two, first), right)) = (pair[0], pair[1]);
                if one == two {
                    assert!(left.0 < *first, "they do not overlap");
                    let touch = left.0 + 1 == *first;
                    assert!(!touch || left.1 != right.1, "neighbours differ");
                }
            }
        }
    }

    /// Against a walk over all ranges, with many owners and long locks beside short ones.
    #[test]
    fn the_first_conflict_is_found_among_many() {
        let mut ranges = Ranges::new();
        let mut seed = 1_u64;
        let mut below = |bound: u64| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (seed >> 33) % bound
        };
        let mut most = 0;
        for step in 0..20_000 {
            let first = below(4_000);
            let length = [0, 3, 40, 3_000][below(4) as usize];
            let asked = range(first, first + below(length + 1));
            let owner = below(12);
            let kind = [Kind::Read, Kind::Read, Kind::Read, Kind::Write][below(4) as usize];
            let walked = ranges
                .by_owner
                .iter()
                .filter(|((of, first), (last, held))| {
                    let excludes = kind == Kind::Write || *held == Kind::Write;
                    *of != owner && excludes && asked.overlaps(range(*first, *last))
                });
            let first = walked.map(|((of, first), _)| (*first, *of)).min();
            let found = ranges.conflict(asked, kind, owner);
            let found = found.map(|conflict| (conflict.range.first, conflict.owner));
            assert_eq!(found, first, "step {step}");
            match below(50) {
                0 => ranges.unlock_all(owner),
                1..20 => ranges.unlock(asked, owner),
                _ if first.is_none() => ranges.lock(asked, kind, owner),
                _ => {}
            }
            most = most.max(ranges.len());
        }
        assert!(most > 100, "{most} ranges at most");
        for owner in 0..12 {
            ranges.unlock_all(owner);
        }
        assert_eq!(ranges.conflict(range(0, u64::MAX), Kind::Write, 99), None);
    }

    #[test]
    fn the_end_of_the_range_of_offsets() {
        let mut ranges = Ranges::new();
        ranges.lock(range(0, u64::MAX), Kind::Write, 1);
        ranges.unlock(range(10, 19), 1);
        assert_eq!(ranges.len(), 2);
        assert_eq!(ranges.conflict(range(10, 19), Kind::Write, 2), None);
        let conflict = ranges.conflict(range(u64::MAX, u64::MAX), Kind::Read, 2);
        assert_eq!(conflict.map(|c| c.range), Some(range(20, u64::MAX)));
        ranges.unlock(range(0, u64::MAX), 1);
        assert!(ranges.len() == 0 && !ranges.holds(1));
    }

    #[test]
    fn what_one_locks_costs_another_nothing() {
        let mut ranges = Ranges::new();
        for reader in 0..10 {
            ranges.lock(range(0, u64::MAX), Kind::Read, reader);
        }
        for at in 0..10 {
            ranges.lock(range(3 * at, 3 * at), Kind::Read, 10);
        }
        assert_eq!(ranges.len(), 20);
        assert!(ranges.cuts(range(5, 5), 1) && !ranges.cuts(range(0, 5), 1));
        assert!(!ranges.cuts(range(5, u64::MAX), 1) && !ranges.cuts(range(0, 5), 10));
        ranges.unlock_all(10);
        assert_eq!(ranges.len(), 10);
        assert!(ranges.holds(9) && !ranges.holds(10));
        assert!(ranges.owners().eq(0..10));
    }
}
