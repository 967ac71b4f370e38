//! How often each byte of a file is locked.

use std::collections::BTreeMap;

use nfs4_engine::fs::{ByteLock, ByteRange, LockKind};

/// The locks of a file that are counted, by the bytes at which their number changes.
#[derive(Debug, Default)]
pub(super) struct LockCounts {
    changes: BTreeMap<u64, Counts>,
}

/// By how much the number of shared locks, and of exclusive locks, changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    shared: i64,
    exclusive: i64,
}

/// Bytes that are locked alike: as the strongest lock on them; none where there is no lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) range: ByteRange,
    pub(super) strength: Option<LockKind>,
}

impl LockCounts {
    /// Counts a lock once more.
    pub(super) fn add(&mut self, lock: &ByteLock) {
        self.change(lock, 1);
    }

    /// Counts once less each of these locks, which were counted, or are parts of such.
    pub(super) fn subtract(&mut self, gone: &LockCounts) {
        for (at, by) in &gone.changes {
            self.change_at(*at, LockKind::Read, -by.shared);
            self.change_at(*at, LockKind::Write, -by.exclusive);
        }
    }

    /// From the first byte that is locked to the last.
    pub(super) fn span(&self) -> Option<ByteRange> {
        let (first, _) = self.changes.first_key_value()?;
        let (end, _) = self.changes.last_key_value()?;
        let shared: i64 = self.changes.values().map(|by| by.shared).sum();
        let exclusive: i64 = self.changes.values().map(|by| by.exclusive).sum();
        let last = match (shared, exclusive) {
            (0, 0) => end.saturating_sub(1),
            // The end of such a lock is no change.
            _ => u64::MAX,
        };
        Some(ByteRange {
            first: *first,
            last,
        })
    }

    /// Whether nothing is locked.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Number of places at which the number of locks changes.
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// The bytes of a range in order, neighbours that are locked differently apart.
    pub(super) fn runs(&self, range: ByteRange) -> Vec<Run> {
        let mut now = Counts::default();
        let mut runs: Vec<Run> = Vec::new();
        let mut from = range.first;
        let mut end = |upto: u64, now: Counts, from: u64| {
            let strength = now.strength();
            let range = ByteRange {
                first: from,
                last: upto,
            };
            match runs.last_mut() {
                Some(run) if run.strength == strength => run.range.last = upto,
                _ => runs.push(Run { range, strength }),
            }
        };
        for (at, by) in self.changes.range(..=range.last) {
            if *at > from {
                end(*at - 1, now, from);
                from = *at;
            }
            now.shared += by.shared;
            now.exclusive += by.exclusive;
        }
        end(range.last, now, from);
        runs
    }

    fn change(&mut self, lock: &ByteLock, by: i64) {
        self.change_at(lock.range.first, lock.kind, by);
        if let Some(next) = lock.range.last.checked_add(1) {
            self.change_at(next, lock.kind, -by);
        }
    }

    fn change_at(&mut self, at: u64, kind: LockKind, by: i64) {
        let counts = self.changes.entry(at).or_default();
        match kind {
            LockKind::Read => counts.shared += by,
            LockKind::Write => counts.exclusive += by,
        }
        if *counts == Counts::default() {
            self.changes.remove(&at);
        }
    }
}

impl Counts {
    fn strength(self) -> Option<LockKind> {
        match self {
            Counts { exclusive: 1.., .. } => Some(LockKind::Write),
            Counts { shared: 1.., .. } => Some(LockKind::Read),
            Counts { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(first: u64, last: u64, kind: LockKind) -> ByteLock {
        let range = ByteRange { first, last };
        ByteLock { range, kind }
    }

    /// Compares with an array of bytes, while locks come, and go in parts.
    #[test]
    fn runs_agree_with_single_bytes() {
        const BYTES: u64 = 24;
        let mut seed = 1_u64;
        let mut below = |bound: u64| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (seed >> 33) % bound
        };
        let mut counts = LockCounts::default();
        let mut held: Vec<ByteLock> = Vec::new();
        for step in 0..20_000 {
            if held.is_empty() || held.len() < 12 && below(2) == 0 {
                let first = below(BYTES);
                let last = first + below(BYTES - first);
                let kind = [LockKind::Read, LockKind::Write][below(2) as usize];
                let new = lock(first, last, kind);
                counts.add(&new);
                held.push(new);
            } else {
                let gone = held.swap_remove(below(held.len() as u64) as usize);
                let ByteRange { first, last } = gone.range;
                let cut = first + below(last - first + 1);
                let mut part = LockCounts::default();
                part.add(&lock(first, cut, gone.kind));
                assert_eq!(part.span(), Some(lock(first, cut, gone.kind).range));
                counts.subtract(&part);
                if cut < last {
                    held.push(lock(cut + 1, last, gone.kind));
                }
            }
            assert_eq!(counts.is_empty(), held.is_empty(), "step {step}");
            let from = below(BYTES);
            let range = ByteRange {
                first: from,
                last: from + below(BYTES - from),
            };
            let runs = counts.runs(range);
            let mut next = range.first;
            for pair in runs.windows(2) {
                assert_ne!(pair[0].strength, pair[1].strength, "step {step}");
            }
            for run in runs {
                assert_eq!(run.range.first, next, "step {step}");
                for byte in run.range.first..=run.range.last {
                    let there = |kind| {
                        let on = lock(byte, byte, kind).range;
                        let mut held = held.iter();
                        held.any(|held| held.kind == kind && held.range.overlaps(on))
                    };
                    let strength = if there(LockKind::Write) {
                        Some(LockKind::Write)
                    } else {
                        there(LockKind::Read).then_some(LockKind::Read)
                    };
                    assert_eq!(run.strength, strength, "step {step}, byte {byte}");
                }
                next = run.range.last + 1;
            }
            assert_eq!(next, range.last + 1, "step {step}");
        }
    }

    #[test]
    fn a_lock_reaches_to_the_last_offset() {
        let mut counts = LockCounts::default();
        let all = lock(5, u64::MAX, LockKind::Write);
        counts.add(&all);
        let runs = counts.runs(ByteRange {
            first: 0,
            last: u64::MAX,
        });
        let found: Vec<_> = runs
            .iter()
            .map(|run| (run.range.first, run.strength))
            .collect();
        assert_eq!(found, [(0, None), (5, Some(LockKind::Write))]);
        assert_eq!(counts.span(), Some(all.range));
        let mut gone = LockCounts::default();
        gone.add(&all);
        counts.subtract(&gone);
        assert!(counts.is_empty());
        assert_eq!(counts.span(), None);
    }
}
