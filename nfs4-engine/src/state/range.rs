//! Byte ranges of one file and who has them locked. [RFC 8881 §9.5, §18.10]

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

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

/// The locked bytes of a file, cut where anything changes: segments do not overlap, and
/// neighbours differ. `O` names a lock owner.
#[derive(Debug)]
pub(crate) struct Ranges<O> {
    /// By first byte.
    segments: BTreeMap<u64, Segment<O>>,
    /// The owners of all segments, each as often as it occurs: what it all costs.
    weight: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment<O> {
    last: u64,
    kind: Kind,
    /// Sorted; one if `kind` is `Write`.
    owners: Vec<O>,
}

/// Somebody else's lock that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict<O> {
    pub(crate) owner: O,
    pub(crate) kind: Kind,
    pub(crate) range: Range,
}

impl Range {
    /// All bytes of a file.
    const ALL: Range = Range {
        first: 0,
        last: u64::MAX,
    };

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
            segments: BTreeMap::new(),
            weight: 0,
        }
    }

    /// How much memory it takes, and time to walk over it: an owner of a segment counts one.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Whether an end of the range lies inside a segment, which would have to be cut in two.
    pub(crate) fn cuts(&self, range: Range) -> bool {
        let inside = |at: u64| {
            let before = self.segments.range(..at).next_back();
            before.is_some_and(|(_, segment)| segment.last >= at)
        };
        inside(range.first) || range.last.checked_add(1).is_some_and(inside)
    }

    /// The owners of all segments, each as often as it occurs.
    pub(crate) fn owners(&self) -> impl Iterator<Item = O> + '_ {
        self.segments
            .values()
            .flat_map(|segment| segment.owners.iter().copied())
    }

    /// The first lock that keeps `owner` from locking `range`.
    pub(crate) fn conflict(&self, range: Range, kind: Kind, owner: O) -> Option<Conflict<O>> {
        let before = self.segments.range(..range.first).next_back();
        let within = self.segments.range(range.first..=range.last);
        let touched = before
            .into_iter()
            .filter(|(_, segment)| segment.last >= range.first);
        touched.chain(within).find_map(|(first, segment)| {
            if kind == Kind::Read && segment.kind == Kind::Read {
                return None;
            }
            let other = segment.owners.iter().find(|other| **other != owner)?;
            let range = Range {
                first: *first,
                last: segment.last,
            };
            Some(Conflict {
                owner: *other,
                kind: segment.kind,
                range,
            })
        })
    }

    /// Gives `owner` the range; [`Ranges::conflict`] has found none. What he had of it before
    /// becomes `kind`.
    pub(crate) fn lock(&mut self, range: Range, kind: Kind, owner: O) {
        self.split(range);
        let mut at = range.first;
        loop {
            let next = self.segments.range_mut(at..=range.last).next();
            let gap_end = match &next {
                Some((first, _)) => **first,
                None => range.last,
            };
            let hole = match next {
                Some((first, segment)) if *first == at => {
                    self.weight += usize::from(add(&mut segment.owners, owner));
                    segment.kind = kind;
                    let Some(after) = segment.last.checked_add(1) else {
                        break;
                    };
                    at = after;
                    None
                }
                Some(_) => Some(gap_end - 1),
                None => Some(range.last),
            };
            if let Some(last) = hole {
                let owners = alloc::vec![owner];
                self.weight += 1;
                self.segments.insert(at, Segment { last, kind, owners });
                let Some(after) = last.checked_add(1) else {
                    break;
                };
                at = after;
            }
            if at > range.last {
                break;
            }
        }
        self.join(range);
    }

    /// Takes the range from `owner`, whatever of it he has.
    pub(crate) fn unlock(&mut self, range: Range, owner: O) {
        self.split(range);
        self.unlock_whole(range, |other| other == owner);
    }

    /// Takes all that they have from all owners of whom this is true, in one walk.
    pub(crate) fn unlock_all(&mut self, gone: impl Fn(O) -> bool) {
        self.unlock_whole(Range::ALL, gone);
    }

    /// As [`Ranges::unlock_all`], of a range that cuts no segment.
    fn unlock_whole(&mut self, range: Range, gone: impl Fn(O) -> bool) {
        let weight = &mut self.weight;
        self.segments.retain_in(range, |segment| {
            let before = segment.owners.len();
            segment.owners.retain(|owner| !gone(*owner));
            *weight -= before - segment.owners.len();
            !segment.owners.is_empty()
        });
        self.join(range);
    }

    /// Whether `owner` has anything locked.
    pub(crate) fn holds(&self, owner: O) -> bool {
        self.segments
            .values()
            .any(|segment| segment.owners.contains(&owner))
    }

    /// Cuts the segments that reach over an end of `range`.
    fn split(&mut self, range: Range) {
        self.cut(range.first);
        if let Some(after) = range.last.checked_add(1) {
            self.cut(after);
        }
    }

    /// Makes `at` the first byte of a segment, if it is inside one.
    fn cut(&mut self, at: u64) {
        let Some((_, segment)) = self.segments.range_mut(..at).next_back() else {
            return;
        };
        if segment.last >= at {
            let tail = segment.clone();
            self.weight += tail.owners.len();
            segment.last = at - 1;
            self.segments.insert(at, tail);
        }
    }

    /// Joins neighbours that are alike, in the range and at its ends.
    fn join(&mut self, range: Range) {
        let before = self.segments.range(..range.first).next_back();
        let mut at = before.map_or(range.first, |(first, _)| *first);
        loop {
            let mut pair = self.segments.range(at..);
            let Some((first, segment)) = pair.next() else {
                return;
            };
            let Some((next_first, next)) = pair.next() else {
                return;
            };
            if *first > range.last {
                return;
            }
            let alike = segment.last.checked_add(1) == Some(*next_first)
                && segment.kind == next.kind
                && segment.owners == next.owners;
            let (first, next_first, last) = (*first, *next_first, next.last);
            if alike {
                if let Some(next) = self.segments.remove(&next_first) {
                    self.weight -= next.owners.len();
                }
                if let Some(segment) = self.segments.get_mut(&first) {
                    segment.last = last;
                }
                at = first;
            } else {
                at = next_first;
            }
        }
    }
}

/// Removal in a part of a map.
trait RetainIn<O> {
    fn retain_in(&mut self, range: Range, keep: impl FnMut(&mut Segment<O>) -> bool);
}

impl<O> RetainIn<O> for BTreeMap<u64, Segment<O>> {
    fn retain_in(&mut self, range: Range, mut keep: impl FnMut(&mut Segment<O>) -> bool) {
        let mut at = range.first;
        while let Some((first, segment)) = self.range_mut(at..=range.last).next() {
            let (first, last) = (*first, segment.last);
            if !keep(segment) {
                self.remove(&first);
            }
            let Some(after) = last.checked_add(1) else {
                return;
            };
            if after > range.last {
                return;
            }
            at = after;
        }
    }
}

/// Says whether he was not there before.
fn add<O: Copy + Ord>(owners: &mut Vec<O>, owner: O) -> bool {
    match owners.binary_search(&owner) {
        Ok(_) => false,
        Err(place) => {
            owners.insert(place, owner);
            true
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn segments_agree_with_single_bytes() {
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
            for byte in 0..BYTES {
                for owner in [1, 2] {
                    let held = model[byte as usize].get(&owner).copied();
                    let found = ranges.segments.iter().find_map(|(first, segment)| {
                        (*first <= byte && byte <= segment.last && segment.owners.contains(&owner))
                            .then_some(segment.kind)
                    });
                    assert_eq!(found, held);
                }
            }
            let weights = ranges.segments.values().map(|segment| segment.owners.len());
            assert_eq!(ranges.weight(), weights.sum::<usize>());
            let all: Vec<_> = ranges.segments.iter().collect();
            for pair in all.windows(2) {
                let ((_, left), (first, right)) = (pair[0], pair[1]);
                assert!(left.last < *first);
                let alike = left.kind == right.kind && left.owners == right.owners;
                assert!(left.last + 1 != *first || !alike, "neighbours differ");
            }
        }
    }

    #[test]
    fn the_end_of_the_range_of_offsets() {
        let mut ranges = Ranges::new();
        ranges.lock(range(0, u64::MAX), Kind::Write, 1);
        ranges.unlock(range(10, 19), 1);
        assert_eq!(ranges.weight(), 2);
        assert_eq!(ranges.conflict(range(10, 19), Kind::Write, 2), None);
        let conflict = ranges.conflict(range(u64::MAX, u64::MAX), Kind::Read, 2);
        assert_eq!(conflict.map(|c| c.range), Some(range(20, u64::MAX)));
        ranges.unlock(range(0, u64::MAX), 1);
        assert!(ranges.weight() == 0 && !ranges.holds(1));
    }

    #[test]
    fn many_owners_go_in_one_walk() {
        let mut ranges = Ranges::new();
        ranges.lock(range(0, 9), Kind::Read, 1);
        ranges.lock(range(5, 14), Kind::Read, 2);
        ranges.lock(range(10, 19), Kind::Read, 3);
        assert_eq!(ranges.weight(), 6);
        assert!(ranges.cuts(range(0, 5)) && ranges.cuts(range(1, 19)));
        assert!(!ranges.cuts(range(0, 19)) && !ranges.cuts(range(5, 9)));
        ranges.unlock_all(|owner| owner != 2);
        assert_eq!(ranges.weight(), 1, "what was cut is joined again");
        assert!(ranges.holds(2) && !ranges.holds(1) && !ranges.holds(3));
        ranges.unlock_all(|_| true);
        assert_eq!(ranges.weight(), 0);
    }
}
