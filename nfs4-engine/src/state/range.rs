//! Locked byte ranges of one file, by owner. [RFC 8881 §9.5, §18.10]

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::overlap::{LockedRange, Overlaps};
use crate::fs::{ByteLock, ByteRange, LockKind};

/// The locked bytes of a file. The ranges of one owner do not overlap, and are cut where kind or `U`
/// changes; locks of other owners do not change them. `O` names a lock-owner, and `U` the lock stateid
/// of the last LOCK of a byte. [RFC 8881 §9.5]
#[derive(Debug)]
pub(crate) struct Ranges<O, U> {
    /// By owner and first byte.
    by_owner: BTreeMap<(O, u64), Locked<U>>,
    /// The first bytes of the ranges that are locked under each lock stateid.
    under: BTreeSet<(U, u64)>,
    overlaps: Overlaps<O>,
    /// What was unlocked and is to be returned to the file system, if that has counted the locks.
    unlocked: Option<Vec<ByteLock>>,
}

/// A range of an owner, without its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Locked<U> {
    last: u64,
    kind: LockKind,
    under: U,
}

/// The lock of another owner that conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict<O> {
    pub(crate) owner: O,
    pub(crate) kind: LockKind,
    pub(crate) range: ByteRange,
}

impl<O: Copy + Ord, U: Copy + Ord> Ranges<O, U> {
    pub(crate) const fn new() -> Ranges<O, U> {
        Ranges {
            by_owner: BTreeMap::new(),
            under: BTreeSet::new(),
            overlaps: Overlaps::new(),
            unlocked: None,
        }
    }

    /// The file system has counted the locks, and is to count each that ends. It has counted all, or none:
    /// whether it does never changes.
    pub(crate) fn count(&mut self) {
        self.unlocked.get_or_insert_default();
    }

    /// Takes what was unlocked and is to be returned to the file system.
    pub(crate) fn take_unlocked(&mut self) -> Vec<ByteLock> {
        self.unlocked
            .as_mut()
            .map(core::mem::take)
            .unwrap_or_default()
    }

    /// Number of ranges of all owners.
    pub(crate) fn len(&self) -> usize {
        self.by_owner.len()
    }

    /// Whether unlocking `range` cuts a range of this owner in two.
    pub(crate) fn cuts(&self, range: ByteRange, owner: O) -> bool {
        let before = self.before(owner, range.first);
        before.is_some_and(|(_, held)| held.last > range.last)
    }

    /// The owner of each range, and the lock stateid under which it is locked.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (O, U)> + '_ {
        let ranges = self.by_owner.iter();
        ranges.map(|((owner, _), held)| (*owner, held.under))
    }

    /// The first lock that keeps `owner` from locking `range`.
    pub(crate) fn conflict(
        &self,
        range: ByteRange,
        kind: LockKind,
        owner: O,
    ) -> Option<Conflict<O>> {
        let held = self.overlaps.conflict(range, kind, owner)?;
        Some(Conflict {
            owner: held.owner,
            kind: held.kind,
            range: held.range,
        })
    }

    /// The first locks that keep `owner` from locking `range`, at most `most`, each with what it is locked
    /// under.
    pub(crate) fn conflicts(
        &self,
        range: ByteRange,
        kind: LockKind,
        owner: O,
        most: usize,
    ) -> Vec<(Conflict<O>, U)> {
        let found = self.overlaps.conflicts(range, kind, owner, most);
        let conflicts = found.into_iter().filter_map(|held| {
            let locked = self.by_owner.get(&(held.owner, held.range.first))?;
            let conflict = Conflict {
                owner: held.owner,
                kind: held.kind,
                range: held.range,
            };
            Some((conflict, locked.under))
        });
        conflicts.collect()
    }

    /// Locks the range for `owner`; [`Ranges::conflict`] has found no conflict. The part that the owner
    /// had locked becomes `kind`, and is locked under `under` from now on.
    pub(crate) fn lock(&mut self, range: ByteRange, kind: LockKind, owner: O, under: U) {
        self.unlock(range, owner);
        let ByteRange {
            mut first,
            mut last,
        } = range;
        // Neighbours of the same kind under the same stateid merge with it.
        if let Some((before, held)) = self.before(owner, first)
            && (held.kind, held.under) == (kind, under)
            && held.last.checked_add(1) == Some(first)
        {
            self.remove(owner, before);
            first = before;
        }
        if let Some(next) = last.checked_add(1)
            && let Some(held) = self.by_owner.get(&(owner, next)).copied()
            && (held.kind, held.under) == (kind, under)
        {
            self.remove(owner, next);
            last = held.last;
        }
        self.insert(owner, first, Locked { last, kind, under });
    }

    /// Whether more than `most` ranges of an owner begin in this one.
    pub(crate) fn has_more_in(&self, range: ByteRange, owner: O, most: usize) -> bool {
        if self.len() <= most {
            return false;
        }
        let within = (owner, range.first)..=(owner, range.last);
        self.by_owner.range(within).nth(most).is_some()
    }

    /// Unlocks the range for `owner`, under every lock stateid.
    fn unlock(&mut self, range: ByteRange, owner: O) {
        self.unlock_some(range, owner, usize::MAX);
    }

    /// As [`Ranges::unlock`], up to `most` ranges that begin in `range`; `true` if nothing is left.
    pub(crate) fn unlock_some(&mut self, range: ByteRange, owner: O, most: usize) -> bool {
        if let Some((first, held)) = self.before(owner, range.first)
            && held.last >= range.first
        {
            self.remove(owner, first);
            let last = range.first - 1;
            self.insert(owner, first, Locked { last, ..held });
            self.note_unlocked(range.first, range.last.min(held.last), held.kind);
            if held.last > range.last {
                self.insert(owner, range.last + 1, held);
                return true;
            }
        }
        if self.by_owner.is_empty() {
            // Mostly nothing else is locked, and a search takes time even in an empty tree.
            return true;
        }
        let within = (owner, range.first)..=(owner, range.last);
        let mut taken = 0;
        while let Some((key, held)) = self.by_owner.range(within.clone()).next() {
            if taken == most {
                return false;
            }
            taken += 1;
            let ((_, first), held) = (*key, *held);
            self.remove(owner, first);
            self.note_unlocked(first, range.last.min(held.last), held.kind);
            if held.last > range.last {
                self.insert(owner, range.last + 1, held);
            }
            if held.last >= range.last {
                break;
            }
        }
        true
    }

    /// Unlocks up to `most` ranges that `owner` has locked under `under`; `true` if nothing is left.
    /// No other owner locks under it.
    pub(crate) fn unlock_under(&mut self, owner: O, under: U, most: usize) -> bool {
        let all = (under, 0)..=(under, u64::MAX);
        for _ in 0..most {
            let Some((_, first)) = self.under.range(all.clone()).next() else {
                return true;
            };
            let first = *first;
            if let Some(held) = self.remove(owner, first) {
                self.note_unlocked(first, held.last, held.kind);
            }
        }
        !self.holds(under)
    }

    /// Whether a range is locked under `under`.
    pub(crate) fn holds(&self, under: U) -> bool {
        let mut held = self.under.range((under, 0)..=(under, u64::MAX));
        held.next().is_some()
    }

    /// The last range of an owner that begins before this byte.
    fn before(&self, owner: O, first: u64) -> Option<(u64, Locked<U>)> {
        if first == 0 || self.by_owner.is_empty() {
            return None;
        }
        let mut before = self.by_owner.range((owner, 0)..(owner, first));
        let ((_, first), held) = before.next_back()?;
        Some((*first, *held))
    }

    fn insert(&mut self, owner: O, first: u64, locked: Locked<U>) {
        let Locked { last, kind, under } = locked;
        self.by_owner.insert((owner, first), locked);
        self.under.insert((under, first));
        let range = ByteRange { first, last };
        self.overlaps.insert(LockedRange { owner, kind, range });
    }

    fn remove(&mut self, owner: O, first: u64) -> Option<Locked<U>> {
        let locked = self.by_owner.remove(&(owner, first))?;
        self.under.remove(&(locked.under, first));
        self.overlaps.remove(first, owner);
        Some(locked)
    }

    fn note_unlocked(&mut self, first: u64, last: u64, kind: LockKind) {
        if let Some(unlocked) = &mut self.unlocked {
            let range = ByteRange { first, last };
            unlocked.push(ByteLock { range, kind });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: u64) -> ByteRange {
        ByteRange { first, last }
    }

    #[test]
    fn a_range_is_built_from_offset_and_length() {
        assert_eq!(ByteRange::new(5, 0), None);
        assert_eq!(ByteRange::new(5, 1), Some(range(5, 5)));
        assert_eq!(ByteRange::new(5, u64::MAX), Some(range(5, u64::MAX)));
        assert_eq!(ByteRange::new(u64::MAX, 2), None);
        assert_eq!(range(5, u64::MAX).length(), u64::MAX);
        assert_eq!(range(5, 6).length(), 2);
    }

    /// Plays every sequence of three operations out of a small set against an array of bytes. The first
    /// owner locks under 10 and 11, the second under 20.
    #[test]
    fn ranges_agree_with_single_bytes() {
        const BYTES: u64 = 6;
        let mut steps = Vec::new();
        for (first, last) in [(0, 5), (1, 2), (2, 4), (5, 5)] {
            for (owner, under) in [(1_u8, 10_u8), (1, 11), (2, 20)] {
                for kind in [Some(LockKind::Read), Some(LockKind::Write), None] {
                    steps.push((range(first, last), (owner, under), kind));
                }
            }
        }
        let n = steps.len();
        for word in 0..n * n * n {
            let mut ranges = Ranges::new();
            let mut model: Vec<Byte> = alloc::vec![BTreeMap::new(); BYTES as usize];
            for step in [word / (n * n), word / n % n, word % n] {
                let (range, (owner, under), kind) = steps[step];
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
                            byte.iter().any(|(other, (held, _))| {
                                *other != owner
                                    && (kind == LockKind::Write || *held == LockKind::Write)
                            })
                        });
                        let conflict = ranges.conflict(range, kind, owner);
                        assert_eq!(conflict.is_some(), refused);
                        if !refused {
                            ranges.lock(range, kind, owner, under);
                            for byte in &mut model[bytes] {
                                byte.insert(owner, (kind, under));
                            }
                        }
                    }
                }
            }
            agree(&ranges, &model);
            assert!(ranges.unlock_under(1, 10, usize::MAX));
            for byte in &mut model {
                byte.retain(|_, (_, under)| *under != 10);
            }
            agree(&ranges, &model);
        }
    }

    /// The kind of lock that each owner has on a byte, and the stateid under which.
    type Byte = BTreeMap<u8, (LockKind, u8)>;

    #[track_caller]
    fn agree(ranges: &Ranges<u8, u8>, model: &[Byte]) {
        for (at, byte) in (0..).zip(model) {
            for owner in [1, 2] {
                let mut held = ranges.by_owner.iter();
                let found = held.find_map(|((of, first), held)| {
                    let there = range(*first, held.last).overlaps(range(at, at));
                    (*of == owner && there).then_some((held.kind, held.under))
                });
                assert_eq!(found, byte.get(&owner).copied());
            }
        }
        for under in [10, 11, 20] {
            let mut held = model.iter().flat_map(BTreeMap::values);
            let held = held.any(|(_, of)| *of == under);
            assert_eq!(ranges.holds(under), held);
        }
        assert_eq!(ranges.len(), ranges.under.len());
        let all: Vec<_> = ranges.by_owner.iter().collect();
        for pair in all.windows(2) {
            let (((one, _), left), ((two, first), right)) = (pair[0], pair[1]);
            if one == two {
                assert!(left.last < *first, "they do not overlap");
                let touch = left.last + 1 == *first;
                let alike = (left.kind, left.under) == (right.kind, right.under);
                assert!(!touch || !alike, "neighbours differ");
            }
        }
    }

    /// Compares with a walk over all ranges, with many owners and long locks beside short ones.
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
            let kind = [
                LockKind::Read,
                LockKind::Read,
                LockKind::Read,
                LockKind::Write,
            ][below(4) as usize];
            let walked = ranges.by_owner.iter().filter(|((of, first), held)| {
                let excludes = kind == LockKind::Write || held.kind == LockKind::Write;
                *of != owner && excludes && asked.overlaps(range(*first, held.last))
            });
            let first = walked.map(|((of, first), _)| (*first, *of)).min();
            let found = ranges.conflict(asked, kind, owner);
            let found = found.map(|conflict| (conflict.range.first, conflict.owner));
            assert_eq!(found, first, "step {step}");
            if step % 64 == 0 {
                let walked = ranges.by_owner.iter().filter(|((of, first), held)| {
                    let excludes = kind == LockKind::Write || held.kind == LockKind::Write;
                    *of != owner && excludes && asked.overlaps(range(*first, held.last))
                });
                let mut all: Vec<_> = walked.map(|((of, at), _)| (*at, *of)).collect();
                all.sort_unstable();
                for most in [1, 3, usize::MAX] {
                    let found = ranges.conflicts(asked, kind, owner, most);
                    let found = found
                        .iter()
                        .map(|(found, _)| (found.range.first, found.owner));
                    assert!(found.eq(all.iter().copied().take(most)), "step {step}");
                }
            }
            match below(50) {
                0 => assert!(ranges.unlock_under(owner, owner, usize::MAX)),
                1..20 => ranges.unlock(asked, owner),
                _ if first.is_none() => ranges.lock(asked, kind, owner, owner),
                _ => {}
            }
            most = most.max(ranges.len());
        }
        assert!(most > 100, "{most} ranges at most");
        for owner in 0..12 {
            assert!(ranges.unlock_under(owner, owner, usize::MAX));
        }
        assert_eq!(
            ranges.conflict(range(0, u64::MAX), LockKind::Write, 99),
            None
        );
    }

    #[test]
    fn a_range_can_end_at_the_last_offset() {
        let mut ranges = Ranges::new();
        ranges.lock(range(0, u64::MAX), LockKind::Write, 1, 10);
        ranges.unlock(range(10, 19), 1);
        assert_eq!(ranges.len(), 2);
        assert_eq!(ranges.conflict(range(10, 19), LockKind::Write, 2), None);
        let conflict = ranges.conflict(range(u64::MAX, u64::MAX), LockKind::Read, 2);
        assert_eq!(conflict.map(|c| c.range), Some(range(20, u64::MAX)));
        ranges.unlock(range(0, u64::MAX), 1);
        assert!(ranges.len() == 0 && !ranges.holds(10));
    }

    #[test]
    fn unlocking_in_steps_equals_unlocking_at_once() {
        for (first, last) in [(0, 200), (5, 96), (6, 97), (101, u64::MAX), (12, 12)] {
            let (mut at_once, mut in_steps) = (Ranges::new(), Ranges::new());
            for ranges in [&mut at_once, &mut in_steps] {
                for at in 0..20 {
                    ranges.lock(range(10 * at, 10 * at + 7), LockKind::Read, 1, 1);
                }
            }
            at_once.unlock(range(first, last), 1);
            let mut steps = 1;
            while !in_steps.unlock_some(range(first, last), 1, 3) {
                steps += 1;
            }
            assert_eq!(steps > 1, in_steps.len() + 3 < 20, "{first}..={last}");
            assert_eq!(in_steps.by_owner, at_once.by_owner, "{first}..={last}");
        }
    }

    #[test]
    fn the_locks_of_one_owner_do_not_cut_those_of_another() {
        let mut ranges = Ranges::new();
        for reader in 0..10 {
            ranges.lock(range(0, u64::MAX), LockKind::Read, reader, reader);
        }
        for at in 0..10 {
            ranges.lock(range(3 * at, 3 * at), LockKind::Read, 10, 10);
        }
        assert_eq!(ranges.len(), 20);
        assert!(ranges.cuts(range(5, 5), 1) && !ranges.cuts(range(0, 5), 1));
        assert!(!ranges.cuts(range(5, u64::MAX), 1) && !ranges.cuts(range(0, 5), 10));
        assert!(ranges.unlock_under(10, 10, usize::MAX));
        assert_eq!(ranges.len(), 10);
        assert!(ranges.holds(9) && !ranges.holds(10));
        assert!(ranges.owners().map(|(owner, _)| owner).eq(0..10));
    }
}
