//! Durations, counted in buckets whose bounds double.

use core::time::Duration;

/// How many durations fell into each bucket: those up to `UNIT` nanoseconds, up to twice that, and
/// so on; the last of the `N` takes what is longer.
#[derive(Clone, Debug)]
pub struct Buckets<const UNIT: u64, const N: usize> {
    counts: [u64; N],
    /// Which counts are not zero: a set of their places.
    counted: u32,
    nanos: u64,
}

/// From 1 µs to 8.4 s: how long a COMPOUND takes.
pub type CompoundBuckets = Buckets<1_000, 25>;
/// From 1 s to six days: how long a session lives.
pub type SessionBuckets = Buckets<1_000_000_000, 21>;

impl<const UNIT: u64, const N: usize> Buckets<UNIT, N> {
    /// How many durations each bucket has, those of the buckets below it not included.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// All durations together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// The longest duration of each bucket but the last, in seconds.
    pub fn bounds() -> impl Iterator<Item = f64> {
        let unit = Duration::from_nanos(UNIT).as_secs_f64();
        let bound = core::iter::successors(Some(unit), |bound| Some(bound * 2.0));
        bound.take(N - 1)
    }

    pub(super) fn observe(&mut self, took: Duration) {
        const { assert!(N > 1 && N <= u32::BITS as usize, "a bucket has a bit") };
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let units = nanos.div_ceil(UNIT);
        let doublings = u64::BITS - units.saturating_sub(1).leading_zeros();
        let place = (doublings as usize).min(N - 1);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.counted |= 1 << place;
        self.nanos = self.nanos.saturating_add(nanos);
    }

    pub(super) fn clear(&mut self) {
        let mut counted = core::mem::take(&mut self.counted);
        while counted != 0 {
            if let Some(count) = self.counts.get_mut(counted.trailing_zeros() as usize) {
                *count = 0;
            }
            counted &= counted - 1;
        }
        self.nanos = 0;
    }
}

impl<const UNIT: u64, const N: usize> Default for Buckets<UNIT, N> {
    fn default() -> Self {
        Buckets {
            counts: [0; N],
            counted: 0,
            nanos: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut buckets = Buckets::<1_000, 4>::default();
        for nanos in [0, 1, 1_000, 1_001, 2_000, 2_001, 4_000, 4_001, u64::MAX / 4] {
            buckets.observe(Duration::from_nanos(nanos));
        }
        assert_eq!(buckets.counts(), [3, 2, 2, 2]);
        assert_eq!(
            Buckets::<1_000, 4>::bounds().collect::<Vec<_>>(),
            [1e-6, 2e-6, 4e-6]
        );
        buckets.clear();
        assert_eq!(buckets.counts(), [0; 4]);
        assert_eq!(buckets.sum(), Duration::ZERO);
    }
}
