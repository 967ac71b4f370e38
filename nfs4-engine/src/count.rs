//! Counts of what exists, which fall when it ends.

/// A count that is kept beside what it counts.
pub(crate) trait Count: Copy {
    /// Subtracts what has ended. A count that is too low, which is a fault of the engine, stays at
    /// zero: wrapped round, it would refuse everything from then on.
    fn lower(&mut self, ended: Self);

    /// Replaces `before` of what is counted by `after`.
    fn replace(&mut self, before: Self, after: Self);
}

macro_rules! count {
    ($($number:ty),+) => {$(
        impl Count for $number {
            #[inline]
            fn lower(&mut self, ended: $number) {
                debug_assert!(*self >= ended, "{ended} were counted before they ended");
                *self = self.saturating_sub(ended);
            }

            #[inline]
            fn replace(&mut self, before: $number, after: $number) {
                *self += after;
                self.lower(before);
            }
        }
    )+};
}

count!(u16, u32, usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_follows_what_it_counts() {
        let mut count = 3_u32;
        count.lower(1);
        count.replace(2, 5);
        assert_eq!(count, 5);
        count.replace(5, 0);
        assert_eq!(count, 0);
    }

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "counted before"))]
    fn a_count_does_not_wrap_round() {
        let mut count = 1_usize;
        count.lower(2);
        assert_eq!(count, 0);
    }
}
