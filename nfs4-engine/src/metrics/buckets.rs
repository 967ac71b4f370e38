//! Counts of durations, in buckets.

use core::marker::PhantomData;
use core::time::Duration;

/// Number of durations in each of `N` buckets; the last bucket has those above all bounds.
#[derive(Clone, Debug)]
pub struct Buckets<S, const N: usize> {
    counts: [u64; N],
    /// The set of buckets that are not zero, as bits.
    counted: u32,
    nanos: u64,
    scale: PhantomData<S>,
}

/// The bounds of the buckets.
pub trait Scale {
    /// The bucket of a duration, as if there were no last one.
    fn place(nanos: u64) -> usize;

    /// The longest duration of a bucket.
    fn bound(place: usize) -> Duration;
}

/// Bounds that double, from this number of nanoseconds on.
#[derive(Clone, Copy, Debug)]
pub struct Doubling<const UNIT: u64>;

/// From 1 ms to 10 s, in steps of five and two.
#[derive(Clone, Copy, Debug)]
pub struct FivesAndTwos;

/// From 1 µs to 8.4 s: the duration of a COMPOUND.
pub type CompoundBuckets = Buckets<Doubling<1_000>, 25>;
/// From 1 s to six days: the lifetime of a session.
pub type SessionBuckets = Buckets<Doubling<1_000_000_000>, 21>;
/// Up to 10 s: the time that a client takes to reply to a callback.
pub type CallbackBuckets = Buckets<FivesAndTwos, { FivesAndTwos::MILLIS.len() + 1 }>;

impl<S: Scale, const N: usize> Buckets<S, N> {
    /// The count of each bucket, without those of the buckets below it.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The sum of all durations.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// The bound of each bucket but the last, in seconds.
    pub fn bounds() -> impl Iterator<Item = f64> {
        (0..N - 1).map(|place| S::bound(place).as_secs_f64())
    }

    /// Adds a duration.
    pub fn observe(&mut self, took: Duration) {
        self.observe_nanos(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds a duration of this many nanoseconds: a [`Duration`] costs a division.
    pub(crate) fn observe_nanos(&mut self, nanos: u64) {
        const { assert!(N > 1 && N <= u32::BITS as usize, "a bucket has a bit") };
        let place = S::place(nanos).min(N - 1);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.counted |= 1 << place;
        self.nanos = self.nanos.saturating_add(nanos);
    }

    /// Sets all counts to zero.
    pub fn clear(&mut self) {
        if self.counted == 0 {
            return;
        }
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

impl<const UNIT: u64> Scale for Doubling<UNIT> {
    fn place(nanos: u64) -> usize {
        // A bound belongs to its bucket.
        let units = nanos.saturating_sub(1) / UNIT;
        let doublings = u64::BITS - units.leading_zeros();
        doublings as usize
    }

    fn bound(place: usize) -> Duration {
        Duration::from_nanos(UNIT << place)
    }
}

impl FivesAndTwos {
    const MILLIS: [u64; 9] = [1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000];
}

impl Scale for FivesAndTwos {
    fn place(nanos: u64) -> usize {
        let millis = nanos.div_ceil(1_000_000);
        FivesAndTwos::MILLIS.partition_point(|bound| *bound < millis)
    }

    fn bound(place: usize) -> Duration {
        let millis = FivesAndTwos::MILLIS.get(place).copied();
        millis.map_or(Duration::MAX, Duration::from_millis)
    }
}

impl<S, const N: usize> Default for Buckets<S, N> {
    fn default() -> Self {
        Buckets {
            counts: [0; N],
            counted: 0,
            nanos: 0,
            scale: PhantomData,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut buckets = Buckets::<Doubling<1_000>, 4>::default();
        for nanos in [0, 1, 1_000, 1_001, 2_000, 2_001, 4_000, 4_001, u64::MAX / 4] {
            buckets.observe(Duration::from_nanos(nanos));
        }
        assert_eq!(buckets.counts(), [3, 2, 2, 2]);
        assert_eq!(
            Buckets::<Doubling<1_000>, 4>::bounds().collect::<Vec<_>>(),
            [1e-6, 2e-6, 4e-6]
        );
        let mut callbacks = CallbackBuckets::default();
        for millis in [0, 1, 2, 5, 6, 10_000, 10_001] {
            callbacks.observe(Duration::from_millis(millis));
        }
        assert_eq!(callbacks.counts(), [2, 2, 1, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(CallbackBuckets::bounds().last(), Some(10.0));
        buckets.clear();
        assert_eq!(buckets.counts(), [0; 4]);
        assert_eq!(buckets.sum(), Duration::ZERO);
    }
}
